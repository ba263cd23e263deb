// Machines that are stopped after so many instructions run up to the turn of the stop as if there
// were none: many turns at once, exits and all.

import assert from "node:assert/strict";
import { assemble } from "../../../../src/session/assembly/assemble.ts";
import { Random } from "../../../support/random.ts";
import { demoPlan, hashesOf, runTo } from "../../../session/snapshots/systems.ts";

const LENGTH = 100_000;

Deno.test("a stop is at its instruction, however far away it was, and changes nothing", async () => {
  const plan = await demoPlan({ cpus: 1 }), random = new Random(6);
  const free = assemble(plan), once = assemble(plan), often = assemble(plan);
  while (free.instructions() < LENGTH) {
    const result = free.machine.run(Infinity, 64);
    if (result.kind === "idle") free.machine.skipTo(result.next);
  }
  const end = free.instructions();
  let stops = 0;
  for (let at = 0; at < end; stops++) {
    at = Math.min(end, at + 1 + random.below(random.below(3) ? 50 : 10_000));
    runTo(often, at);
    assert.equal(often.instructions(), at);
    assert.equal(often.hypervisor.scheduler.execution.stopAt, Infinity);
  }
  runTo(once, end);
  assert.equal(hashesOf(once), hashesOf(often));
  const contents = ({ hashes }: typeof free) => [hashes.registers(), hashes.memory()];
  assert.deepEqual(contents(once), contents(free), "it stands where a machine without stops ends its turn");
  assert.ok(stops > 20, `${stops} stops`);
});
