// The calls to the resource manager that create a VM, start it and tear it down, one awaited reply
// at a time, in the order of the VM's generation (docs/spec/vm-manager.md §7 and §11;
// docs/spec/observed-ioctl.md §5 and §8). The progress of a sequence is plain data in the VM.

import { asCapId, asIpa, asVmid, type CapId } from "../../abi/numbers.ts";
import { RmError, rmErrorName } from "../../abi/rpc/errors.ts";
import type { Fields, Values } from "../../abi/rpc/layout.ts";
import { decodeReply, encodeRequest, type RpcRequest } from "../../abi/rpc/message.ts";
import { AppendFlags, CreateFlags, MEM_APPEND, MEM_LEND, MEM_RECLAIM, MEM_SHARE, MemType } from "../../abi/rpc/messages/memory.ts";
import { VM_SET_FIRMWARE_MEM } from "../../abi/rpc/messages/platform.ts";
import { VM_GET_HYP_RESOURCES } from "../../abi/rpc/messages/resources.ts";
import { VM_AUTH_IMAGE, VM_CONFIG_IMAGE, VM_INIT } from "../../abi/rpc/messages/configuration.ts";
import { StopFlags, VM_ALLOCATE, VM_DEALLOCATE, VM_RESET, VM_START, VM_STOP } from "../../abi/rpc/messages/lifecycle.ts";
import { AuthType, Vmid } from "../../abi/rpc/messages/vm.ts";
import type { BrokenRule } from "../../abi/trace.ts";
import { Access } from "../../abi/words.ts";
import { Errno } from "../../abi/ioctl/errno.ts";
import { type StartStep, type TeardownStep, VM_PERSONAS } from "../../abi/ioctl/personas.ts";
import type { HostKernel } from "../kernel/kernel.ts";
import { type PageRange } from "../kernel/page-allocator.ts";
import {
  bindingOf,
  bindingRights,
  isPaged,
  LOCK_LIMIT,
  LOCK_WAY_OUT,
  lockPages,
  pinRange,
  pinRule,
  rightsOf,
  writable,
} from "./bindings.ts";
import { AddressRange, VM_SET_ADDRESS_LAYOUT, VM_SET_BOOT_CONTEXT, VM_SET_DEMAND_PAGING } from "../../abi/rpc/messages/configuration.ts";
import { givePages, takePages } from "./paging.ts";
import { hypercallErrno, rmErrno } from "./rm-errors.ts";
import {
  type Binding,
  NO_VMID,
  type RangeParcel,
  type Region,
  type Resource,
  type Sequence,
  type SequenceFailure,
  type Vm,
} from "./state.ts";
import { PAGE_SIZE } from "../../support/sizes.ts";

/** Entries of a memory list in one request. */
const ENTRIES_MAX = 512;
/** Type of the one parameter of VM_AUTH_IMAGE: the number of the image. */
const AUTH_PERIPHERAL = 0;
const U64_BITS = 64;
/** Resources without a vIRQ have one of these. */
const NO_VIRQ: readonly number[] = [0, 0xffff_ffff];

/** The driver's actions when a sequence reaches them. */
interface SequenceEvents {
  /** Sends a request for a VM; the reply comes to `reply`. */
  send(vm: Vm, id: number, payload: Uint8Array): void;
  /** A resource of a VM exists. Returns the host vCPU that takes its vIRQ. */
  place(resource: { type: number; virq: number }): number;
  /** All resources of a VM exist. */
  bound(vm: Vm): void;
  /** Whether VM_START may be sent now; if not, `retry` asks again. */
  mayStart(vm: Vm): boolean;
  /** A START or a call inside an ioctl has ended: zero, or a negative errno with the rule. */
  ended(vm: Vm, sequence: Sequence, result: number, rule?: BrokenRule): void;
  /** Nothing is left of the VM in the resource manager. */
  freed(vm: Vm): void;
}

/** A parcel of a range of the guest's addresses. */
type RangeParcelName = "configParcel" | "firmwareParcel";

/** Outcome of a step: it is done, it waits, or the sequence fails. */
type StepResult = "next" | "wait" | SequenceFailure;

/** Drives the sequences of all VMs. */
export class Sequences {
  readonly #kernel: HostKernel;
  readonly #events: SequenceEvents;

