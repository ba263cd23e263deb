// The hypercalls on address spaces (docs/spec/hypervisor.md §4.6).

import { asIpa, asPa } from "../../abi/numbers.ts";
import { AddrspaceRight, MemextentRight, NewerAddrspaceRight, VicRight } from "../../abi/rights.ts";
import { ExtentType, MapAttributes, MapFlags, MemoryType, ModifyPagesFlags } from "../../abi/words.ts";
import { ErrorCode } from "../../abi/errors.ts";
import { active, ANY_CAP, anyState, configurable } from "../capabilities/capability-rules.ts";
import { creation } from "../capabilities/hypercall-create.ts";
import { type Call, hypercall, type HypercallDefinition } from "../capabilities/hypercall-definition.ts";
import { AddressSpace } from "./addrspace.ts";
import type { Memextent } from "./memextent.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

/** The part of an extent that a call on its mapping refers to. Bytes. */
interface ExtentPart {
  readonly ipa: bigint;
  readonly offset: number;
  readonly size: number;
}

const PAGE = BigInt(PAGE_SIZE);
const MEMORY_TYPES: ReadonlySet<number> = new Set(Object.values(MemoryType));

const PROTECTED = MapFlags.Private | MapFlags.Vmmio;

function checkFlags(call: Call, flags: number): ErrorCode {
  if ((flags & ~MapFlags.Defined) !== 0) {
    return call.refuse(ErrorCode.ARGUMENT_INVALID, "reserved bits of map_flags are zero", { map_flags: flags });
  }
  if ((flags & PROTECTED) !== PROTECTED) return ErrorCode.OK;
  return call.refuse(ErrorCode.ARGUMENT_INVALID, "map_flags have PRIVATE or VMMIO, not both", { map_flags: flags });
}

function checkAttributes(call: Call, attributes: number, defined: number): ErrorCode {
  if ((attributes & ~defined) === 0) return ErrorCode.OK;
  return call.refuse(ErrorCode.ARGUMENT_INVALID, "reserved bits of the attributes are zero", { attributes });
}

/**
 * The part that `map_flags` selects, and the checks of its place: alignment, then size. Without
 * PARTIAL it is the whole extent.
 */
function selectPart(call: Call, extent: Memextent, ipa: bigint, flags: number, offset: bigint, size: bigint): ExtentPart | ErrorCode {
  const partial = (flags & MapFlags.Partial) !== 0;
  const values = { vbase: ipa, offset, size, extent: extent.name };
  if (ipa % PAGE !== 0n || partial && (offset % PAGE !== 0n || size % PAGE !== 0n)) {
    return call.refuse(ErrorCode.ARGUMENT_ALIGNMENT, "mappings are whole pages", values);
  }
  if (!partial) return { ipa, offset: 0, size: extent.extentSize };
  if (size === 0n || offset + size > BigInt(extent.extentSize)) {
    return call.refuse(ErrorCode.ARGUMENT_SIZE, "a part has a size and lies inside its extent", values);
  }
  return { ipa, offset: Number(offset), size: Number(size) };
}

function refusePartOfBasic(call: Call, extent: Memextent, flags: number): ErrorCode {
  if (!(flags & MapFlags.Partial) || extent.kind === ExtentType.Sparse) return ErrorCode.OK;
  return call.refuse(ErrorCode.MEMEXTENT_TYPE, "a BASIC extent is mapped whole", { extent: extent.name });
}

function refuseAccess(call: Call, extent: Memextent, attributes: number): ErrorCode {
  if (extent.allows(attributes)) return ErrorCode.OK;
  return call.refuse(ErrorCode.ARGUMENT_INVALID, "a mapping allows no more than its extent", { attributes, extent: extent.name });
}

