// The invariant checker over a load: it looks after the objects that were loaded, and finds nothing
// wrong with them.

import assert from "node:assert/strict";
import { assemble, assembleEmpty } from "../../../src/session/assembly/assemble.ts";
import { ArchiveError } from "../../../src/machine/hardware/archive.ts";
import { DEFAULT_BEHAVIOUR } from "../../../src/model/plans/plan.ts";
import { loadSystem, saveSystem } from "../../../src/session/state/system-state.ts";
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

Deno.test("a saved turn that lasts longer than turns do is refused: nothing could stop the machine meanwhile", async () => {
  const plan = await demoPlan(), system = assemble(plan);
  runTo(system, 300_001);
  assert.ok(system.machine.inTurn);
  const { fields, pages } = system.save();
  let at = 0, place = -1, right = NaN;
  assembleEmpty(plan).load({ fields, pages }, false, (path, value) => {
    if (path === "hypervisor.machine.turnEnd.end") [place, right] = [at, Number(value)];
    at += value instanceof Uint8Array ? value.length : 8;
  });
  for (const wrong of [right + 1e9, 2 ** 53, Infinity, 0]) {
    const changed = fields.slice();
    new DataView(changed.buffer).setFloat64(place, wrong, true);
    assert.throws(
      () => assembleEmpty(plan).load({ fields: changed, pages }, false),
      (error) => error instanceof ArchiveError && /a turn ends within a quantum/.test(error.message),
      String(wrong),
    );
  }
});
