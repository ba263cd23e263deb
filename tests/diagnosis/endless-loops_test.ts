// Loops that nothing ends name the mistake that keeps them: a return to itself, an exclusive store
// to another address, a lock that the CPU holds itself, a call with the same answer each time, an
// interrupt that is masked, a VM or a CPU that would have written and has ended. Each is healthy as
// its way out says.

import assert from "node:assert/strict";
import { once } from "../../src/kit/support/values/once.ts";
import type { GuestSystem } from "../../src/session/assembly/system/guest-system.ts";
import { demoSystem, rows, runUntil } from "../session/inspection/system.ts";
import { Random } from "../support/random.ts";
import { assembleGuest } from "./assembly-guest.ts";
import { fits } from "./class-guests.ts";
import { runHealthy } from "./healthy.ts";

/** Virtual time (ns) by which each is in its loop, and for which healthy ones are asked. */
const BEGUN = 50e6, HEALTHY_FOR = 60e6;
/** Virtual time (ns) in which a lock is taken and released, and between two questions at most. */
const HELD_FOR = 80e6, APART = 8e6;

const folder = await Deno.makeTempDir({ prefix: "el2-loops-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

interface Loop {
  readonly sick: string;
  readonly healed: string;
  readonly keys?: string;
  /** The VM with which it shares memory. */
  readonly other?: string;
  /** Its first evidence. */
  readonly first: Readonly<Record<string, unknown>>;
  readonly wayOut: RegExp;
}

const either = (of: (part: string) => string, sick: string, healed: string) => ({ sick: of(sick), healed: of(healed) });
const STACK = "mov64 x9, 0x80020000\nmov sp, x9\n", SLEEP = "9: wfi\nb 9b\n", OFF = "mov64 x0, 0x84000002\nhvc #0";
const cpuOn = "mov64 x0, 0xc4000003\nmov x1, #1\nadr x2, second\nmov x3, #0\nhvc #0\n";
const TWO = { keys: "vcpus = 2" };
const VECTORS = "adr x0, vectors\nmsr vbar_el1, x0\nisb\n";
const sgiOf = (gicr: string) =>
  `mov x2, #0xf0\nmsr icc_pmr_el1, x2\nmov x2, #1\nmsr icc_igrpen1_el1, x2\nmov64 x1, ${gicr}\nmov w2, #2\nstr w2, [x1, #0x80]\nstr w2, [x1, #0x100]\n`;
/** Asks another CPU for something by SGI 1, and waits until that one's handler has done it. */
const asks = (flag: number, cpu: number, daif: string) =>
  `${daif}\nmov64 x6, 0x100000${cpu}\nmsr icc_sgi1r_el1, x6\n1: ldr w0, [x20, #${flag}]\ncbz w0, 1b\n`;
const DOES =
  "mrs x13, icc_iar1_el1\nmrs x14, mpidr_el1\nand x14, x14, #1\nmov w15, #1\nadd x14, x20, x14, lsl #2\nstr w15, [x14]\nmsr icc_eoir1_el1, x13\neret";
const TICKS = "timer_gic\ntimer_period\nmsr cntv_tval_el0, x2\nmov x3, #1\nmsr cntv_ctl_el0, x3\n";
/** Two CPUs take the locks X20 and X21 once, one after the other; the second one as it is told. */
const lockBoth = (second: string, take: string) =>
  `${STACK}mov64 x20, 0x80180000\nmov64 x21, 0x80180040\n${cpuOn}b 6f\nsecond: mov64 x9, 0x80021000\nmov sp, x9\nmov64 x20, 0x80180000\nmov64 x21, 0x80180040\n${second}\n` +
  "6: mov x0, x20\nbl lock\nmov64 x5, 60000\n7: subs x5, x5, #1\nb.ne 7b\nmov x0, x21\nbl lock\nstlr wzr, [x21]\nstlr wzr, [x20]\n" +
  `mrs x5, mpidr_el1\ntbnz x5, #0, 8f\nsleep_healthily\n8: ${OFF}\nlock: mov w1, #1\n1: ${take}\nret`;
/** The timer's interrupt is of group 0; its handler sets a flag. */
const FIQS =
  `mov64 x20, 0x80180000\n${VECTORS}timer_gic\nmov64 x1, 0x080b0000\nstr wzr, [x1, #0x80]\nmov64 x1, 0x08000000\nmov w2, #0x13\nstr w2, [x1]\n` +
  "timer_period\nmsr cntv_tval_el0, x2\nmov x3, #1\nmsr icc_igrpen0_el1, x3\nmsr cntv_ctl_el0, x3\n";
const FIQ_VECTORS = ".balign 2048\nvectors: .zero 0x300\nmrs x13, icc_iar0_el1\nmsr cntv_tval_el0, x2\nmov w14, #1\nstr w14, [x20]\n" +
  "msr icc_eoir0_el1, x13\neret\n.balign 2048";
/** Takes the lock X20 by exchanging it, which stores 1 whether it was taken or not. */
const TAKE = "9: mov w1, #1\nldaxr w0, [x20]\nstxr w3, w1, [x20]\ncbnz w3, 9b\ncbnz w0, 9b\n";
const BOARD = "mov64 x1, 0x40001000\n";

const LOOPS: Readonly<Record<string, Loop>> = {
  "returns to itself": {
    ...either(
      (body) => `${STACK}bl f\nsleep_healthily\nf: ${body}\nret\ng: ret`,
      "bl g",
      "stp x29, x30, [sp, #-16]!\nbl g\nldp x29, x30, [sp], #16",
    ),
    first: { code: "returns-to-itself", vcpu: /^vcpu:/ },
    wayOut: /^save X30/,
  },
  "stores exclusively to another address": {
    ...either(
      (to) =>
        `mov64 x1, 0x80180000\nmov64 x3, 0x80181000\n1: ldxr w0, [x1]\nadd w0, w0, #1\nstxr w2, w0, [${to}]\ncbnz w2, 1b\nsleep_healthily`,
      "x3",
      "x1",
    ),
    first: { code: "stray-exclusive", address: "0x80181000", reserved: "0x80180000" },
    wayOut: /same address/,
  },
  "takes a lock that it has taken": {
    ...either(
      (unlock) =>
        `mov64 x20, 0x80180000\nbl lock\n${unlock}\nbl lock\nsleep_healthily\nlock: mov w1, #1\n1: ldaxr w0, [x20]\ncbnz w0, 1b\nstxr w2, w1, [x20]\ncbnz w2, 1b\nret`,
      "nop",
      "stlr wzr, [x20]",
    ),
    first: { code: "own-lock", lock: { first: "0x80180000" }, value: "0x1" },
    wayOut: /^release the lock/,
  },
  "exchanges for a lock that it has taken": {
    ...either(
      (unlock) =>
        `mov64 x20, 0x80180000\nbl lock\n${unlock}\nbl lock\nsleep_healthily\nlock: mov w1, #1\n1: swpa w1, w0, [x20]\ncbnz w0, 1b\nret`,
      "nop",
      "stlr wzr, [x20]",
    ),
    first: { code: "own-lock", lock: { first: "0x80180000" }, interrupted: null },
    wayOut: /^release the lock/,
  },
  "takes in a handler the lock of the code that it interrupts": {
    ...either(
      (daif) =>
        `mov64 x20, 0x80180000\n${VECTORS}${TICKS}msr daifclr, #2\n2: ${daif}\n${TAKE}mov64 x5, 10000000\n7: subs x5, x5, #1\nb.ne 7b\n` +
        `stlr wzr, [x20]\nmsr daifclr, #2\nb 2b\n.balign 2048\nvectors: .zero 0x280\nmrs x13, icc_iar1_el1\n${TAKE}stlr wzr, [x20]\n` +
        "msr cntv_tval_el0, x2\nmsr icc_eoir1_el1, x13\neret\n.balign 2048",
      "nop",
      "msr daifset, #2",
    ),
    first: { code: "own-lock", lock: { first: "0x80180000" }, interrupted: { first: /^0x8/ } },
    wayOut: /^mask interrupts/,
  },
  "takes two locks in another order than its other CPU": {
    ...either(
      (second) => lockBoth(second, "ldaxr w4, [x0]\ncbnz w4, 1b\nstxr w2, w1, [x0]\ncbnz w2, 1b"),
      "mov x22, x21\nmov x21, x20\nmov x20, x22",
      "nop",
    ),
    ...TWO,
    first: {
      code: "taken-locks",
      waits: [{ vcpu: /\/0$/, lock: { first: "0x80180040" } }, { vcpu: /\/1$/, lock: { first: "0x80180000" } }],
    },
    wayOut: /^take locks in one order/,
  },
  "takes two locks by CAS in another order than its other CPU": {
    ...either(
      (second) => lockBoth(second, "mov w2, #0\ncasa w2, w1, [x0]\ncbnz w2, 1b"),
      "mov x22, x21\nmov x21, x20\nmov x20, x22",
      "nop",
    ),
    ...TWO,
    first: { code: "taken-locks", waits: [{ lock: { first: "0x80180040" } }, { lock: { first: "0x80180000" } }] },
    wayOut: /^take locks in one order/,
  },
  "sleeps while an FIQ is masked": {
    ...either((daif) => `${FIQS}msr daifclr, #${daif}\n${SLEEP}${FIQ_VECTORS}`, "2", "3"),
    first: { code: "masked" },
    wayOut: /clear PSTATE\.F/,
  },
  "waits for an FIQ's handler, and masks the FIQ": {
    ...either(
      (daif) => `${FIQS}msr daifclr, #${daif}\n1: ldr w0, [x20]\ncbz w0, 1b\nstr wzr, [x20]\nmsr daifclr, #1\n${SLEEP}${FIQ_VECTORS}`,
      "2",
      "1",
    ),
    first: { code: "masked-pending", irq: /\/27$/, mask: "F" },
    wayOut: /clear PSTATE\.F/,
  },
  "asks for more random bits than a call gives": {
    ...either((bits) => `1: mov64 x0, 0x84000053\nmov x1, #${bits}\nhvc #0\ncbnz x0, 1b\nsleep_healthily`, "128", "96"),
    first: { code: "same-answer", function: "TRNG_RND", argument: "0x80", answer: "-2" },
    wayOut: /fix its arguments/,
  },
  "asks for a version until it is another one": {
    ...either((again) => `1: mov64 x0, 0x84000000\nhvc #0\nlsr x0, x0, #16\ncmp x0, #2\n${again}\nsleep_healthily`, "b.ne 1b", "nop"),
    first: { code: "same-answer", function: "PSCI_VERSION", other: null },
    wayOut: /give up after some tries/,
  },
  "asks whether a CPU is off that sleeps": {
    ...either(
      (end) => `${cpuOn}1: mov64 x0, 0xc4000004\nmov x1, #1\nmov x2, #0\nhvc #0\ncmp x0, #1\nb.ne 1b\nsleep_healthily\nsecond: ${end}`,
      SLEEP,
      OFF,
    ),
    ...TWO,
    first: { code: "same-answer", function: "AFFINITY_INFO", other: { vcpu: /\/1$/, asleep: true } },
    wayOut: /call CPU_OFF/,
  },
  "waits for a CPU that waits for it, and both mask the interrupt": {
    ...either(
      (daif) =>
        `mov64 x20, 0x80180000\n${VECTORS}${sgiOf("0x080b0000")}mov64 x1, 0x08000000\nmov w2, #0x12\nstr w2, [x1]\n${cpuOn}` +
        `${asks(4, 2, daif)}msr daifset, #2\nsleep_healthily\n` +
        `second: mov64 x20, 0x80180000\n${VECTORS}${sgiOf("0x080d0000")}${
          asks(0, 1, daif)
        }${SLEEP}.balign 2048\nvectors: .zero 0x280\n${DOES}\n.balign 2048`,
      "msr daifset, #2",
      "msr daifclr, #2",
    ),
    ...TWO,
    first: { code: "masked-pending", irq: /\/1$/, vcpu: /\/0$/ },
    wayOut: /clear PSTATE\.I/,
  },
  "runs a program at EL0 that its timer cannot interrupt": {
    ...either(
      (spsr) =>
        `${VECTORS}${TICKS}mov x0, #${spsr}\nmsr spsr_el1, x0\nadr x0, user\nmsr elr_el1, x0\neret\nuser: b user\n.balign 2048\nvectors: .zero 0x480\n` +
        "mrs x13, icc_iar1_el1\nmsr cntv_tval_el0, x2\nisb\nmsr icc_eoir1_el1, x13\neret\n.balign 2048",
      "0x80",
      "0",
    ),
    first: { code: "masked-pending", irq: /\/27$/ },
    wayOut: /SPSR_EL1/,
  },
  "waits for a lock of a CPU that has turned itself off": {
    ...either(
      (unlock) =>
        `mov64 x20, 0x80180000\n${cpuOn}2: ldr w0, [x20, #4]\ncbz w0, 2b\n1: ldr w0, [x20]\ncbnz w0, 1b\nsleep_healthily\n` +
        `second: mov64 x20, 0x80180000\nmov w0, #1\nstr w0, [x20]\nstr w0, [x20, #4]\n${unlock}\n${OFF}`,
      "nop",
      "stlr wzr, [x20]",
    ),
    ...TWO,
    first: { code: "vcpus-off", vcpus: [/\/1$/], started: true },
    wayOut: /on another vCPU/,
  },
  "waits for a handler of an SGI that the other CPU has not enabled": {
    ...either(
      (enable) =>
        `mov64 x20, 0x80180000\nmov64 x1, 0x08000000\nmov w2, #0x12\nstr w2, [x1]\n${cpuOn}2: ldr w0, [x20]\ncbz w0, 2b\n` +
        "mov64 x6, 0x1000002\nmsr icc_sgi1r_el1, x6\n1: wfe\nldr w0, [x20, #8]\ncbz w0, 1b\nsleep_healthily\n" +
        `second: mov64 x20, 0x80180000\n${VECTORS}mov x2, #0xf0\nmsr icc_pmr_el1, x2\nmov x2, #1\nmsr icc_igrpen1_el1, x2\n` +
        `mov64 x1, 0x080d0000\nmov w2, #2\nstr w2, [x1, #0x80]\n${enable}\nmsr daifclr, #2\nmov w0, #1\nstr w0, [x20]\n${SLEEP}` +
        ".balign 2048\nvectors: .zero 0x280\nmrs x13, icc_iar1_el1\nmov w14, #1\nstr w14, [x20, #8]\nsev\nmsr icc_eoir1_el1, x13\neret\n.balign 2048",
      "nop",
      "str w2, [x1, #0x100]",
    ),
    ...TWO,
    first: { code: "barred-sgi", irq: /\/1@1$/, finding: { code: "disabled" } },
    wayOut: /^enable it/,
  },
  "waits for its ticket, which the last release has passed": {
    ...either(
      (step) =>
        `mov64 x20, 0x80180000\nadd x21, x20, #4\nbl take\nldr w0, [x21]\nadd w0, w0, #${step}\nstlr w0, [x21]\nbl take\nsleep_healthily\n` +
        "take: ldaxr w1, [x20]\nadd w2, w1, #1\nstxr w3, w2, [x20]\ncbnz w3, take\n1: ldar w3, [x21]\ncmp w3, w1\nb.ne 1b\nret",
      "2",
      "1",
    ),
    first: { code: "unwritten", range: { first: "0x80180004" }, value: "0x00000002", until: { is: "equal", to: "0x00000001" } },
    wayOut: /^change what it reads/,
  },
  "waits in a handler for the code that it has interrupted": {
    ...either(
      (poll) =>
        `mov64 x20, 0x80180000\n${VECTORS}${TICKS}msr daifclr, #2\nmov64 x5, 10000000\n7: subs x5, x5, #1\nb.ne 7b\nmov w0, #1\nstr w0, [x20]\n` +
        `${SLEEP}.balign 2048\nvectors: .zero 0x280\nmrs x13, icc_iar1_el1\n1: ldr w0, [x20]\n${poll}\n` +
        "msr cntv_tval_el0, x2\nmsr icc_eoir1_el1, x13\neret\n.balign 2048",
      "cbz w0, 1b",
      "nop",
    ),
    first: { code: "in-handler", interrupted: { first: /^0x8/ } },
    wayOut: /^do not wait in a handler/,
  },
  "counts by a step of 0": {
    ...either((step) => `mov x1, #${step}\nmov x0, #0\n1: add x0, x0, x1\ncmp x0, #100\nb.lo 1b\nsleep_healthily`, "0", "1"),
    first: { code: "unchanging", instruction: /^cmp x0, #(0x64|100); b\.(lo|cc) /, registers: [{ name: "X0", value: "0x0" }] },
    wayOut: /^read it in the loop/,
  },
  "tests what it has loaded before": {
    ...either(
      (load) => `mov64 x20, 0x80180000\nmov w9, #1\nldr w0, [x20]\nstr w9, [x20]\n1: ${load}\ncbz w0, 1b\nsleep_healthily`,
      "nop",
      "ldr w0, [x20]",
    ),
    first: { code: "unchanging", instruction: /^cbz w0, /, registers: [{ name: "X0", value: "0x0" }] },
    wayOut: /^read it in the loop/,
  },
  "waits for a CPU that was never started": {
    ...either(
      (start) =>
        `mov64 x20, 0x80180000\n${start}1: ldr w0, [x20]\ncbz w0, 1b\nsleep_healthily\nsecond: mov64 x20, 0x80180000\nmov w0, #1\nstr w0, [x20]\n${SLEEP}`,
      "",
      cpuOn,
    ),
    ...TWO,
    first: { code: "unwritten", value: "0x00000000" },
    wayOut: /^change what it reads/,
  },
  "waits for bit 3 of a word by WFE": {
    ...either(
      (poll) => `mov64 x20, 0x80180000\n1: wfe\nldr w0, [x20, #8]\n${poll}\nsleep_healthily`,
      "tbz w0, #3, 1b",
      "tbnz w0, #3, 1b",
    ),
    first: { code: "unwritten", range: { first: "0x80180008" }, until: { is: "bit", bit: 3, value: 1 } },
    wayOut: /^change what it reads/,
  },
  "polls memory whose other user has ended": {
    ...either((poll) => `${BOARD}${poll}\nsleep_healthily`, "1: ldr w0, [x1]\ncbz w0, 1b", "ldr w0, [x1]"),
    other: "mov64 x0, 0x84000008\nhvc #0",
    first: { code: "other-end", vm: /^vm:other/, fact: { code: "off" } },
    wayOut: /^start vm:other\d+ again/,
  },
  "waits for a lock that another VM had taken at its end": {
    sick: `${BOARD}8: ldr w0, [x1]\ncbz w0, 8b\nmov x20, x1\n${TAKE}sleep_healthily`,
    healed: `${BOARD}add x20, x1, #64\n${TAKE}sleep_healthily`,
    other: `${BOARD}mov x20, x1\n${TAKE}mov64 x0, 0x84000008\nhvc #0`,
    first: { code: "left-lock", vm: /^vm:other/, fact: { code: "off" }, lock: { first: "0x40001000" }, value: "0x1" },
    wayOut: /^have vm:other\d+ release the lock before it ends/,
  },
};
const NAMES = Object.keys(LOOPS);

/** A machine in which each guest is a VM: x0, x1 and so on. */
async function machineOf(which: "sick" | "healed"): Promise<GuestSystem> {
  const vm = (name: string, keys = "") => `[vm.${name}]\nimage = "${name}.bin"\nmemory = "4MiB"\n${keys}\n`;
  const links: string[] = [];
  const sections = await Promise.all(
    Object.values(LOOPS).map(async ({ keys, other, ...guest }, index) => {
      await assembleGuest(folder, `x${index}`, guest[which]);
      if (other === undefined) return vm(`x${index}`, keys);
      const name = `other${index}`;
      await assembleGuest(folder, name, other);
      links.push(`board${index} = { kind = "shm", label = ${index}, size = "64KiB", access = { x${index} = "rw", ${name} = "rw" } }\n`);
      return `${vm(`x${index}`, keys)}${vm(name)}`;
    }),
  );
  return await demoSystem(`el2 = 1\n[machine]\ncpus = 8\n${sections.join("")}[link]\n${links.join("")}`, undefined, folder);
}

const verdicts = once(async () => {
  const system = await machineOf("sick"), random = new Random(73);
  runUntil(system, BEGUN + random.below(BEGUN));
  return new Map(rows(system, "diagnose", {}).map((row) => [row.id, row]));
});

for (const [name, { first, wayOut }] of Object.entries(LOOPS)) {
  Deno.test(`a loop that nothing ends: it ${name}`, async () => {
    const row = (await verdicts()).get(`vm:x${NAMES.indexOf(name)}`) ?? assert.fail("no verdict");
    assert.ok(!row.healthy, row.text);
    assert.ok(fits(row.because[0], first), `${row.text}\n${JSON.stringify(row.because)}`);
    assert.match(row.way_out ?? "-", wayOut);
  });
}

/** A lock that each attempt stores to is memory that others write, and that is right. */
for (const [name, take] of Object.entries({ exclusives: TAKE, "an exchange": "mov w1, #1\n1: swpa w1, w0, [x20]\ncbnz w0, 1b\n" })) {
  Deno.test(`healthy: a CPU waits by ${name} for a lock that another one has taken for long`, async () => {
    const held = `mov64 x20, 0x80180000\nmov w0, #1\nstr w0, [x20]\n${cpuOn}${take}sleep_healthily\nsecond: mov64 x20, 0x80180000\n` +
      `mov64 x5, 15000000\n7: subs x5, x5, #1\nb.ne 7b\nstlr wzr, [x20]\n${OFF}`;
    await assembleGuest(folder, "held", held);
    const text = 'el2 = 1\n[machine]\ncpus = 2\n[vm.x]\nimage = "held.bin"\nmemory = "4MiB"\nvcpus = 2\n';
    const system = await demoSystem(text, undefined, folder), random = new Random(7);
    const said: string[] = [];
    for (let time = 0; time < HELD_FOR; time += random.below(APART)) {
      runUntil(system, time);
      const [row] = rows(system, "diagnose", { filter: "id=vm:x" });
      assert.ok(row?.healthy ?? true, row?.text);
      said.push(row?.fact.code ?? "");
    }
    assert.ok(said.includes("waits-in-loop") && said.at(-1) === "waits", `${said}`);
  });
}

Deno.test("each of these guests is healthy as its way out says", async () => {
  const system = await machineOf("healed");
  runHealthy(system, HEALTHY_FOR);
  assert.deepEqual(system.broken(), []);
});
