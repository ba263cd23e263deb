// Back to where something happened: the same places as a run from the start passes, whichever
// states were kept.

import assert from "node:assert/strict";
import { assemble } from "../../../../src/session/assembly/assemble.ts";
import type { SessionPlan } from "../../../../src/model/plans/plan.ts";
import type { Rerun } from "../../../../src/session/recordings/past/rerun.ts";
import type { RecordedInput } from "../../../../src/model/plans/recorded-run.ts";
import { BackTo, type Reached, type RunUpTo, type Sought } from "../../../../src/session/recordings/past/back-to.ts";
import { momentOf, Past } from "../../../../src/session/recordings/past/past.ts";
import { loaded } from "../../../../src/session/snapshots/begin.ts";
import type { Milestone } from "../../../../src/session/recordings/past/history.ts";
import { demoPlan, hashesOf, runTo } from "../../snapshots/systems.ts";
import { MiB } from "../../../../src/kit/support/values/sizes.ts";
import { A64, imageOf } from "../../../app/cli/program.ts";
import { casesOfRun, LONG } from "../../../support/long.ts";
import { withTable } from "../../../support/plan-tables.ts";

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
    const memory = system.remember();
    return {
      at: system.machine.boundary,
      instructions: count,
      moment: momentOf(system),
      inputs: 0,
      state: system.save(),
      memory: () => memory,
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

/** The run of a plan again, with states that were kept; `begun` hears where each machine begins. */
function rerunOf(plan: SessionPlan, kept: readonly Milestone[], begun: (milestone: Milestone | undefined) => void = () => {}): Rerun {
  return {
    milestone: (moment) =>
      kept.findLast(({ instructions, at }) =>
        typeof moment === "number"
          ? instructions < moment
          : at < ("at" in moment ? moment.at : "time" in moment ? moment.time : moment.turn)
      ),
    mayBeWritten: () => true,
    pastAt: (milestone) => {
      begun(milestone);
      const system = milestone ? loaded(plan, milestone.state) : assemble(plan);
      if (milestone?.memory) system.recall(milestone.memory());
      return new Past(system, []);
    },
  };
}

const BEGINNINGS = { "the start alone": [], "states": [60_000, 118_300, 118_500, 119_300] };
for (const [what, counts] of casesOfRun<readonly number[]>(BEGINNINGS, ["states"])) {
  Deno.test(`each event is gone back to in turn, from ${what}, and nothing is before the first`, async () => {
    const plan = await demoPlan();
    const milestones = statesAt(plan, counts);
    const goBack = (filter: string, from: number) => {
      const sought: Sought = { kind: "event", filter };
      const places = passed(plan, filter, from);
      let run: RunUpTo = {
        rerun: rerunOf(plan, milestones),
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
    assert.ok(goBack("kind=hvc vm=ping name=msgqueue_send", 118_300).count > 4);
    // Their calls begin before states, and end after them.
    if (milestones.length > 0) assert.ok(goBack("kind=hvc vm=host name=vcpu_run", 118_300).count > 4);
    const started = goBack("kind=state name=running", 0);
    assert.ok(started.count > 0);
    assert.equal(started.before(), "none");
  });
}

Deno.test("a state that is kept between two searches changes nothing that was counted: calls in progress at it are not heard", async () => {
  const plan = await demoPlan(), kept = statesAt(plan, [60_000, 119_300]), begun = new Set<number | undefined>();
  const rerun = rerunOf(plan, kept, (milestone) => begun.add(milestone?.instructions));
  const run: RunUpTo = { rerun, moment: HERE, instructions: HERE, at: boundaryAt(plan, HERE) };
  const sought: Sought = { kind: "event", filter: "kind=hvc vm=host name=vcpu_run" };
  const reached = back(run, sought);
  assert.ok(reached !== "none" && reached.count > 1);
  assert.deepEqual([...begun], [60_000]);
  kept.splice(1, 0, ...statesAt(plan, [70_000]));
  assert.equal(rerun.milestone({ at: kept[2].at - 20e6, settled: false }), kept[1]);
  const { system } = reached.past;
  const before = { ...run, moment: momentOf(system), instructions: system.instructions(), at: system.machine.boundary };
  assert.ok(back(before, sought, reached) !== "none");
  assert.deepEqual([...begun], [60_000]);
});

Deno.test("matches that are only counted are those at which the machine stops, at each change of who runs", async () => {
  const plan = await demoPlan();
  const stopped: RecordedInput = {
    at: 30_000_000,
    settled: false,
    input: { kind: "act", action: { kind: "vm.stop", vm: "ping", force: true } },
  };
  const run = (filter: string, passing: number) => {
    const system = assemble(plan), past = new Past(system, [stopped]), { stops, hypervisor } = system;
    let hits = 0, switches = 0;
    hypervisor.trace.listen(["sched"], () => void switches++);
    stops.change({ kind: "event", filter });
    stops.pass(passing);
    past.onHit = () => {
      hits++;
      return false;
    };
    while (!past.advance(HERE, Infinity));
    return { stopped: hits, passed: stops.passed, hits: stops.rules[0].hits, switches, hashes: hashesOf(past.system) };
  };
  for (const filter of [...LONG ? ["kind!=syscall", "kind=hvc before kind=virq"] : [], "kind=sched"]) {
    const { stopped: count, hits, switches, hashes } = run(filter, 0);
    assert.ok(count > 300 && hits === count);
    assert.deepEqual(run(filter, Infinity), { stopped: 0, passed: count, hits: count, switches, hashes });
    assert.deepEqual(run(filter, 100), { stopped: count - 100, passed: 100, hits: count, switches, hashes });
    if (filter === "kind=sched") assert.equal(count, switches);
  }
});

Deno.test("an event that an input causes is gone back to", async () => {
  const plan = await demoPlan(), at = 30_000_000, end = at + 1_000_000;
  const raised: RecordedInput = { at, settled: false, input: { kind: "act", action: { kind: "irq.raise", irq: "irq:ping/961" } } };
  const pastAt = () => new Past(assemble(plan), [raised]), here = pastAt();
  while (!here.advance({ at: end, settled: false }, Infinity));
  const rerun: Rerun = { milestone: () => undefined, mayBeWritten: () => true, pastAt };
  const run: RunUpTo = { rerun, moment: { at: end, settled: false }, instructions: here.system.instructions(), at: end };
  const reached = back(run, { kind: "event", filter: "kind=virq name=pulse" });
  assert.ok(reached !== "none");
  assert.match(reached.text, /^ev:virq@0\.030000000 /);
  assert.equal(reached.past.system.machine.boundary, at);
});

Deno.test("an event that an input causes where the search ends is gone back to, before its events happen and after", async () => {
  const plan = await demoPlan(), at = 30_000_000;
  for (const settled of [false, true]) {
    const input = { kind: "act", action: { kind: "irq.raise", irq: "irq:ping/961" } } as const;
    const pastAt = () => new Past(assemble(plan), [{ at, settled, input }]), here = pastAt();
    while (!here.advance({ at, settled }, Infinity));
    const rerun: Rerun = { milestone: () => undefined, mayBeWritten: () => true, pastAt };
    const run: RunUpTo = { rerun, moment: { at, settled }, instructions: here.system.instructions(), at };
    const reached = back(run, { kind: "event", filter: "kind=virq name=pulse" });
    assert.ok(reached !== "none");
    assert.match(reached.text, /^ev:virq@0\.030000000/);
  }
});

Deno.test("events of the instruction where an earlier search ended are gone back to, one after the other", async () => {
  const plan = await demoPlan(), at = 23_000_000, filter = "kind!=syscall";
  const pastAt = () => new Past(assemble(plan), []), forward = pastAt(), places: string[] = [];
  const placeOf = (text: string, system: typeof forward.system) => `${text} ${system.machine.boundary} ${system.instructions()}`;
  forward.system.stops.change({ kind: "event", filter });
  forward.onHit = ({ text }) => {
    places.push(placeOf(text, forward.system));
    return false;
  };
  while (!forward.advance({ at, settled: false }, Infinity));
  const rerun: Rerun = { milestone: () => undefined, mayBeWritten: () => true, pastAt };
  let run: RunUpTo = { rerun, moment: { at, settled: false }, instructions: forward.system.instructions(), at },
    before: Reached | undefined;
  const counts = new Set<number>();
  for (let step = 0; step < 4; step++) {
    const reached: Reached | "none" = back(run, { kind: "event", filter }, before);
    assert.ok(reached !== "none");
    const { text, past: { system } } = before = reached;
    assert.equal(placeOf(text, system), places.at(-1 - step));
    counts.add(system.instructions());
    run = { rerun, moment: momentOf(system), instructions: system.instructions(), at: system.machine.boundary };
  }
  assert.ok(counts.size < 4, "several have one count of instructions");
});

/** The image's code, and the function that it calls: a `ret`. */
const CODE = 0x4020_0040, FUNCTION = CODE + 4 * 14;
/** Calls in the first loop; decrements in the second and in the third. */
const CALLS = 3000, LONG_WAY = 65_536, SHORT_WAY = 16_384;

/** A guest that calls a function often, then once after a long way, and once after a short one. */
function caller(): Uint8Array<ArrayBuffer> {
  const call = (at: number) => 0x94000000 | 14 - at;
  const decrement = 0xd1000421, again = 0xb5ffffe1;
  return imageOf([
    ...[0xd2800000 | CALLS << 5, call(1), 0xd1000400, 0xb5ffffc0],
    ...[0xd2a00001 | LONG_WAY >> 16 << 5, decrement, again, call(7)],
    ...[0xd2800001 | SHORT_WAY << 5, decrement, again, call(11)],
    ...[0x91000442, A64.branch(-1)],
    0xd65f03c0,
  ]);
}

Deno.test("a place that a loop reaches very often is gone back to in turn, and before each part that was searched", async () => {
  const what = { kind: "boot", image: caller(), initrd: undefined, dtb: undefined, append: undefined, devices: [] } as const;
  const plan = await withTable({ cpus: 1, memory: 64 * MiB, seed: 1, turbo: true, what });
  // The header's branch, and the constant; a round is the call, its return, and two instructions.
  const calls = Array.from({ length: CALLS }, (_, round) => 2 + 4 * round + 1);
  const afterLongWay = 2 + 4 * CALLS + 1 + 2 * LONG_WAY + 1, afterShortWay = afterLongWay + 2 + 2 * SHORT_WAY + 1;
  const end = afterShortWay + 1000;
  const sought: Sought = { kind: "place", at: `host:${FUNCTION}`, place: { vm: "host", addresses: [BigInt(FUNCTION)] } };
  let run: RunUpTo = { rerun: rerunOf(plan, []), moment: end, instructions: end, at: boundaryAt(plan, end) };
  let reached: Reached | undefined;
  for (const [place, count] of [[afterShortWay, 2], [afterLongWay, 1], [calls.at(-1), CALLS], [calls.at(-2), CALLS - 1]]) {
    const found: Reached | "none" = back(run, sought, reached);
    assert.ok(found !== "none");
    reached = found;
    const { system } = reached.past;
    // Times before the part that has both single calls are not counted.
    assert.deepEqual([system.instructions(), reached.count], [place, count]);
    run = { ...run, moment: momentOf(system), instructions: system.instructions(), at: system.machine.boundary };
  }
});
