// A primary VM with GenieZone's calls on scripted vCPUs: it makes them by HVC or SMC, as a driver
// would.

import assert from "node:assert/strict";
import { functionId, type GzvmCallName, packTuple } from "../../../../src/machine/abi/geniezone/calls.ts";
import { GZVM_CONSTITUENT, GZVM_HW_STATE, GZVM_REGION } from "../../../../src/machine/abi/geniezone/messages.ts";
import { GZVM_CREATE_DEVICE, GZVM_RUN } from "../../../../src/machine/abi/ioctl/geniezone.ts";
import { asPa } from "../../../../src/machine/abi/numbers.ts";
import {
  Access,
  ExtentMemoryType,
  ExtentType,
  mapAttributes,
  memextentAttributes,
  MemoryType,
  VcpuOption,
} from "../../../../src/machine/abi/words.ts";
import { type Conduit, smccc } from "../../../../src/machine/hypervisor/firmware/smccc.ts";
import { Checker } from "../../../../src/machine/hypervisor/check/check.ts";
import { Memextent } from "../../../../src/machine/hypervisor/memory/memextent.ts";
import { DEFAULT_BEHAVIOUR } from "../../../../src/machine/hypervisor/services/behaviour.ts";
import { RAM_BASE } from "../../../../src/machine/hardware/memory-map.ts";
import { hvc, type Script, ScriptedMachine, type ScriptedState, ScriptedVm, smc, type Step } from "../scripted.ts";

export const CONDUITS: readonly Conduit[] = ["hvc", "smc"];
export const PAGE = 0x1000;
/** IPAs are below this. */
export const ADDRESS_SPACE_SIZE = 2 ** DEFAULT_BEHAVIOUR.ipaBits;
/** Places in the primary VM's RAM: messages, shared pages, memory for guests. */
export const MESSAGE = RAM_BASE + 0x10_0000, SHARED = RAM_BASE + 0x20_0000, GIVEN = RAM_BASE + 0x100_0000;
/** Where a guest has its memory. */
export const GUEST = 0x8000_0000;

/** X0 and the results of a call, X0 with its sign. */
export interface GzResult {
  readonly error: number;
  readonly values: readonly bigint[];
}

/** The primary VM and what it does. */
export class Primary {
  readonly machine: ScriptedMachine;
  readonly vm: ScriptedVm;
  readonly own: Memextent;
  readonly #registers: ScriptedState;

  /** @param guest what a guest's vCPU does */
  constructor(guest: Script = function* () {}, cpus = 1, readonly conduit: Conduit = "hvc") {
    this.machine = new ScriptedMachine(cpus, guest, { geniezone: true, check: true });
    const { hypervisor } = this.machine;
    const idle = () => function* (): Generator<Step, void, void> {};
    this.vm = new ScriptedVm(this.machine, 3, Array.from({ length: cpus }, idle), { options: VcpuOption.HlosVm, group: "aggregated" });
    this.#registers = this.vm.state(this.vm.vcpus[0]);
    const size = hypervisor.machine.map.primarySize;
    this.own = this.machine.create(Memextent);
    this.own.configure(BigInt(RAM_BASE), BigInt(size), memextentAttributes(Access.RWX, ExtentMemoryType.Any, ExtentType.Sparse));
    assert.equal(this.own.activate(), 0);
    assert.ok(Memextent.move(hypervisor, hypervisor.rootPartition, this.own, asPa(RAM_BASE), size));
    const attributes = mapAttributes(Access.RWX, Access.RWX, MemoryType.NormalWB);
    assert.equal(this.own.map(this.vm.addressSpace, BigInt(RAM_BASE), 0, size, attributes), 0);
    hypervisor.checker = new Checker(hypervisor);
  }

  get hypervisor() {
    return this.machine.hypervisor;
  }

  get zone() {
    return this.hypervisor.geniezone!;
  }

  get ram() {
    return this.hypervisor.machine.ram;
  }

  /** A call other than RUN, outside a script. */
  call(name: GzvmCallName, ...args: (number | bigint)[]): GzResult {
    return this.callId(functionId(name), ...args);
  }

  callId(id: number, ...args: (number | bigint)[]): GzResult {
    const result = this.callUnchecked(id, ...args);
    assert.deepEqual(this.hypervisor.checker!.sweep(), []);
    return result;
  }

