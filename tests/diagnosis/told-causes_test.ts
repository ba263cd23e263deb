// Guests of which each has one mistake: the first lines of the verdict have its cause, its place
// and the way out, whenever they are asked for. Each is healthy without the mistake.

import assert from "node:assert/strict";
import { diagnosisLines } from "../../src/model/queries/texts/diagnosis-text.ts";
import { demoSystem, rows, runUntil } from "../session/inspection/system.ts";
import { Random } from "../support/random.ts";
import { assembleGuest } from "./assembly-guest.ts";
import { runHealthy } from "./healthy.ts";

/** Virtual time (ns) by which each has gone wrong, and for which healthy ones are asked. */
const BEGUN = 30e6, HEALTHY_FOR = 60e6;
/** Lines that are read. */
const FIRST_LINES = 4;

const folder = await Deno.makeTempDir({ prefix: "el2-told-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

interface Mistake {
  readonly of: (part: string) => string;
  readonly sick: string;
  readonly healed: string;
  readonly lines: RegExp;
}

const VECTORS = "adr x0, vectors\nmsr vbar_el1, x0\nisb\n";
const table = (code: string) => `\n.balign 2048\nvectors: .zero 0x200\n${code}\n.balign 2048`;
const TIMER = "timer_gic\ntimer_period\nmsr cntv_tval_el0, x2\nmov x3, #1\nmsr cntv_ctl_el0, x3\n";

const MISTAKES: Readonly<Record<string, Mistake>> = {
  "resumes at 0 after CPU_SUSPEND": {
    of: (entry) => `${TIMER}mov64 x0, 0xc4000001\nmov64 x1, 0x10000\n${entry}\nmov x3, #0\nhvc #0\nagain: sleep_healthily`,
    sick: "mov x2, #0",
    healed: "adr x2, again",
    lines: /failed: [^]*the resume after CPU_SUSPEND \(X2 of the call\) led to 0x0[^]*way out: give CPU_SUSPEND in X2 the physical address/,
  },
  "uses FP before it is on, and its handler returns there": {
    of: (enabled) => `${VECTORS}mov x0, #${enabled}\nmsr cpacr_el1, x0\nisb\nfmov d0, #1.0\nsleep_healthily${table("eret")}`,
    sick: "0",
    healed: "0x300000",
    lines: /storm: [^]* takes the same exception again and again\n {2}way out: set CPACR_EL1\.FPEN[^]*floating point is off at EL1/,
  },
  "waits for a deadline that is years ahead": {
    of: (ticks) =>
      `mrs x0, cntvct_el0\nmov64 x1, ${ticks}\nadd x1, x0, x1\n1: isb\nmrs x0, cntvct_el0\ncmp x0, x1\nb.lo 1b\nsleep_healthily`,
    sick: "0x7fffffffffffff",
    healed: "100000",
    lines:
      /waits: vcpu:\S+ waits in a loop at 0x8\S+ until the system counter has moved on, by up to \d+ days\n {2}way out: compute the deadline/,
  },
  "waits in turns for a deadline that is an hour ahead": {
    of: (ticks) =>
      `mrs x5, cntvct_el0\nmov64 x1, ${ticks}\n1: yield\nmrs x0, cntvct_el0\nsub x0, x0, x5\ncmp x0, x1\nb.lo 1b\nsleep_healthily`,
    sick: "225000000000",
    healed: "100000",
    lines:
      /waits: vcpu:\S+ waits in a loop at 0x8\S+ until the system counter has moved on, by up to \d hours\n {2}way out: compute the deadline/,
  },
  "has set the physical timer, and enabled the interrupt of the virtual one": {
    of: (intid) =>
      `mov64 x1, 0x080b0000\nmov64 x2, 1 << ${intid}\nstr w2, [x1, #0x80]\nstr w2, [x1, #0x100]\nmov64 x1, 0x08000000\nmov w2, #0x12\n` +
      "str w2, [x1]\nmov x2, #0xf0\nmsr icc_pmr_el1, x2\nmov x2, #1\nmsr icc_igrpen1_el1, x2\ntimer_period\n" +
      "1: msr cntp_tval_el0, x2\nmov x3, #1\nmsr cntp_ctl_el0, x3\nisb\nwfi\nmrs x3, icc_iar1_el1\nmsr cntp_tval_el0, x2\nmsr icc_eoir1_el1, x3\nb 1b",
    sick: "27",
    healed: "30",
    lines: /lost: irq:\S+\/30 is pending and cannot fire: disabled[^]*way out: enable it/,
  },
  "returns to AArch32": {
    of: (mode) =>
      `${VECTORS}mov x0, #${mode}\nmsr spsr_el1, x0\nadr x0, next\nmsr elr_el1, x0\neret\nnext: sleep_healthily${table("8: b 8b")}`,
    sick: "0x1d3",
    healed: "0x3c5",
    lines: /failed: vcpu:\S+ took illegal execution state[^]*way out: write SPSR_EL1[^]*with mode AArch32/,
  },
  "calls itself until the stack has left the memory": {
    of: (left) =>
      `mov64 x9, 0x80100000\nmov sp, x9\nmov x0, #1000\nbl f\nsleep_healthily\nf: stp x29, x30, [sp, #-64]!\nmov x29, sp\n${left}\ncbz x0, 1f\nbl f\n` +
      "1: ldp x29, x30, [sp], #64\nret",
    sick: "nop",
    healed: "sub x0, x0, #1",
    lines: /failed: [^]*(?:the stack has grown over the code|is to the stack, which has run past its end)[^]*way out: end the recursion/,
  },
};

for (const [name, { of, sick, healed, lines }] of Object.entries(MISTAKES)) {
  const configuration = 'el2 = 1\n[machine]\ncpus = 2\n[vm.x]\nimage = "x.bin"\nmemory = "4MiB"\n';

  Deno.test(`the first lines have cause, place and way out: it ${name}`, async () => {
    await assembleGuest(folder, "x", of(sick));
    const system = await demoSystem(configuration, undefined, folder);
    runUntil(system, BEGUN + new Random(name.length).below(BEGUN));
    const [row] = rows(system, "diagnose", { filter: "id=vm:x" });
    assert.match(diagnosisLines(row).slice(0, FIRST_LINES).join("\n"), lines);
  });

  Deno.test(`it is healthy without that mistake: it ${name}`, async () => {
    await assembleGuest(folder, "x", of(healed));
    const system = await demoSystem(configuration, undefined, folder);
    runHealthy(system, HEALTHY_FOR);
    assert.deepEqual([system.broken(), system.ended()], [[], undefined]);
    const [{ text }] = rows(system, "diagnose", { filter: "id=vm:x" });
    assert.match(text, /^timer irq:x\/\d+ in /);
  });
}
