// Back to where something happened: the same places as a run from the start passes, whichever
// states were kept.

import assert from "node:assert/strict";
import { assemble } from "../../src/assembly/assemble.ts";
import type { SessionPlan } from "../../src/plans/plan.ts";
import { BackTo, type Reached, type RunUpTo, type Sought } from "../../src/recordings/back-to.ts";
import { momentOf, Past } from "../../src/recordings/past.ts";
import { loaded } from "../../src/snapshots/begin.ts";
import type { Milestone } from "../../src/recordings/history.ts";
import { demoPlan, hashesOf, runTo } from "../snapshots/systems.ts";

const HERE = 120_000;

/** A place that a run passes. */
interface Passed {
  readonly text: string;
  readonly hashes: string;
}

/** Events of a run from the start between two counts of instructions, first to last. */
function passed(plan: SessionPlan, filter: string, from: number): Passed[] {
  const past = new Past(assemble(plan), []);
  const found: Passed[] = [];
  past.system.stops.change({ kind: "event", filter });
  past.onHit = ({ text }) => {
    const count = past.system.instructions();
    if (count >= from && count < HERE) found.push({ text, hashes: hashesOf(past.system) });
    return false;
  };
  while (!past.advance(HERE, Infinity));
  return found;
}

/** States of a run at these counts. */
function statesAt(plan: SessionPlan, counts: readonly number[]): Milestone[] {
  const system = assemble(plan);
  return counts.map((count) => {
    runTo(system, count);
    return {
      at: system.machine.boundary,
      instructions: count,
      moment: momentOf(system),
      inputs: 0,
      state: system.save(),
      memory: system.remember(),
    };
  });
}

/** Virtual time of the last boundary before a count of instructions. */
function boundaryAt(plan: SessionPlan, count: number): number {
  const past = new Past(assemble(plan), []);
  while (!past.advance(count, Infinity));
  return past.system.machine.boundary;
}

function back(run: RunUpTo, sought: Sought, before?: Reached): Reached | "none" {
  const way = new BackTo(run, sought, before);
  for (;;) {
    const reached = way.advance(Infinity);
    if (reached !== undefined) return reached;
  }
}

for (const [what, counts] of [["the start alone", []], ["states", [60_000, 112_000, 113_000, 119_000]]] as const) {
  Deno.test(`each event is gone back to in turn, from ${what}, and nothing is before the first`, async () => {
    const plan = await demoPlan();
    const milestones = statesAt(plan, counts);
    const goBack = (filter: string, from: number) => {
      const sought: Sought = { kind: "event", filter };
      const places = passed(plan, filter, from);
      let run: RunUpTo = {
        rerun: {
          milestone: (moment) => milestones.findLast(({ instructions }) => instructions < (moment as number)),
          mayBeWritten: () => true,
          pastAt: (milestone) => {
            const system = milestone ? loaded(plan, milestone.state) : assemble(plan);
            if (milestone?.memory) system.recall(milestone.memory);
            return new Past(system, []);
          },
        },
        moment: HERE,
        instructions: HERE,
        at: boundaryAt(plan, HERE),
      };
      let reached: Reached | undefined;
      for (const { text, hashes } of places.toReversed()) {
        const found: Reached | "none" = back(run, sought, reached);
        assert.ok(found !== "none", `nothing before ${run.instructions}`);
        reached = found;
        assert.equal(reached.text, text);
        assert.equal(hashesOf(reached.past.system), hashes);
        const { system } = reached.past;
        run = { ...run, moment: momentOf(system), instructions: system.instructions(), at: system.machine.boundary };
      }
      return { count: places.length, before: () => back(run, sought, reached) };
    };
    assert.ok(goBack("kind=hvc vm=ping name=msgqueue_send", 110_000).count > 4);
    const started = goBack("kind=state name=running", 0);
    assert.ok(started.count > 0);
    assert.equal(started.before(), "none");
  });
}
