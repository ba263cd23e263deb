// Stolen time of vCPUs in snapshots: what is counted and where it is written continue.

import assert from "node:assert/strict";
import { assemble } from "../../../src/session/assembly/assemble.ts";
import { DEFAULT_BEHAVIOUR } from "../../../src/model/plans/plan.ts";
import { loadSystem, saveSystem } from "../../../src/session/state/system-state.ts";
import { demoPlan, hashesOf, runTo } from "./systems.ts";

Deno.test("a machine continues to count stolen time from a snapshot as it would have without", async () => {
  const plan = await demoPlan({ behaviour: { ...DEFAULT_BEHAVIOUR, pvTime: true } }), first = assemble(plan);
  const stolenIn = ({ hypervisor }: typeof first) =>
    [...hypervisor.scheduler.vcpus].map(({ stolenTime }) => [stolenTime?.total, stolenTime?.record]);
  runTo(first, 300_000);
  const before = stolenIn(first);
  assert.ok(before.some(([total, record]) => total! > 0 && record !== undefined), String(before));
  const second = assemble(plan);
  loadSystem(second, saveSystem(first), false);
  assert.deepEqual(stolenIn(second), before);
  for (const system of [first, second]) runTo(system, 400_000);
  assert.notDeepEqual(stolenIn(first), before);
  assert.deepEqual(stolenIn(second), stolenIn(first));
  assert.equal(hashesOf(second), hashesOf(first));
});
