// GenieZone's EL2 below a primary VM that executes instructions: its calls by HVC and SMC, its VMs,
// and RUN (docs/spec/geniezone.md §2, §4, §9). Its VMs consist of the same objects as Gunyah's.

import {
  callOf,
  GZVM_CALLS,
  GZVM_ERROR_NAMES,
  type GzvmArgumentKind,
  type GzvmCallName,
  GzvmError,
  GzvmGuestCall,
  unpackTuple,
} from "../../abi/geniezone/calls.ts";
import { GZVM_RUN } from "../../abi/ioctl/geniezone.ts";
import { ErrorCode } from "../../abi/errors.ts";
import type { TraceFields } from "../../abi/trace.ts";
import type { ObjectArchive } from "../archive/archive.ts";
import { Cspace } from "../capabilities/cspace.ts";
import { DEFERRED } from "../capabilities/hypercall-definition.ts";
import type { Partition } from "../memory/partition.ts";
import { Block } from "../scheduling/vcpu-life.ts";
import { enterRun } from "../scheduling/vcpu-run-calls.ts";
import type { RunState, VcpuGeniezone } from "../scheduling/vcpu-services.ts";
import type { Vcpu } from "../scheduling/vcpu.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import { type GzArguments, type GzCall, type GzHandlers, type GzRefusal, type GzReply, type GzResult, HANDLERS } from "./gz-calls.ts";
import { isRefusal, refuse, refuseFor, vcpuOf, type VcpuPlace } from "./gz-calls.ts";
import { answeredRegisters, exitOf, hwState, loadedValue } from "./gz-exits.ts";
import { type GzVcpu, GzVm, GZVM_MAX_VMS, idOfVmid, vmidOf } from "./gz-vm.ts";
import { primaryExtent, readPrimary, writePrimary } from "./primary-memory.ts";

/** The section that is cited for a broken rule. */
const SECTION = "geniezone 2";
/** Capabilities of all VMs' objects. */
const EL2_CAPS = 4096;
/** Calls of guests that the driver answers. */
const GUEST_CALLS: ReadonlySet<number> = new Set(Object.values(GzvmGuestCall));
const NOT_SUPPORTED = 0xffff_ffff_ffff_ffffn;

/** GenieZone's EL2. */
export class GenieZone implements VcpuGeniezone {
  #cspace: Cspace | undefined;
  readonly #vms = new Map<number, GzVm>();

  /** @param partition pays for all objects */
  constructor(readonly partition: Partition) {}

  /** The VMs by id. */
  get vms(): ReadonlyMap<number, GzVm> {
    return this.#vms;
  }

  vmOf(vmid: number): GzVm | undefined {
    return this.#vms.get(idOfVmid(vmid));
  }

  serves(caller: Vcpu, id: number): boolean {
    return callOf(id) !== undefined && caller.settings.isPrimary && caller.addressSpace !== undefined;
  }

  call(caller: Vcpu, id: number, x: readonly bigint[]): readonly bigint[] | typeof DEFERRED | undefined {
    const name = callOf(id);
    if (name === undefined || !this.serves(caller, id)) return undefined;
    caller.beginCall("geniezone");
    const { trace, checker } = caller.services;
    trace.clearNote();
    caller.trace.beginCall(trace.countCalls(1));
    caller.services.hypercalls.made.addOther();
    if (trace.wanted.hvc) caller.trace.showCall(caller.trace.begin("hvc", `GZVM ${name}`, {}));
    const fields = () => fieldsOf(name, x);
    const reply = this.#perform(caller, name, x);
    if (checker) checker.verifyAfter(() => `${caller.services.names.vcpu(caller)}: GZVM ${name}`);
    if (typeof reply !== "symbol") return this.#reply(caller, name, fields, reply);
    const { call } = caller.trace;
    if (call !== undefined) {
      caller.trace.describe(call, fields());
      caller.trace.suspend(call);
    }
    return DEFERRED;
  }

  leaveCall(vcpu: Vcpu, id: number, x: readonly bigint[]): readonly bigint[] | typeof DEFERRED | undefined {
    if (!GUEST_CALLS.has(id)) return undefined;
    const place = this.#placeOf(vcpu);
    const one = place?.vm.vcpus[place.index];
    if (!place || !one || !vcpu.turn.donor?.turn.insideRun) return undefined;
    const { memory } = place.vm;
    if (id === GzvmGuestCall.MemRelinquish) {
      const ipa = Number(x[1]);
      const whole = x[1] < BigInt(vcpu.services.addressSpaceSize) && ipa % PAGE_SIZE === 0;
      if (!memory.paged || !whole || !memory.relinquish(ipa)) return [NOT_SUPPORTED];
    }
    one.calls = true;
    vcpu.block(Block.Vmmio);
    return DEFERRED;
  }

