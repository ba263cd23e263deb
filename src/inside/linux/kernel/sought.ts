// Data of the kernel that is found by the functions that use it, where the symbols name functions
// only, as those of kernels without CONFIG_KALLSYMS_ALL do.

import { UPPER_HALF } from "../../../kit/formats/page-tables.ts";
import { BadMemory, type VirtualMemory } from "./memory.ts";
import type { Struct } from "./types.ts";
import { VmCoreInfo } from "./vmcoreinfo.ts";

/** The structure of a type at an address. */
type StructAt = (type: string, address: bigint) => Struct;

export interface Sought {
  /** Functions that use it. */
  readonly functions: readonly string[];
  /** They may have its address as one before it, and a distance of up to so many bytes. */
  readonly near?: number;
  /** Whether it may be at an address; errors of reading mean no. */
  fits(struct: StructAt, address: bigint, memory: VirtualMemory, find: (symbol: string) => bigint | undefined): boolean;
}

/** Bits of the sizes of the log's rings: `CONFIG_LOG_BUF_SHIFT` is 12 to 25. */
const BITS_LEAST = 5, BITS_MOST = 27;

/** Kinds of taints. */
const TAINTS = 20n;

/** Ticks between the turns of a wheel. */
const TICKS_MOST = 1n << 30n;

/** The first CPU's part of data that each CPU has. @throws BadMemory */
function ofFirstCpu(data: bigint, memory: VirtualMemory, find: (symbol: string) => bigint | undefined): bigint {
  const offsets = find("__per_cpu_offset");
  if (offsets === undefined) throw new BadMemory("invalid", "the distances of CPUs' data are not known", data);
  return BigInt.asUintN(64, data + memory.u64(offsets));
}

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
  /** It is found if it has members. */
  deferred_probe_pending_list: {
    functions: ["deferred_devs_show", "driver_deferred_probe_add", "driver_deferred_probe_trigger", "deferred_probe_timeout_work_func"],
    near: 256,
    fits: (struct, address) => {
      const first = firstOf(struct, address);
      if (first === undefined || first === address) return false;
      const deferred = struct("device_private", first - struct("device_private", 0n).addressOf("deferred_probe"));
      return struct("device", deferred.pointer("device")).pointer("p") === deferred.address;
    },
  },
  /** Bits. */
  tainted_mask: {
    functions: ["get_taint"],
    fits: (_, address, memory) => address % 8n === 0n && memory.has(address, 8) && memory.u64(address) < 1n << TAINTS,
  },
  /** Its header leads back to it. Functions have the address of its set, its first field. */
  sysctl_table_root: {
    functions: ["register_sysctl_sz", "register_sysctl", "__register_sysctl_init", "__register_sysctl_base", "proc_sys_init"],
    fits: (struct, address) => struct("ctl_table_root", address).pointer("default_set.dir.header.root") === address,
  },
  /** The counter that is read, in two places. */
  cd: {
    functions: ["sched_clock_read_begin", "generic_sched_clock_init", "sched_clock_syscore_init", "sched_clock"],
    fits: (struct, address) => {
      const clock = struct("clock_data", address), read = clock.inner("read_data[0]", "clock_read_data");
      return read.number("mult") > 0 && read.number("shift") < 64 && read.big("read_sched_clock") >= UPPER_HALF &&
        read.big("read_sched_clock") === clock.big("actual_read_sched_clock");
    },
  },
  /** Of each CPU: its clocks lead back to it. */
  hrtimer_bases: {
    functions: ["hrtimers_prepare_cpu", "hrtimer_interrupt", "hrtimers_cpu_starting", "hrtimer_run_queues"],
    fits: (struct, address, memory, find) => {
      const base = struct("hrtimer_cpu_base", ofFirstCpu(address, memory, find));
      return base.pointer("clock_base[0].cpu_base") === base.address;
    },
  },
  /** Of each CPU two or three wheels, which know the ticks of their last turn. */
  timer_bases: {
    functions: ["timers_prepare_cpu", "run_timer_softirq", "timers_dead_cpu", "add_timer_on", "__mod_timer", "get_next_timer_interrupt"],
    fits: (struct, address, memory, find) => {
      const base = struct("timer_base", ofFirstCpu(address, memory, find)), jiffies = find("jiffies");
      if (jiffies === undefined || base.number("cpu") !== 0) return false;
      const late = BigInt.asIntN(64, memory.u64(jiffies) - base.big("clk"));
      return late > -TICKS_MOST && late < TICKS_MOST;
    },
  },
  /** A pointer to the page of VMCOREINFO. */
  vmcoreinfo_data: {
    functions: ["crash_save_vmcoreinfo", "vmcoreinfo_append_str"],
    near: 32,
    fits: (_, address, memory) => memory.has(address, 8) && VmCoreInfo.at(memory, memory.u64(address)) !== undefined,
  },
  /** A pointer to text. */
  saved_command_line: {
    functions: ["cmdline_proc_show"],
    fits: (_, address, memory) => memory.has(address, 8) && memory.u64(address) >= UPPER_HALF && memory.has(memory.u64(address), 1),
  },
};
