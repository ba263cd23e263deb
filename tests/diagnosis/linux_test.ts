// Linux guests that break, each with its cause, place and way out in the first lines of its
// verdict; and others that look like them and are healthy.

import assert from "node:assert/strict";
import { gzipSync } from "node:zlib";
import { catalogEntry } from "../../src/app/catalog/catalog.ts";
import { type CpioEntry, withEntries } from "../../src/kit/formats/cpio.ts";
import { readDevicetree } from "../../src/machine/devicetree/reader.ts";
import { cells, type DevicetreeNode, node } from "../../src/machine/devicetree/tree.ts";
import { writeDevicetree } from "../../src/machine/devicetree/writer.ts";
import { diagnosisLines } from "../../src/model/queries/texts/diagnosis-text.ts";
import type { LinuxFinding, NotRun } from "../../src/model/queries/facts/linux-finding.ts";
import { Debian } from "../inside/linux/debian.ts";
import type { DevicePlan } from "../../src/machine/virtio/plan.ts";
import { ASKED, assertSick, B, BL, branch, NOP, patch, PATIENCE, ramdisk, verdictOn, waiting } from "./broken-linux.ts";
import { type FactPart, fits } from "./class-guests.ts";
import { panicsAtOnce } from "./soon.ts";
import { LONG } from "../support/long.ts";

/** Virtual time (ns) of a healthy life. */
const LIFE = 3e9;
/** `ASKED` and `PATIENCE` for tasks that the kernel reports as hung after two minutes. */
const HANGS = { asked: 10e9, patience: 300e9 };

/** It panics, and has the cause at that instant. */
function assertBreaks(debian: Debian, cause: Partial<LinuxFinding>, lines: RegExp): void {
  panicsAtOnce(debian.system, "host", PATIENCE);
  assertSick(debian, { code: "panicked", cause }, lines);
}

/** A ramdisk with busybox whose init is a shell script. */
const SCRIPTS: readonly (readonly [name: string, script: string, cause: Partial<LinuxFinding>, lines: RegExp])[] = [
  [
    "that stops at a command that fails",
    "#!/bin/busybox sh\nset -e\nbusybox mkdir /nowhere/state\necho never\n",
    { code: "init-exited", status: 1, said: "mkdir: can't create directory '/nowhere/state': No such file or directory" },
    /exit code 1, .*; the last line on its console: mkdir: can't create directory '\/nowhere\/state': .*\n {2}way out: fix what the last line reports/,
  ],
  [
    "whose program lacks a library",
    "#!/bin/busybox sh\necho 'x: error while loading shared libraries: libx.so.1: cannot open shared object file' >&2\nexit 127\n",
    { code: "init-exited", status: 127 },
    /way out: put libx\.so\.1 where the loader finds it/,
  ],
  [
    "that says nothing",
    "#!/bin/busybox sh\nexit 1\n",
    { code: "init-exited", status: 1, said: null },
    /without process 1\n {2}way out: end it with exec/,
  ],
];

for (const [name, script, cause, lines] of LONG ? SCRIPTS : SCRIPTS.slice(0, 1)) {
  Deno.test(`an init ${name} has the last line of its console in its verdict`, async () => {
    const { folder } = await catalogEntry("debian-bookworm"),
      init: CpioEntry = { path: "init", kind: "file", permissions: 0o755, data: new TextEncoder().encode(script) };
    assertBreaks(await Debian.start("bookworm", { initrd: withEntries(await Deno.readFile(`${folder}/initrd`), [init]) }), cause, lines);
  });
}

Deno.test("a program that the kernel refuses, and in which no defect is found, has the kernel's own error", async () => {
  const debian = await Debian.start("bookworm", { initrd: await ramdisk({ init: undefined }) });
  while (debian.ask("linux.log").rows.length < 150) assert.ok(debian.run(1e6));
  // MOV W0, #-ENOMEM; RET.
  patch(debian, "load_elf_binary", [0x1280_0160, RET]);
  assertBreaks(
    debian,
    { code: "init-not-run", program: "/init", why: { code: "refused", error: "ENOMEM" } },
    /init \(\/init\) cannot be executed: the kernel refused it with ENOMEM\n {2}way out: give the VM more memory/,
  );
});

type Case = readonly [how: string, cause: Partial<LinuxFinding>, lines: RegExp];

