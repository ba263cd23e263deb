// Requests about memory parcels (docs/spec/resource-manager.md §3.1 to §3.6).

import { asVmid } from "../../abi/numbers.ts";
import { RmError } from "../../abi/rpc/errors.ts";
import {
  ACCEPT_INCOMPLETE,
  AcceptFlags,
  AppendFlags,
  CreateFlags,
  MEM_ACCEPT,
  MEM_APPEND,
  MEM_DONATE,
  MEM_LEND,
  MEM_NOTIFY,
  MEM_QCOM_LOOKUP_SGL,
  MEM_RECALL,
  MEM_RECLAIM,
  MEM_RELEASE,
  MEM_SHARE,
  MEM_SHARED,
  MemAttribute,
  MemType,
  NotifyFlags,
  ReturnFlags,
  TransType,
} from "../../abi/rpc/messages/memory.ts";
import { VmState } from "../../abi/rpc/messages/vm.ts";
import type { Values } from "../../abi/rpc/layout.ts";
import type { RpcMessage } from "../../abi/rpc/packet.ts";
import { Access } from "../../abi/words.ts";
import type { Context } from "../state/context.ts";
import { notify } from "../rpc/link.ts";
import { acceptParcel, releaseParcel } from "../memory/accept-parcel.ts";
import {
  borrowerOf,
  createParcelExtent,
  holderOf,
  nextHandle,
  notifyAccepted,
  notifyReleased,
  parcelOf,
  requireOwner,
  waysToFree,
  zeroParcel,
} from "../memory/memparcels.ts";
import { addRegions, reclaimParcel, returnRegions } from "../memory/parcel-regions.ts";
import { asRefusal, demand, Refusal, refuseAs } from "../calls/refusals.ts";
import { acceptForVdevice } from "../memory/start-parcels.ts";
import { type Borrower, isKnownVmid, type Parcel, type PreparedVm, type Vm } from "../state/state.ts";
import { handle, type Handler } from "./handler.ts";
import { hint } from "../../../kit/support/text/hint.ts";
import { way } from "../../../kit/support/text/way-out.ts";

/** Sets of rights that an ACL may grant. */
const VALID_RIGHTS: readonly number[] = [Access.R, Access.RX, Access.RW, Access.RWX];

type CreateRequest = Values<typeof MEM_LEND.request.fields>;

function create(context: Context, owner: Vm, request: CreateRequest, transType: number): { handle: number } {
  const { acl, sgl, attributes, label, flags } = request;
  const invalid = (condition: boolean, rule: string, values = {}) => demand(condition, RmError.ARGUMENT_INVALID, rule, values);
  const donate = transType === TransType.Donate;
  const io = request.mem_type === MemType.Io;
  const sanitize = (flags & CreateFlags.Sanitize) !== 0;
  invalid(acl.length > 0 && sgl.length > 0, "a parcel needs at least one VM, and memory", { acl: acl.length, sgl: sgl.length });
  invalid(!donate || acl.length === 1, "memory is donated to exactly one VM", { acl: acl.length });
  const owned = context.state.parcels.filter((each) => each.owner === owner.vmid), count = owned.length;
  const held = context.heldBy(owner.vmid), left = owned.filter(isLeft).length;
  const uses = [
    ...held > 0 ? [`drivers of the host hold ${held}`] : [],
    ...left > 0 ? [`${left} of them were lent to VMs that have ended`] : [],
  ];
  const rule = [`a VM owns at most ${context.parcelsMax} parcels`, ...uses].join(", and ");
  const values = { vmid: owner.vmid, count, ...held > 0 && { held }, ...left > 0 && { left } };
  demand(count + held < context.parcelsMax, RmError.DENIED, rule, values, {
    section: "6.3",
    wayOut: way`reclaim a parcel first: \`${hint("mem parcels")}\` lists them`,
  });
  invalid(!sanitize || !io, "device memory is not sanitized");

  const handle = nextHandle(context);
  checkAcl(context, owner, request, transType);
  const parcel: Parcel = {
    handle,
    owner: owner.vmid,
    memType: request.mem_type,
    transType,
    label,
    open: (flags & CreateFlags.Append) !== 0,
    sanitizedAtCreate: sanitize,
    sanitizeAtReclaim: false,
    memInfoTag: undefined,
    extent: createParcelExtent(context, request.mem_type),
    borrowers: acl.filter(({ vmid }) => vmid !== owner.vmid).map((entry) => newBorrower(entry, attributes, io)),
    acl: acl.map(({ vmid, rights }) => ({ vmid: asVmid(vmid), rights })),
    attributes: attributes.map(({ attribute, vmid }) => ({ attribute, vmid: asVmid(vmid) })),
    regions: [],
  };
  context.allOrNothing((onFailure) => {
    onFailure(() => context.remove(parcel.extent));
    addRegions(context, owner, parcel, sgl);
    onFailure(() => returnRegions(context, owner, parcel, 0));
    if (sanitize) zeroParcel(context, parcel);
  });
  context.state.parcels.push(parcel);
  return { handle };
}