  completeRun(state: RunState, caller: Vcpu, target: Vcpu): void {
    const place = this.#placeOf(target);
    const one = place?.vm.vcpus[place.index];
    const reply = place && one?.vcpu === target
      ? this.#leave(caller, place.vm, one, state)
      : refuse(GzvmError.InvalidArguments, "the vCPU was destroyed while it ran", { target: target.name });
    const values = this.#reply(caller, "RUN", () => ({ vcpu: target.name }), reply);
    for (let index = 0; index < values.length; index++) caller.registers.setX(index, values[index]);
  }

  /** All VMs, saved or loaded; after the objects. */
  archive(archive: ObjectArchive): void {
    this.#cspace = archive.objectOrNone("cspace", this.#cspace, "cspace");
    const vms = archive.list("vms", this.#vms.values(), (vm) => {
      if (!this.#cspace) return archive.fail("objects of VMs have capabilities");
      return GzVm.archive(archive, this.#cspace, vm);
    }, GZVM_MAX_VMS);
    if (!archive.loading) return;
    this.#vms.clear();
    for (const vm of vms) this.#add(vm);
    archive.check(this.#vms.size === vms.length, "a VM has its own id");
  }

  #perform(caller: Vcpu, name: GzvmCallName, x: readonly bigint[]): GzReply {
    const args = this.#decode(name, x);
    if (isRefusal(args)) return args;
    const call: GzCall = {
      caller,
      primary: caller.space,
      createVm: () => this.#createVm(call),
      destroyVm: (vm) => {
        this.#vms.delete(vm.id);
        vm.destroy();
      },
      run: (place) => this.#run(caller, place),
    };
    return (HANDLERS as GzHandlers)[name](call, args as never);
  }

  /** The arguments by name, or why one is not valid. */
  #decode<N extends GzvmCallName>(name: N, x: readonly bigint[]): GzArguments<N> | GzRefusal {
    const decoded: Record<string, unknown> = {};
    const kinds: [string, GzvmArgumentKind][] = Object.entries(GZVM_CALLS[name].arguments);
    for (const [index, [argument, kind]] of kinds.entries()) {
      const value = this.#decodeOne(kind, x[index + 1]);
      if (isRefusal(value)) return value;
      decoded[argument] = value;
    }
    return decoded as GzArguments<N>;
  }