/** Ends of process 1. */
const ENDS: readonly Case[] = [
  ["exit", { code: "init-exited", program: "/init", status: 7 }, /init \(\/init\) ended with exit code 7/],
  ["exit-group", { code: "init-exited", status: 0 }, /exit code 0/],
  ["undefined", { code: "init-killed", signal: "SIGILL" }, /SIGILL at \/init\+0x[0-9a-f]+: the word 0x00000000 is not an instruction/],
  ["sve", { code: "init-killed", signal: "SIGILL" }, /ptrue needs FEAT_SVE, which the CPU "v8" does not have/],
  ["bf16", { code: "init-killed", signal: "SIGILL" }, /bfdot needs FEAT_BF16, which the CPU "v8" does not have[^]*cpu = "v8.6"/],
  ["null", { code: "init-killed", signal: "SIGSEGV" }, /SIGSEGV at \/init\+0x[0-9a-f]+: 0x8 is not mapped/],
  ["jump", { code: "init-killed", signal: "SIGSEGV" }, /0x1234567000 is not mapped/],
  ["read-only", { code: "init-killed", signal: "SIGSEGV" }, /the store at 0x[0-9a-f]+ is not permitted at EL0, which has r/],
  ["stack", { code: "init-killed", signal: "SIGBUS" }, /SP is 0x1001, not a multiple of 16/],
  [
    "short-file",
    { code: "init-killed", signal: "SIGBUS" },
    /SIGBUS at \/init\+0x[0-9a-f]+: 0x[0-9a-f]+ is at 0x1000 of \/short \(mmap\), which has 4096 bytes[^]*way out: map no more/,
  ],
  ["trap", { code: "init-killed", signal: "SIGTRAP" }, /brk #1 was executed on purpose/],
  ["privileged", { code: "init-killed", signal: "SIGILL" }, /vbar_el1 belongs to EL1, and was executed at EL0/],
  [
    "memory",
    { code: "out-of-memory", task: { name: "init", pid: 1 } },
    /programs have \d+\S*M, most of them init \(1\)[^]* or init \(1\) less work/,
  ],
  ["files-memory", { code: "out-of-memory" }, /files in memory have \d+\S*M\n {2}way out: give the VM more memory, or the ramdisk/],
  [
    "names-memory",
    { code: "out-of-memory" },
    /structures of the kernel have \d+\S*M, most of them (?:inode_cache|dentry)\n {2}way out: find what allocates/,
  ],
  ["exit-missing", { code: "init-exited", status: 127 }, /exit code 127, [^]*way out: .*, or a library of one, is not there/],
  ["strict", { code: "init-killed", signal: "SIGKILL" }, /killed by SIGKILL at \/init\+0x[0-9a-f]+\n {2}way out: something killed it/],
  ["memory-panic", { code: "out-of-memory", task: { name: "init", pid: 1 } }, /no memory is left of \d+ MiB/],
  ["sysrq", { code: "sysrq-crash", task: { name: "init", pid: 1 } }, /init \(1\) asked for the crash/],
];

/**
 * Without the full numbers: an end of each kind, and two of programs that die while others live.
 */
const OF_CI = ["exit", "bf16", "null", "short-file", "exit-missing", "sysrq", "stay", "long-file", "child-dies"];
const inTime = (how: string) => LONG || OF_CI.includes(how);

for (const [how, cause, lines] of ENDS.filter(([how]) => inTime(how))) {
  Deno.test(`Linux panics after its init ends: ${how}`, async () => {
    const debian = (await waiting()).copy();
    debian.type(`${how}\n`);
    assertBreaks(debian, cause, lines);
  });
}

for (const how of ["stay", "long-file", "child-killed", "child-dies", "vfork", "sysinfo"].filter(inTime)) {
  Deno.test(`Linux is healthy though a program dies or waits: ${how}`, async () => {
    const debian = (await waiting()).copy();
    debian.type(`${how}\n`);
    for (let time = 0; time < LIFE; time += LIFE / 20) {
      assert.ok(debian.run(LIFE / 20), debian.shown);
      const row = verdictOn(debian);
      assert.ok(row.healthy, diagnosisLines(row).join("\n"));
    }
  });
}

Deno.test("memory that the command line takes is named where no memory is left, and a VM with it is healthy before", async () => {
  const debian = await Debian.start("bookworm", { initrd: await ramdisk({ init: undefined }), append: "console=ttyAMA0 hugepages=70" });
  debian.until(/how\?/);
  assert.ok(verdictOn(debian).healthy, diagnosisLines(verdictOn(debian)).join("\n"));
  debian.type("memory\n");
  const taken = { option: "hugepages=70", size: 140 << 20, of: 256 << 20 };
  assertBreaks(debian, { code: "out-of-memory", taken }, /hugepages=70 takes 140M of the VM's 256M\n {2}way out: remove hugepages=70/);
});

/** Ends that a task asks for. */
const ASKED_ENDS: readonly (readonly [how: string, fact: FactPart, line: RegExp])[] = [
  ["child-restart", { code: "reset", by: { by: "reboot", task: { name: "init" } } }, /SYSTEM_RESET\): reboot\(2\) of process init \(\d+\)/],
  [
    "power-off",
    { code: "switched-off", by: { by: "reboot", task: { name: "init", pid: 1 } } },
    /SYSTEM_OFF\): reboot\(2\) of process init \(1\)/,
  ],
  ["sysrq-restart", { code: "reset", by: { by: "sysrq", task: { name: "init", pid: 1 } } }, /sysrq, written by process init \(1\)/],
  ["sysrq-off", { code: "switched-off", by: { by: "kernel" } }, /the kernel's own task kworker/],
];

for (const [how, fact, line] of LONG ? ASKED_ENDS : ASKED_ENDS.slice(0, 1)) {
  Deno.test(`a Linux has ended the machine, and is healthy: ${how}`, async () => {
    const debian = (await waiting()).copy();
    debian.type(`${how}\n`);
    while (debian.run(ASKED));
    const row = verdictOn(debian);
    assert.ok(row.healthy && fits(row.fact, fact), JSON.stringify(row.fact));
    assert.match(row.text, line);
  });
}

Deno.test("a Linux that was told to halt has stopped, and is healthy", async () => {
  const debian = (await waiting()).copy();
  debian.type("halt\n");
  debian.until(/System halted/);
  debian.run(ASKED);
  const { fact, verdict, healthy } = verdictOn(debian);
  assert.deepEqual([fact, verdict, healthy], [{ code: "halted", by: { name: "init", pid: 1 } }, "stopped", true]);
});

/** Instructions: an undefined one, a load from address 0, and an endless loop. */
const UNDEFINED = [0], LOAD_NULL = [0xd280_0001, 0xf940_0021], FOREVER = [0x1400_0000];
/** A branch to address 0; a store to the code; BRK, as BUG() has it; pushes without end. */
const JUMP_NULL = [0xd280_0001, 0xd61f_0020], STORE_CODE = [0x1000_0001, 0xf900_003f], BUG = [0xd421_0000];
const PUSH_FOREVER = [0xa9bc_7bfd, 0x17ff_ffff], SLEEP_MASKED = [0xd503_4fdf, 0xd503_207f, 0x17ff_ffff];

/** Leaves out the call of a function in another one, of which one name is that of this kernel. */
function dropCall(debian: Debian, names: readonly string[], callee: string): void {
  const [table] = debian.system.symbols.all("host"), target = debian.symbol(callee), bytes = new Uint8Array(4);
  for (const name of names) {
    const start = table.find(name)?.address, end = start === undefined ? undefined : table.next(start);
    if (start === undefined || end === undefined) continue;
    for (let at = start; at < end; at += 4n) {
      debian.system.machine.ram.read(debian.placeOf(at), bytes);
      if (new DataView(bytes.buffer).getUint32(0, true) === branch(BL, at, target)) return patch(debian, at, [NOP]);
    }
  }
  assert.fail(`${names} do not call ${callee}`);
}

/** A warning that replaces a system call: `__warn(NULL, 0, here, 9, NULL, NULL)`. */
function warn(debian: Debian): void {
  const at = debian.symbol("__arm64_sys_sysinfo"), call = branch(B, at + 24n, debian.symbol("__warn"));
  patch(debian, at, [0xaa1f_03e0, 0x5280_0001, 0x1000_0002, 0x5280_0123, 0xd280_0004, 0xd280_0005, call]);
}

const keepName = (debian: Debian) => dropCall(debian, ["__do_sys_sethostname", "__arm64_sys_sethostname"], "up_write");
const keepReboot = (debian: Debian) => dropCall(debian, ["__do_sys_reboot", "__arm64_sys_reboot"], "mutex_unlock");

/** Locks that are never released. */
const KEPT:
  readonly (readonly [name: string, how: string, fix: (debian: Debian) => void, finding: Partial<LinuxFinding>, lines: RegExp])[] = [
    [
      ...["two locks that two tasks take in another order", "names", (debian: Debian) => (keepName(debian), keepReboot(debian))] as const,
      { code: "lock-cycle" },
      /stuck: task init \((\d+)\) waits in __arm64_sys_sethostname\S* for a rwsem that init \((\d+)\) holds, and task init \(\2\) waits in __do_sys_reboot\S* for a mutex of init \(\1\)/,
    ],
    [
      ...["a lock that its holder takes again", "name-twice", keepName] as const,
      { code: "lock-cycle" },
      /task init \(1\) waits in __arm64_sys_sethostname\S* for a rwsem that it holds itself\n {2}way out: release the lock/,
    ],
    [
      ...["a lock whose holder has ended", "name-after-child", keepName] as const,
      { code: "lock-lost" },
      /task init \(1\) waits in \S+ for a rwsem that task init \(\d+\) holds, which has ended/,
    ],
  ];

for (const [name, how, keep, finding, lines] of LONG ? KEPT : KEPT.slice(0, 1)) {
  Deno.test(`a kernel with a defect: ${name}`, async () => {
    const debian = (await waiting()).copy();
    keep(debian);
    debian.type(`${how}\n`);
    assertSick(debian, { code: "kernel-waits", finding }, lines);
  });
}

Deno.test("a kernel that warns and continues is healthy, and its warning is shown", async () => {
  const debian = (await waiting()).copy();
  warn(debian);
  debian.type("sysinfo\n");
  debian.run(1e9);
  const { healthy, because, evidence } = verdictOn(debian);
  assert.ok(healthy);
  const expected = { code: "kernel", finding: { code: "warned", at: /^__arm64_sys_sysinfo\+0x/, task: { name: "init", pid: 1 } } };
  assert.ok(because.some((one) => fits(one, expected)), JSON.stringify(because));
  assert.match(evidence.join("\n"), /the kernel has warned at __arm64_sys_sysinfo\+0x.*, in task init \(1\); way out: see /);
});

Deno.test("a warning and an oops are the kernel's, whatever programs write to its log afterwards", async () => {
  const warned = (await waiting()).copy(), died = warned.copy();
  warn(warned);
  patch(died, "__arm64_sys_sysinfo", LOAD_NULL);
  for (const debian of [warned, died]) {
    debian.type("child-sysinfo-kmsg\n");
    debian.run(1e9);
    for (
      const line of [
        ...["Unable to handle nothing at address 0", "Internal error: Oops: 1 [#9] SMP", "WARNING: CPU: 0 PID: 9 at take+0x1/0x2"],
        "CPU: 0 PID: 9 Comm: taken Not tainted 6.1.0",
      ]
    ) {
      debian.type(`${line}\n`);
      debian.run(1e9);
      assert.equal(debian.rows("linux.log").at(-1)?.text, line);
    }
  }
  const { because } = verdictOn(warned),
    warning = { code: "kernel", finding: { code: "warned", at: /^__arm64_sys_sysinfo/, task: { name: "init" } } } as const;
  assert.ok(because.some((one) => fits(one, warning)), JSON.stringify(because));
  const oops = { code: "oops-survived", what: /NULL pointer/, at: /^__arm64_sys_sysinfo/, task: { name: "init" }, count: 1 };
  assert.ok(fits(verdictOn(died).fact, { code: "kernel-broken", finding: oops }), verdictOn(died).text);
});

const OF_INIT = { name: "init", pid: 1 };
const DEFECTS: readonly (readonly [name: string, symbol: string, words: readonly number[], how: string, fact: FactPart, lines: RegExp])[] =
  [
    [
      ...["an undefined instruction, for init", "__arm64_sys_sysinfo", UNDEFINED, "sysinfo"] as const,
      { code: "panicked", cause: { code: "oops", at: "__arm64_sys_sysinfo", task: OF_INIT } },
      /undefined instruction in the kernel at __arm64_sys_sysinfo, in task init \(1\)/,
    ],
    [
      ...["a null pointer, for a child", "__arm64_sys_sysinfo", LOAD_NULL, "child-sysinfo"] as const,
      { code: "kernel-broken", finding: { code: "oops-survived", at: /^__arm64_sys_sysinfo\+0x4/ } },
      /unable to handle kernel NULL pointer dereference at virtual address 0000000000000000 at __arm64_sys_sysinfo\+0x4/,
    ],
    [
      ...["a null pointer, for init", "__arm64_sys_sysinfo", LOAD_NULL, "sysinfo"] as const,
      { code: "panicked", cause: { code: "oops", at: "__arm64_sys_sysinfo+0x4", task: OF_INIT } },
      /data abort, read: translation fault, level \d in the kernel at __arm64_sys_sysinfo\+0x4, .* 0x0 is not mapped/,
    ],
    [
      ...["an undefined instruction in an interrupt", "hrtimer_interrupt", UNDEFINED, "stay"] as const,
      { code: "panicked", cause: { code: "oops", at: "hrtimer_interrupt" } },
      /undefined instruction in the kernel at hrtimer_interrupt/,
    ],
    [
      ...["an undefined instruction, for a child", "__arm64_sys_sysinfo", UNDEFINED, "child-sysinfo"] as const,
      { code: "kernel-broken", finding: { code: "oops-survived", at: /^__arm64_sys_sysinfo\+0x0/, task: { name: "init" }, count: 1 } },
      /Oops - Undefined instruction: \w+ at __arm64_sys_sysinfo\+0x0.*, which killed task init \(\d+\)/,
    ],
    [
      ...["a branch to nowhere", "__arm64_sys_sysinfo", JUMP_NULL, "sysinfo"] as const,
      { code: "panicked", cause: { code: "oops", at: /^0x0, called by invoke_syscall/ } },
      /NULL pointer dereference .* in the kernel at 0x0, called by invoke_syscall/,
    ],
    [
      ...["a store to its own code", "__arm64_sys_sysinfo", STORE_CODE, "sysinfo"] as const,
      { code: "panicked", cause: { code: "oops", at: "__arm64_sys_sysinfo+0x4", cause: { code: "no-permission" } } },
      /permission fault, .* the store at 0x[0-9a-f]+ is not permitted at EL1, which has rx/,
    ],
    [
      ...["a failed assertion", "__arm64_sys_sysinfo", BUG, "sysinfo"] as const,
      { code: "panicked", cause: { code: "oops", at: "__arm64_sys_sysinfo", cause: { code: "trap-instruction" } } },
      /brk #2048 was executed on purpose: a failed assertion/,
    ],
    [
      ...["a stack that overflows", "__arm64_sys_sysinfo", PUSH_FOREVER, "sysinfo"] as const,
      { code: "panicked", cause: { code: "stack-overflow", at: "__arm64_sys_sysinfo", task: OF_INIT } },
      /the kernel's stack of task init \(1\) overflowed at __arm64_sys_sysinfo/,
    ],
  ];

/** The first ones in each run, the others with EL2_LONG. */
const DEFECTS_ALWAYS = 2;

for (const [name, symbol, words, how, fact, lines] of LONG ? DEFECTS : DEFECTS.slice(0, DEFECTS_ALWAYS)) {
  Deno.test(`a kernel with a defect: ${name}`, async () => {
    const debian = (await waiting()).copy();
    patch(debian, symbol, words);
    debian.type(`${how}\n`);
    if (fact.code === "panicked") {
      panicsAtOnce(debian.system, "host", PATIENCE);
      // Its message is composed later.
      debian.run(ASKED);
    }
    assertSick(debian, fact, lines);
  });
}

Deno.test("a task that waits for ever for a lock of another one hangs after two minutes", async () => {
  const debian = (await waiting()).copy();
  debian.type("log-twice\n");
  const lines =
    /task init \(\d+\) has waited for 1\d\d\.\ds in \S*fdget_pos\S*, .* for a mutex that task init \(\d+\) holds, which waits in \S*syslog/;
  assertSick(debian, { code: "kernel-waits", finding: { code: "hung", lock: "mutex", holder: { task: { name: "init" } } } }, lines, HANGS);
});

if (LONG) {
  Deno.test("a kernel that panics where a task hangs", async () => {
    const debian = (await waiting()).copy();
    debian.type("log-twice-panic\n");
    // The hang itself is a verdict before.
    debian.until(/end Kernel panic/);
    assertSick(
      debian,
      { code: "panicked", cause: { code: "hung", lock: "mutex" } },
      /has waited for 2\d\d\.\ds in .* for a mutex that task init/,
    );
  });

  Deno.test("a kernel that panics where it warns", async () => {
    const debian = (await waiting()).copy();
    warn(debian);
    debian.type("warn-panic\n");
    // Its message is logged after the call of panic().
    debian.until(/end Kernel panic/);
    assertSick(debian, { code: "panicked", cause: { code: "warned", task: OF_INIT } }, /the kernel has warned at __arm64_sys_sysinfo/);
  });

  Deno.test("a kernel that sleeps with masked interrupts", async () => {
    const debian = (await waiting()).copy();
    patch(debian, "__arm64_sys_sysinfo", SLEEP_MASKED);
    debian.type("sysinfo\n");
    assertSick(debian, { code: "wfi-returns" }, /its WFI at 0x[0-9a-f]+ returns at once/);
  });

  Deno.test("a kernel with a defect: a loop that its watchdog finds", async () => {
    const debian = (await waiting()).copy();
    patch(debian, "__arm64_sys_sysinfo", FOREVER);
    debian.type("sysinfo\n");
    // The loop itself is a verdict before.
    debian.until(/end Kernel panic/);
    const cause = { code: "lockup", at: "__arm64_sys_sysinfo", task: OF_INIT };
    assertSick(debian, { code: "panicked", cause }, /has been in the kernel too long/);
  });
}

/** STP of the frame, MOV and MOVK of X0, BL, MOV W0 of -ENODEV, LDP, RET. */
const PUSH = 0xa9bf_7bfd, LOW = 0xd280_0000, HIGH = 0xf2a0_0000, NO_DEVICE = 0x1280_0240, POP = 0xa8c1_7bfd, RET = 0xd65f_03c0;

/** A Linux whose driver of the serial port sleeps in its probe, for so many milliseconds. */
async function slowProbe(ms: number): Promise<Debian> {
  const debian = await Debian.start("bookworm", { initrd: await ramdisk({ init: undefined }) });
  while (debian.ask("linux.log").rows.length < 20) assert.ok(debian.run(1e6));
  const at = debian.symbol("pl011_probe"), half = (shift: number) => (ms >>> shift & 0xffff) << 5;
  const call = branch(BL, at + 12n, debian.symbol("msleep"));
  patch(debian, at, [PUSH, LOW + half(0), HIGH + half(16), call, NO_DEVICE, POP, RET]);
  return debian;
}

if (LONG) {
  Deno.test("a driver that waits for ever in its probe is named with its device and interrupt", async () => {
    const lines =
      /task swapper\/0 \(1\) has waited for 1\d\d\.\ds in msleep.*; it starts driver uart-pl011 of device 9000000\.pl011 \(pl011@9000000\), whose interrupt \d+ has no handler/;
    assertSick(await slowProbe(1e9), { code: "kernel-waits", finding: { code: "hung" } }, lines, HANGS);
  });

  Deno.test("a driver that waits in its probe and gives up leaves its VM healthy", async () => {
    const debian = await slowProbe(3000);
    for (let time = 0; time < 2 * LIFE; time += LIFE / 20) {
      assert.ok(debian.run(LIFE / 20), debian.shown);
      const row = verdictOn(debian);
      assert.ok(row.healthy, diagnosisLines(row).join("\n"));
    }
    assert.ok(debian.rows("linux.log").some(({ text }) => text === "Run /init as init process"));
  });
}

/** An ELF file's header and one program header. */
function elf(machine: number, kind: number, content: string, size = 0): Uint8Array {
  const bytes = new Uint8Array(128 + content.length), view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  [2, machine].forEach((half, index) => view.setUint16(16 + 2 * index, half, true));
  view.setUint32(20, 1, true);
  view.setBigUint64(32, 64n, true);
  [64, 56, 1].forEach((half, index) => view.setUint16(52 + 2 * index, half, true));
  view.setUint32(64, kind, true);
  view.setBigUint64(72, 128n, true);
  [size || content.length, size || content.length].forEach((word, index) => view.setBigUint64(96 + 8 * index, BigInt(word), true));
  bytes.set(new TextEncoder().encode(content), 128);
  return bytes;
}

const AARCH64 = 183, X86_64 = 62, LOAD = 1, INTERPRETER = 3;
const LINKER = "/lib/ld-linux-aarch64.so.1";

interface Boot {
  readonly files?: Readonly<Record<string, Uint8Array | string | undefined>>;
  readonly mode?: number;
  /** The ramdisk that the kernel gets. */
  readonly given?: (archive: Uint8Array) => Uint8Array | null;
  readonly append?: string;
  /** The node that the devicetree lacks. */
  readonly without?: RegExp;
  /** A change of the devicetree. */
  readonly tree?: (root: DevicetreeNode) => void;
  readonly cpus?: number;
  readonly image?: (image: Uint8Array) => Uint8Array;
  readonly devices?: readonly DevicePlan[];
}

/** Sets a property of a node below the root, or of all below a node. */
const set = (node: RegExp, name: string, value: Uint8Array) => (root: DevicetreeNode) =>
  (root.children.find((one) => node.test(one.name)) ?? assert.fail(String(node))).properties.set(name, value);
const oopsOf = (exception: string, cause: string): FactPart => ({
  code: "panicked",
  cause: { code: "oops", exception, cause: { code: cause } },
});

const HVC: readonly DevicePlan[] = [{ kind: "console", ports: ["hvc0"] }];
const notRun = (why: Partial<NotRun>): FactPart => ({ code: "panicked", cause: { code: "init-not-run", why } });
/** The first ones in each run, the others with EL2_LONG. */
const ALWAYS = 2;
const BOOTS: readonly (readonly [name: string, boot: Boot, fact: FactPart, lines: RegExp])[] = [
  [
    "an init for another computer",
    { files: { init: elf(X86_64, LOAD, "x") } },
    notRun({ code: "architecture" }),
    /a program for x86-64\n {2}way out: build it/,
  ],
  [
    "a root that is not there, and a console without its driver",
    { given: () => null, append: "root=/dev/vda console=hvc0", devices: HVC },
    {
      ...{ code: "panicked", cause: { code: "root-without-disk", root: "/dev/vda" } },
    },
    /root=\/dev\/vda is not there: the VM has no disk, and the kernel no driver virtio_mmio, virtio_blk[^]* console hvc0, .* it has no driver virtio_mmio, virtio_console/,
  ],
  [
    "a devicetree without timer",
    { without: /timer/ },
    { code: "panicked", cause: { code: "devicetree-lacks", node: "timer" } },
    /add .*timer \{/,
  ],
  [
    "an earlycon where nothing is",
    { append: "earlycon=pl011,0x3f000000" },
    oopsOf("data abort: external abort", "no-device"),
    /nothing answers at pa:0x3f000018[^]*earlycon/,
  ],
  [
    "more memory in its devicetree than it has",
    { tree: set(/^memory/, "reg", cells(0, 0x4000_0000, 0, 0x4000_0000)) },
    oopsOf("data abort: external abort", "not-given"),
    /the devicetree has \/memory@40000000 at 0x40000000..0x7fffffff, and nothing answers at 0x[0-9a-f]+; way out: fix its reg/,
  ],
  [
    "a GIC at another address",
    { tree: set(/^intc/, "reg", cells(0, 0x1800_0000, 0, 0x1_0000, 0, 0x80a_0000, 0, 0xf6_0000)) },
    oopsOf("data abort: external abort", "no-device"),
    /the devicetree has \/intc\S* at 0x18000000/,
  ],
  ["a timer of other interrupts", { tree: set(/^timer/, "interrupts", cells(1, 5, 8, 1, 6, 8, 1, 7, 8, 1, 4, 8)) }, {
    code: "lost",
    irq: "irq:host/27",
  }, /names INTID 23 for the virtual timer, which is INTID 27/],
  ["a GICv2 in its devicetree", { tree: set(/^intc/, "compatible", new TextEncoder().encode("arm,gic-400\0")) }, {
    code: "lost",
    irq: "irq:host/27",
  }, /the guest drives a GICv2/],
  [
    "a devicetree without chosen",
    { without: /^chosen/ },
    { code: "panicked", cause: { code: "no-root" } },
    /a ramdisk is at .*, and \/chosen does not name it/,
  ],
  [
    "half of its image",
    { image: (image) => image.slice(0, image.length >> 1) },
    { code: "fault-loop" },
    /the kernel's image is truncated: it has \d+ bytes, and its header names \d+/,
  ],
  [
    "a limit of memory below its own size",
    { append: "mem=24M" },
    { code: "panicked" },
    /the command line has mem=24M, and the kernel's image needs 2\d\.\dM/,
  ],
  [
    "a limit of memory that is just too low",
    { append: "mem=48M" },
    { code: "panicked", cause: { code: "out-of-memory", taken: { option: "mem=48M", size: 208 << 20, of: 256 << 20 } } },
    /no memory is left of 1\d MiB, [^]*; mem=48M takes 208M of the VM's 256M\n {2}way out: remove mem=48M from the command line/,
  ],
  [
    "another rdinit",
    { append: "rdinit=/nothing" },
    { code: "panicked", cause: { code: "no-root", program: "/nothing", files: 1 } },
    /has 1 file and no \/nothing/,
  ],
  [
    "half of a compressed ramdisk",
    { given: (archive) => gzipped(archive).slice(0, 900) },
    { code: "panicked", cause: { code: "ramdisk-bad" } },
    /the ramdisk was not unpacked after [^]*the ramdisk of 900 bytes is a truncated gzip stream/,
  ],
  ["an init that may not be executed", { mode: 0o644 }, notRun({ code: "mode", mode: "0644" }), /it is not executable \(mode 0644\)/],
  [
    "an init without its linker",
    { files: { init: elf(AARCH64, INTERPRETER, `${LINKER}\0`) } },
    notRun({ code: "no-interpreter", interpreter: LINKER }),
    /its interpreter \/lib\/ld-linux-aarch64.so.1 does not exist[^]*-static/,
  ],
  [
    "a script without its shell",
    { files: { init: "#!/bin/bash\n" } },
    notRun({ code: "no-interpreter", interpreter: "/bin/bash" }),
    /put \/bin\/bash there/,
  ],
  [
    "a script whose lines end with CR and LF",
    { files: { init: "#!/bin/run\r\n", "bin/run": undefined } },
    notRun({ code: "no-interpreter", interpreter: "/bin/run\r" }),
    /its interpreter \/bin\/run\\r does not exist\n {2}way out: end the lines of the script with LF alone, without CR/,
  ],
  ["an empty init", { files: { init: "" } }, notRun({ code: "empty" }), /it is empty/],
  ["half of an init", { files: { init: elf(AARCH64, LOAD, "x", 10_000) } }, notRun({ code: "cut" }), /a truncated ELF file/],
  ["a script without its first line", { files: { init: "echo hello\n" } }, notRun({ code: "format" }), /begins with 65 63 68 6f/],
  [
    "a ramdisk of another kind",
    { given: () => new Uint8Array(8192).fill(0x5a) },
    { code: "panicked", cause: { code: "ramdisk-bad" } },
    /the ramdisk was not unpacked/,
  ],
  ["half of a ramdisk", { given: (archive) => archive.slice(0, 2000) }, { code: "panicked" }, /is a truncated cpio archive/],
  [
    "a ramdisk without init",
    { files: { other: undefined } },
    { code: "panicked", cause: { code: "no-root", program: "/init", files: 1 } },
    /has 1 file and no \/init/,
  ],
  ["no ramdisk and no root", { given: () => null }, { code: "panicked", cause: { code: "no-root", files: 0 } }, /there is no ramdisk/],
  ["a devicetree without GIC", { without: /^intc|interrupt-controller/ }, { code: "no-wakeup" }, /add .*gic-v3/],
  ["a devicetree without CPUs", { without: /^cpus$/ }, { code: "kernel-broken" }, /the devicetree has no cpu; way out: add cpus/],
  [
    "a devicetree without memory",
    { without: /^memory/ },
    { code: "panicked", cause: { code: "devicetree-lacks", node: "memory" } },
    /add .*memory@/,
  ],
];

/** Without a node. */
function without(pattern: RegExp): (root: DevicetreeNode) => void {
  return ({ children }) => {
    const kept = children.filter(({ name }) => !pattern.test(name));
    assert.ok(kept.length < children.length);
    children.splice(0, children.length, ...kept);
  };
}

/** The devicetree that el2 makes, with a change. */
async function changedTree(cpus: number, change: (root: DevicetreeNode) => void): Promise<Uint8Array> {
  const { system } = cpus === 1 ? await waiting() : await Debian.start("bookworm", { cpus }),
    at = system.devicetrees.get("host") ?? assert.fail();
  const read = readDevicetree(system.machine.ram.bytes(at, 0x1_0000));
  assert.ok(read.ok);
  change(read.tree.root);
  return writeDevicetree(read.tree);
}

for (const [name, boot, fact, lines] of LONG ? BOOTS : BOOTS.slice(0, ALWAYS)) {
  Deno.test(`a Linux does not come up: ${name}`, async () => {
    const debian = await started(boot);
    assertSick(debian, fact, lines);
  });
}

/** A Linux of which not all is as its maker wanted, and that comes up; with a line of evidence. */
const ODD: readonly (readonly [name: string, boot: Boot, evidence: RegExp])[] = [
  [
    "a console whose driver is a module that nobody loads",
    { append: "console=hvc0", devices: HVC },
    /names console hvc0, and the kernel has registered none: it has no driver virtio_mmio, virtio_console; way out: give a ramdisk/,
  ],
  [
    "a console that waits for its clock",
    { tree: waitsForClock },
    /names console ttyAMA0, and the kernel has registered none: the probe of 9000000\.\w+ is put off.*; way out: fix .* the clock/,
  ],
  [
    "a console whose driver is left out",
    { append: "initcall_blacklist=pl011_init console=ttyAMA0" },
    /has registered none: its driver has not started the device; way out: see in el2 linux log/,
  ],
  ["two consoles, one of them without a driver", { append: "console=hvc0 console=ttyAMA0" }, /^(?![^]*way out)/],
  ["a console that is not there", { append: "console=ttyS0" }, /console ttyS0, and this VM has ttyAMA0: .*; way out: use console=ttyAMA0/],
  ["four CPUs without PSCI", { cpus: 4, without: /^psci/ }, /the devicetree has no psci; way out: add psci/],
  [
    "four CPUs with a spin-table",
    { cpus: 4, tree: ofCpus("enable-method", new TextEncoder().encode("spin-table\0")) },
    /cpu@1, cpu@2, cpu@3 will not start/,
  ],
  [
    "a CPU by another number",
    { cpus: 4, tree: ofCpus("reg", cells(0x700), 2) },
    /PSCI CPU_ON of MPIDR 0x700 by vcpu:host\/\d .* -> INVALID_PARAMETERS/,
  ],
  ["two of four CPUs", { cpus: 4, append: "maxcpus=2" }, /^(?![^]*way out)/],
  ["one of four CPUs", { cpus: 4, append: "nosmp" }, /^(?![^]*way out)/],
  ["a quiet boot", { append: "quiet" }, /^(?![^]*way out)/],
  ["a slow clock", { append: "clocksource=jiffies" }, /^(?![^]*way out)/],
  ["a module that is not there", { append: "nothing.option=1 driver_async_probe=nothing" }, /^(?![^]*way out)/],
  ["a later init that is not there", { append: "init=/nothing" }, /^(?![^]*way out)/],
];

/** The clock of the serial port is a device without a driver. */
function waitsForClock(root: DevicetreeNode): void {
  const phandle = 0x7777, port = root.children.find(({ name }) => name.endsWith("@9000000")) ?? assert.fail();
  port.properties.set("clocks", cells(phandle, phandle));
  port.properties.set("clock-names", new TextEncoder().encode("uartclk\0apb_pclk\0"));
  root.children.push(node("clock", { compatible: "example,none", "#clock-cells": cells(0), phandle: cells(phandle) }));
}

/** Sets a property of the CPUs after the first, or of one. */
function ofCpus(name: string, value: Uint8Array, only?: number): (root: DevicetreeNode) => void {
  return ({ children }) => {
    const cpus = children.find((one) => one.name === "cpus")?.children.filter((one) => one.name.startsWith("cpu@")) ?? assert.fail();
    for (const cpu of only === undefined ? cpus.slice(1) : [cpus[only]]) cpu.properties.set(name, value);
  };
}

if (LONG) {
  for (const [name, boot, evidence] of ODD) {
    Deno.test(`a Linux comes up, healthy all the while: ${name}`, async () => {
      const debian = await started(boot);
      for (let time = 0; time < LIFE; time += ASKED) {
        assert.ok(debian.run(ASKED), debian.shown);
        const row = verdictOn(debian);
        assert.ok(row.healthy, diagnosisLines(row).join("\n"));
      }
      assert.match(verdictOn(debian).evidence.join("\n"), evidence);
    });
  }
}

/** Boots that a way out fixes, and what is booted as it says. */
const FIXED: readonly (readonly [name: string, boot: Boot, told: RegExp, fixed: Boot])[] = [
  ["a console", { append: "console=ttyS0" }, /way out: use console=ttyAMA0/, { append: "console=ttyAMA0" }],
  ["an earlycon", { append: "earlycon=pl011,0x3f000000" }, /way out: use earlycon without an address/, { append: "earlycon" }],
  ["a limit of memory", { append: "mem=24M" }, /way out: leave it out/, {}],
  ["an rdinit", { append: "rdinit=/nothing" }, /way out: put \/nothing into the ramdisk/, {
    ...{ append: "rdinit=/nothing", files: { nothing: undefined } },
  }],
  ["the mode of init", { mode: 0o644 }, /way out: give it mode 0755/, { mode: 0o755 }],
];

if (LONG) {
  for (const [name, boot, told, fixed] of FIXED) {
    Deno.test(`a Linux is healed as told: ${name}`, async () => {
      const debian = await started(boot);
      for (let time = 0; time < LIFE && (verdictOn(debian)?.healthy ?? true); time += ASKED) debian.run(ASKED);
      assert.match(diagnosisLines(verdictOn(debian)).join("\n"), told);
      const healed = await started(fixed);
      healed.until(/how\?/);
      const row = verdictOn(healed);
      assert.ok(row.healthy && !told.test(diagnosisLines(row).join("\n")), diagnosisLines(row).join("\n"));
    });
  }
}

const gzipped = (bytes: Uint8Array) => new Uint8Array(gzipSync(bytes));

async function started(
  { files = { init: undefined }, mode, given, append = "", without: pattern, tree, cpus = 1, image, devices }: Boot,
): Promise<Debian> {
  const archive = await ramdisk(files, mode), initrd = given ? given(archive) : archive;
  const change = pattern ? without(pattern) : tree, dtb = change && await changedTree(cpus, change);
  // The last console that is named counts.
  return await Debian.start("bookworm", {
    initrd,
    append: `${/\bconsole=/.test(append) ? "" : "console=ttyAMA0 "}${append}`,
    dtb,
    cpus,
    image,
    devices,
  });
}
