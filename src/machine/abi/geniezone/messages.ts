// Messages between GenieZone's driver and EL2 in the driver's memory (docs/spec/geniezone.md §4 and
// §5). The run structure's other forms are the ioctl's (src/machine/abi/ioctl/geniezone.ts).

import { array, struct } from "../ioctl/struct.ts";

/** The head of a region message; constituents follow. */
export const GZVM_REGION = struct("gzvm_memory_region_ranges", {
  slot: "u32",
  constituents: "u32",
  total_pages: "u64",
  address: "u64",
});
/** A run of pages of the driver's. */
export const GZVM_CONSTITUENT = struct("mem_region_addr_range", { address: "u64", pages: "u32", reserved: "u32" });
/** Largest buffer of a region message, bytes. */
export const GZVM_REGION_MAX = 0x2000;

/** The run structure with a hypercall's arguments. */
export const GZVM_RUN_HYPERCALL = struct("gzvm_vcpu_run (hypercall)", { head: "u64", args: array("u64", 8) });
/** The second shared page. */
export const GZVM_HW_STATE = struct("gzvm_vcpu_hwstate", {
  nr_lrs: "u32",
  reserved: "u32",
  lr: array("u64", 16),
  vtimer_offset: "u64",
  vtimer_delay: "u64",
  vtimer_migrate: "u32",
});
