// Pages that a host gives to a VM by hypercalls, one range at a time: from its own extent to the
// VM's, and into the VM's address space (docs/spec/vm-manager.md §5.4). The Resource Manager lists
// the extents and the address space.

import { asIpa, type CapId } from "../../abi/numbers.ts";
import { ErrorCode, errorName } from "../../abi/errors.ts";
import type { HypercallName } from "../../abi/hypercalls.ts";
import { ExtentLabel, ResourceType } from "../../abi/rpc/messages/resources.ts";
import { Access, DonateType, mapAttributes, MapFlags, MemoryType } from "../../abi/words.ts";
import { VM_PERSONAS } from "../../abi/ioctl/personas.ts";
import { Errno } from "../../abi/ioctl/errno.ts";
import { bindingOf, holdPinned, isPaged, lockPages, pinRange, unlockPages, writable } from "./bindings.ts";
import { hypercallErrno } from "./rm-errors.ts";
import type { HostKernel } from "../kernel/kernel.ts";
import { type PageRange } from "../kernel/page-allocator.ts";
import type { GivenPages, HostVm, Resource } from "./state.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

/** How pages are given. */
interface Giving {
  /** The host keeps its access. */
  readonly shared: boolean;
  readonly write: boolean;
  readonly executable: boolean;
}

/**
 * How a generation makes its calls: those of current hypervisors for pages that are the guest's
 * alone and that are shared, or the ones that move any memory.
 */
function callsOf(vm: HostVm, shared: boolean): { readonly give: number; readonly take: number; readonly mapFlags: number } {
  const { ToSibling, ToProtected, FromProtected } = DonateType;
  if (!VM_PERSONAS[vm.persona].parcelsBecomePages) return { give: ToSibling, take: ToSibling, mapFlags: MapFlags.Partial };
  if (shared) return { give: ToSibling, take: ToSibling, mapFlags: MapFlags.Partial | MapFlags.Vmmio };
  return { give: ToProtected, take: FromProtected, mapFlags: MapFlags.Partial | MapFlags.Private };
}

/** An error of a hypercall, by its call. */
export interface PagingError {
  readonly call: string;
  readonly code: number;
}

/**
 * Capabilities for pages of a kind: the address space, and the extents of host and guest. Undefined
 * if the VM has none.
 */
function capsOf(resources: readonly Resource[], shared: boolean): { space: CapId; host: CapId; guest: CapId } | undefined {
  const extent = (wanted: number) => resources.find(({ type, label }) => type === ResourceType.MemoryExtent && label === wanted)?.cap;
  const space = resources.find(({ type }) => type === ResourceType.AddressSpace)?.cap;
  const host = extent(shared ? ExtentLabel.HostShared : ExtentLabel.HostPrivate);
  const guest = extent(shared ? ExtentLabel.GuestShared : ExtentLabel.GuestPrivate);
  return space === undefined || host === undefined || guest === undefined ? undefined : { space, host, guest };
}

/** Gives a range of pages at a guest address. A failure is undone. */
export function givePages(
  kernel: HostKernel,
  vm: HostVm,
  { ipa, count }: PageRange,
  guestAddress: bigint,
  { shared, write, executable }: Giving,
): GivenPages | PagingError {
  const caps = capsOf(vm.resources ?? [], shared);
  if (caps === undefined) return { call: "VM_GET_HYP_RESOURCES lists no extents", code: ErrorCode.CSPACE_CAP_NULL };
  const { space, host, guest } = caps;
  const { calls } = kernel;
  const { give, take, mapFlags } = callsOf(vm, shared);
  const offset = ipa, size = count * PAGE_SIZE;
  const donated = calls.memextent_donate({ options: give, from: host, to: guest, offset, size }).error;
  if (donated !== ErrorCode.OK) return pagingError("memextent_donate", donated);
  const rights = (write ? Access.RW : Access.R) | (executable ? Access.X : 0);
  const mapped = calls.addrspace_map({
    addrspace: space,
    memextent: guest,
    vbase: guestAddress,
    offset,
    size,
    map_attrs: mapAttributes(rights, rights, MemoryType.NormalWB),
    map_flags: mapFlags,
  }).error;
  if (mapped !== ErrorCode.OK) {
    calls.memextent_donate({ options: take, from: guest, to: host, offset, size });
    return pagingError("addrspace_map", mapped);
  }
  return { ipa, count, guestAddress, shared };
}