function lookUp(call: Call, addressSpace: AddressSpace, extent: Memextent, ipa: bigint, size: bigint) {
  const values = { vbase: ipa, size, extent: extent.name };
  if (size === 0n) return call.refuse(ErrorCode.ARGUMENT_SIZE, "a range has a size", values);
  if (ipa + size > 1n << 64n) return call.refuse(ErrorCode.ADDR_OVERFLOW, "the range wraps", values);
  if (ipa % PAGE !== 0n || size % PAGE !== 0n) return call.refuse(ErrorCode.ARGUMENT_ALIGNMENT, "ranges are whole pages", values);
  const { stage2, services } = addressSpace;
  const first = Number(ipa);
  const start = stage2.lookup(first);
  if (!start) return call.refuse(ErrorCode.ADDR_INVALID, "the first page is not mapped", values);
  let length = PAGE_SIZE;
  for (; BigInt(length) < size; length += PAGE_SIZE) {
    const next = stage2.lookup(first + length);
    if (next?.pa !== start.pa + length || next.flags !== start.flags) break;
  }
  if (!services.memory.owns(extent, asPa(start.pa), length)) {
    const owner = services.memory.ownerOf(asPa(start.pa))?.name;
    return call.refuse(ErrorCode.MEMDB_NOT_OWNER, "the extent owns the mapped pages", { ...values, owner });
  }
  const offset = start.pa - extent.base;
  const attributes = extent.attributesAt(addressSpace, offset, asIpa(first), start.flags);
  if (attributes === undefined) throw new Error(`${extent.name} does not know its mapping at 0x${ipa.toString(16)}`);
  return { offset: BigInt(offset), size: BigInt(length), map_attrs: attributes };
}

/**
 * The guest gives private pages back: they are zeroed unless it says otherwise. Unlocking them
 * changes nothing here, as the host may take them at any time.
 */
function modifyPages(call: Call, addressSpace: AddressSpace, ipa: bigint, size: bigint, flags: number) {
  const values = { vbase: ipa, size };
  const refuse = (error: ErrorCode, rule: string, left = size) => ({ error: call.refuse(error, rule, values), size_remaining: left });
  if (ipa + size > 1n << 64n) return refuse(ErrorCode.ADDR_OVERFLOW, "the range wraps");
  if (ipa % PAGE !== 0n || size % PAGE !== 0n) return refuse(ErrorCode.ARGUMENT_ALIGNMENT, "ranges are whole pages");
  if (ipa + size > BigInt(addressSpace.services.addressSpaceSize)) {
    return refuse(ErrorCode.ADDR_INVALID, "the range leaves the address space");
  }
  const sanitize = (flags & ModifyPagesFlags.DoNotSanitize) === 0;
  const left = size - BigInt(addressSpace.modifyPrivate(Number(ipa), Number(size), sanitize));
  if (left > 0n) return refuse(ErrorCode.ADDR_INVALID, "every page is a private one that the guest may write", left);
  return { size_remaining: 0n };
}

