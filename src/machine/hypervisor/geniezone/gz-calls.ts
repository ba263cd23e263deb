// GenieZone's hypercalls but RUN: checks and effects of each (docs/spec/geniezone.md §2, §3.2, §5,
// §6). A refused call changes nothing.

import {
  coreRegister,
  type GZVM_CALLS,
  GZVM_SPIS,
  GZVM_VERSION,
  type GzvmArgumentKind,
  type GzvmCallName,
  GzvmDevice,
  GzvmError,
  GzvmProtection,
  SlotPurpose,
} from "../../abi/geniezone/calls.ts";
import { GZVM_CONSTITUENT, GZVM_REGION, GZVM_REGION_MAX } from "../../abi/geniezone/messages.ts";
import { GZVM_CREATE_DEVICE, GZVM_MAX_SLOTS, GZVM_MAX_VCPUS, GzvmCap } from "../../abi/ioctl/geniezone.ts";
import { ErrorCode } from "../../abi/errors.ts";
import type { DEFERRED } from "../capabilities/hypercall-definition.ts";
import type { AddressSpace } from "../memory/addrspace.ts";
import { Block } from "../scheduling/vcpu-life.ts";
import type { Vcpu } from "../scheduling/vcpu.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import type { GuestRun } from "./guest-memory.ts";
import { isWide, readCore, writeCore } from "./gz-registers.ts";
import type { GzVcpu, GzVm } from "./gz-vm.ts";
import { isUngiven, ownRuns, readPrimary } from "./primary-memory.ts";

/** A VM and the number of one of its vCPUs, which need not exist. */
export interface VcpuPlace {
  readonly vm: GzVm;
  readonly index: number;
}

type ArgumentValue<K extends GzvmArgumentKind> = K extends "vm" ? GzVm
  : K extends "vm?" ? GzVm | undefined
  : K extends "tuple" ? VcpuPlace
  : K extends "u32" ? number
  : bigint;
type ArgumentsOf<N extends GzvmCallName> = typeof GZVM_CALLS[N]["arguments"];
/** The arguments of a call by name. */
export type GzArguments<N extends GzvmCallName> = {
  readonly [A in keyof ArgumentsOf<N>]: ArgumentsOf<N>[A] extends GzvmArgumentKind ? ArgumentValue<ArgumentsOf<N>[A]> : never;
};

/** A refused call: the error, and the rule that it broke. */
export interface GzRefusal {
  readonly error: GzvmError;
  readonly rule: string;
  readonly values: Readonly<Record<string, unknown>>;
}
/** Result of a call: its results from X1 on, or a refusal. */
export type GzResult = readonly bigint[] | GzRefusal;
/** The same, or nothing yet. */
export type GzReply = GzResult | typeof DEFERRED;

/** A call in progress, and EL2's VMs. */
export interface GzCall {
  readonly caller: Vcpu;
  /** The caller's address space: that of the primary VM. */
  readonly primary: AddressSpace;
  createVm(): GzVm | GzRefusal;
  destroyVm(vm: GzVm): void;
  run(place: VcpuPlace): GzReply;
}

/** The handlers of all calls. */
export type GzHandlers = { readonly [N in GzvmCallName]: (call: GzCall, args: GzArguments<N>) => GzReply };

/** Pages that the driver gives at once, and whose frames fit into its buffer. */
const BLOCK_PAGES = 512n;
/** Pages in a batch of the driver's when it tears a VM down. */
const DESTROY_BATCH_PAGES = 512n;
const DONE: readonly bigint[] = [];

export function refuse(error: GzvmError, rule: string, values: Readonly<Record<string, unknown>> = {}): GzRefusal {
  return { error, rule, values };
}

const invalid = (rule: string, values: Readonly<Record<string, unknown>> = {}) => refuse(GzvmError.InvalidArguments, rule, values);
const fault = (rule: string, values: Readonly<Record<string, unknown>> = {}) => refuse(GzvmError.Fault, rule, values);

