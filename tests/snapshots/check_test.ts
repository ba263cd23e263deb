// The invariant checker over a load: it looks after the objects that were loaded, and finds nothing
// wrong with them.

import assert from "node:assert/strict";
import { assemble } from "../../src/assembly/assemble.ts";
import { DEFAULT_BEHAVIOUR } from "../../src/plans/plan.ts";
import { loadSystem, saveSystem } from "../../src/state/system-state.ts";
import { demoPlan, hashesOf, runTo } from "./systems.ts";

Deno.test("D5: under --check a machine continues from a snapshot as it would have without, trusted or not", async () => {
  const plan = await demoPlan({ behaviour: { ...DEFAULT_BEHAVIOUR, check: true } });
  const first = assemble(plan);
  runTo(first, 400_000);
  const state = saveSystem(first);
  runTo(first, 600_000);
  for (const trusted of [true, false]) {
    const second = assemble(plan);
    loadSystem(second, state, trusted);
    assert.deepEqual(second.hypervisor.checker?.verify(), undefined);
    runTo(second, 600_000);
    assert.equal(hashesOf(second), hashesOf(first));
    assert.deepEqual(second.hypervisor.checker?.sweep(), []);
  }
});
