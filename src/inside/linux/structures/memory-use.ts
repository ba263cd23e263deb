// Use of memory by a kernel, as /proc/meminfo names it.

import { formatId, vmId } from "../../../model/queries/ids.ts";
import type { LinuxTables } from "../../../model/queries/linux-tables.ts";
import type { RowOf } from "../../../model/queries/table.ts";
import { NoType } from "../kernel/types.ts";
import type { Reading } from "../kernel/reading.ts";

type UseRow = RowOf<LinuxTables["linux.memory"]>;

const OF = "memory";
/** Counters of pages, of all zones or of all nodes, by the names that the kernel's types number. */
const COUNTERS = [
  ["MemFree", "vm_zone_stat", "NR_FREE_PAGES"],
  ["AnonPages", "vm_node_stat", "NR_ANON_MAPPED"],
  ["Mapped", "vm_node_stat", "NR_FILE_MAPPED"],
  ["Shmem", "vm_node_stat", "NR_SHMEM"],
  ["SReclaimable", "vm_node_stat", "NR_SLAB_RECLAIMABLE_B"],
  ["SUnreclaim", "vm_node_stat", "NR_SLAB_UNRECLAIMABLE_B"],
] as const;

export function readMemoryUse(reading: Reading): UseRow[] {
  const rows: UseRow[] = [], { kernel, memory } = reading;
  const add = (name: string, pages: () => bigint) => {
    const found = reading.tried(OF, pages);
    if (found === undefined) return;
    // A counter may be below zero for a moment: CPUs add their parts later.
    const bytes = Math.max(0, Number(BigInt.asIntN(64, found))) * 2 ** kernel.tables.granule;
    rows.push({ id: formatId({ kind: "meminfo", vm: reading.vm, name }), vm: vmId(reading.vm), name, bytes });
  };
  add("MemTotal", () => memory.u64(reading.address("_totalram_pages")));
  for (const [name, symbol, constant] of COUNTERS) {
    add(name, () => {
      const index = kernel.constant(constant, memory.work);
      if (index === undefined) throw new NoType(constant);
      return memory.u64(reading.address(symbol) + BigInt(8 * index));
    });
  }
  return rows;
}
