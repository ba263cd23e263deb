// Data of the kernel that is found by the functions that use it, where the symbols name functions
// only, as those of kernels without CONFIG_KALLSYMS_ALL do.

import { UPPER_HALF } from "../formats/page-tables.ts";
import type { VirtualMemory } from "./memory.ts";
import type { Struct } from "./types.ts";

/** The structure of a type at an address. */
type StructAt = (type: string, address: bigint) => Struct;

export interface Sought {
  /** Functions that use it. */
  readonly functions: readonly string[];
  /** Whether it may be at an address; errors of reading mean no. */
  fits(struct: StructAt, address: bigint, memory: VirtualMemory): boolean;
}

/** Bits of the sizes of the log's rings: `CONFIG_LOG_BUF_SHIFT` is 12 to 25. */
const BITS_LEAST = 5, BITS_MOST = 27;

/** Kinds of taints. */
const TAINTS = 20n;

/** Where the links of a list's first member are; undefined unless they lead back to its head. */
function firstOf(struct: StructAt, address: bigint): bigint | undefined {
  const head = struct("list_head", address), next = head.pointer("next");
  return next !== 0n && head.memory.has(next, 16) && struct("list_head", next).big("prev") === address ? next : undefined;
}

export const SOUGHT: Readonly<Record<string, Sought>> = {
  /** A pointer to a `printk_ringbuffer`. */
  prb: {
    functions: ["kmsg_dump_get_line", "vprintk_store", "devkmsg_read"],
    fits: (struct, address, memory) => {
      if (!memory.has(address, 8)) return false;
      const at = memory.u64(address);
      if (at < UPPER_HALF || !memory.has(at, 8)) return false;
      const ring = struct("printk_ringbuffer", at);
      return [ring.number("desc_ring.count_bits"), ring.number("text_data_ring.size_bits")].every((bits) =>
        bits >= BITS_LEAST && bits <= BITS_MOST
      );
    },
  },
  modules: {
    functions: ["print_modules", "find_module_all", "__module_address"],
    fits: (struct, address, memory) => {
      if (!memory.has(address, 16)) return false;
      const first = firstOf(struct, address);
      return first !== undefined &&
        (first === address || /^[\w-]+$/.test(struct("module", first - struct("module", 0n).addressOf("list")).text("name")));
    },
  },
  /** The first node of a maple tree leads back to the tree, with a bit for the root. */
  sparse_irqs: {
    functions: ["irq_to_desc"],
    fits: (struct, address) =>
      struct("list_head", struct("maple_tree", address).pointer("ma_root") & ~0xffn).big("next") === (address | 1n),
  },
  /** So does that of an array. */
  irq_desc_tree: {
    functions: ["irq_to_desc"],
    fits: (struct, address) => struct("xa_node", struct("xarray", address).pointer("xa_head") & ~3n).big("array") === address,
  },
  slab_caches: {
    functions: ["slab_start", "slab_next", "s_start"],
    fits: (struct, address) => {
      const first = firstOf(struct, address);
      if (first === undefined || first === address) return false;
      return /^[\w-]{2,}/.test(struct("kmem_cache", first - struct("kmem_cache", 0n).addressOf("list")).textAt("name", 64) ?? "");
    },
  },
  /** A pointer to the first of a chain. */
  file_systems: {
    functions: ["get_filesystem_list", "filesystems_proc_show", "__get_fs_type"],
    fits: (struct, address, memory) => {
      if (!memory.has(address, 8)) return false;
      const first = memory.u64(address);
      return first >= UPPER_HALF && /^[a-z0-9_]{2,16}$/.test(struct("file_system_type", first).textAt("name", 17) ?? "");
    },
  },
  /** Bits. */
  tainted_mask: {
    functions: ["get_taint"],
    fits: (_, address, memory) => address % 8n === 0n && memory.has(address, 8) && memory.u64(address) < 1n << TAINTS,
  },
  /** A pointer to text. */
  saved_command_line: {
    functions: ["cmdline_proc_show"],
    fits: (_, address, memory) => memory.has(address, 8) && memory.u64(address) >= UPPER_HALF && memory.has(memory.u64(address), 1),
  },
};
