// Reports of a kernel about itself are facts, as long as they are true: each has its healthy twin,
// in which the same is over, or a program writes the same words.

import assert from "node:assert/strict";
import { diagnosisLines } from "../../src/model/queries/texts/diagnosis-text.ts";
import { REPORT_KINDS, type ReportKind } from "../../src/model/queries/facts/kernel-report.ts";
import { reportsIn } from "../../src/inside/linux/structures/reports.ts";
import { readLog, readLogAfter } from "../../src/inside/linux/structures/log.ts";
import { Reading } from "../../src/inside/linux/kernel/reading.ts";
import { RAM_BASE } from "../../src/machine/hardware/memory-map.ts";
import { CopiedMemory } from "../inside/linux/copied-memory.ts";
import { learnedKernel } from "../inside/linux/learned-kernel.ts";
import type { Debian } from "../inside/linux/debian.ts";
import { assertSick, BL, branch, patch, PATIENCE, sayBySysinfo, verdictOn, waiting, waitingOnTwo } from "./broken-linux.ts";
import { fits } from "./class-guests.ts";
import { REPORT_SAMPLES } from "./report-samples.ts";

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
    const lines = kinds.flatMap((kind) => REPORT_SAMPLES[kind].lines);
    sayBySysinfo(debian, lines);
    debian.type("sysinfo\n");
    debian.run(ASKED);
    const found = reportsIn(readingOf(debian));
    assert.deepEqual(found.map(({ kind }) => kind), kinds);
    for (const one of found) assert.ok(fits(one, REPORT_SAMPLES[one.kind].values), JSON.stringify(one));
    written.type("kmsg\n");
    for (const kind of kinds) {
      const [line] = REPORT_SAMPLES[kind].lines;
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
  sayBySysinfo(damaged, REPORT_SAMPLES["list-corruption"].lines);
  damaged.type("sysinfo\n");
  const finding = { code: "reported", kind: "list-corruption", at: "take+0x14 [ring]" };
  assertSick(
    damaged,
    { code: "kernel-broken", finding },
    /failed: the kernel reports a list .*: task init \(1\) at take\+0x14 \[ring\]\n {2}way out: fix take/,
  );
  sayBySysinfo(warned, REPORT_SAMPLES["reference-count"].lines);
  warned.type("sysinfo\n");
  assertRemarked(
    warned,
    "reference-count",
    /a reference count that is wrong: task init \(1\) at take\+0x14 \[ring\]; way out: find in take/,
  );
});

Deno.test("of a log that has grown by more than an answer reads, the last records count", async () => {
  const debian = (await waiting()).copy();
  sayBySysinfo(debian, REPORT_SAMPLES["list-corruption"].lines);
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
