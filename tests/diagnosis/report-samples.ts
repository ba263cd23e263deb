// A report of each kind, as kernels write it about themselves.

import type { KernelReport } from "../../src/inside/linux/structures/reports.ts";
import type { ReportKind } from "../../src/model/queries/facts/kernel-report.ts";

/** The lines of a report as kernels write them, and its values. */
export interface ReportLines {
  readonly lines: readonly string[];
  readonly values: Partial<KernelReport>;
}

/** A dump (arch/arm64/kernel/process.c), with these functions on its stack. */
const dump = (pid: number, name: string, ...functions: readonly string[]) => [
  `CPU: 0 PID: ${pid} Comm: ${name} Not tainted 6.1.0-50-cloud-arm64 #1  Debian 6.1.176-1`,
  "Hardware name: el2 (DT)",
  "Call trace:",
  ...functions.map((one) => ` ${one}`),
];
const INIT = { name: "init", pid: 1 };

/** A report of each kind. */
export const REPORT_SAMPLES: { readonly [K in ReportKind]: ReportLines } = {
  "hard-lockup": {
    lines: [
      "watchdog: Watchdog detected hard LOCKUP on cpu 3",
      ...dump(1, "init").map((line) => line.replace("CPU: 0", "CPU: 3")),
      "pc : spin+0x8/0x20 [hang]",
    ],
    values: { cpu: 3, at: "spin+0x8 [hang]" },
  },
  "soft-lockup": {
    lines: ["watchdog: BUG: soft lockup - CPU#0 stuck for 26s! [a task: x:77]", ...dump(77, "a task: x"), "pc : spin+0x8/0x20 [hang]"],
    values: { cpu: 0, task: { name: "a task: x", pid: 77 }, at: "spin+0x8 [hang]", seconds: 26 },
  },
  "rcu-stall": {
    lines: [
      ...["rcu: INFO: rcu_sched self-detected stall on CPU", "rcu: \t2-....: (5249 ticks this GP) idle=0a1/1/0x4 softirq=1/1 fqs=2"],
      ...["\t(t=5250 jiffies g=1 q=2 ncpus=4)", ...dump(77, "init").map((line) => line.replace("CPU: 0", "CPU: 2")), "pc : spin+0x8/0x20"],
    ],
    values: { cpu: 2, task: { name: "init", pid: 77 }, at: "spin+0x8" },
  },
  "workqueue-lockup": {
    lines: ["BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 31s!"],
    values: { seconds: 31 },
  },
  "hung-task": {
    lines: ["INFO: task init:1 blocked for more than 120 seconds.", "      Not tainted 6.1.0-50-cloud-arm64 #1 Debian 6.1.176-1"],
    values: { task: INIT, seconds: 120 },
  },
  "file-system-abort": {
    lines: ["EXT4-fs (vda1): Remounting filesystem read-only"],
    values: { device: "vda1", at: null, task: null },
  },
  "unclaimed-interrupt": {
    lines: [
      ...['irq 14: nobody cared (try booting with the "irqpoll" option)', ...dump(0, "swapper/0", "note_interrupt+0x1/0x2")],
      ...["handlers:", "[<0000000041140fd3>] vm_interrupt [virtio_mmio]", "Disabling IRQ #14"],
    ],
    values: { device: "irq 14", task: null, at: "vm_interrupt [virtio_mmio]" },
  },
  "suspended": { lines: ["PM: suspend entry (s2idle)"], values: { at: null, task: null } },
  "memory-bug": {
    lines: [
      "BUG: KFENCE: use-after-free read in take+0x14/0x40 [ring]",
      "",
      "Use-after-free read at 0x0 (in kfence-#9):",
      ...dump(1, "init"),
    ],
    values: { at: "take+0x14 [ring]", task: INIT },
  },
  "list-corruption": {
    lines: [
      "list_del corruption, ffff000001->next is LIST_POISON1 (dead000000000100)",
      ...dump(1, "init", "__list_del_entry_valid+0x9c/0xd0", "take+0x14/0x40 [ring]", "do_one_initcall+0x54/0x1c0"),
    ],
    values: { at: "take+0x14 [ring]", task: INIT },
  },
  "page-damage": {
    lines: ["BUG: Bad page state in process init  pfn:40001", ...dump(1, "init", "bad_page+0x98/0x110", "free_pages+0x4c/0x60")],
    values: { at: "free_pages+0x4c", task: INIT },
  },
  "slab-damage": {
    lines: ["BUG kmalloc-64 (Not tainted): Right Redzone overwritten", ...dump(1, "init", "object_err+0x40/0x60", "take+0x14/0x40 [ring]")],
    values: { at: "take+0x14 [ring]", task: INIT },
  },
  "oom-kill": {
    lines: ["Out of memory: Killed process 77 (init) total-vm:1kB, anon-rss:1kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:1kB"],
    values: { task: { name: "init", pid: 77 }, at: null },
  },
  "cgroup-oom-kill": {
    lines: [
      "oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=/a,task_memcg=/a,task=init,pid=77,uid=0",
      "Memory cgroup out of memory: Killed process 77 (init) total-vm:1kB, anon-rss:1kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:1kB",
    ],
    values: { task: { name: "init", pid: 77 }, device: "/a", at: null },
  },
  "memory-refused": {
    lines: ["__vm_enough_memory: pid: 1, comm: init, bytes: 67108864 not enough memory for the allocation"],
    values: { task: INIT },
  },
  "process-limit": { lines: ["cgroup: fork rejected by pids controller in /a"], values: { device: "/a" } },
  "file-limit": { lines: ["VFS: file-max limit 100 reached"], values: { task: null } },
  "table-full": { lines: ["nf_conntrack: nf_conntrack: table full, dropping packet"], values: { task: null } },
  "module-refused": {
    lines: ["ring: version magic '6.1.0-51-cloud-arm64 SMP mod_unload' should be '6.1.0-50-cloud-arm64 SMP mod_unload'"],
    values: { device: "ring" },
  },
  "no-console": { lines: ["Warning: unable to open an initial console."], values: { task: null } },
  "atomic-sleep": {
    lines: ["BUG: scheduling while atomic: init/1/0x00000002", ...dump(1, "init", "__schedule_bug+0x54/0x70", "take+0x14/0x40 [ring]")],
    values: { at: "take+0x14 [ring]", task: INIT },
  },
  "lock-order": {
    lines: [
      "WARNING: possible circular locking dependency detected",
      "init/1 is trying to acquire lock:",
      ...dump(1, "init", "take+0x1/0x2"),
    ],
    values: { task: INIT, at: "take+0x1" },
  },
  "spin-lock": { lines: ["BUG: spinlock bad magic on CPU#0, init/1"], values: { task: INIT, cpu: 0 } },
  "undefined-behavior": {
    lines: ["UBSAN: array-index-out-of-bounds in drivers/net/ring.c:10:4", "index 4 is out of range for type 'u8 [4]'", ...dump(1, "init")],
    values: { at: "drivers/net/ring.c:10:4", task: INIT },
  },
  "reference-count": {
    lines: [
      ...["refcount_t: underflow; use-after-free.", "WARNING: CPU: 0 PID: 1 at lib/refcount.c:28 refcount_warn_saturate+0xf4/0x148"],
      ...[
        ...dump(1, "init"),
        "pc : refcount_warn_saturate+0xf4/0x148",
        "Call trace:",
        " refcount_warn_saturate+0xf4/0x148",
        " take+0x14/0x40 [ring]",
      ],
    ],
    values: { at: "take+0x14 [ring]", task: INIT },
  },
  "file-system-error": {
    lines: ["EXT4-fs error (device vda1): ext4_find_entry:1455: inode #2: comm init: reading directory lblock 0"],
    values: { device: "vda1" },
  },
  "input-output-error": {
    lines: ["I/O error, dev vda, sector 2048 op 0x0:(READ) flags 0x80700 phys_seg 1 prio class 2"],
    values: { device: "vda" },
  },
  "transmit-timeout": {
    lines: ["virtio_net virtio0 eth0: NETDEV WATCHDOG: CPU: 0: transmit queue 0 timed out 5000 ms"],
    values: { device: "eth0" },
  },
  "watchdog-left": { lines: ["watchdog: watchdog0: watchdog did not stop!"], values: { at: null } },
  "clock-unstable": {
    lines: ["clocksource: timekeeping watchdog on CPU0: Marking clocksource 'x' as unstable because the skew is too large:"],
    values: { at: null },
  },
};