  constructor(kernel: HostKernel, events: SequenceEvents) {
    this.#kernel = kernel;
    this.#events = events;
  }

  /** Begins a sequence. `ended` or `freed` is called at its end, perhaps before this returns. */
  begin(vm: Vm, kind: Sequence["kind"], steps: Sequence["steps"], task: number | undefined, label?: number): void {
    vm.sequence = { kind, steps, at: 0, label, item: 0, sent: 0, waits: undefined, task };
    this.#advance(vm);
  }

  /** Begins the teardown of a VM without references. */
  teardown(vm: Vm): void {
    this.begin(vm, "teardown", VM_PERSONAS[vm.persona].teardown, undefined);
  }

  /** The reply to the request of a VM's sequence. */
  reply(vm: Vm, payload: Uint8Array): void {
    const { sequence } = vm;
    if (sequence?.waits !== "reply") throw new Error(`VM ${vm.id} waits for no reply`);
    sequence.waits = undefined;
    this.#go(vm, this.#replied(vm, sequence, payload));
  }

  /** VM_EXITED or VM_STATUS came, and the VM's state is up to date. */
  notified(vm: Vm): void {
    const { sequence } = vm;
    if (sequence?.waits !== "notification") return;
    const step = sequence.steps[sequence.at];
    const done = step === "stop" ? vm.status === "exited" : vm.resetDone;
    if (!done) return;
    sequence.waits = undefined;
    this.#go(vm, "next");
  }

  /** A VM that waits for the host's permission may start now. */
  retry(vm: Vm): void {
    const { sequence } = vm;
    if (sequence?.waits !== "gate") return;
    sequence.waits = undefined;
    this.#go(vm, this.#step(vm, sequence, sequence.steps[sequence.at]));
  }

  /** Ends a VM that waits to be started and is no longer wanted. */
  abandon(vm: Vm): void {
    const { sequence } = vm;
    if (sequence?.waits === "gate") this.#end(vm, sequence, -Errno.EINTR);
  }

