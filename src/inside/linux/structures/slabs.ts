// Caches of the kernel's structures (mm/slub.c in its sources).

import { formatId, vmId } from "../../../model/queries/ids.ts";
import type { LinuxTables } from "../../../model/queries/linux-tables.ts";
import type { RowOf } from "../../../model/queries/table.ts";
import type { Reading } from "../kernel/reading.ts";
import type { Struct } from "../kernel/types.ts";

const OF = "caches";
const NAME_MAX = 128, NODES_MAX = 64;
/** `kmem_cache.oo`: the pages of a slab, as a power of two, above the number of its objects. */
const ORDER_SHIFT = 16, ORDER_MAX = 16;

export function readSlabs(reading: Reading): RowOf<LinuxTables["linux.slabs"]>[] {
  const caches = () => reading.list(OF, reading.address("slab_caches"), "kmem_cache", "list");
  const rows = reading.rows(OF, caches, (cache) => {
    const name = cache.textAt("name", NAME_MAX) ?? "", nodes = [...nodesOf(reading, cache)];
    const slabs = nodes.reduce((sum, node) => sum + node.number("nr_slabs.counter"), 0);
    const counted = nodes.every((node) => node.has("total_objects"));
    return {
      id: formatId({ kind: "slab", vm: reading.vm, name }),
      vm: vmId(reading.vm),
      name,
      object: cache.number("object_size"),
      objects: counted ? String(nodes.reduce((sum, node) => sum + node.number("total_objects.counter"), 0)) : null,
      bytes: slabs * 2 ** (reading.kernel.tables.granule + Math.min(cache.number("oo.x") >>> ORDER_SHIFT, ORDER_MAX)),
    };
  });
  // Caches that were merged have one name in /proc/slabinfo, and aliases that are not in the list.
  return reading.sorted(rows, (a, b) => a.name < b.name ? -1 : a.name > b.name ? 1 : 0);
}

function* nodesOf(reading: Reading, cache: Struct): Generator<Struct> {
  // Since 7.0, an entry has more than the pointer. The array may have room for more nodes than
  // exist.
  const [array, pointer] = cache.has("per_node") ? ["per_node", ".node"] : ["node", ""];
  const count = Math.min(cache.lengthOf(array), reading.memory.u32(reading.address("nr_node_ids")), NODES_MAX);
  for (let node = 0; node < count; node++) {
    const address = cache.pointer(`${array}[${node}]${pointer}`);
    if (address !== 0n) yield reading.struct("kmem_cache_node", address);
  }
}
