// The hypercalls on memory extents (docs/spec/hypervisor.md §4.8).

import { asPa } from "../../abi/numbers.ts";
import { MemextentRight, PartitionRight } from "../../abi/rights.ts";
import { Access, DonateOptions, DonateType, ExtentMemoryType, ExtentType, ModifyFlags, ModifyOperation } from "../../abi/words.ts";
import { ErrorCode } from "../../abi/errors.ts";
import { active, configurable } from "../capabilities/capability-rules.ts";
import { creation } from "../capabilities/hypercall-create.ts";
import { type Call, hypercall, type HypercallDefinition } from "../capabilities/hypercall-definition.ts";
import { Memextent } from "./memextent.ts";
import { Partition } from "./partition.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

/**
 * Checks [offset, offset + size) of an extent: whole pages, not empty, no wrap, inside; each
 * failure has the error of its call.
 */
function checkRange(
  call: Call,
  offset: bigint,
  size: bigint,
  limit: number,
  outside: ErrorCode,
  values: Readonly<Record<string, unknown>> = { offset, size, limit },
): ErrorCode {
  const page = BigInt(PAGE_SIZE);
  if (offset % page !== 0n || size % page !== 0n) return call.refuse(ErrorCode.ARGUMENT_ALIGNMENT, "ranges are whole pages", values);
  if (size === 0n || offset + size > 1n << 64n) return call.refuse(ErrorCode.ARGUMENT_SIZE, "a range has a size and does not wrap", values);
  if (offset + size > BigInt(limit)) return call.refuse(outside, "the range leaves the extent", values);
  return ErrorCode.OK;
}

function modify(call: Call, extent: Memextent, flags: number, offset: bigint, size: bigint): ErrorCode {
  const operation = flags & 0xff;
  if (operation === ModifyOperation.UnmapAll) {
    extent.unmapAll();
    return ErrorCode.OK;
  }
  // Accesses of other CPUs never outlast a call here, so there is nothing to wait for.
  if (operation === ModifyOperation.SyncAll) return ErrorCode.OK;
  if (extent.memoryType === ExtentMemoryType.Device || !(extent.access & Access.W)) {
    return call.refuse(ErrorCode.DENIED, "contents are changed of writable memory only", { extent: extent.name });
  }
  const error = checkRange(call, offset, size, extent.extentSize, ErrorCode.ARGUMENT_INVALID);
  if (error !== ErrorCode.OK) return error;
  // Caches are coherent with memory: cleaning and flushing change nothing.
  if (operation === ModifyOperation.ZeroRange) extent.zero(Number(offset), Number(size));
  return ErrorCode.OK;
}

/** Operations that need NO_SYNC, that need its absence, or take both. */
const NO_SYNC_RULE = new Map<number, "set" | "clear" | "either">([
  [ModifyOperation.UnmapAll, "either"],
  [ModifyOperation.ZeroRange, "set"],
  [ModifyOperation.CacheCleanRange, "set"],
  [ModifyOperation.CacheFlushRange, "set"],
  [ModifyOperation.SyncAll, "clear"],
]);

function checkModifyFlags(call: Call, flags: number): ErrorCode {
  const rule = NO_SYNC_RULE.get(flags & 0xff);
  const noSync = (flags & ModifyFlags.NoSync) !== 0;
  const good = (flags & ~ModifyFlags.Defined) === 0 && rule !== undefined && (rule === "either" || (rule === "set") === noSync);
  return good ? ErrorCode.OK : call.refuse(ErrorCode.ARGUMENT_INVALID, "an operation with the synchronization that it needs", { flags });
}

/** An extent or a partition: what memextent_donate takes. */
type Donor = Memextent | Partition;

function lookUpDonor(call: Call, id: bigint): Donor | ErrorCode {
  const asPartition = call.lookup(id, active("partition", PartitionRight.Donate));
  if (asPartition !== ErrorCode.CSPACE_WRONG_OBJECT_TYPE) return asPartition;
  call.services.trace.clearNote();
  return call.lookup(id, active("memextent", MemextentRight.Donate));
}

/**
 * Pages of a host that its guest has to itself, and back. They come back only when no address space
 * maps them.
 */
