// Good and bad runs: the cause of a planted fault is named first.

import assert from "node:assert/strict";
import type { SessionPlan } from "../../src/plans/plan.ts";
import { compareRuns } from "../../src/recordings/compare-runs.ts";
import type { Recording } from "../../src/recordings/recording.ts";
import { eventRow } from "../../src/inspection/readers/read-trace.ts";
import { featuresOf, type RunFeature, type RunFeatures } from "../../src/recordings/run-features.ts";
import { planDemo } from "../../src/configuration/plan-run.ts";
import { demoPlan } from "../snapshots/systems.ts";
import { Random } from "../support/random.ts";

const feature = (text: string, time: number, kind: RunFeature["kind"] = "event"): RunFeature => ({ kind, vm: "vm:a", text, time });
const run = (...features: RunFeature[]): RunFeatures => ({ features, end: 100 });

Deno.test("features in all bad runs and in no good one are found among random others, the earliest first", () => {
  const random = new Random(9);
  for (let round = 0; round < 200; round++) {
    const noise = () =>
      [...new Set(Array.from({ length: 30 }, () => `noise ${random.below(60)}`))].map((text) => feature(text, random.below(100)));
    const cause = feature("cause", random.below(50)), effect = feature("effect", 50 + random.below(40)), missing = feature("missing", 99);
    const good = Array.from({ length: 20 }, () => run(...noise(), missing));
    const bad = Array.from({ length: 5 }, () => run(...noise(), effect, cause));
    const { exact, features } = compareRuns(good, bad);
    assert.ok(exact);
    const certain = features.filter(({ text }) => !text.startsWith("noise"));
    assert.deepEqual(certain.map(({ text }) => text), ["cause", "effect", "missing"]);
    assert.deepEqual([features.find(({ text }) => text === "cause")?.bad, certain[2].good], [5, 20]);
    for (const { text, bad: inBad, good: inGood } of features) assert.ok(inBad === 5 && inGood === 0 || inBad === 0 && inGood === 20, text);
  }
});

Deno.test("orders of events count only without a new event, and what is after the end of the other runs does not", () => {
  const order = feature("x, then y", 5, "order");
  assert.deepEqual(compareRuns([run(feature("x", 1))], [run(feature("x", 1), order)]).features.map(({ text }) => text), ["x, then y"]);
  assert.deepEqual(compareRuns([run()], [run(order, feature("z", 50))]).features.map(({ text }) => text), ["z"]);
  const long = { features: [feature("late", 500)], end: 1000 };
  assert.deepEqual(compareRuns([run()], [long]), { exact: false, features: [] });
  const near = compareRuns([run(), run()], [run(feature("often", 3)), run(feature("often", 3)), run()]);
  assert.deepEqual([near.exact, near.features.map(({ text, bad }) => [text, bad])], [false, [["often", 2]]]);
});

/** A run of the demo that ends at a virtual time (ns). */
function recordingOf(plan: SessionPlan, at: number): Recording {
  const end = { own: false, code: 0, message: "", instructions: 0, registers: "", memory: "", console: "" };
  return { plan, inputs: [], checks: [], end: { at, end } };
}

for (
  const [rule, cause] of [
    ["virq vm=pong every=4 -> lose", /^rule injected/],
    ["hvc name=doorbell_send nth=2 -> DENIED", /^rule injected/],
    ["virq vm=ping nth=3 -> delay 2ms", /^rule injected/],
  ] as const
) {
  Deno.test(`the cause of a planted fault comes first: ${rule}`, async () => {
    const planned = await planDemo();
    assert.ok(planned.ok);
    const plan = await demoPlan({ symbols: planned.run.symbols }), ends = [1.2e9, 1.3e9];
    const good = ends.map((end, index) => featuresOf(recordingOf({ ...plan, seed: index + 1 }, end), eventRow, () => {}));
    const bad = ends.map((end, index) => featuresOf(recordingOf({ ...plan, seed: index + 7, inject: [rule] }, end), eventRow, () => {}));
    assert.ok(good[0].features.some(({ kind, text }) => kind === "function" && text === "timer_fired"));
    const { exact, features: [first] } = compareRuns(good, bad);
    assert.ok(exact);
    assert.match(first.text, cause);
    assert.deepEqual([first.bad, first.good], [2, 0]);
  });
}
