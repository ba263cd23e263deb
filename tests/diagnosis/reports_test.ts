// Reports of a kernel about itself are facts, as long as they are true: each has its healthy twin,
// in which the same is over, or a program writes the same words.

import assert from "node:assert/strict";
import { diagnosisLines } from "../../src/model/queries/texts/diagnosis-text.ts";
import { REPORT_KINDS, type ReportKind } from "../../src/model/queries/facts/kernel-report.ts";
import { type KernelReport, reportsIn } from "../../src/inside/linux/structures/reports.ts";
import { readLog, readLogAfter } from "../../src/inside/linux/structures/log.ts";
import { Reading } from "../../src/inside/linux/kernel/reading.ts";
import { RAM_BASE } from "../../src/machine/hardware/memory-map.ts";
import { CopiedMemory } from "../inside/linux/copied-memory.ts";
import { learnedKernel } from "../inside/linux/learned-kernel.ts";
import type { Debian } from "../inside/linux/debian.ts";
import { assertSick, BL, branch, patch, PATIENCE, sayBySysinfo, verdictOn, waiting, waitingOnTwo } from "./broken-linux.ts";
import { fits } from "./class-guests.ts";

/** Virtual time (ns) of a healthy life after a report, and between two questions in it. */
const LIFE = 2e9, ASKED = 100e6;
/** The kernel takes ten lines of programs in five seconds. */
const APART = 600e6;

/** WFE, ADD X0, X0, #1 and a branch back: a loop that no rule proves to be endless. */
const ENDLESS = [0xd503_205f, 0x9100_0400, 0x17ff_fffe];
/** MSR DAIFSet, #2: interrupts are masked. */
const MASK = 0xd503_42df;
/**
 * A loop of so many seconds: MRS X0, CNTVCT_EL0, MRS X2, CNTFRQ_EL0, MOV X3, MADD X1, X2, X3, X0;
 * WFE, MRS X0, CNTVCT_EL0, CMP X0, X1, B.LO to the WFE; RET.
 */
const during = (seconds: number) => [
  ...[0xd53b_e040, 0xd53b_e002, 0xd280_0003 + (seconds << 5), 0x9b03_0041, 0xd503_205f, 0xd53b_e040, 0xeb01_001f, 0x54ff_ffa3],
  0xd65f_03c0,
];

const evidenceOf = (debian: Debian) => verdictOn(debian).evidence.join("\n");

/** It is healthy, and the report is a remark. */
function assertRemarked(debian: Debian, kind: ReportKind, line: RegExp): void {
  for (let time = 0; time < LIFE; time += ASKED) {
    assert.ok(debian.run(ASKED), debian.shown.slice(-500));
    const row = verdictOn(debian);
    assert.ok(row.healthy, diagnosisLines(row).join("\n"));
  }
  const { because } = verdictOn(debian);
  assert.ok(because.some((one) => fits(one, { code: "kernel", finding: { code: "reported", kind, over: true } })), JSON.stringify(because));
  assert.match(evidenceOf(debian), line);
}

const REPORTED =
  /lockup: a CPU does not leave the kernel: task init \(\d+\) at __arm64_sys_sysinfo\+0x\w+ for \d\.\ds\n {2}way out: find the loop/;
const lockup = (over: boolean) => ({ code: "reported", kind: "soft-lockup", at: /^__arm64_sys_sysinfo\+0x/, task: { name: "init" }, over });

Deno.test("a loop that the kernel reports as a soft lockup", async () => {
  const debian = (await waiting()).copy();
  patch(debian, "__arm64_sys_sysinfo", ENDLESS);
  debian.type("report-child-sysinfo\n");
  assertSick(debian, { code: "kernel-waits", finding: lockup(false) }, REPORTED, { asked: ASKED, patience: PATIENCE });
});

Deno.test("a loop that ends after the kernel has reported it leaves its VM healthy", async () => {
  const debian = (await waiting()).copy();
  patch(debian, "__arm64_sys_sysinfo", during(5));
  debian.type("report-child-sysinfo\n");
  assertSick(debian, { code: "kernel-waits", finding: lockup(false) }, REPORTED, { asked: ASKED, patience: PATIENCE });
  while (!verdictOn(debian).healthy) assert.ok(debian.run(ASKED) && debian.system.machine.time < PATIENCE);
  assertRemarked(debian, "soft-lockup", /has reported a soft lockup: .*: task init \(\d+\) at __arm64_sys_sysinfo\+0x\w+ for 3\.0s/);
});

