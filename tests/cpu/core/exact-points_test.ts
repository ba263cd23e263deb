// Interrupts, breakpoints and the ends of budgets at random instruction counts of `mark`
// (bench/suites/mark), whose kernels are loops, calls, indirect branches, exclusives, floats and
// vectors with the MMU on: every tier is in the same state after the same count.

import assert from "node:assert/strict";
import { buildMark } from "../../../bench/suites/bare-metal.ts";
import { Pstate } from "../../../src/cpu/core/architecture/exceptions.ts";
import { TIERS } from "../../../src/cpu/core/tiers.ts";
import { Random } from "../../support/random.ts";
import { MarkMachine, VECTORS } from "./mark-machine.ts";
import { LONG } from "../../support/long.ts";

const POINTS = LONG ? 1000 : 60;
/** Between two points, so that all points are inside of the program's 370 M instructions. */
const MOST_INSTRUCTIONS = LONG ? 300_000 : 1_000_000;

Deno.test(`interrupts and breakpoints at ${POINTS} random counts leave every tier in the same state`, async () => {
  const folder = await Deno.makeTempDir({ prefix: "el2-points-" });
  try {
    const elf = await Deno.readFile(await buildMark(folder, 1));
    const eager = { samples: 1, landings: 2, slice: 1000 };
    const subjects = [...TIERS.map((tier) => new MarkMachine(elf, { tier })), new MarkMachine(elf, { tier: "jit", hotness: eager })];
    const random = new Random(5);
    const all = (action: (subject: MarkMachine) => void) => subjects.forEach(action);
    const compare = (what: string, withMemory = false) => {
      const [expected, ...others] = subjects.map((subject) => subject.state(withMemory));
      for (const state of others) assert.equal(state, expected, what);
    };
    // Past the start code, which sets up the MMU and masks interrupts.
    all((subject) => subject.run(100_000));
    compare("the start");
    all(({ vcpu }) => {
      vcpu.setRegister("VBAR_EL1", BigInt(VECTORS));
      vcpu.pstate = vcpu.pstate & ~Pstate.Daif;
    });
    const seen: bigint[] = [];
    let interrupts = 0, breakpoints = 0;
    for (let point = 0; point < POINTS; point++) {
      const count = 1 + random.below(random.below(2) ? MOST_INSTRUCTIONS : 200);
      all((subject) => subject.run(count));
      const what = `point ${point}`;
      compare(what);
      seen.push(subjects[0].vcpu.pc);
      if (point % 2 === 0) {
        // The level stays up for as long as the handler takes, more or less: it may come twice.
        const level = 1 + random.below(14);
        all(({ vcpu }) => vcpu.irq = true);
        all((subject) => subject.run(level));
        compare(`${what}, interrupted`);
        all(({ vcpu }) => vcpu.irq = false);
        interrupts++;
      } else {
        const place = random.pick(seen);
        all(({ core, vcpu }) => core.stops.insertBreakpoint(vcpu.stage2, place));
        all((subject) => subject.run(MOST_INSTRUCTIONS));
        compare(`${what}, breakpoint at ${place.toString(16)}`);
        if (subjects[0].vcpu.pc === place) breakpoints++;
        all(({ core, vcpu }) => core.stops.removeBreakpoint(vcpu.stage2, place));
      }
      if (point % 50 === 49) compare(what, true);
    }
    compare("the end", true);
    assert.ok(!subjects[0].ended, "the program has ended before the last point");
    assert.ok(subjects[0].interrupts >= interrupts, `${subjects[0].interrupts} interrupts of ${interrupts} were handled`);
    assert.ok(breakpoints > POINTS / 20, `only ${breakpoints} breakpoints were reached`);
    for (const { core } of subjects.slice(1)) assert.ok(core.counters.translator!.regions > 0, "nothing was translated");
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