  #go(vm: Vm, result: StepResult): void {
    const { sequence } = vm;
    if (sequence === undefined || result === "wait") return;
    if (result === "next") {
      sequence.at++;
      sequence.item = 0;
      this.#advance(vm);
    } else {
      this.#end(vm, sequence, -result.errno, result.rule);
    }
  }

  #advance(vm: Vm): void {
    const { sequence } = vm;
    if (sequence === undefined) return;
    if (sequence.at >= sequence.steps.length) return this.#end(vm, sequence, 0);
    this.#go(vm, this.#step(vm, sequence, sequence.steps[sequence.at]));
  }

  #end(vm: Vm, sequence: Sequence, result: number, rule?: BrokenRule): void {
    vm.sequence = undefined;
    if (sequence.kind === "teardown") this.#events.freed(vm);
    else this.#events.ended(vm, sequence, result, rule);
  }

  #send<Q extends Fields, R extends Fields>(vm: Vm, message: RpcRequest<Q, R>, value: Values<Q>): "wait" {
    const sequence = running(vm);
    sequence.waits = "reply";
    this.#kernel.within(sequence.task, () => this.#events.send(vm, message.id, encodeRequest(message, value)));
    return "wait";
  }

  // ---- steps ----

  #step(vm: Vm, sequence: Sequence, step: StartStep | TeardownStep): StepResult {
    const { vmid } = vm;
    switch (step) {
      case "allocate":
        return vmid !== NO_VMID ? "next" : this.#send(vm, VM_ALLOCATE, { vmid: 0 });
      case "regions":
        return this.#region(vm, sequence);
      case "locate":
        return this.#hasDevicetree(vm) ? "next" : this.#noDevicetree(vm);
      case "configure":
        return this.#configure(vm);
      case "firmware":
        return this.#firmware(vm);
      case "init":
        return this.#send(vm, VM_INIT, { vmid });
      case "resources":
        return this.#send(vm, VM_GET_HYP_RESOURCES, { vmid });
      case "start":
        if (this.#events.mayStart(vm)) return this.#send(vm, VM_START, { vmid });
        sequence.waits = "gate";
        return "wait";
      case "stop":
        return vm.status !== "running"
          ? "next"
          : this.#send(vm, VM_STOP, { vmid, flags: StopFlags.Force, reason: VM_PERSONAS[vm.persona].stopReason });
      case "reset":
        return this.#needsReset(vm) ? this.#send(vm, VM_RESET, { vmid }) : "next";
      case "reclaim": {
        const parcel = nextParcel(vm, sequence);
        return parcel === undefined ? "next" : this.#send(vm, MEM_RECLAIM, { handle: handleOf(parcel), flags: 0 });
      }
      case "deallocate":
        return vmid === NO_VMID ? "next" : this.#send(vm, VM_DEALLOCATE, { vmid });
      case "config-parcel":
        return this.#rangeParcel(vm, "configParcel", configRange(vm));
      case "firmware-parcel":
        return vm.firmware === undefined || isWithConfig(vm, vm.firmware) ? "next" : this.#rangeParcel(vm, "firmwareParcel", vm.firmware);
      case "demand-paging": {
        const ranges = this.#pagedRanges(vm);
        return this.#send(vm, VM_SET_DEMAND_PAGING, { vmid, ranges });
      }
      case "address-layout": {
        // The parcel with the devicetree is all that is given before START.
        const { address: base, size } = configRange(vm);
        const page = BigInt(PAGE_SIZE);
        return this.#send(vm, VM_SET_ADDRESS_LAYOUT, { vmid, range_id: AddressRange.Image, base, size: (size + page - 1n) / page * page });
      }
      case "boot-context": {
        const register = vm.auth === AuthType.Android ? undefined : vm.bootContext[sequence.item];
        if (register === undefined) return "next";
        const { set, index, value } = register;
        return this.#send(vm, VM_SET_BOOT_CONTEXT, { vmid, register_set: set, register_index: index, value });
      }
      case "give-pages":
        return this.#givePages(vm);
      case "take-pages-back":
        return this.#takePages(vm);
      case "reclaim-unstarted":
        return vm.status === "exited" ? "next" : this.#step(vm, sequence, "reclaim");
      case "authenticate":
        // Only signed VMs are; nothing registers that type in the generations whose user space
        // loads VMs.
        return vm.signed === undefined
          ? "next"
          : this.#send(vm, VM_AUTH_IMAGE, { vmid, parameters: [{ type: AUTH_PERIPHERAL, value: vm.signed.peripheral }] });
    }
  }

  /** The addresses that the driver fills: of all bindings, or of those but for the first parcel. */
  #pagedRanges(vm: Vm): { base: bigint; size: bigint }[] {
    const ranges = vm.bindings.map(({ guestAddress, size }) => ({ base: guestAddress, size }));
    if (VM_PERSONAS[vm.persona].parcelsBecomePages) return ranges;
    const { address, size } = configRange(vm);
    const page = BigInt(PAGE_SIZE), end = address + (size + page - 1n) / page * page;
    return ranges.flatMap(({ base, size }) => {
      const last = base + size;
      if (end <= base || last <= address) return [{ base, size }];
      return [{ base, size: address - base }, { base: end, size: last - end }].filter(({ size }) => size > 0n);
    });
  }

  /** Lends the pages of a range of one binding, for the resource manager to read. */
  #rangeParcel(vm: Vm, which: RangeParcelName, { address, size }: { address: bigint; size: bigint }): StepResult {
    const binding = bindingOf(vm, address, size);
    const pages = Number((size + BigInt(PAGE_SIZE) - 1n) / BigInt(PAGE_SIZE));
    const sequence = running(vm);
    if (binding !== undefined && !lockPages(this.#kernel, vm, pages, sequence.task)) return this.#overLimit(vm, pages);
    const refuse = (errno: number): StepResult => {
      const rule = pinRule(errno, binding, "the range has to lie in one binding, and all its pages have to exist");
      return { errno, rule: { section: "vm-manager 7", ...rule, object: `vm ${vm.id}`, values: { address, size } } };
    };
    if (binding === undefined) return refuse(Errno.ENOENT);
    const pinned = pinRange(this.#kernel, vm, binding, address, size);
    if (typeof pinned === "number") return refuse(-pinned);
    vm[which] = { guestAddress: address, pinned, rights: bindingRights(binding), handle: undefined };
    return this.#sendRange(vm, sequence, vm[which]);
  }

  #sendRange(vm: Vm, sequence: Sequence, parcel: RangeParcel): StepResult {
    return this.#sendEntries(vm, sequence, parcel, MEM_LEND, { label: 0, acl: [{ vmid: vm.vmid, rights: parcel.rights }] });
  }

  #needsReset(vm: Vm): boolean {
    if (vm.status === "exited" || vm.status === "ready" || vm.status === "init-failed") return true;
    // The resource manager keeps a VM whose configuration it has refused until it is reset.
    return vm.status === "load" && vm.tried && vm.configured && !VM_PERSONAS[vm.persona].losesFailedVmid;
  }

  /** Shares or lends the next region without a parcel, or the rest of one. */
  #region(vm: Vm, sequence: Sequence): StepResult {
    const region = vm.regions[sequence.item];
    if (region === undefined) return "next";
    if (vm.vmid > this.#kernel.scmMax) return this.#notAssigned(vm);
    const own = { vmid: vm.vmid, rights: rightsOf(region.flags) };
    return this.#sendEntries(vm, sequence, region, region.lent ? MEM_LEND : MEM_SHARE, {
      label: region.label,
      acl: region.lent ? [own] : [own, { vmid: Vmid.Hlos, rights: Access.RWX }],
    });
  }

  /** The secure world does not give the pages to the VM; the resource manager is not asked then. */
  #notAssigned({ id, vmid }: Vm): StepResult {
    const { scmMax } = this.#kernel;
    const rule = `the secure world has ids for VMIDs up to 0x${scmMax.toString(16)}, and the kernel does not map others to 0x3a, ` +
      "the resource manager's";
    return { errno: Errno.ENODEV, rule: { section: "phones A5", rule, object: `vm ${id}`, values: { vmid, scm_max: scmMax } } };
  }

  /**
   * Sends the next entries of a parcel's memory list: the first ones make the parcel, the others
   * are appended.
   */
  #sendEntries(
    vm: Vm,
    sequence: Sequence,
    { pinned: { ranges }, handle }: Region | RangeParcel,
    message: typeof MEM_LEND | typeof MEM_SHARE,
    made: Pick<Values<typeof MEM_LEND.request.fields>, "label" | "acl">,
  ): StepResult {
    const entries = ranges.slice(sequence.sent, sequence.sent + ENTRIES_MAX);
    const sgl = entries.map(({ ipa, count }) => ({ address: BigInt(ipa), size: BigInt(count * PAGE_SIZE) }));
    const more = sequence.sent + sgl.length < ranges.length;
    if (handle !== undefined) return this.#send(vm, MEM_APPEND, { handle, flags: more ? 0 : AppendFlags.Done, sgl });
    return this.#send(vm, message, { mem_type: MemType.Normal, flags: more ? CreateFlags.Append : 0, ...made, sgl, attributes: [] });
  }

  /** The region of a range by the rule of the generation. */
  #regionOf(vm: Vm, { address, size }: { address: bigint; size: bigint }): Region | undefined {
    const rules = VM_PERSONAS[vm.persona].devicetree;
    const end = (region: Region) => region.guestAddress + region.size;
    if (rules.region === "inside") {
      return vm.regions.find((region) => size > 0n && address >= region.guestAddress && address + size <= end(region));
    }
    // The driver's search has a size of 32 bits.
    const last = BigInt.asUintN(U64_BITS, address + BigInt.asUintN(32, size));
    return vm.regions.find((region) => region.guestAddress < last && address < end(region));
  }

  /** Gives all pages of all bindings but those that are parcels already. */
  #givePages(vm: Vm): StepResult {
    const parcels = [vm.configParcel, vm.firmwareParcel].flatMap((parcel) => parcel?.pinned.ranges ?? []);
    for (const binding of vm.bindings) {
      const { guestAddress, size, lent } = binding;
      const pinned = pinRange(this.#kernel, vm, binding, guestAddress, size);
      if (typeof pinned === "number") {
        return this.#notGiven(vm, -pinned, pinRule(-pinned, binding, "every page of a binding has to be there"), binding);
      }
      vm.pinned.push(pinned);
      let at = guestAddress;
      for (const range of pinned.ranges) {
        for (const piece of without(range, parcels)) {
          if (!lockPages(this.#kernel, vm, piece.count, running(vm).task)) return this.#overLimit(vm, piece.count);
          const shift = BigInt(piece.ipa - range.ipa);
          const given = givePages(this.#kernel, vm, piece, at + shift, {
            shared: !lent,
            write: writable(binding),
            executable: binding.executable,
          });
          if ("call" in given) return this.#notGiven(vm, hypercallErrno(given.code), { rule: given.call }, binding);
          vm.given.push(given);
        }
        at += BigInt(range.count * PAGE_SIZE);
      }
    }
    return "next";
  }

  /** START gives more than its caller may lock. */
  #overLimit(vm: Vm, pages: number): StepResult {
    const space = this.#kernel.memory.space(vm.space);
    if (space === undefined) {
      const rule = { section: "vm-manager 5.1", rule: "its VMM ended during START", object: `vm ${vm.id}`, values: {} };
      return { errno: Errno.EINTR, rule };
    }
    const values = {
      locked_bytes: space.locked * PAGE_SIZE,
      wanted_bytes: pages * PAGE_SIZE,
      limit_bytes: this.#kernel.memlockOf(vm.sequence!.task!),
    };
    return {
      errno: Errno.ENOMEM,
      rule: { section: "vm-manager 5.1", rule: LOCK_LIMIT, object: `vm ${vm.id}`, values, wayOut: LOCK_WAY_OUT },
    };
  }

  #notGiven(vm: Vm, errno: number, rule: Pick<BrokenRule, "rule" | "wayOut">, { guestAddress, size }: Binding): StepResult {
    return { errno, rule: { section: "vm-manager 5.4", ...rule, object: `vm ${vm.id}`, values: { guest_addr: guestAddress, size } } };
  }

  /** Pages that cannot be reclaimed stay the VM's for ever. */
  #takePages(vm: Vm): StepResult {
    for (const pages of vm.given) {
      const failed = takePages(this.#kernel, vm, pages);
      if (failed !== undefined) {
        this.#kernel.cpu.trace.event("ioctl", "pages of a VM are lost", { vm: vm.id, guest_addr: pages.guestAddress, error: failed.call });
        vm.pinned = [];
      }
    }
    vm.given = [];
    return "next";
  }

  #hasDevicetree(vm: Vm): boolean {
    const { address, size } = vm.devicetree;
    return (isPaged(vm) ? size > 0n && bindingOf(vm, address, size) || undefined : this.#regionOf(vm, vm.devicetree)) !== undefined;
  }

  #noDevicetree(vm: Vm): StepResult {
    const { missing, region, empty } = VM_PERSONAS[vm.persona].devicetree;
    const { address, size } = vm.devicetree;
    if (size === 0n && empty !== undefined) {
      const values = { address, size };
      return { errno: Errno[empty], rule: { section: "vm-manager 6", rule: "the devicetree has a size", object: `vm ${vm.id}`, values } };
    }
    const rule = region === "inside" ? "the devicetree has to lie inside one region" : "the devicetree has to lie in a region";
    return {
      errno: Errno[missing],
      rule: { section: "vm-manager 6", rule, object: `vm ${vm.id}`, values: { address, size }, wayOut: "SET_DTB_CONFIG before START" },
    };
  }

  #configure(vm: Vm): StepResult {
    const { address, size } = vm.devicetree;
    const region = vm.configParcel ?? this.#regionOf(vm, vm.devicetree);
    if (region === undefined) throw new Error(`vm ${vm.id} has no region with its devicetree`);
    const page = BigInt(PAGE_SIZE);
    const dt_size = VM_PERSONAS[vm.persona].devicetree.roundedUp ? (size + page - 1n) / page * page : size;
    vm.configured = true;
    return this.#send(vm, VM_CONFIG_IMAGE, {
      vmid: vm.vmid,
      auth_type: vm.auth,
      handle: handleOf(region),
      image_offset: BigInt(vm.signed?.entry ?? 0),
      image_size: 0n,
      dt_offset: BigInt.asUintN(U64_BITS, address - region.guestAddress),
      dt_size,
    });
  }

  #firmware(vm: Vm): StepResult {
    if (vm.auth !== AuthType.Android || vm.firmware === undefined) return "next";
    if (vm.firmwareParcel !== undefined) {
      return this.#send(vm, VM_SET_FIRMWARE_MEM, {
        vmid: vm.vmid,
        handle: handleOf(vm.firmwareParcel),
        offset: 0n,
        size: vm.firmware.size,
      });
    }
    const region = isWithConfig(vm, vm.firmware) ? vm.configParcel : this.#regionOf(vm, vm.firmware);
    if (region === undefined) {
      const { address, size } = vm.firmware;
      const rule = {
        section: "vm-manager 6",
        rule: "the firmware has to lie in a region",
        object: `vm ${vm.id}`,
        values: { address, size },
      };
      return { errno: Errno.EINVAL, rule };
    }
    const offset = BigInt.asUintN(U64_BITS, vm.firmware.address - region.guestAddress);
    return this.#send(vm, VM_SET_FIRMWARE_MEM, { vmid: vm.vmid, handle: handleOf(region), offset, size: vm.firmware.size });
  }

  // ---- replies ----

  #replied(vm: Vm, sequence: Sequence, payload: Uint8Array): StepResult {
    const step = sequence.steps[sequence.at];
    switch (step) {
      case "allocate":
        return this.#read(vm, VM_ALLOCATE, payload, ({ vmid }) => {
          vm.vmid = asVmid(vmid);
          vm.status = "load";
        });
      case "regions":
        return this.#regionSent(vm, sequence, payload);
      case "config-parcel":
        return this.#rangeSent(vm, sequence, vm.configParcel!, payload);
      case "firmware-parcel":
        return this.#rangeSent(vm, sequence, vm.firmwareParcel!, payload);
      case "demand-paging":
        return this.#read(vm, VM_SET_DEMAND_PAGING, payload);
      case "address-layout":
        return this.#read(vm, VM_SET_ADDRESS_LAYOUT, payload);
      case "boot-context": {
        const result = this.#read(vm, VM_SET_BOOT_CONTEXT, payload);
        sequence.item++;
        return result === "next" ? this.#step(vm, sequence, step) : result;
      }
      case "configure":
        return this.#read(vm, VM_CONFIG_IMAGE, payload);
      case "authenticate":
        return this.#read(vm, VM_AUTH_IMAGE, payload);
      case "firmware":
        return this.#read(vm, VM_SET_FIRMWARE_MEM, payload);
      case "init": {
        const result = this.#read(vm, VM_INIT, payload);
        vm.status = result === "next" ? "ready" : "init-failed";
        return result;
      }
      case "resources":
        return this.#read(vm, VM_GET_HYP_RESOURCES, payload, ({ resources }) => this.#bind(vm, resources));
      case "start":
        return this.#read(vm, VM_START, payload, () => {
          vm.status = "running";
          if (VM_PERSONAS[vm.persona].parcelsBecomePages) parcelsToPages(vm);
        });
      case "stop": {
        const error = decodeReply(VM_STOP, payload);
        const stopped = error.ok && (error.value.error === RmError.OK || error.value.error === RmError.VM_STATE);
        // VM_STATE: the VM is ending by itself, and its notification follows.
        return stopped && !exitedBy(vm) ? this.#await(sequence) : "next";
      }
      case "reset": {
        const reset = decodeReply(VM_RESET, payload);
        return reset.ok && reset.value.error === RmError.OK && !vm.resetDone ? this.#await(sequence) : "next";
      }
      case "reclaim":
      case "reclaim-unstarted":
        return this.#reclaimed(vm, payload);
      case "deallocate":
        return "next";
      default:
        throw new Error(`a reply for the step ${step}, which sends nothing`);
    }
  }

  #await(sequence: Sequence): StepResult {
    sequence.waits = "notification";
    return "wait";
  }

  /** Gives a reply's fields to `use`, or the errno of its error. */
  #read<Q extends Fields, R extends Fields>(
    vm: Vm,
    message: RpcRequest<Q, R>,
    payload: Uint8Array,
    use?: (value: Values<R>) => void,
  ): StepResult {
    const persona = VM_PERSONAS[vm.persona];
    const decoded = decodeReply(message, payload);
    const refuse = (errno: number, rule: string, values: Record<string, unknown>): StepResult => ({
      errno: persona.anyRmErrorIsInvalid ? Errno.EINVAL : errno,
      rule: { section: "vm-manager 7", rule, object: `vm ${vm.id}`, values },
    });
    if (!decoded.ok) return refuse(Errno.EBADMSG, `the reply to ${message.name} has to have its fields`, { problem: decoded.problem });
    const { error, value } = decoded.value;
    if (error !== RmError.OK) {
      return refuse(rmErrno(error, persona), `the resource manager refused ${message.name}`, { error: rmErrorName(error) });
    }
    if (value === undefined && Object.keys(message.reply.fields).length > 0) {
      return refuse(Errno.EBADMSG, `the reply to ${message.name} has to have its fields`, { bytes: payload.length });
    }
    // A message without reply fields has no value.
    use?.(value ?? {} as Values<R>);
    return "next";
  }

  #regionSent(vm: Vm, sequence: Sequence, payload: Uint8Array): StepResult {
    const region = vm.regions[sequence.item];
    const result = this.#entriesSent(vm, sequence, region, region.lent ? MEM_LEND : MEM_SHARE, payload);
    if (result !== "next" && result !== "more") return result;
    if (result === "next") {
      // v6 gives one region, in the call that names it.
      if (sequence.kind === "region") return "next";
      sequence.item++;
    }
    return this.#region(vm, sequence);
  }

  #rangeSent(vm: Vm, sequence: Sequence, parcel: RangeParcel, payload: Uint8Array): StepResult {
    const result = this.#entriesSent(vm, sequence, parcel, MEM_LEND, payload);
    return result === "more" ? this.#sendRange(vm, sequence, parcel) : result;
  }

  /** The reply to entries of a parcel: whether the parcel is complete, or more follow. */
  #entriesSent(
    vm: Vm,
    sequence: Sequence,
    parcel: Region | RangeParcel,
    message: typeof MEM_LEND | typeof MEM_SHARE,
    payload: Uint8Array,
  ): StepResult | "more" {
    if (sequence.failure !== undefined) {
      takenBack(vm, parcel, payload);
      return sequence.failure;
    }
    const result = parcel.handle === undefined
      ? this.#read(vm, message, payload, ({ handle }) => parcel.handle = handle)
      : this.#read(vm, MEM_APPEND, payload);
    if (result !== "next") {
      if (parcel.handle === undefined || result === "wait") return result;
      // Linux takes back at once what the parcel has already: v6 has forgotten the region when its
      // ioctl ends.
      sequence.failure = result;
      return this.#send(vm, MEM_RECLAIM, { handle: parcel.handle, flags: 0 });
    }
    sequence.sent += ENTRIES_MAX;
    if (sequence.sent < parcel.pinned.ranges.length) return "more";
    sequence.sent = 0;
    return "next";
  }

  #reclaimed(vm: Vm, payload: Uint8Array): StepResult {
    const sequence = running(vm), parcel = nextParcel(vm, sequence);
    if (parcel === undefined) throw new Error(`vm ${vm.id} reclaims no parcel`);
    // A delete that is refused leaves the region as it is.
    const refused = sequence.kind === "delete" ? this.#read(vm, MEM_RECLAIM, payload) : "next";
    if (refused !== "next") return refused;
    takenBack(vm, parcel, payload);
    return this.#step(vm, sequence, "reclaim");
  }

  #bind(vm: Vm, resources: readonly { type: number; label: number; cap: bigint; virq: number; base: bigint }[]): void {
    const list: Resource[] = vm.resources = [];
    for (const { type, label, cap, virq: given, base } of resources) {
      const virq = NO_VIRQ.includes(given) ? 0 : given;
      list.push({ type, label, cap: asCapId(cap), virq, base: Number(base), signalled: false, runner: this.#events.place({ type, virq }) });
    }
    this.#events.bound(vm);
  }
}

