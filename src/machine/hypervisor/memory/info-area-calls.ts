// The hypercalls on info areas, which the newer drop has (docs/spec/hypervisor.md §4.14).

import { ErrorCode } from "../../abi/errors.ts";
import { NewerAddrspaceRight } from "../../abi/rights.ts";
import { InfoOwner } from "../../abi/words.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import { active } from "../capabilities/capability-rules.ts";
import { type Call, hypercall, type HypercallDefinition } from "../capabilities/hypercall-definition.ts";
import type { InfoArea } from "./info-area.ts";
import { readUser, writeUser } from "./user-access.ts";

/** Owners that a caller may add entries for. */
const OWNERS: ReadonlySet<number> = new Set([InfoOwner.RootVm, InfoOwner.Rm, InfoOwner.QcRm, InfoOwner.Dev]);

/** Adds an entry; `info` holds its size (bits 31:0) and its alignment. Bytes. */
function addEntry(call: Call, area: InfoArea | undefined, type: number, data: bigint, info: bigint) {
  const size = Number(BigInt.asUintN(32, info)), alignment = Number(info >> 32n);
  const values = { type, size, alignment };
  if (!OWNERS.has(type >>> 16)) {
    return call.refuse(ErrorCode.ARGUMENT_INVALID, "entries are the root VM's, a Resource Manager's or a developer's", values);
  }
  if (size === 0) return call.refuse(ErrorCode.ARGUMENT_SIZE, "an entry has a size", values);
  if (alignment === 0 || alignment > PAGE_SIZE || (alignment & alignment - 1) !== 0) {
    return call.refuse(ErrorCode.ARGUMENT_ALIGNMENT, "an alignment is a power of 2, one page at most", values);
  }
  if (!area?.isUsable) return call.refuse(ErrorCode.IDLE, "the address space has no info area", values);
  const offset = area.placeFor(size, alignment);
  if (offset === undefined) return call.refuse(ErrorCode.NOMEM, "the info area is full", values);
  const bytes = readUser(call.caller, data, size);
  if (typeof bytes === "number") return bytes;
  area.add(type, offset, bytes);
  return { entry_ipa: BigInt(area.ipa + offset) };
}

export const calls: readonly HypercallDefinition[] = [
  hypercall("addrspace_find_info_area", {
    handler(call) {
      const area = call.caller.addressSpace?.infoArea;
      if (area === undefined) return call.refuse(ErrorCode.ADDR_INVALID, "the caller's address space has no info area");
      return { base: BigInt(area.ipa), size: BigInt(area.extent.extentSize) };
    },
  }),
  hypercall("addrspace_info_area_add_entry", {
    caps: { addrspace: active("addrspace", NewerAddrspaceRight.AddInfo) },
    handler: (call, { addrspace, type, data, data_info }) => addEntry(call, addrspace.infoArea, type, data, data_info),
  }),
  hypercall("addrspace_info_area_get_entry", {
    handler(call, { type, buffer, buf_size }) {
      const area = call.caller.addressSpace?.infoArea;
      const bytes = area?.isUsable ? area.find(type) : undefined;
      const nothing = { size: 0n, entry_type: 0 };
      if (bytes === undefined) return { error: call.refuse(ErrorCode.ARGUMENT_INVALID, "no entry has this type", { type }), ...nothing };
      const size = BigInt(bytes.length);
      if (buf_size < size) {
        const error = call.refuse(ErrorCode.ARGUMENT_SIZE, "the entry is larger than the buffer", { buf_size, size });
        return { error, size, entry_type: 0 };
      }
      const error = writeUser(call.caller, buffer, bytes);
      return { error, size, entry_type: error === ErrorCode.OK ? type : 0 };
    },
  }),
];