function donateProtected(call: Call, type: number, from: Donor, to: Donor, offset: bigint, size: bigint): ErrorCode {
  const values = { object: call.services.names.object(from), from: from.name, to: to.name, offset, size };
  if (!(from instanceof Memextent && to instanceof Memextent)) {
    return call.refuse(ErrorCode.ARGUMENT_INVALID, "protected memory goes between extents", values);
  }
  const [host, guest] = type === DonateType.ToProtected ? [from, to] : [to, from];
  const related = guest.origin === host ? DonateType.ToChild : DonateType.ToSibling;
  const back = guest.origin === host ? DonateType.ToParent : DonateType.ToSibling;
  if (type === DonateType.ToProtected) return donate(call, related, from, to, offset, size);
  if (offset + size <= BigInt(guest.extentSize) && !guest.mappings.within(Number(offset), Number(size)).next().done) {
    return call.refuse(ErrorCode.BUSY, "the pages are still mapped", values);
  }
  return donate(call, back, from, to, offset, size);
}

function donate(call: Call, type: number, from: Donor, to: Donor, offset: bigint, size: bigint): ErrorCode {
  const values = { object: call.services.names.object(from), from: from.name, to: to.name, offset, size };
  const error = checkRange(call, offset, size, Number.MAX_SAFE_INTEGER, ErrorCode.ARGUMENT_INVALID, values);
  if (error !== ErrorCode.OK) return error;
  const notRelated = () => call.refuse(ErrorCode.ARGUMENT_INVALID, "giver and receiver are related as the options say", values);
  const child = type === DonateType.ToChild ? to : from;
  const other = type === DonateType.ToChild ? from : to;
  if (from === to || !(child instanceof Memextent)) return notRelated();
  if (child.kind !== ExtentType.Sparse) return call.refuse(ErrorCode.MEMEXTENT_TYPE, "pages come and go in SPARSE extents only", values);
  if (type === DonateType.ToSibling) {
    if (!(other instanceof Memextent) || other.origin !== child.origin) return notRelated();
  } else if (other !== child.origin) {
    return notRelated();
  }
  if (other instanceof Memextent && other.kind !== ExtentType.Sparse) {
    return call.refuse(ErrorCode.ARGUMENT_INVALID, "both extents are SPARSE", values);
  }
  const pa = asPa(child.base + Number(offset));
  const end = pa + Number(size);
  const outside = [child, other].some((one) => one instanceof Memextent && (pa < one.base || end > one.base + one.extentSize));
  if (outside) return call.refuse(ErrorCode.ARGUMENT_INVALID, "the range lies inside both extents", values);
  if (!child.services.memory.owns(from, pa, Number(size))) {
    return call.refuse(ErrorCode.MEMDB_NOT_OWNER, "the giver owns every page", values);
  }
  Memextent.move(child.services, from, to, pa, Number(size));
  return ErrorCode.OK;
}

export const calls: readonly HypercallDefinition[] = [
  creation("partition_create_memextent", Memextent),

  hypercall("memextent_configure", {
    caps: { memextent: configurable("memextent") },
    handler: (_call, { memextent, phys_base, size, attributes }) => memextent.configure(phys_base, size, attributes),
  }),
  hypercall("memextent_configure_derive", {
    caps: { parent_memextent: active("memextent", MemextentRight.Derive), memextent: configurable("memextent") },
    handler: (_call, { memextent, parent_memextent, offset, size, attributes }) =>
      memextent.configureDerive(parent_memextent, offset, size, attributes),
  }),
  hypercall("memextent_modify", {
    validate: (call, { flags }) => checkModifyFlags(call, flags),
    caps: { memextent: active("memextent", MemextentRight.Map) },
    handler: (call, { memextent, flags, offset, size }) => modify(call, memextent, flags, offset, size),
  }),
  hypercall("memextent_donate", {
    validate(call, { options }) {
      const good = (options & ~DonateOptions.Defined) === 0 && (options & 0xff) <= DonateType.FromProtected;
      return good ? ErrorCode.OK : call.refuse(ErrorCode.ARGUMENT_INVALID, "options are a kind of donation and NO_SYNC", { options });
    },
    handler(call, { options, from, to, offset, size }) {
      const type = options & 0xff;
      const giver = lookUpDonor(call, from);
      if (typeof giver === "number") return giver;
      const receiver = lookUpDonor(call, to);
      if (typeof receiver === "number") return receiver;
      const isProtected = type === DonateType.ToProtected || type === DonateType.FromProtected;
      return (isProtected ? donateProtected : donate)(call, type, giver, receiver, offset, size);
    },
  }),
];
