// Interrupts that cannot come are told with the first barrier of their path, and drivers of another
// version of the GIC with the register that they wrote.

import assert from "node:assert/strict";
import type { IrqFinding } from "../../src/model/queries/facts/irq-finding.ts";
import { evidenceLine } from "../../src/model/queries/facts/evidence.ts";
import { demoSystem, rows, runUntil } from "../session/inspection/system.ts";
import { assembleGuest } from "./assembly-guest.ts";
import { runHealthy } from "./healthy.ts";

const folder = await Deno.makeTempDir({ prefix: "el2-barriers-" });
globalThis.addEventListener("unload", () => Deno.removeSync(folder, { recursive: true }));

/** Steps of a driver of the timer's interrupt: each can be left out or changed. */
const STEPS = {
  group: "mov w2, #(1 << 27)\nmov64 x1, 0x080b0000\nstr w2, [x1, #0x80]",
  enable: "mov w2, #(1 << 27)\nmov64 x1, 0x080b0000\nstr w2, [x1, #0x100]",
  distributor: "mov64 x1, 0x08000000\nmov w2, #0x12\nstr w2, [x1]",
  interface: "mov x2, #1\nmsr icc_igrpen1_el1, x2",
  mask: "mov x2, #0xf0\nmsr icc_pmr_el1, x2\nisb",
  timer: "mrs x2, cntfrq_el0\nmov x3, #100\nudiv x2, x2, x3\nmsr cntv_tval_el0, x2\nmov x3, #1\nmsr cntv_ctl_el0, x3",
};
const driver = (changes: Partial<typeof STEPS>) => `${Object.values({ ...STEPS, ...changes }).join("\n")}\n1: wfi\nb 1b`;

const PRIORITY = "mov w2, #0xa0\nmov64 x1, 0x080b041b\nstrb w2, [x1]";
const SPI = (route: string) => `
  mov64 x1, 0x08000000
  mov w2, #(1 << 8)
  str w2, [x1, #0x84]
  mov64 x0, ${route}
  mov64 x3, 0x08006140
  str x0, [x3]
  str w2, [x1, #0x104]
  str w2, [x1, #0x204]`;