/** The refusal for an error of the hypervisor's objects. */
export function refuseFor(error: ErrorCode, { caller }: Pick<GzCall, "caller">): GzRefusal {
  const { rule, values } = caller.services.trace.note ?? { rule: "the hypervisor's objects refuse it", values: {} };
  return error === ErrorCode.BUSY ? invalid(rule, values) : refuse(GzvmError.NoMemory, rule, values);
}

/** The vCPU of a place, or why there is none. */
export function vcpuOf({ vm, index }: VcpuPlace): GzVcpu | GzRefusal {
  return vm.vcpus[index] ?? invalid("the VM has no such vCPU", { vm: vm.id, vcpu: index });
}

export const isRefusal = (value: unknown): value is GzRefusal => typeof value === "object" && value !== null && "rule" in value;

const isAligned = (address: bigint) => address % BigInt(PAGE_SIZE) === 0n;
/** Whether a range has a size and lies inside the guest's addresses. */
const isRange = ({ objects }: GzVm, base: bigint, size: bigint) =>
  size > 0n && base + size <= BigInt(objects.addressSpace.services.addressSpaceSize);

function createVcpu(call: GzCall, { vm, index }: VcpuPlace, pages: bigint): GzReply {
  if (index >= GZVM_MAX_VCPUS) return invalid(`a VM has ${GZVM_MAX_VCPUS} vCPUs at most`, { vcpu: index });
  if (vm.vcpus[index]) return invalid("the vCPU exists already", { vm: vm.id, vcpu: index });
  if (vm.started) return invalid("vCPUs are created before the first RUN", { vm: vm.id });
  if (!isAligned(pages)) return invalid("the shared pages are whole pages", { pages });
  const bytes = readPrimary(call.primary, pages, 2 * PAGE_SIZE);
  if (!bytes) return fault("the shared pages are memory of the caller's", { pages });
  const error = vm.createVcpu(index, Number(pages));
  return error === ErrorCode.OK ? DONE : refuseFor(error, call);
}

function destroyVcpu(place: VcpuPlace): GzReply {
  const one = vcpuOf(place);
  if (isRefusal(one)) return one;
  place.vm.destroyVcpu(place.index);
  return DONE;
}

/** Gives runs of the caller's pages, which follow each other in the guest from `guest` on. */
function give(call: GzCall, vm: GzVm, guest: bigint, parts: readonly { readonly address: bigint; readonly pages: number }[]): GzReply {
  const taken = new Set<number>();
  const runs: GuestRun[] = [];
  let at = Number(guest);
  for (const { address, pages } of parts) {
    const found = ownRuns(call.primary, vm.memory.own, address, pages, taken);
    if (isUngiven(found)) return fault(found.rule, { ...found.values, pages });
    for (const run of found) {
      runs.push({ ...run, guest: at });
      at += run.size;
    }
  }
  if (!vm.memory.isFree(Number(guest), at - Number(guest))) {
    return invalid("nothing is mapped at the guest's addresses yet", { address: guest });
  }
  const error = vm.memory.give(runs);
  return error === ErrorCode.OK ? DONE : refuseFor(error, call);
}