const STALLED =
  /an RCU stall: a CPU or a task keeps RCU waiting: task init \(\d+\) at __arm64_sys_sysinfo\+0x\w+ for \d\.\ds\n {2}way out: find the loop/;
const stall = { code: "kernel-waits", finding: { code: "reported", kind: "rcu-stall", at: /^__arm64_sys_sysinfo\+0x/ } } as const;

Deno.test("a loop that the kernel reports as a stall of RCU, until it ends", async () => {
  const ends = (await waitingOnTwo()).copy();
  patch(ends, "__arm64_sys_sysinfo", during(6));
  ends.type("stall-child-sysinfo\n");
  assertSick(ends, stall, STALLED, { asked: ASKED, patience: PATIENCE });
  while (!verdictOn(ends).healthy) assert.ok(ends.run(ASKED) && ends.system.machine.time < PATIENCE);
  assertRemarked(ends, "rcu-stall", /has reported an RCU stall: .*: task init \(\d+\) at __arm64_sys_sysinfo/);
});

Deno.test("a CPU that takes no interrupts is the one that RCU waits for, whichever reports it", async () => {
  const debian = (await waitingOnTwo()).copy();
  patch(debian, "__arm64_sys_sysinfo", [MASK, ...ENDLESS]);
  debian.type("stall-child-sysinfo\n");
  assertSick(debian, stall, STALLED, { asked: ASKED, patience: PATIENCE });
});

/**
 * STP X29, X30, [SP, #-16]!; MOV X29, SP; MOVZ and MOVK of X0; BL; LDP; RET: msleep() for so many
 * ms.
 */
function sleepInSysinfo(debian: Debian, ms: number): void {
  const at = debian.symbol("__arm64_sys_sysinfo"), half = (shift: number) => (ms >>> shift & 0xffff) << 5;
  const call = branch(BL, at + 16n, debian.symbol("msleep"));
  patch(debian, at, [0xa9bf_7bfd, 0x9100_03fd, 0xd280_0000 + half(0), 0xf2a0_0000 + half(16), call, 0xa8c1_7bfd, 0xd65f_03c0]);
}

const HUNG = /task init \(\d+\) has waited for \d\.\ds in msleep\S*, and no signal can wake it\n {2}way out: see its stack/;
const hung = { code: "kernel-waits", finding: { code: "hung", task: { name: "init" } } } as const;

Deno.test("a task that the kernel reports as hung hangs, whatever time it was told to wait for", async () => {
  const debian = (await waiting()).copy();
  sleepInSysinfo(debian, 1e9);
  debian.type("report-child-sysinfo\n");
  debian.until(/blocked for more than/);
  assertSick(debian, hung, HUNG, { asked: ASKED, patience: PATIENCE });
  assert.match(evidenceOf(debian), /the kernel reports a hung task: task init \(\d+\) at __arm64_sys_sysinfo\+0x\w+ for \d\.\ds/);
});

Deno.test("a task hangs after the time that the kernel was told to wait for, before the kernel reports it", async () => {
  const debian = (await waiting()).copy();
  sleepInSysinfo(debian, 1e9);
  debian.type("report-child-sysinfo\n");
  assertSick(debian, hung, /task init \(\d+\) has waited for 3\.\ds in msleep/, { asked: ASKED, patience: PATIENCE });
  assert.ok(debian.rows("linux.log").every(({ text }) => !text.includes("blocked for more than")));
});

Deno.test("a task that wakes after the kernel has reported it as hung leaves its VM healthy", async () => {
  const debian = (await waiting()).copy();
  sleepInSysinfo(debian, 9000);
  debian.type("report-child-sysinfo\n");
  assertSick(debian, hung, HUNG, { asked: ASKED, patience: PATIENCE });
  while (!verdictOn(debian).healthy) assert.ok(debian.run(ASKED) && debian.system.machine.time < PATIENCE);
  assertRemarked(debian, "hung-task", /the kernel has reported a hung task: task init \(\d+\) at __arm64_sys_sysinfo\+0x\w+ for \d\.\ds/);
});