/** Whether the VM's image is one parcel, in a generation that gives pages one by one. */
function isOneParcel(vm: Vm): boolean {
  return vm.auth === AuthType.Android && VM_PERSONAS[vm.persona].protectedAsParcel;
}

/** Whether the firmware's place is in the parcel of the VM's configuration. */
function isWithConfig(vm: Vm, { address }: Vm["devicetree"]): boolean {
  const config = configRange(vm);
  return isOneParcel(vm) && address >= config.address && address < config.address + config.size;
}

/**
 * The range that the resource manager gets as the VM's configuration: the devicetree, or the whole
 * binding that contains it.
 */
function configRange(vm: Vm): Vm["devicetree"] {
  const { address, size } = vm.devicetree;
  const binding = isOneParcel(vm) ? bindingOf(vm, address, size) : undefined;
  return binding === undefined ? vm.devicetree : { address: binding.guestAddress, size: binding.size };
}

/** The parts of a range of pages that are in none of the others. */
function without(range: PageRange, others: readonly PageRange[]): PageRange[] {
  let parts = [range];
  for (const { ipa, count } of others) {
    const end = ipa + count * PAGE_SIZE;
    parts = parts.flatMap((part) => {
      const last = part.ipa + part.count * PAGE_SIZE;
      if (end <= part.ipa || ipa >= last) return [part];
      const before = Math.max(0, ipa - part.ipa), after = Math.max(0, last - end);
      return [{ ipa: part.ipa, count: before / PAGE_SIZE }, { ipa: asIpa(end), count: after / PAGE_SIZE }].filter(({ count }) => count > 0);
    });
  }
  return parts;
}