/** Whether no VM has a parcel any more: its owner has forgotten it, or could not reclaim it. */
function isLeft({ borrowers }: Parcel): boolean {
  return borrowers.length > 0 && borrowers.every(({ accepted, gone }) => gone && !accepted);
}

function newBorrower(entry: { vmid: number; rights: number }, attributes: CreateRequest["attributes"], io: boolean): Borrower {
  const attribute = attributes.find(({ vmid }) => vmid === entry.vmid)?.attribute;
  return {
    vmid: asVmid(entry.vmid),
    rights: entry.rights,
    attribute: attribute ?? (io ? MemAttribute.Device : MemAttribute.Normal),
    accepted: false,
    gone: false,
    mapped: false,
    ipas: [],
    contiguous: false,
  };
}

/** Rows 7 to 16 of §3.1. */
function checkAcl(context: Context, owner: Vm, { mem_type, acl, attributes }: CreateRequest, transType: number): void {
  const invalid = (condition: boolean, rule: string, values = {}) => demand(condition, RmError.ARGUMENT_INVALID, rule, values);
  const io = mem_type === MemType.Io;
  const donate = transType === TransType.Donate;
  const vmids = new Set(acl.map(({ vmid }) => vmid));
  invalid(vmids.size === acl.length, "a VM is in the ACL twice");
  for (const { vmid, rights } of acl) {
    invalid(isKnownVmid(context.state, vmid), "the ACL names a VM that does not exist", { vmid });
    invalid(VALID_RIGHTS.includes(rights), "the ACL grants an invalid set of rights", { vmid, rights });
    invalid(!io || (rights & Access.X) === 0, "device memory is not executable", { vmid });
    demand(!donate || rights === (io ? Access.RW : Access.RWX), RmError.DENIED, "memory is donated with all rights", { rights });
  }
  const forOwner = vmids.has(owner.vmid);
  invalid(
    forOwner === (transType === TransType.Share),
    forOwner ? "only shared memory stays the owner's" : "shared memory needs the owner in the ACL",
  );
  const known = new Set(attributes.map(({ vmid }) => vmid));
  invalid(known.size === attributes.length, "a VM has two attributes");
  for (const { attribute, vmid } of attributes) {
    invalid(attribute <= MemAttribute.Cached, "there is no such attribute", { vmid, attribute });
    invalid((attribute === MemAttribute.Device) === io, "the attribute does not fit the memory", { vmid, attribute });
    invalid(!donate || attribute === MemAttribute.Normal || io, "memory is donated with its own attribute", { vmid, attribute });
    demand(vmids.has(vmid), RmError.VMID_INVALID, "an attribute is for a VM that is not in the ACL", { vmid });
  }
}

const append = handle(MEM_APPEND, (context, caller, { handle, flags, sgl }) => {
  demand(sgl.length > 0, RmError.ARGUMENT_INVALID, "there is nothing to append");
  const parcel = parcelOf(context, handle);
  requireOwner(parcel, caller);
  demand(parcel.open, RmError.DENIED, "the parcel is complete", { handle });
  const before = parcel.regions.length;
  addRegions(context, caller, parcel, sgl);
  if (parcel.sanitizedAtCreate) zeroParcel(context, { ...parcel, regions: parcel.regions.slice(before) });
  if (flags & AppendFlags.Done) parcel.open = false;
});

const accept = handle(MEM_ACCEPT, (context, caller, request) => {
  const { handle, flags, acl, attributes, sgl } = request;
  const parcel = parcelOf(context, handle);
  const invalid = (condition: boolean, rule: string, values = {}) => demand(condition, RmError.ARGUMENT_INVALID, rule, values);
  invalid(request.mem_type === parcel.memType, "the type of memory is another", { parcel: parcel.memType });
  invalid(request.trans_type === parcel.transType, "the parcel was given otherwise", { parcel: parcel.transType });
  const validated = (flag: number, holds: boolean, rule: string) => {
    demand((flags & flag) === 0 || holds, RmError.VALIDATE_FAILED, rule, { handle });
  };
  validated(AcceptFlags.ValidateSanitized, parcel.sanitizedAtCreate, "the parcel was not sanitized");
  validated(AcceptFlags.ValidateAclAttributes, sameEntries(parcel, acl, attributes), "the ACL or the attributes are others");
  validated(AcceptFlags.ValidateLabel, request.label === parcel.label, "the label is another");
  const mapOther = (flags & AcceptFlags.MapOther) !== 0;
  invalid(mapOther || sgl.annotation === 0, "map_vmid is given without MAP_OTHER", { map_vmid: sgl.annotation });
  demand(!mapOther, RmError.DENIED, "memory is not mapped for others");
  if (context.rules.sizeMax === "span") requireSpan(caller, sgl.entries);
  const given = acceptParcel(context, caller, parcel, { sgl: sgl.entries, flags });
  if (sgl.entries.length > 0) return;
  const borrower = borrowerOf(parcel, caller.vmid);
  const incomplete = borrower !== undefined && borrower.ipas.length < parcel.regions.length;
  return { sgl: { entries: given, annotation: incomplete ? ACCEPT_INCOMPLETE : 0 } };
});