export const calls: readonly HypercallDefinition[] = [
  creation("partition_create_addrspace", AddressSpace),

  hypercall("addrspace_configure", {
    caps: { addrspace: configurable("addrspace") },
    handler: (_call, { addrspace, vmid }) => addrspace.configure(vmid),
  }),
  hypercall("addrspace_configure_info_area", {
    caps: { addrspace: configurable("addrspace"), info_area_me: active("memextent", MemextentRight.Attach) },
    handler: (_call, { addrspace, info_area_me, ipa }) => addrspace.configureInfoArea(info_area_me, ipa),
  }),
  hypercall("addrspace_configure_vmmio", {
    caps: { addrspace: anyState("addrspace", AddrspaceRight.AddVmmioRange) },
    handler(call, { addrspace, vbase, size, op }) {
      if (addrspace.state === "init" || addrspace.state === "active") return addrspace.configureVmmio(vbase, size, op);
      return call.refuse(ErrorCode.OBJECT_STATE, "the address space failed to activate", { addrspace: addrspace.name });
    },
  }),
  hypercall("addrspace_attach_thread", {
    caps: { thread: configurable("thread"), addrspace: active("addrspace", AddrspaceRight.Attach) },
    handler: (_call, { addrspace, thread }) => addrspace.attachThread(thread),
  }),
  hypercall("addrspace_attach_vdma", {
    caps: { addrspace: active("addrspace", AddrspaceRight.Attach) },
    handler(call, { dma_device }) {
      const device = call.cspace.lookup(dma_device, ANY_CAP);
      if (typeof device === "number") return device;
      return call.refuse(ErrorCode.CSPACE_WRONG_OBJECT_TYPE, "no device of this build has a vDMA port", { device: device.name });
    },
  }),
  hypercall("addrspace_attach_vdevice", {
    caps: { addrspace: active("addrspace", AddrspaceRight.Map), vdevice: active("vic", VicRight.AttachVdevice) },
    handler(call, { addrspace, vdevice, index, vbase, size, flags }) {
      const values = { vbase, size };
      if (size === 0n || vbase + size > BigInt(addrspace.services.addressSpaceSize)) {
        return call.refuse(ErrorCode.ARGUMENT_INVALID, "a device has a size and lies in the address space", values);
      }
      const [ipa, bytes] = [Number(vbase), Number(size)];
      if (addrspace.deviceIn(ipa, bytes)) return call.refuse(ErrorCode.BUSY, "another device is at this address", values);
      return vdevice.attachVdevice(addrspace, index, flags, ipa, bytes);
    },
  }),

  hypercall("addrspace_map", {
    validate(call, { map_attrs, map_flags }) {
      const error = checkFlags(call, map_flags);
      return error === ErrorCode.OK ? checkAttributes(call, map_attrs, MapAttributes.Defined) : error;
    },
    caps: { addrspace: active("addrspace", AddrspaceRight.Map), memextent: active("memextent", MemextentRight.Map) },
    handler(call, { addrspace, memextent, vbase, map_attrs, map_flags, offset, size }) {
      const part = selectPart(call, memextent, vbase, map_flags, offset, size);
      if (typeof part === "number") return part;
      const memoryType = map_attrs >> MapAttributes.MemoryTypeShift;
      const access = refuseAccess(call, memextent, map_attrs);
      if (access !== ErrorCode.OK) return access;
      if (!MEMORY_TYPES.has(memoryType) || !memextent.admits(memoryType)) {
        return call.refuse(ErrorCode.ARGUMENT_INVALID, "a memory type that the extent admits", { map_attrs, extent: memextent.name });
      }
      const kind = refusePartOfBasic(call, memextent, map_flags);
      if (kind !== ErrorCode.OK) return kind;
      if (map_flags & PROTECTED && !addrspace.inRange(Number(part.ipa), part.size)) {
        const values = { vbase: part.ipa, size: part.size };
        return call.refuse(ErrorCode.ADDR_INVALID, "PRIVATE and VMMIO mappings lie in a range of addrspace_configure_vmmio", values);
      }
      return memextent.map(addrspace, part.ipa, part.offset, part.size, map_attrs);
    },
  }),
  hypercall("addrspace_unmap", {
    validate: (call, { map_flags }) => checkFlags(call, map_flags),
    caps: { addrspace: active("addrspace", AddrspaceRight.Map), memextent: active("memextent", MemextentRight.Map) },
    handler(call, { addrspace, memextent, vbase, map_flags, offset, size }) {
      const part = selectPart(call, memextent, vbase, map_flags, offset, size);
      if (typeof part === "number") return part;
      const kind = refusePartOfBasic(call, memextent, map_flags);
      return kind === ErrorCode.OK ? memextent.unmap(addrspace, part.ipa, part.offset, part.size) : kind;
    },
  }),
  hypercall("addrspace_update_access", {
    validate(call, { access_attrs, map_flags }) {
      const error = checkFlags(call, map_flags);
      return error === ErrorCode.OK ? checkAttributes(call, access_attrs, MapAttributes.AccessDefined) : error;
    },
    caps: { addrspace: active("addrspace", AddrspaceRight.Map), memextent: active("memextent", MemextentRight.Map) },
    handler(call, { addrspace, memextent, vbase, access_attrs, map_flags, offset, size }) {
      const access = refuseAccess(call, memextent, access_attrs);
      if (access !== ErrorCode.OK) return access;
      const part = selectPart(call, memextent, vbase, map_flags, offset, size);
      if (typeof part === "number") return part;
      const kind = refusePartOfBasic(call, memextent, map_flags);
      return kind === ErrorCode.OK ? memextent.updateAccess(addrspace, part.ipa, part.offset, part.size, access_attrs) : kind;
    },
  }),
  hypercall("addrspace_lookup", {
    caps: { addrspace: active("addrspace", AddrspaceRight.Lookup), memextent: active("memextent", MemextentRight.Lookup) },
    handler: (call, { addrspace, memextent, vbase, size }) => lookUp(call, addrspace, memextent, vbase, size),
  }),

  hypercall("addrspace_modify_pages", {
    validate: (call, { flags }) =>
      flags & ~ModifyPagesFlags.Defined
        ? call.refuse(ErrorCode.ARGUMENT_INVALID, "reserved bits of the flags are zero", { flags })
        : ErrorCode.OK,
    caps: { addrspace: active("addrspace", NewerAddrspaceRight.ModifyProtected) },
    handler: (call, { addrspace, vbase, size, flags }) => modifyPages(call, addrspace, vbase, size, flags),
  }),
];