/**
 * The next parcel that the resource manager still has; of a delete only the one that it is about.
 */
function nextParcel(vm: Vm, { kind, label }: Sequence): Region | RangeParcel | undefined {
  if (kind === "delete") return vm.regions.find((region) => region.label === label && region.handle !== undefined);
  return [...vm.regions, vm.configParcel, vm.firmwareParcel].find((parcel) => parcel?.handle !== undefined);
}

/** The reply to MEM_RECLAIM: pages that the resource manager keeps never return to the process. */
function takenBack(vm: Vm, parcel: Region | RangeParcel, payload: Uint8Array): void {
  parcel.handle = undefined;
  const decoded = decodeReply(MEM_RECLAIM, payload);
  if (!decoded.ok || decoded.value.error !== RmError.OK) forget(vm, parcel);
}

function forget(vm: Vm, parcel: Region | RangeParcel): void {
  vm.regions = vm.regions.filter((region) => region !== parcel);
  if (vm.configParcel === parcel) vm.configParcel = undefined;
  if (vm.firmwareParcel === parcel) vm.firmwareParcel = undefined;
}

function exitedBy(vm: Vm): boolean {
  return vm.status === "exited";
}

/** Rings a doorbell with bit 0. */
export function ringBell(kernel: HostKernel, cap: CapId): void {
  kernel.calls.doorbell_send({ doorbell: cap, new_flags: 1n });
}

