// Requests about firmware, time base and address reservation (docs/spec/resource-manager.md §3.11
// and §3.12).

import { asIpa } from "../../abi/numbers.ts";
import { RmError } from "../../abi/rpc/errors.ts";
import {
  ANYWHERE,
  FW_MILESTONE,
  FW_SET_VM_FIRMWARE,
  IPA_RESERVE,
  IpaReserveType,
  VM_SET_FIRMWARE_MEM,
  VM_SET_TIME_BASE,
} from "../../abi/rpc/messages/platform.ts";
import type { Values } from "../../abi/rpc/layout.ts";
import type { RpcMessage } from "../../abi/rpc/packet.ts";
import { VmState } from "../../abi/rpc/messages/vm.ts";
import { type Addresses, type AddressRange, allocateRange, freeRange, takeRange } from "../state/addresses.ts";
import type { Context } from "../state/context.ts";
import { setFirmware, setFirmwareMemory } from "../vm/firmware.ts";
import { demand, Refusal } from "../calls/refusals.ts";
import type { Vm } from "../state/state.ts";
import { existing, handle, type Handler, mayQuery, onlyHlos, visible } from "./handler.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

function beforeMilestone(context: Context, caller: Vm): void {
  demand(!context.state.firmwareLocked, RmError.DENIED, "the firmware milestone has passed");
  onlyHlos(context, caller);
}

const milestone = handle(FW_MILESTONE, (context) => {
  context.state.firmwareLocked = true;
}, beforeMilestone);

const firmware = handle(FW_SET_VM_FIRMWARE, (context, _caller, request) => setFirmware(context, request), beforeMilestone);

const firmwareMemory = handle(VM_SET_FIRMWARE_MEM, (context, caller, request) => {
  const vm = existing(context, request.vmid, RmError.NORESOURCE);
  demand(mayQuery(caller, vm), RmError.DENIED, "the caller is neither the VM nor its owner nor a peer", { vmid: vm.vmid });
  demand(vm.state === VmState.Init, RmError.VM_STATE, "the VM is not in the state INIT", { vmid: vm.vmid, state: vm.state });
  setFirmwareMemory(context, vm, request);
});

const setTimeBase = handle(VM_SET_TIME_BASE, (context, caller, { vmid }) => {
  const vm = visible(context, caller, vmid, RmError.NORESOURCE, RmError.DENIED);
  const early = vm.state === VmState.Init || vm.state === VmState.Ready;
  demand(early, RmError.VM_STATE, "the VM is not in the state INIT or READY", { vmid: vm.vmid, state: vm.state });
  throw new Refusal(RmError.ARGUMENT_INVALID, "the platform has no virtual RTC", { vmid: vm.vmid });
});

/** Most ranges that a VM reserves: each choice of an address compares all of them. */
export const RESERVED_MAX = 1024;
/** Bytes up to the list. */
const CONSTRAINTS_SIZE = 16;
/**
 * generic_constraints that the platform can promise: none, the base memory's, or normal memory
 * (with ECC or tags).
 */
const BASE_MEMORY_COMPATIBLE = 0x40;
const NORMAL = 0x4;
const ECC_OR_TAGGED = 0x3;

function addressesOf({ addresses, vmid }: Vm): Addresses {
  demand(addresses !== undefined, RmError.DENIED, "the caller has no address space", { vmid });
  return addresses;
}

/** Type and constraints are judged before the list is. */
function possible(_context: Context, caller: Vm, { payload }: RpcMessage): void {
  const { vmid } = caller;
  addressesOf(caller);
  if (payload.length < CONSTRAINTS_SIZE) return;
  const view = new DataView(payload.buffer, payload.byteOffset, payload.length);
  const type = view.getUint8(0);
  demand(type <= IpaReserveType.Allocate, RmError.MSG_INVALID, "there is no such type of reservation", { type });
  const [generic, platform] = [view.getUint32(4, true), view.getUint32(8, true)];
  const promised = generic === 0 || generic === BASE_MEMORY_COMPATIBLE || (generic & ~ECC_OR_TAGGED) === NORMAL;
  demand(promised && platform === 0, RmError.ARGUMENT_INVALID, "the constraints cannot be met", { vmid, generic, platform });
}

const reserve = handle(IPA_RESERVE, (_context, caller, { type, fixed, requested }) => {
  const more = fixed.length + requested.length;
  if (more > 0) requireMovable(caller);
  const { length } = addressesOf(caller).reserved;
  demand(length + more <= RESERVED_MAX, RmError.DENIED, `a VM reserves at most ${RESERVED_MAX} ranges`, {
    vmid: caller.vmid,
    reserved: length,
  });
  if (type === IpaReserveType.Fixed) reserveFixed(caller, fixed);
  else return { addresses: reserveRequested(caller, requested) };
}, possible);

/** The primary's addresses are its memory's: it cannot reserve any. */
function requireMovable(caller: Vm): void {
  demand(!caller.direct, RmError.DENIED, "the caller is mapped directly", { vmid: caller.vmid });
}

function isAligned(...values: bigint[]): boolean {
  return values.every((value) => value % BigInt(PAGE_SIZE) === 0n && value < 1n << 44n);
}

/** Reserves all ranges or none. */
function reserveAll(caller: Vm, ranges: readonly AddressRange[]): void {
  const space = addressesOf(caller);
  const taken: AddressRange[] = [];
  for (const range of ranges) {
    const overlaps = space.reserved.some(({ base, size }) => range.base < base + size && base < range.base + range.size);
    if (!overlaps && takeRange(space, range)) {
      taken.push(range);
      continue;
    }
    for (const each of taken) freeRange(space, each);
    throw new Refusal(RmError.DENIED, "a range is not free", { vmid: caller.vmid, base: range.base, size: range.size });
  }
  // Reserved addresses stay free for those who name them.
  for (const each of taken) freeRange(space, each);
  for (const range of taken) space.reserved.push(range);
}

type Request = Values<typeof IPA_RESERVE.request.fields>;

function reserveFixed(caller: Vm, ranges: Request["fixed"]): void {
  demand(ranges.every(({ base, size }) => isAligned(base, size)), RmError.DENIED, "a range is not page aligned", { vmid: caller.vmid });
  reserveAll(caller, ranges.map(({ base, size }) => ({ base: asIpa(Number(base)), size: Number(size) })));
}

function reserveRequested(caller: Vm, requests: Request["requested"]): { address: bigint }[] {
  const space = addressesOf(caller);
  const found: AddressRange[] = [];
  for (const { region_base, region_size, size, alignment } of requests) {
    const anywhere = region_base === ANYWHERE;
    const valid = isAligned(size) && size > 0n && isAligned(alignment) && (alignment & (alignment - 1n)) === 0n && alignment > 0n &&
      (anywhere || region_base + region_size <= 1n << 44n);
    const window = anywhere ? undefined : { base: asIpa(Number(region_base)), size: Number(region_size) };
    const base = valid ? allocateRange(space, Number(size), Number(alignment), window) : undefined;
    if (base !== undefined) {
      found.push({ base, size: Number(size) });
      continue;
    }
    for (const each of found) freeRange(space, each);
    throw new Refusal(RmError.DENIED, "no range is free as asked for", { vmid: caller.vmid, size, alignment });
  }
  for (const each of found) freeRange(space, each);
  for (const range of found) space.reserved.push(range);
  return found.map(({ base }) => ({ address: BigInt(base) }));
}

export const platformHandlers: readonly Handler[] = [milestone, firmware, firmwareMemory, setTimeBase, reserve];