  /** A call without the checker's sweep. */
  callUnchecked(id: number, ...args: (number | bigint)[]): GzResult {
    const x = [BigInt(id), ...args.map(BigInt)];
    while (x.length < 8) x.push(0n);
    const reply = smccc(this.vm.vcpus[0], x, this.conduit);
    assert.ok(Array.isArray(reply));
    return { error: Number(BigInt.asIntN(64, reply[0])), values: reply.slice(1) };
  }

  /** A call that must succeed. Gives its results. */
  must(name: GzvmCallName, ...args: (number | bigint)[]): readonly bigint[] {
    const { error, values } = this.call(name, ...args);
    assert.equal(error, 0, `${name}: ${this.rule}`);
    return values;
  }

  /** Why the last call was refused. */
  get rule(): string | undefined {
    return this.hypervisor.trace.reasons.last?.rule;
  }

  createVm(): number {
    return Number(this.must("CREATE_VM", 0)[0]);
  }

  /** A region message. */
  region(slot: number, address: number, parts: readonly (readonly [address: number, pages: number])[], total?: number): void {
    const pages = total ?? parts.reduce((sum, [, count]) => sum + count, 0);
    const head = { slot, constituents: parts.length, total_pages: BigInt(pages), address: BigInt(address) };
    const rest = parts.map(([at, pages]) => GZVM_CONSTITUENT.encode({ address: BigInt(at), pages, reserved: 0 }));
    this.ram.write(MESSAGE, GZVM_REGION.encode(head));
    for (const [index, bytes] of rest.entries()) this.ram.write(MESSAGE + GZVM_REGION.size + index * GZVM_CONSTITUENT.size, bytes);
  }

  /** A VM with memory at GUEST and vCPUs. */
  vmWith({ pages = 16, vcpus = 1, given = GIVEN }: { pages?: number; vcpus?: number; given?: number } = {}): number {
    const vm = this.createVm();
    this.must("MEMREGION_PURPOSE", vm, GUEST, pages * PAGE, 1);
    this.region(0, GUEST, [[given, pages]]);
    this.must("SET_MEMREGION", vm, 2 * PAGE, MESSAGE);
    for (let index = 0; index < vcpus; index++) this.must("CREATE_VCPU", packTuple(vm, index), SHARED + index * 2 * PAGE);
    return vm;
  }

  device(type: number, address: number, size: number): number {
    const description = { dev_type: type, dev_addr: BigInt(address), dev_reg_size: BigInt(size) };
    this.ram.write(MESSAGE, GZVM_CREATE_DEVICE.encode(description));
    return MESSAGE;
  }

  /** The run structure of a vCPU. */
  runStruct(vcpu = 0): Uint8Array {
    const bytes = new Uint8Array(GZVM_RUN.size);
    this.ram.read(SHARED + vcpu * 2 * PAGE, bytes);
    return bytes;
  }

  /** State of a vCPU in the second of its shared pages, which EL2 writes. */
  hwState(): ReturnType<typeof GZVM_HW_STATE.decode> {
    const bytes = new Uint8Array(GZVM_HW_STATE.size);
    this.ram.read(SHARED + PAGE, bytes);
    return GZVM_HW_STATE.decode(bytes);
  }

  /** Work of the primary VM's first vCPU: RUN of vCPUs from inside its script. */
  drive(work: (run: (tuple: number) => Generator<Step, GzResult, void>) => Generator<Step, void, void>, ns = 5_000_000): void {
    let finished = false;
    const step = this.conduit === "hvc" ? hvc(0) : smc(0);
    this.#registers.script = function* (registers) {
      yield* work(function* (tuple) {
        [BigInt(functionId("RUN")), BigInt(tuple)].forEach((value, index) => registers.setX(index, value));
        yield step;
        return { error: Number(BigInt.asIntN(64, registers.getX(0))), values: [registers.getX(1)] };
      });
      finished = true;
    };
    if (this.vm.vcpus[0].life.isPoweredOff) this.vm.start();
    else this.#registers.running = undefined;
    this.#registers.left = 0;
    this.machine.run(ns);
    assert.ok(
      finished,
      `the primary's script has ended${this.machine.machine.stopReason ? `: ${JSON.stringify(this.machine.machine.stopReason)}` : ""}`,
    );
    assert.deepEqual(this.hypervisor.checker!.sweep(), []);
  }
}