/** Takes pages back. */
export function takePages(
  kernel: HostKernel,
  vm: HostVm,
  { ipa, count, guestAddress, shared }: GivenPages,
): PagingError | undefined {
  const caps = capsOf(vm.resources ?? [], shared);
  if (caps === undefined) return { call: "VM_GET_HYP_RESOURCES lists no extents", code: ErrorCode.CSPACE_CAP_NULL };
  const { calls } = kernel;
  const { space, host, guest } = caps;
  const { take, mapFlags } = callsOf(vm, shared);
  const range = { offset: ipa, size: count * PAGE_SIZE };
  const unmapped = calls.addrspace_unmap({ addrspace: space, memextent: guest, vbase: guestAddress, map_flags: mapFlags, ...range }).error;
  if (unmapped !== ErrorCode.OK) return pagingError("addrspace_unmap", unmapped);
  const donated = calls.memextent_donate({ options: take, from: guest, to: host, ...range }).error;
  return donated === ErrorCode.OK ? undefined : pagingError("memextent_donate", donated);
}

/**
 * Reclaims the VM's part of a range of its addresses, and leaves the rest to it. The error is that
 * of the first piece that the VM keeps; pieces reclaimed before stay the host's.
 */
export function reclaimPages(kernel: HostKernel, vm: HostVm, address: bigint, size: bigint): PagingError | undefined {
  const page = BigInt(PAGE_SIZE), end = address + size;
  for (const given of [...vm.given]) {
    const first = given.guestAddress, last = first + BigInt(given.count) * page;
    const from = address > first ? address : first, to = end < last ? end : last;
    if (from >= to) continue;
    const part = (begin: bigint, stop: bigint): GivenPages => ({
      guestAddress: begin,
      count: Number((stop - begin) / page),
      shared: given.shared,
      ipa: asIpa(given.ipa + Number(begin - first)),
    });
    const failed = takePages(kernel, vm, part(from, to));
    if (failed !== undefined) return failed;
    unlockPages(kernel, vm, part(from, to).count);
    const rest = [part(first, from), part(to, last)].filter(({ count }) => count > 0);
    vm.given.splice(vm.given.indexOf(given), 1, ...rest);
  }
}

/**
 * Gives the page that a guest missed, where a binding has one. Zero, or a negative errno.
 * @param write the guest wanted to write
 * @param task the one inside RUN
 */
export function pageIn(kernel: HostKernel, vm: HostVm, address: number, write: boolean, task: number): number {
  if (!isPaged(vm)) return -Errno.ENOENT;
  const page = BigInt(address - address % PAGE_SIZE), size = BigInt(PAGE_SIZE);
  const binding = bindingOf(vm, page, size);
  if (binding === undefined) return -Errno.ENOENT;
  if (write && !writable(binding)) return -Errno.EPERM;
  if (!lockPages(kernel, vm, 1, task)) return -Errno.ENOMEM;
  const pinned = pinRange(kernel, vm, binding, page, size);
  if (typeof pinned === "number") {
    unlockPages(kernel, vm, 1);
    return pinned;
  }
  const { lent, executable } = binding;
  const given = givePages(kernel, vm, pinned.ranges[0], page, { shared: !lent, write: writable(binding), executable });
  if ("call" in given) {
    kernel.memory.unpin(pinned);
    unlockPages(kernel, vm, 1);
    // Another vCPU may have missed the same page.
    return hasPage(vm, page) ? 0 : -hypercallErrno(given.code);
  }
  holdPinned(kernel, vm, pinned);
  addGiven(vm, given);
  return 0;
}

function hasPage({ given }: HostVm, page: bigint): boolean {
  return given.some(({ guestAddress, count }) => page >= guestAddress && page < guestAddress + BigInt(count * PAGE_SIZE));
}

/** Notes what a VM has: with what it got last, where the one continues the other. */
function addGiven({ given }: HostVm, pages: GivenPages): void {
  const last = given.at(-1);
  const bytes = last === undefined ? 0 : last.count * PAGE_SIZE;
  if (
    last !== undefined && last.shared === pages.shared && last.ipa + bytes === pages.ipa &&
    last.guestAddress + BigInt(bytes) === pages.guestAddress
  ) given[given.length - 1] = { ...last, count: last.count + pages.count };
  else given.push(pages);
}

function pagingError(call: HypercallName, code: number): PagingError {
  return { call: `${call}: ${errorName(code)}`, code };
}
