// How the Resource Manager maps extents: attributes and flags of addrspace_map that several of its
// files use.

import { Access, mapAttributes, MapFlags, MemoryType } from "../../abi/words.ts";

export const READ_ONLY = mapAttributes(Access.R, Access.R, MemoryType.NormalWB);
export const READ_WRITE = mapAttributes(Access.RW, Access.RW, MemoryType.NormalWB);
/**
 * A range of the extent and not all of it. The hypervisor need not wait until all CPUs have seen
 * it.
 */
export const PARTIAL = (MapFlags.Partial | MapFlags.NoSync) >>> 0;
