// The steps of sequences that give memory to a VM, and take it back: parcels of the Resource
// Manager, and pages one by one (docs/spec/vm-manager.md §5 and §7).

import { asIpa } from "../../abi/numbers.ts";
import { RmError } from "../../abi/rpc/errors.ts";
import type { Values } from "../../abi/rpc/layout.ts";
import { decodeReply } from "../../abi/rpc/message.ts";
import { AppendFlags, CreateFlags, MEM_APPEND, MEM_LEND, MEM_RECLAIM, MEM_SHARE, MemType } from "../../abi/rpc/messages/memory.ts";
import { AuthType, Vmid } from "../../abi/rpc/messages/vm.ts";
import type { BrokenRule } from "../../abi/trace.ts";
import { Access } from "../../abi/words.ts";
import { Errno } from "../../abi/ioctl/errno.ts";
import { VM_PERSONAS } from "../../abi/ioctl/personas.ts";
import { type PageRange } from "../kernel/page-allocator.ts";
import { bindingOf, bindingRights, LOCK_LIMIT, LOCK_WAY_OUT, lockPages, pinRange, pinRule, rightsOf, writable } from "./bindings.ts";
import { givePages, takePages } from "./paging.ts";
import { hypercallErrno } from "./rm-errors.ts";
import { type Binding, type HostVm, type RangeParcel, type Region, type Sequence } from "./state.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import { handleOf, read, running, type SequenceLink, type StepResult } from "./sequence-link.ts";

/** Entries of a memory list in one request. */
const ENTRIES_MAX = 512;
export const U64_BITS = 64;

/** A parcel of a range of the guest's addresses. */
type RangeParcelName = "configParcel" | "firmwareParcel";

export function reclaim(link: SequenceLink, vm: HostVm, sequence: Sequence): StepResult {
  const parcel = nextParcel(vm, sequence);
  return parcel === undefined ? "next" : link.send(vm, MEM_RECLAIM, { handle: handleOf(parcel), flags: 0 });
}

