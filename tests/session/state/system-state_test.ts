// A machine that is saved and loaded continues as the one that was not interrupted
// (docs/design/decisions.md §4).

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { assemble, assembleEmpty } from "../../../src/session/assembly/assemble.ts";
import type { GuestSystem } from "../../../src/session/assembly/system/guest-system.ts";
import type { VcpuContext } from "../../../src/cpu/core/registers/vcpu-context.ts";
import { type SessionPlan, TIERS } from "../../../src/model/plans/plan.ts";
import { Random } from "../../support/random.ts";
import { bootPlan, demoPlan, hashesOf, runTo } from "../snapshots/systems.ts";
import { LONG } from "../../support/long.ts";

/** Instructions after which an interrupted and an uninterrupted machine are compared. */
const ON = 40_000;

const equalBytes = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;

/** A second machine in the state of the first. */
function copyOf(plan: SessionPlan, system: ReturnType<typeof assemble>) {
  const copy = assembleEmpty(plan);
  copy.load(system.save(), false);
  return copy;
}

Deno.test("a machine that was saved at any instruction and loaded continues with the same hashes, in every tier", async () => {
  for (const tier of TIERS) {
    const plan = await demoPlan({ tier });
    const system = assemble(plan);
    for (const count of [0, 33_333, 700_000]) {
      runTo(system, count);
      const copy = copyOf(plan, system);
      assert.equal(hashesOf(copy), hashesOf(system));
      runTo(copy, count + ON);
      runTo(system, count + ON);
      assert.equal(hashesOf(copy), hashesOf(system));
    }
  }
});

for (const [what, make] of [["the demo", demoPlan], ["a machine of 8 MiB", bootPlan]] as const) {
  Deno.test(`save, load, save of ${what} gives the same bytes at random instruction counts`, async () => {
    const plan = await make();
    const random = new Random(LONG ? 2 : 1);
    const counts = Array.from({ length: LONG ? 1_000 : 8 }, () => random.word() % 3_000_000).sort((a, b) => a - b);
    const system = assemble(plan);
    for (const count of counts) {
      runTo(system, count);
      const state = system.save();
      const copy = assembleEmpty(plan);
      copy.load(state, !LONG);
      const again = copy.save();
      assert.ok(equalBytes(again.fields, state.fields), `fields at ${count} instructions`);
      assert.equal(again.pages.size, state.pages.size);
      for (const [page, { bytes }] of state.pages) {
        assert.ok(equalBytes(again.pages.get(page)!.bytes, bytes), `page ${page} at ${count} instructions`);
      }
    }
  });
}

Deno.test("what was typed ahead and not read yet is in the state", async () => {
  const plan = await bootPlan();
  const system = assemble(plan);
  runTo(system, 1_000);
  system.consoles.type("host", new TextEncoder().encode("typed ahead"));
  const copy = copyOf(plan, system);
  runTo(copy, 200_000);
  runTo(system, 200_000);
  assert.equal(hashesOf(copy), hashesOf(system));
});

/** Of each vCPU, whether its TLB goes before it runs. */
function staleOf(system: ReturnType<typeof assemble>): boolean[] {
  return [...(system as GuestSystem).hypervisor.scheduler.vcpus].map(({ registers }) => (registers as VcpuContext).translationsStale);
}

Deno.test("saving changes nothing", async () => {
  const plan = await demoPlan();
  const [quiet, saved] = [assemble(plan), assemble(plan)];
  for (let count = 100_000; count <= 500_000; count += 100_000) {
    runTo(quiet, count);
    runTo(saved, count);
    // Guests may use what a TLB still has, so it stays, too.
    const before = staleOf(saved);
    assert.ok(before.includes(false), "no vCPU has run");
    saved.save();
    assert.deepEqual(staleOf(saved), before);
    assert.equal(hashesOf(saved), hashesOf(quiet));
  }
});