function setRegion(call: GzCall, vm: GzVm, bufferSize: bigint, region: bigint): GzReply {
  if (bufferSize < BigInt(GZVM_REGION.size) || bufferSize > BigInt(GZVM_REGION_MAX)) {
    return invalid(`the buffer of a region has ${GZVM_REGION.size} to ${GZVM_REGION_MAX} bytes`, { buffer_size: bufferSize });
  }
  const bytes = readPrimary(call.primary, region, Number(bufferSize));
  if (!bytes) return fault("the region message is memory of the caller's", { region });
  const { slot, constituents: count, total_pages: total, address } = GZVM_REGION.decode(bytes);
  if (slot >= GZVM_MAX_SLOTS) return invalid(`there are ${GZVM_MAX_SLOTS} slots`, { slot });
  if (GZVM_REGION.size + count * GZVM_CONSTITUENT.size > bytes.length) return invalid("the constituents fit into the buffer", { count });
  const parts = Array.from({ length: count }, (_, index) => {
    return GZVM_CONSTITUENT.decode(bytes.subarray(GZVM_REGION.size + index * GZVM_CONSTITUENT.size));
  });
  const sum = parts.reduce((pages, part) => pages + BigInt(part.pages), 0n);
  // Drivers of 6.1 list no pages: those that the guest misses are page faults.
  const isListed = count > 0;
  if (isListed && sum !== total) return invalid("the constituents have as many pages as the region", { pages: sum, total });
  if (parts.some(({ pages }) => pages === 0)) return invalid("a constituent has pages", { slot });
  const size = total * BigInt(PAGE_SIZE);
  if (!isAligned(address) || !isRange(vm, address, size)) {
    return invalid("a region is whole pages of the guest's address space", { address, size });
  }
  const before = vm.memory.ranges;
  if (!vm.memory.declare(Number(address), Number(size), SlotPurpose.Guest)) {
    return refuse(GzvmError.NoMemory, "too many ranges", { address });
  }
  if (!isListed) {
    vm.memory.page();
    return DONE;
  }
  const given = give(call, vm, address, parts);
  if (given !== DONE) vm.memory.restore(before);
  return given;
}

function setPurpose(vm: GzVm, address: bigint, size: bigint, purpose: bigint): GzReply {
  if (!isAligned(address) || !isAligned(size) || !isRange(vm, address, size)) {
    return invalid("a range is whole pages of the guest's address space", { address, size });
  }
  if (purpose > BigInt(SlotPurpose.Defined)) {
    return invalid("purposes are guest memory 1, firmware 2 and static swiotlb 4", { purpose });
  }
  if (vm.memory.protected) return invalid("purposes are set before the VM is protected", { address });
  if (vm.memory.declare(Number(address), Number(size), Number(purpose))) return DONE;
  return refuse(GzvmError.NoMemory, "too many ranges", { address, size });
}

function mapPages(
  call: GzCall,
  vm: GzVm,
  slot: number,
  guestFrame: bigint,
  pages: bigint,
  frames: () => readonly bigint[] | GzRefusal,
): GzReply {
  const address = guestFrame * BigInt(PAGE_SIZE), size = pages * BigInt(PAGE_SIZE);
  if (slot >= GZVM_MAX_SLOTS) return invalid(`there are ${GZVM_MAX_SLOTS} slots`, { slot });
  if (!isRange(vm, address, size)) return invalid("the pages lie in the guest's address space", { guest_frame: guestFrame, pages });
  const declared = vm.memory.declaredFrom(address);
  if (declared === 0n) return invalid("a slot, or a range with a purpose, has the first page", { guest_frame: guestFrame, pages });
  if (declared < size) {
    return invalid("the pages end where their slot ends, or before", {
      guest_frame: guestFrame,
      pages,
      pages_left: declared / BigInt(PAGE_SIZE),
    });
  }
  const listed = frames();
  if (isRefusal(listed)) return listed;
  const each = Number(pages) / listed.length;
  return give(call, vm, address, listed.map((frame) => ({ address: frame * BigInt(PAGE_SIZE), pages: each })));
}

function blockFrames({ primary }: GzCall, vm: GzVm, pages: bigint): readonly bigint[] | GzRefusal {
  if (vm.blockBuffer === undefined) return invalid("blocks need BLOCK_BASED_DEMAND_PAGING", { vm: vm.id });
  if (pages > BLOCK_PAGES) return invalid(`a block has ${BLOCK_PAGES} pages at most`, { pages });
  const bytes = readPrimary(primary, BigInt(vm.blockBuffer), 8 * Number(pages));
  if (!bytes) return fault("the buffer of frames is memory of the caller's", { buffer: vm.blockBuffer });
  const view = new DataView(bytes.buffer);
  return Array.from({ length: Number(pages) }, (_, index) => view.getBigUint64(8 * index, true));
}