/** The addresses that the driver fills: of all bindings, or of those but for the first parcel. */
export function pagedRanges(vm: HostVm): { base: bigint; size: bigint }[] {
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

/** Lends the pages of a range of one binding, for the Resource Manager to read. */
export function rangeParcel(
  link: SequenceLink,
  vm: HostVm,
  which: RangeParcelName,
  { address, size }: { address: bigint; size: bigint },
): StepResult {
  const binding = bindingOf(vm, address, size);
  const pages = Number((size + BigInt(PAGE_SIZE) - 1n) / BigInt(PAGE_SIZE));
  const sequence = running(vm);
  if (binding !== undefined && !lockPages(link.kernel, vm, pages, sequence.task)) return overLimit(link, vm, pages);
  const refuse = (errno: number): StepResult => {
    const rule = pinRule(errno, binding, "the range has to lie in one binding, and all its pages have to exist");
    return { errno, rule: { section: "vm-manager 7", ...rule, object: `vm ${vm.id}`, values: { address, size } } };
  };
  if (binding === undefined) return refuse(Errno.ENOENT);
  const pinned = pinRange(link.kernel, vm, binding, address, size);
  if (typeof pinned === "number") return refuse(-pinned);
  vm[which] = { guestAddress: address, pinned, rights: bindingRights(binding), handle: undefined };
  return sendRange(link, vm, sequence, vm[which]);
}

function sendRange(link: SequenceLink, vm: HostVm, sequence: Sequence, parcel: RangeParcel): StepResult {
  return sendEntries(link, vm, sequence, parcel, MEM_LEND, { label: 0, acl: [{ vmid: vm.vmid, rights: parcel.rights }] });
}

/** Shares or lends the next region without a parcel, or the rest of one. */
export function sendRegion(link: SequenceLink, vm: HostVm, sequence: Sequence): StepResult {
  const region = vm.regions[sequence.item];
  if (region === undefined) return "next";
  if (vm.vmid > link.kernel.scmMax) return notAssigned(link, vm);
  const own = { vmid: vm.vmid, rights: rightsOf(region.flags) };
  return sendEntries(link, vm, sequence, region, region.lent ? MEM_LEND : MEM_SHARE, {
    label: region.label,
    acl: region.lent ? [own] : [own, { vmid: Vmid.Hlos, rights: Access.RWX }],
  });
}

/** The secure world does not give the pages to the VM; the Resource Manager is not asked then. */
function notAssigned(link: SequenceLink, { id, vmid }: HostVm): StepResult {
  const { scmMax } = link.kernel;
  const rule = `the secure world has ids for VMIDs up to 0x${scmMax.toString(16)}, and the kernel does not map others to 0x3a, ` +
    "the Resource Manager's";
  return { errno: Errno.ENODEV, rule: { section: "phones A5", rule, object: `vm ${id}`, values: { vmid, scm_max: scmMax } } };
}

/**
 * Sends the next entries of a parcel's memory list: the first ones make the parcel, the others
 * are appended.
 */
function sendEntries(
  link: SequenceLink,
  vm: HostVm,
  sequence: Sequence,
  { pinned: { ranges }, handle }: Region | RangeParcel,
  message: typeof MEM_LEND | typeof MEM_SHARE,
  made: Pick<Values<typeof MEM_LEND.request.fields>, "label" | "acl">,
): StepResult {
  const entries = ranges.slice(sequence.sent, sequence.sent + ENTRIES_MAX);
  const sgl = entries.map(({ ipa, count }) => ({ address: BigInt(ipa), size: BigInt(count * PAGE_SIZE) }));
  const more = sequence.sent + sgl.length < ranges.length;
  if (handle !== undefined) return link.send(vm, MEM_APPEND, { handle, flags: more ? 0 : AppendFlags.Done, sgl });
  return link.send(vm, message, { mem_type: MemType.Normal, flags: more ? CreateFlags.Append : 0, ...made, sgl, attributes: [] });
}

/** The region of a range by the rule of the generation. */
export function regionOf(vm: HostVm, { address, size }: { address: bigint; size: bigint }): Region | undefined {
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
export function giveAllPages(link: SequenceLink, vm: HostVm): StepResult {
  const parcels = [vm.configParcel, vm.firmwareParcel].flatMap((parcel) => parcel?.pinned.ranges ?? []);
  for (const binding of vm.bindings) {
    const { guestAddress, size, lent } = binding;
    const pinned = pinRange(link.kernel, vm, binding, guestAddress, size);
    if (typeof pinned === "number") {
      return notGiven(vm, -pinned, pinRule(-pinned, binding, "every page of a binding has to be there"), binding);
    }
    vm.pinned.push(pinned);
    let at = guestAddress;
    for (const range of pinned.ranges) {
      for (const piece of without(range, parcels)) {
        if (!lockPages(link.kernel, vm, piece.count, running(vm).task)) return overLimit(link, vm, piece.count);
        const shift = BigInt(piece.ipa - range.ipa);
        const given = givePages(link.kernel, vm, piece, at + shift, {
          shared: !lent,
          write: writable(binding),
          executable: binding.executable,
        });
        if ("call" in given) return notGiven(vm, hypercallErrno(given.code), { rule: given.call }, binding);
        vm.given.push(given);
      }
      at += BigInt(range.count * PAGE_SIZE);
    }
  }
  return "next";
}

/** START gives more than its caller may lock. */
function overLimit(link: SequenceLink, vm: HostVm, pages: number): StepResult {
  const space = link.kernel.memory.space(vm.space);
  if (space === undefined) {
    const rule = { section: "vm-manager 5.1", rule: "its VMM ended during START", object: `vm ${vm.id}`, values: {} };
    return { errno: Errno.EINTR, rule };
  }
  const values = {
    locked_bytes: space.locked * PAGE_SIZE,
    wanted_bytes: pages * PAGE_SIZE,
    limit_bytes: link.kernel.memlockOf(vm.sequence!.task!),
  };
  return {
    errno: Errno.ENOMEM,
    rule: { section: "vm-manager 5.1", rule: LOCK_LIMIT, object: `vm ${vm.id}`, values, wayOut: LOCK_WAY_OUT },
  };
}

function notGiven(vm: HostVm, errno: number, rule: Pick<BrokenRule, "rule" | "wayOut">, { guestAddress, size }: Binding): StepResult {
  return { errno, rule: { section: "vm-manager 5.4", ...rule, object: `vm ${vm.id}`, values: { guest_addr: guestAddress, size } } };
}

/** Pages that cannot be reclaimed stay the VM's for ever. */
export function takeAllPages(link: SequenceLink, vm: HostVm): StepResult {
  for (const pages of vm.given) {
    const failed = takePages(link.kernel, vm, pages);
    if (failed !== undefined) {
      link.kernel.cpu.trace.event("ioctl", "pages of a VM are lost", { vm: vm.id, guest_addr: pages.guestAddress, error: failed.call });
      vm.pinned = [];
    }
  }
  vm.given = [];
  return "next";
}

export function regionSent(link: SequenceLink, vm: HostVm, payload: Uint8Array, sequence: Sequence): StepResult {
  const region = vm.regions[sequence.item];
  const result = entriesSent(link, vm, sequence, region, region.lent ? MEM_LEND : MEM_SHARE, payload);
  if (result !== "next" && result !== "more") return result;
  if (result === "next") {
    // v6 gives one region, in the call that names it.
    if (sequence.kind === "region") return "next";
    sequence.item++;
  }
  return sendRegion(link, vm, sequence);
}

export function rangeSent(link: SequenceLink, vm: HostVm, sequence: Sequence, parcel: RangeParcel, payload: Uint8Array): StepResult {
  const result = entriesSent(link, vm, sequence, parcel, MEM_LEND, payload);
  return result === "more" ? sendRange(link, vm, sequence, parcel) : result;
}

/** The reply to entries of a parcel: whether the parcel is complete, or more follow. */
function entriesSent(
  link: SequenceLink,
  vm: HostVm,
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
    ? read(vm, message, payload, ({ handle }) => parcel.handle = handle)
    : read(vm, MEM_APPEND, payload);
  if (result !== "next") {
    if (parcel.handle === undefined || result === "wait") return result;
    // Linux takes back at once what the parcel has already: v6 has forgotten the region when its
    // ioctl ends.
    sequence.failure = result;
    return link.send(vm, MEM_RECLAIM, { handle: parcel.handle, flags: 0 });
  }
  sequence.sent += ENTRIES_MAX;
  if (sequence.sent < parcel.pinned.ranges.length) return "more";
  sequence.sent = 0;
  return "next";
}

export function reclaimed(link: SequenceLink, vm: HostVm, payload: Uint8Array): StepResult {
  const sequence = running(vm), parcel = nextParcel(vm, sequence);
  if (parcel === undefined) throw new Error(`vm ${vm.id} reclaims no parcel`);
  // A delete that is refused leaves the region as it is.
  const refused = sequence.kind === "delete" ? read(vm, MEM_RECLAIM, payload) : "next";
  if (refused !== "next") return refused;
  takenBack(vm, parcel, payload);
  return reclaim(link, vm, sequence);
}

/** Whether the VM's image is one parcel, in a generation that gives pages one by one. */
function isOneParcel(vm: HostVm): boolean {
  return vm.auth === AuthType.Android && VM_PERSONAS[vm.persona].protectedAsParcel;
}

/** Whether the firmware's place is in the parcel of the VM's configuration. */
export function isWithConfig(vm: HostVm, { address }: HostVm["devicetree"]): boolean {
  const config = configRange(vm);
  return isOneParcel(vm) && address >= config.address && address < config.address + config.size;
}

/**
 * The range that the Resource Manager gets as the VM's configuration: the devicetree, or the whole
 * binding that contains it.
 */
export function configRange(vm: HostVm): HostVm["devicetree"] {
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
 * The next parcel that the Resource Manager still has; of a delete only the one that it is about.
 */
function nextParcel(vm: HostVm, { kind, label }: Sequence): Region | RangeParcel | undefined {
  if (kind === "delete") return vm.regions.find((region) => region.label === label && region.handle !== undefined);
  return [...vm.regions, vm.configParcel, vm.firmwareParcel].find((parcel) => parcel?.handle !== undefined);
}

/** The reply to MEM_RECLAIM: pages that the Resource Manager keeps never return to the process. */
function takenBack(vm: HostVm, parcel: Region | RangeParcel, payload: Uint8Array): void {
  parcel.handle = undefined;
  const decoded = decodeReply(MEM_RECLAIM, payload);
  if (!decoded.ok || decoded.value.error !== RmError.OK) forget(vm, parcel);
}

function forget(vm: HostVm, parcel: Region | RangeParcel): void {
  vm.regions = vm.regions.filter((region) => region !== parcel);
  if (vm.configParcel === parcel) vm.configParcel = undefined;
  if (vm.firmwareParcel === parcel) vm.firmwareParcel = undefined;
}

/** Parcels until VM_START become pages, as if the driver had given them by hypercalls. */
export function parcelsToPages(vm: HostVm): void {
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
