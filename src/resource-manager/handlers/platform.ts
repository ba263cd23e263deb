// Requests about firmware, time base and address reservation (spec/resource-manager.md §3.11 and §3.12).

import { RmError } from "../../abi/rpc/errors.ts";
import {
  FW_MILESTONE,
  FW_SET_VM_FIRMWARE,
  IPA_RESERVE,
  IpaReserveType,
  VM_SET_FIRMWARE_MEM,
  VM_SET_TIME_BASE,
} from "../../abi/rpc/messages/platform.ts";
import { Input, Output } from "../../abi/rpc/layout.ts";
import { VmState } from "../../abi/rpc/messages/vm.ts";
import { type AddressRange, allocateRange, freeRange, takeRange } from "../addresses.ts";
import type { Context } from "../context.ts";
import { setFirmware, setFirmwareMemory } from "../firmware.ts";
import { PAGE_SIZE } from "../memory-layout.ts";
import { Refusal, require } from "../refusals.ts";
import type { Vm } from "../state.ts";
import { existing, handle, type Handler, mayQuery, onlyHlos, visible } from "./handler.ts";

function beforeMilestone(context: Context, caller: Vm): void {
  require(!context.state.firmwareLocked, RmError.DENIED, "the firmware milestone has passed");
  onlyHlos(context, caller);
}

const milestone = handle(FW_MILESTONE, (context) => {
  context.state.firmwareLocked = true;
}, beforeMilestone);

const firmware = handle(FW_SET_VM_FIRMWARE, (context, _caller, request) => setFirmware(context, request), beforeMilestone);

const firmwareMemory = handle(VM_SET_FIRMWARE_MEM, (context, caller, request) => {
  const vm = existing(context, request.vmid, RmError.NORESOURCE);
  require(mayQuery(caller, vm), RmError.DENIED, "the caller is neither the VM nor its owner nor a peer", { vmid: vm.vmid });
  require(vm.state === VmState.Init, RmError.VM_STATE, "the VM is not in the state INIT", { vmid: vm.vmid, state: vm.state });
  setFirmwareMemory(context, vm, request);
});

const setTimeBase = handle(VM_SET_TIME_BASE, (context, caller, { vmid }) => {
  const vm = visible(context, caller, vmid, RmError.NORESOURCE, RmError.DENIED);
  const early = vm.state === VmState.Init || vm.state === VmState.Ready;
  require(early, RmError.VM_STATE, "the VM is not in the state INIT or READY", { vmid, state: vm.state });
  throw new Refusal(RmError.ARGUMENT_INVALID, "the platform has no virtual RTC", { vmid });
});

/** Most entries of IPA_RESERVE. */
const RESERVE_MAX = 30;
/** generic_constraints that the platform can promise: none, the base memory's, or normal memory (with ECC or tags). */
const BASE_MEMORY_COMPATIBLE = 0x40;
const NORMAL = 0x4;
const ECC_OR_TAGGED = 0x3;

const reserve = handle(IPA_RESERVE, (_context, caller, request) => {
  require(caller.addresses !== undefined, RmError.DENIED, "the caller has no addresses of its own");
  const { type, generic_constraints: generic, platform_constraints: platform } = request;
  require(type <= IpaReserveType.Allocate, RmError.MSG_INVALID, "there is no such type of reservation", { type });
  const possible = generic === 0 || generic === BASE_MEMORY_COMPATIBLE || (generic & ~ECC_OR_TAGGED) === NORMAL;
  require(possible && platform === 0, RmError.ARGUMENT_INVALID, "the constraints cannot be met", { generic, platform });
  return type === IpaReserveType.Fixed ? reserveFixed(caller, request.list) : reserveAllocated(caller, request.list);
});

/** Entries behind a count of 16 bits; `read` reads one. */
function entriesOf<T>(list: Uint8Array, read: (input: Input) => T): T[] {
  const input = new Input(list);
  const count = input.unsigned(2);
  input.unsigned(2);
  require(count <= RESERVE_MAX, RmError.NORESOURCE, `there are more than ${RESERVE_MAX} entries`, { count });
  const entries: T[] = [];
  while (entries.length < count && input.fault === undefined) entries.push(read(input));
  require(input.fault === undefined && input.left === 0, RmError.MSG_INVALID, "the list is not as long as counted", { count });
  return entries;
}

/** The primary's addresses are its memory's: it cannot reserve any. */
function requireMovable(caller: Vm): void {
  require(!caller.direct, RmError.DENIED, "the caller is mapped directly");
}

function isAligned(...values: bigint[]): boolean {
  return values.every((value) => value % BigInt(PAGE_SIZE) === 0n && value < 1n << 44n);
}

/** Reserves all ranges or none. */
function reserveAll(caller: Vm, ranges: readonly AddressRange[]): void {
  const space = caller.addresses!;
  const taken: AddressRange[] = [];
  for (const range of ranges) {
    const overlaps = space.reserved.some(({ base, size }) => range.base < base + size && base < range.base + range.size);
    if (!overlaps && takeRange(space, range)) {
      taken.push(range);
      continue;
    }
    for (const each of taken) freeRange(space, each);
    throw new Refusal(RmError.DENIED, "a range is not free", { base: range.base, size: range.size });
  }
  // Reserved addresses stay free for those who name them.
  for (const each of taken) freeRange(space, each);
  space.reserved.push(...taken);
}

function reserveFixed(caller: Vm, list: Uint8Array): undefined {
  const entries = entriesOf(list, (input) => ({ base: input.unsigned64(), size: input.unsigned64() }));
  if (entries.length === 0) return;
  requireMovable(caller);
  require(entries.every(({ base, size }) => isAligned(base, size)), RmError.DENIED, "a range is not page aligned");
  reserveAll(caller, entries.map(({ base, size }) => ({ base: Number(base), size: Number(size) })));
}

function reserveAllocated(caller: Vm, list: Uint8Array): { list: Uint8Array } {
  const entries = entriesOf(list, (input) => ({
    regionBase: input.unsigned64(),
    regionSize: input.unsigned64(),
    size: input.unsigned64(),
    alignment: input.unsigned64(),
  }));
  if (entries.length > 0) requireMovable(caller);
  const space = caller.addresses!;
  const found: AddressRange[] = [];
  for (const { regionBase, regionSize, size, alignment } of entries) {
    const anywhere = regionBase === 0xffff_ffff_ffff_ffffn;
    const valid = isAligned(size) && size > 0n && isAligned(alignment) && (alignment & (alignment - 1n)) === 0n && alignment > 0n &&
      (anywhere || regionBase + regionSize <= 1n << 44n);
    const window = anywhere ? undefined : { base: Number(regionBase), size: Number(regionSize) };
    const base = valid ? allocateRange(space, Number(size), Number(alignment), window) : undefined;
    if (base !== undefined) {
      found.push({ base, size: Number(size) });
      continue;
    }
    for (const each of found) freeRange(space, each);
    throw new Refusal(RmError.DENIED, "no range is free as asked for", { size, alignment });
  }
  for (const each of found) freeRange(space, each);
  space.reserved.push(...found);
  const output = new Output();
  output.unsigned(4, found.length);
  for (const { base } of found) output.unsigned64(BigInt(base));
  return { list: output.bytes() };
}

export const platformHandlers: readonly Handler[] = [milestone, firmware, firmwareMemory, setTimeBase, reserve];