/** Enables the interrupt of the doorbell by which a VM's owner asks it to end: irq:x/33. */
const BELL = (route: string) =>
  SPI(route).replace("(1 << 8)", "2").replace("0x08006140", "0x08006108").replace(/\n *str w2, \[x1, #0x204\]/, "");

/** The finding on irq:x/INTID, or the barrier of a timer that nobody waits for any more. */
interface BarrierCase {
  readonly name: string;
  readonly source: string;
  readonly verdict: string;
  readonly fact: IrqFinding;
  /** The barriers after it, and words of the way out of each. */
  readonly then?: readonly (readonly [IrqFinding, RegExp])[];
  /** Words of the way out. */
  readonly wayOut?: RegExp;
  readonly keys?: string;
}

const BROKEN: readonly BarrierCase[] = [
  {
    name: "left in group 0",
    source: driver({ group: "" }),
    verdict: "lost",
    fact: { code: "group-disabled", group: 0, intid: 27, other: true },
  },
  {
    name: "of a group that nobody enables",
    source: driver({ distributor: "" }),
    verdict: "lost",
    fact: { code: "group-disabled", group: 1, intid: 27, other: false },
  },
  { name: "disabled", source: driver({ enable: "" }), verdict: "lost", fact: { code: "disabled", intid: 27 } },
  {
    name: "disabled, in a group that is off",
    source: driver({ enable: "", distributor: "" }),
    verdict: "lost",
    fact: { code: "disabled", intid: 27 },
    then: [[{ code: "group-disabled", group: 1, intid: 27, other: false }, /set EnableGrp1/]],
  },
  {
    name: "disabled at the CPU interface",
    source: driver({ interface: "" }),
    verdict: "lost",
    fact: { code: "interface-disabled", group: 1 },
  },
  {
    name: "disabled at the CPU interface, whose mask is 0",
    source: driver({ interface: "", mask: "" }),
    verdict: "lost",
    fact: { code: "interface-disabled", group: 1 },
    then: [[{ code: "priority-masked", priority: 0, pmr: 0 }, /ICC_PMR_EL1/]],
  },
  {
    name: "disabled, and of a vCPU that is off",
    source: driver({ timer: SPI("1").replace("str w2, [x1, #0x104]\n", "") }),
    verdict: "lost",
    fact: { code: "disabled", intid: 40 },
    then: [[{ code: "vcpu-off", vcpu: "vcpu:x/1" }, /CPU_ON/]],
    keys: "vcpus = 2",
  },
  {
    name: "of a priority that is masked",
    source: driver({ mask: `mov x2, #0x80\nmsr icc_pmr_el1, x2\n${PRIORITY}` }),
    verdict: "lost",
    fact: { code: "priority-masked", priority: 0xa0, pmr: 0x80 },
  },
  {
    name: "of a timer that is on and masked",
    source: driver({ timer: `${STEPS.timer}\nmov x3, #3\nmsr cntv_ctl_el0, x3` }),
    verdict: "stuck",
    fact: {
      code: "timer-masked",
      control: "CNTV_CTL_EL0",
    },
  },
  {
    name: "of a doorbell that goes to a vCPU that is off",
    source: driver({ timer: BELL("1") }),
    verdict: "stuck",
    fact: { code: "vcpu-off", vcpu: "vcpu:x/1" },
    wayOut: /^start it with PSCI CPU_ON$/,
    keys: "vcpus = 2",
  },
  {
    name: "of a doorbell that goes to no vCPU",
    source: driver({ timer: BELL("0x700") }),
    verdict: "stuck",
    fact: { code: "no-target" },
    wayOut: /IROUTER/,
  },
  { name: "that goes to no vCPU", source: driver({ timer: SPI("0x700") }), verdict: "lost", fact: { code: "no-target" } },
];

for (const { name, source, verdict, fact, then = [], wayOut = /./, keys = "" } of BROKEN) {
  Deno.test(`an interrupt ${name}`, async () => {
    await assembleGuest(folder, "x", source);
    const system = await demoSystem(`el2 = 1\n[vm.x]\nimage = "x.bin"\nmemory = "4MiB"\n${keys}\n`, undefined, folder);
    runUntil(system, 1e8);
    const [row] = rows(system, "diagnose", { filter: "id=vm:x" });
    assert.equal(row.verdict, verdict, row.text);
    const found = row.fact.code === "lost" ? row.fact.finding : row.because.find((one) => one.code === "barred")?.barrier;
    assert.deepEqual(found, fact);
    if (row.fact.code === "lost") assert.deepEqual(row.fact.then, then.map(([barrier]) => barrier), row.text);
    assert.match(row.way_out ?? "", wayOut);
    assert.ok(row.because.every(({ code }) => code !== "nothing-set"), row.evidence.join("\n"));
    for (const [, wayOut] of then) assert.match(row.way_out ?? "", wayOut);
  });
}

const GICV2: Readonly<Record<string, readonly [source: string, register: string]>> = {
  "enables PPIs in the distributor": [
    driver({ enable: "mov w2, #(1 << 27)\nmov64 x1, 0x08000000\nstr w2, [x1, #0x100]" }),
    "GICD_ISENABLER0",
  ],
  "names targets": [driver({ enable: "", group: "mov w2, #1\nmov64 x1, 0x08000820\nstr w2, [x1]" }), "GICD_ITARGETSR8"],
  "sends SGIs by the distributor": [driver({ enable: "", timer: "mov64 x1, 0x08000f00\nmov64 x2, 0x2000001\nstr w2, [x1]" }), "GICD_SGIR"],
  "enables its CPU interface": [
    driver({
      enable:
        "mov w2, #(1 << 27)\nmov64 x1, 0x08000000\nstr w2, [x1, #0x100]\nmov64 x1, 0x08010000\nmov w2, #1\nstr w2, [x1]\nstr w2, [x1, #4]",
    }),
    "GICD_ISENABLER0",
  ],
};

for (const [name, [source, register]] of Object.entries(GICV2)) {
  Deno.test(`a driver of a GICv2 that ${name}`, async () => {
    await assembleGuest(folder, "x", source);
    const configuration = 'el2 = 1\n[vm.x]\nimage = "x.bin"\nmemory = "4MiB"\n';
    const system = await demoSystem(configuration, undefined, folder), after = await demoSystem(configuration, undefined, folder);
    runUntil(system, 1e8);
    const [row] = rows(system, "diagnose", { filter: "id=vm:x" });
    assert.equal(row.healthy, false);
    after.load(system.save(), true);
    after.recall(system.remember());
    assert.deepEqual(rows(after, "diagnose", { filter: "id=vm:x" }), [row], "after a load");
    const found = row.because.find((one) => one.code === "gicv2-driver");
    assert.ok(found && found.register === register && /^0x8000/.test(found.at.first), row.evidence.join("\n"));
    assert.match(evidenceLine(found), /way out: use (?:GICR_ISENABLER0|GICD_IROUTER|ICC_SGI1R_EL1)/);
  });
}

const TAKE = "1: wfi\nmrs x3, icc_iar1_el1\nmsr cntv_tval_el0, x2\nmsr icc_eoir1_el1, x3\nb 1b";
const HEALTHY: Readonly<Record<string, string>> = {
  "waits for the doorbell of its owner": driver({ timer: BELL("0") }),
  "polls its interrupt with PSTATE.I set": driver({}).replace("1: wfi\nb 1b", TAKE),
  "disables and enables it again": driver({}).replace(
    "1: wfi\nb 1b",
    "1: wfi\nmov w4, #(1 << 27)\nmov64 x1, 0x080b0000\nstr w4, [x1, #0x180]\nstr w4, [x1, #0x100]\nmrs x3, icc_iar1_el1\nmsr cntv_tval_el0, x2\nmsr icc_eoir1_el1, x3\nb 1b",
  ),
  "masks its timer in the handler": driver({}).replace(
    "1: wfi\nb 1b",
    "1: wfi\nmrs x3, icc_iar1_el1\nmov x4, #3\nmsr cntv_ctl_el0, x4\nmsr cntv_tval_el0, x2\nmov x4, #1\nmsr cntv_ctl_el0, x4\nmsr icc_eoir1_el1, x3\nb 1b",
  ),
  "clears the enables of a distributor that has none there": driver({
    distributor: `${STEPS.distributor}\nmov w2, #0\nstr w2, [x1, #0x100]`,
  }).replace(
    "1: wfi\nb 1b",
    TAKE,
  ),
};

for (const [name, source] of Object.entries(HEALTHY)) {
  Deno.test(`healthy: a guest that ${name}`, async () => {
    await assembleGuest(folder, "x", source);
    const system = await demoSystem('el2 = 1\n[vm.x]\nimage = "x.bin"\nmemory = "4MiB"\n', undefined, folder);
    assert.deepEqual(runHealthy(system, 2e8), ["waits"]);
  });
}