function createDevice({ primary }: GzCall, vm: GzVm, device: bigint): GzReply {
  const bytes = readPrimary(primary, device, GZVM_CREATE_DEVICE.size);
  if (!bytes) return fault("the device's description is memory of the caller's", { device });
  const { dev_type: type, dev_addr: address, dev_reg_size: size } = GZVM_CREATE_DEVICE.decode(bytes);
  if (type > GzvmDevice.Redistributor) return invalid("devices are the GIC's distributor 0 and redistributor 1", { dev_type: type });
  if (!isAligned(address) || !isAligned(size) || !isRange(vm, address, size)) {
    return invalid("a device is whole pages of the guest's address space", { dev_addr: address, dev_reg_size: size });
  }
  if (vm.started) return invalid("devices are created before the first RUN", { vm: vm.id });
  if (!vm.setFrames(type, Number(address))) return invalid("a device is created once", { dev_type: type });
  return DONE;
}

function irqLine(call: GzCall, { vm, index }: VcpuPlace, irq: number, level: number): GzReply {
  if (irq >= GZVM_SPIS) return invalid(`a VM has ${GZVM_SPIS} shared interrupts, from 0`, { irq });
  if (index >= GZVM_MAX_VCPUS) return invalid(`a VM has ${GZVM_MAX_VCPUS} vCPUs at most`, { vcpu: index });
  const bell = vm.bell(irq);
  if (typeof bell === "number") return refuseFor(bell, call);
  if (level === 0) bell.receive(1n);
  else bell.send(1n);
  return DONE;
}

function protection(vm: GzVm, subCommand: bigint): GzReply {
  switch (subCommand) {
    case GzvmProtection.GetFirmwareSize:
      return [0n];
    case GzvmProtection.SetFirmwareAddress:
      return refuse(GzvmError.NotSupported, "EL2 has no firmware for protected VMs", { vm: vm.id });
    case GzvmProtection.SetProtected:
      if (vm.started) return invalid("a VM is protected before its first RUN", { vm: vm.id });
      if (!vm.memory.protected) vm.memory.protect();
      return DONE;
    default:
      return invalid("PROTECTED_VM has the sub-commands 0 to 2", { sub_command: subCommand });
  }
}

function enableBlocks({ primary }: GzCall, vm: GzVm, granule: bigint, buffer: bigint): GzReply {
  if (granule !== BLOCK_PAGES * BigInt(PAGE_SIZE)) return invalid("blocks have 2 MiB", { granule });
  if (!readPrimary(primary, buffer, 8 * Number(BLOCK_PAGES))) return fault("the buffer of frames is memory of the caller's", { buffer });
  vm.enableBlocks(Number(buffer));
  return DONE;
}

function enableCap(call: GzCall, vm: GzVm | undefined, cap: bigint, arg0: bigint, arg1: bigint): GzReply {
  if (cap === GzvmCap.QueryHypBatchPages) return [BLOCK_PAGES];
  if (cap === GzvmCap.QueryHypDestroyBatchPages) return [DESTROY_BATCH_PAGES];
  if (!vm) return invalid("the capability is a VM's", { cap });
  switch (cap) {
    case GzvmCap.ProtectedVm:
      return protection(vm, arg0);
    case GzvmCap.EnableDemandPaging:
      vm.memory.page();
      return DONE;
    case GzvmCap.BlockBasedDemandPaging:
      return enableBlocks(call, vm, arg0, arg1);
    case GzvmCap.EnableIdle:
      vm.enableIdle();
      return DONE;
    default:
      return invalid("there is no such capability", { cap });
  }
}