  #decodeOne(kind: GzvmArgumentKind, value: bigint): unknown {
    const noVm = refuse(GzvmError.InvalidArguments, "there is no such VM", { vm: value });
    switch (kind) {
      case "u64":
        return value;
      case "u32":
        return Number(value & 0xffff_ffffn);
      case "vm?":
        return value === 0n ? undefined : this.#vms.get(Number(value)) ?? noVm;
      case "vm":
        return this.#vms.get(Number(value)) ?? noVm;
      case "tuple": {
        if (value > 0xffff_ffffn) return noVm;
        const { vm: id, vcpu: index } = unpackTuple(Number(value));
        const vm = this.#vms.get(id);
        return vm ? { vm, index } : noVm;
      }
    }
  }

  #createVm(call: GzCall): GzVm | GzRefusal {
    const { primary, caller } = call;
    const own = primaryExtent(primary);
    if (!own) return refuse(GzvmError.Fault, "the caller has no memory");
    const cspace = this.#ownCspace();
    if (typeof cspace === "number") return refuseFor(cspace, call);
    const { addressSpaces } = caller.services;
    let id = 1;
    while (id <= GZVM_MAX_VMS && (this.#vms.has(id) || addressSpaces.has(vmidOf(id)))) id++;
    if (id > GZVM_MAX_VMS) return refuse(GzvmError.NoMemory, "EL2 has no id for another VM", { limit: GZVM_MAX_VMS });
    const vm = GzVm.create(id, cspace, primary, own);
    if (typeof vm === "number") return refuseFor(vm, call);
    this.#add(vm);
    return vm;
  }

  #add(vm: GzVm): void {
    this.partition.services.names.set(vmidOf(vm.id), `gzvm-${vm.id}`);
    this.#vms.set(vm.id, vm);
  }

  /** EL2's own cspace, made with the first VM. */
  #ownCspace(): Cspace | ErrorCode {
    if (this.#cspace) return this.#cspace;
    const cspace = this.partition.create(Cspace);
    if (typeof cspace === "number") return cspace;
    const error = cspace.configure(EL2_CAPS) || cspace.activate();
    const placed = error === ErrorCode.OK ? cspace.insertMaster(cspace) : error;
    if (typeof placed !== "bigint") {
      cspace.release();
      return placed;
    }
    return this.#cspace = cspace;
  }

  /** The place of a vCPU in one of the VMs. */
  #placeOf({ addressSpace, index }: Vcpu): VcpuPlace | undefined {
    const vm = addressSpace && this.vmOf(addressSpace.vmid);
    return vm && { vm, index };
  }

  #run(caller: Vcpu, place: VcpuPlace): GzReply {
    const one = vcpuOf(place);
    if (isRefusal(one)) return one;
    const { vm } = place;
    const { vcpu } = one;
    const invalid = (rule: string) => refuse(GzvmError.InvalidArguments, rule, { vm: vm.id, vcpu: place.index });
    if (vcpu.life.stage !== "exited" && !vcpu.life.isBlockedBy(Block.Run)) return invalid("the vCPU is running already");
    const run = readPrimary(caller.space, BigInt(one.pages), GZVM_RUN.size);
    if (!run) return refuse(GzvmError.Fault, "the shared pages are memory of the caller's", { pages: one.pages });
    if (!vm.started) {
      const wrong = misplacedFrame(vm);
      if (wrong) return invalid(wrong);
      vm.start();
    }
    one.idle = false;
    if (one.calls) this.#answer(one, answeredRegisters(run));
    const value = vcpu.life.vmmio && vcpu.life.vmmio.size > 0 ? loadedValue(run, vcpu.life.vmmio.size) : 0n;
    const state = enterRun(caller, vcpu, value, 0n);
    return state === DEFERRED ? DEFERRED : this.#leave(caller, vm, one, state);
  }

  /** The guest's call has its results. */
  #answer(one: GzVcpu, registers: readonly bigint[]): void {
    one.calls = false;
    if (one.vcpu.life.isDead) return;
    for (const [index, value] of registers.entries()) one.vcpu.registers.setX(index, value);
    one.vcpu.vmmAnswered();
  }

  /** The vCPU stopped: its shared pages say why. */
  #leave(caller: Vcpu, vm: GzVm, one: GzVcpu, state: RunState): GzResult {
    const primary = caller.space;
    const { reason, run } = exitOf(vm, one, state);
    const pages = BigInt(one.pages);
    const written = writePrimary(primary, pages, run) &&
      writePrimary(primary, pages + BigInt(PAGE_SIZE), hwState(one.vcpu, vm.objects.vic));
    return written ? [BigInt(reason)] : refuse(GzvmError.Fault, "the shared pages are memory of the caller's", { pages });
  }

  /** X0.. after a call, which is noted in the trace. */
  #reply(caller: Vcpu, name: GzvmCallName, fields: () => TraceFields, reply: GzResult): readonly bigint[] {
    const { trace } = caller;
    const error = isRefusal(reply) ? reply.error : GzvmError.None;
    if (trace.call !== undefined || isRefusal(reply)) {
      const call = trace.call ?? trace.begin("hvc", `GZVM ${name}`, {});
      trace.closeCall();
      trace.describe(call, fields());
      const result = { code: error, name: GZVM_ERROR_NAMES.get(error) ?? String(error), refused: error !== GzvmError.None };
      if (isRefusal(reply)) {
        trace.locateBefore(call, caller.registers.pc);
        trace.refuse({ section: SECTION, rule: reply.rule, object: "", values: reply.values });
        trace.end(call, result);
      } else {
        const results = GZVM_CALLS[name].results.map((key, index) => [key, reply[index] ?? 0n]);
        trace.end(call, { ...result, fields: Object.fromEntries(results) });
      }
    }
    return isRefusal(reply) ? [BigInt.asUintN(64, BigInt(error))] : [0n, ...reply];
  }
}

/** Why the GIC's frames cannot lie where the driver wants them. */
function misplacedFrame(vm: GzVm): string | undefined {
  const frames = vm.frames();
  if (frames.some(({ base, size }) => base + size > vm.objects.addressSpace.services.addressSpaceSize)) {
    return "the GIC's frames lie in the guest's address space";
  }
  if (frames.some(({ base, size }) => vm.memory.overlaps(base, size))) return "the GIC's frames do not overlap memory";
  const apart = frames.every((one) =>
    frames.every((other) => other === one || one.base + one.size <= other.base || other.base + other.size <= one.base)
  );
  return apart ? undefined : "the GIC's frames do not overlap each other";
}

/** The arguments of a call for display. */
function fieldsOf(name: GzvmCallName, x: readonly bigint[]): TraceFields {
  return Object.fromEntries(Object.keys(GZVM_CALLS[name].arguments).map((argument, index) => [argument, x[index + 1]]));
}