Deno.test("a process that was killed as memory was short is a remark", async () => {
  const debian = (await waiting()).copy();
  debian.type("child-killed\n");
  debian.until(/Killed process/);
  assertRemarked(debian, "oom-kill", /out of memory, and has killed a process: task init \(\d+\); way out: give the VM more memory/);
});

/** The lines of a report as kernels write them, and its values. */
interface ReportLines {
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

const SAMPLES: { readonly [K in ReportKind]: ReportLines } = {
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

/** The memory of its kernel. */
function readingOf({ system }: Debian): Reading {
  const [{ registers }] = system.symbols.vcpus("host"), physical = new CopiedMemory(system.machine.ram.bytes(RAM_BASE, 256 << 20));
  const place = { ttbr1: registers.getRegister("TTBR1_EL1"), tcr: registers.getRegister("TCR_EL1") };
  const kernel = learnedKernel({ physical, registers: place, tables: system.symbols.all("host") });
  return new Reading("host", kernel, kernel.memory(physical));
}

Deno.test("a report of each kind is known by its form, with its task, place, CPU and device; and not if a program writes it", async () => {
  for (const kinds of inGroups(REPORT_KINDS)) {
    const debian = (await waiting()).copy(), written = debian.copy();
    const lines = kinds.flatMap((kind) => SAMPLES[kind].lines);
    sayBySysinfo(debian, lines);
    debian.type("sysinfo\n");
    debian.run(ASKED);
    const found = reportsIn(readingOf(debian));
    assert.deepEqual(found.map(({ kind }) => kind), kinds);
    for (const one of found) assert.ok(fits(one, SAMPLES[one.kind].values), JSON.stringify(one));
    written.type("kmsg\n");
    for (const kind of kinds) {
      const [line] = SAMPLES[kind].lines;
      written.type(`${line}\n`);
      written.run(APART);
      const { facility, text } = written.rows("linux.log").at(-1)!;
      assert.deepEqual([facility, text], [1, line]);
    }
    assert.deepEqual(reportsIn(readingOf(written)), []);
    assert.ok(verdictOn(written).healthy);
  }
});

/** Those whose lines fit into one call. */
function inGroups(kinds: readonly ReportKind[]): ReportKind[][] {
  const size = 11;
  return kinds.flatMap((_, index) => index % size === 0 ? [kinds.slice(index, index + size)] : []);
}

Deno.test("a kernel whose memory is damaged has failed; one that warns of a reference count has a remark", async () => {
  const damaged = (await waiting()).copy(), warned = damaged.copy();
  sayBySysinfo(damaged, SAMPLES["list-corruption"].lines);
  damaged.type("sysinfo\n");
  const finding = { code: "reported", kind: "list-corruption", at: "take+0x14 [ring]" };
  assertSick(
    damaged,
    { code: "kernel-broken", finding },
    /failed: the kernel reports a list .*: task init \(1\) at take\+0x14 \[ring\]\n {2}way out: fix take/,
  );
  sayBySysinfo(warned, SAMPLES["reference-count"].lines);
  warned.type("sysinfo\n");
  assertRemarked(
    warned,
    "reference-count",
    /a reference count that is wrong: task init \(1\) at take\+0x14 \[ring\]; way out: find in take/,
  );
});

Deno.test("of a log that has grown by more than an answer reads, the last records count", async () => {
  const debian = (await waiting()).copy();
  sayBySysinfo(debian, SAMPLES["list-corruption"].lines);
  debian.type("sysinfo\n");
  debian.run(ASKED);
  const reading = readingOf(debian), all = readLog(reading).map(({ sequence }) => sequence), most = 5;
  const later = readLogAfter(reading, undefined, most) ?? assert.fail();
  assert.deepEqual(later.rows.map(({ sequence }) => sequence), all.slice(-most));
  assert.deepEqual(readLogAfter(reading, later.place, most)?.rows, []);
  // A record that the ring has elsewhere, or another one there: all is read again.
  const other = { number: later.place!.number, t: later.place!.t + 1n };
  assert.deepEqual(readLogAfter(reading, other, all.length)?.rows.map(({ sequence }) => sequence), all);
});