/** The vCPU and the index of the core register that GET_ONE_REG or SET_ONE_REG names. */
function registerOf(place: VcpuPlace, id: bigint): { one: GzVcpu; index: number } | GzRefusal {
  const one = vcpuOf(place);
  if (isRefusal(one)) return one;
  const index = coreRegister(id);
  if (index === undefined) return refuse(GzvmError.NotSupported, "EL2 has core registers only", { register: id });
  if (!isWide(id)) return invalid("core registers have 8 bytes", { register: id });
  if (place.vm.started && place.vm.memory.protected) return invalid("registers of a protected VM are its own", { vm: place.vm.id });
  if (!one.vcpu.life.isBlockedBy(Block.Run) || one.vcpu.life.isDead) {
    return invalid("the vCPU is running, or has ended", { vcpu: place.index });
  }
  return { one, index };
}

function getRegister(place: VcpuPlace, id: bigint): GzReply {
  const found = registerOf(place, id);
  if (isRefusal(found)) return found;
  const value = readCore(found.one, found.index);
  return value === undefined ? invalid("there is no such core register", { register: id }) : [value];
}

function setRegister(place: VcpuPlace, id: bigint, value: bigint): GzReply {
  const found = registerOf(place, id);
  if (isRefusal(found)) return found;
  return writeCore(found.one, found.index, value) ? DONE : invalid("no such core register, or none of this value", { register: id, value });
}

function setDevicetree(vm: GzVm, address: bigint, size: bigint): GzReply {
  if (size === 0n || vm.memory.declaredFrom(address) < size) return invalid("the devicetree lies in the VM's memory", { address, size });
  return DONE;
}

const notImplemented = () => refuse(GzvmError.NotImplemented, "only early drivers made this call, and its arguments are not known");

export const HANDLERS: GzHandlers = {
  CREATE_VM: (call) => {
    const vm = call.createVm();
    return isRefusal(vm) ? vm : [BigInt(vm.id)];
  },
  DESTROY_VM: (call, { vm }) => {
    call.destroyVm(vm);
    return DONE;
  },
  CREATE_VCPU: (call, { vcpu, pages }) => createVcpu(call, vcpu, pages),
  DESTROY_VCPU: (_call, { vcpu }) => destroyVcpu(vcpu),
  SET_MEMREGION: (call, { vm, buffer_size, region }) => setRegion(call, vm, buffer_size, region),
  RUN: (call, { vcpu }) => call.run(vcpu),
  GET_REGS: notImplemented,
  SET_REGS: notImplemented,
  GET_ONE_REG: (_call, { vcpu, register }) => getRegister(vcpu, register),
  SET_ONE_REG: (_call, { vcpu, register, value }) => setRegister(vcpu, register, value),
  IRQ_LINE: (call, { vcpu, irq, level }) => irqLine(call, vcpu, irq, level),
  CREATE_DEVICE: (call, { vm, device }) => createDevice(call, vm, device),
  PROBE: () => GZVM_VERSION,
  ENABLE_CAP: (call, { vm, cap, arg0, arg1 }) => enableCap(call, vm, cap, arg0, arg1),
  INFORM_EXIT: () => DONE,
  MEMREGION_PURPOSE: (_call, { vm, address, size, purpose }) => setPurpose(vm, address, size, purpose),
  SET_DTB_CONFIG: (_call, { vm, address, size }) => setDevicetree(vm, address, size),
  MAP_GUEST: (call, { vm, slot, host_frame, guest_frame, pages }) => mapPages(call, vm, slot, guest_frame, pages, () => [host_frame]),
  MAP_GUEST_BLOCK: (call, { vm, slot, guest_frame, pages }) =>
    mapPages(call, vm, slot, guest_frame, pages, () => blockFrames(call, vm, pages)),
  GET_STATISTICS: (_call, { vm }) => {
    const { private: hidden, shared } = vm.memory.statistics();
    return [BigInt(hidden), BigInt(shared)];
  },
};
