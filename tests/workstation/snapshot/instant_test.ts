// Which plans share a snapshot of their first prompt.

import assert from "node:assert/strict";
import type { SessionPlan } from "../../../src/workstation/plan.ts";
import { instantPath } from "../../../src/workstation/snapshot/instant.ts";
import { bootPlan } from "./systems.ts";

/** Where the prompt of a machine belongs whose clock shows `clock`. */
function pathAt(plan: SessionPlan, clock: number | undefined): string {
  assert.equal(plan.what.kind, "boot");
  return instantPath({ ...plan, what: { ...plan.what, clock } as SessionPlan["what"] });
}

Deno.test("a clock that shows the time makes no other machine from one run to the next; any other clock does", async () => {
  const plan = await bootPlan();
  const now = Math.floor(Date.now() / 1000);
  const first = pathAt(plan, now - 10);
  assert.equal(pathAt(plan, now), first);
  assert.notEqual(pathAt(plan, 0), first);
  assert.notEqual(pathAt(plan, undefined), first);
});

Deno.test("memory, seed and image make other machines; what executes them does not", async () => {
  const plan = await bootPlan();
  const first = instantPath(plan);
  assert.equal(instantPath({ ...plan, tier: "interp" }), first);
  assert.notEqual(instantPath({ ...plan, memory: 2 * plan.memory }), first);
  assert.notEqual(instantPath({ ...plan, seed: plan.seed + 1 }), first);
});