/**
 * On phones size-max is the span in which a VM accepts memory (docs/spec/phones.md §A3).
 * @throws Refusal with MEM_INVALID
 */
function requireSpan({ config }: Vm, entries: readonly { readonly address: bigint; readonly size: bigint }[]): void {
  if (config === undefined) return;
  const base = BigInt(config.baseAddress), end = base + BigInt(config.sizeMax);
  for (const { address, size } of entries) {
    const inside = address >= base && address + size <= end;
    demand(inside, RmError.MEM_INVALID, "the address is not in the size-max bytes from base-address", { address, size, base, end });
  }
}

function sameEntries(parcel: Parcel, acl: CreateRequest["acl"], attributes: CreateRequest["attributes"]): boolean {
  return parcel.acl.length === acl.length && parcel.attributes.length === attributes.length &&
    acl.every(({ vmid, rights }, index) => parcel.acl[index].vmid === vmid && parcel.acl[index].rights === rights) &&
    attributes.every(({ vmid, attribute }, index) =>
      parcel.attributes[index].vmid === vmid && parcel.attributes[index].attribute === attribute
    );
}

const release = handle(MEM_RELEASE, (context, caller, { handle, flags }) => {
  const parcel = parcelOf(context, handle);
  const inAcl = parcel.acl.some(({ vmid }) => vmid === caller.vmid);
  demand(inAcl, RmError.HANDLE_INVALID, "the caller is not in the parcel's ACL", { handle });
  const borrower = borrowerOf(parcel, caller.vmid);
  demand(borrower !== undefined, RmError.DENIED, "the owner has nothing to release", { handle });
  demand(borrower.accepted, RmError.MEM_RELEASED, "the caller has not accepted the parcel", { handle });
  const sanitize = (flags & ReturnFlags.Sanitize) !== 0;
  const sanitizable = !sanitize || (parcel.memType !== MemType.Io && (borrower.rights & Access.W) !== 0);
  demand(sanitizable, RmError.ARGUMENT_INVALID, "device memory, and memory that the VM cannot write, is not sanitized", { handle });
  releaseParcel(context, caller, parcel, borrower);
  if (sanitize) parcel.sanitizeAtReclaim = true;
});

const reclaim = handle(MEM_RECLAIM, (context, caller, { handle, flags }) => {
  const parcel = parcelOf(context, handle);
  requireOwner(parcel, caller);
  const holder = holderOf(context, parcel);
  if (holder !== undefined) {
    throw new Refusal(RmError.MEM_INUSE, "a borrower still has the parcel", holder, { wayOut: waysToFree(holder) });
  }
  const sanitize = (flags & ReturnFlags.Sanitize) !== 0;
  demand(!sanitize || parcel.memType !== MemType.Io, RmError.ARGUMENT_INVALID, "device memory is not sanitized", { handle });
  if (sanitize || parcel.sanitizeAtReclaim) {
    refuseAs(RmError.MEM_INVALID, "the memory cannot be sanitized", () => zeroParcel(context, parcel));
  }
  reclaimParcel(context, caller, parcel);
});

/** SHARED and RECALL carry a list, whose count word may not be missing. */
const NOTIFY_LIST_MINIMUM = 16;