/** Makes each delivery of a doorbell clear bit 0, as LEVEL demands. */
export function maskBell(kernel: HostKernel, cap: CapId): void {
  kernel.calls.doorbell_mask({ doorbell: cap, enable_mask: 1n, ack_mask: 1n });
}

/** Parcels until VM_START become pages, as if the driver had given them by hypercalls. */
function parcelsToPages(vm: Vm): void {
  for (const parcel of [vm.configParcel, vm.firmwareParcel]) {
    if (parcel === undefined) continue;
    let guestAddress = parcel.guestAddress;
    for (const { ipa, count } of parcel.pinned.ranges) {
      vm.given.push({ ipa, count, guestAddress, shared: false });
      guestAddress += BigInt(count * PAGE_SIZE);
    }
    vm.pinned.push(parcel.pinned);
  }
  vm.configParcel = vm.firmwareParcel = undefined;
}

/** The sequence of a VM that is in one. */
function running({ id, sequence }: Vm): Sequence {
  if (sequence === undefined) throw new Error(`vm ${id} is in no sequence`);
  return sequence;
}

/** The handle of a parcel that the resource manager has made. */
function handleOf({ handle }: { readonly handle: number | undefined }): number {
  if (handle === undefined) throw new Error("a parcel has no handle yet");
  return handle;
}