function notifyParties(context: Context, caller: Vm, request: Values<typeof MEM_NOTIFY.request.fields>, message: RpcMessage): void {
  const { handle, flags, mem_info_tag: tag, vmids } = request;
  const parcel = parcelOf(context, handle);
  const sameTag = parcel.memInfoTag === undefined || parcel.memInfoTag === tag;
  demand(sameTag, RmError.ARGUMENT_INVALID, "the parcel has another tag", { handle, tag: parcel.memInfoTag, given: tag });
  const known: readonly number[] = Object.values(NotifyFlags);
  demand(known.includes(flags), RmError.ARGUMENT_INVALID, "the flags are not exactly one of the four", { handle, flags });
  if (flags === NotifyFlags.Shared || flags === NotifyFlags.Recall) {
    requireOwner(parcel, caller);
    demand(message.payload.length >= NOTIFY_LIST_MINIMUM, RmError.MSG_INVALID, "the list of VMs is missing", { handle });
    demand(vmids.length > 0, RmError.ARGUMENT_INVALID, "the list of VMs is empty", { handle });
    const lengths = { handle, list: vmids.length, acl: parcel.acl.length };
    demand(vmids.length <= parcel.acl.length, RmError.ARGUMENT_INVALID, "the list is longer than the ACL", lengths);
    for (const { vmid } of vmids) {
      demand(isKnownVmid(context.state, vmid), RmError.VMID_INVALID, "the list names a VM that does not exist", { handle, vmid });
      const listed = parcel.acl.some((entry) => entry.vmid === vmid);
      demand(listed, RmError.ARGUMENT_INVALID, "the list names a VM that is not in the ACL", { handle, vmid });
    }
    if (flags === NotifyFlags.Shared) parcel.memInfoTag = tag;
    for (const { vmid } of vmids) tellBorrower(context, parcel, vmid, flags, tag);
    return;
  }
  const inAcl = parcel.acl.some(({ vmid }) => vmid === caller.vmid);
  demand(inAcl, RmError.HANDLE_INVALID, "the caller is not in the parcel's ACL", { handle });
  const accepted = borrowerOf(parcel, caller.vmid)?.accepted ?? false;
  if (flags === NotifyFlags.Released) {
    demand(!accepted, RmError.MEM_INUSE, "the caller still has the parcel", { ...holderOf(context, parcel), borrower: caller.vmid });
    notifyReleased(context, parcel, caller.vmid);
  } else {
    demand(accepted, RmError.MEM_RELEASED, "the caller has not accepted the parcel", { handle });
    notifyAccepted(context, parcel, caller.vmid);
  }
}

function tellBorrower(context: Context, parcel: Parcel, vmid: number, flags: number, tag: number): void {
  const vm = context.vm(vmid);
  if (vm === undefined) return;
  if (flags === NotifyFlags.Recall) {
    notify(context, vm, MEM_RECALL, { handle: parcel.handle, mem_info_tag: tag });
    return;
  }
  if (vm.state === VmState.Ready) {
    acceptForReady(context, vm, parcel);
    return;
  }
  notify(context, vm, MEM_SHARED, {
    handle: parcel.handle,
    mem_type: parcel.memType,
    trans_type: parcel.transType,
    flags: parcel.sanitizedAtCreate ? CreateFlags.Sanitize : 0,
    owner: parcel.owner,
    label: parcel.label,
    mem_info_tag: parcel.memInfoTag ?? 0,
    acl: [...parcel.acl],
    sizes: parcel.regions.slice(0, 512).map(({ size }) => ({ size: BigInt(size) })),
    attributes: [...parcel.attributes],
  });
}

/**
 * A VM that cannot be asked, as it does not run yet, gets what one of its vdevices waits for; the
 * owner hears whether it did.
 */
function acceptForReady(context: Context, vm: PreparedVm, parcel: Parcel): void {
  let accepted = borrowerOf(parcel, vm.vmid)?.accepted ?? false;
  try {
    accepted ||= acceptForVdevice(context, vm, parcel);
  } catch (failure) {
    context.log(`VM ${vm.vmid}: parcel ${parcel.handle} is not placed: ${asRefusal(failure).rule}`);
  }
  if (accepted) notifyAccepted(context, parcel, vm.vmid);
  else notifyReleased(context, parcel, vm.vmid);
}

const lookup = handle(MEM_QCOM_LOOKUP_SGL, (context, caller, request) => {
  const { mem_type, label, acl, sgl, attributes } = request;
  const parcel = context.state.parcels.find((each) =>
    each.owner === caller.vmid && !each.open && each.borrowers.every(({ accepted }) => !accepted) && each.memType === mem_type &&
    sameEntries(each, acl, attributes) && each.regions.length === sgl.length &&
    each.regions.every(({ ownerIpa, size }, index) => BigInt(ownerIpa) === sgl[index].address && BigInt(size) === sgl[index].size)
  );
  demand(parcel !== undefined, RmError.LOOKUP_FAILED, "the caller has no such parcel", { caller: caller.vmid, label, sgl: sgl.length });
  if (parcel.label === 0) parcel.label = label;
  return { handle: parcel.handle };
});

export const memoryHandlers: readonly Handler[] = [
  handle(MEM_DONATE, (context, caller, request) => create(context, caller, request, TransType.Donate)),
  handle(MEM_LEND, (context, caller, request) => create(context, caller, request, TransType.Lend)),
  handle(MEM_SHARE, (context, caller, request) => create(context, caller, request, TransType.Share)),
  append,
  accept,
  release,
  reclaim,
  handle(MEM_NOTIFY, notifyParties),
  lookup,
];
