// A machine in the memory of an earlier one is, to the byte, what it is in fresh memory, whatever
// the earlier one did: where it had come, what stopped it, which code it had compiled.

import assert from "node:assert/strict";
import { assemble } from "../../../src/session/assembly/assemble.ts";
import { SessionRun } from "../../../src/session/engine/session-run.ts";
import type { SessionPlan } from "../../../src/model/plans/plan.ts";
import { EVERY_VM } from "../../../src/model/queries/debugged-vms.ts";
import type { Past } from "../../../src/session/recordings/past/past.ts";
import { filledPages } from "../../../src/session/state/pages.ts";
import { PAGE_SIZE } from "../../../src/kit/support/values/sizes.ts";
import { Random } from "../../support/random.ts";
import { bootPlan, demoPlan, hashesOf, runTo } from "../snapshots/systems.ts";
import { LONG } from "../../support/long.ts";
import { machinesOf } from "./session-in-thread.ts";

const PLACES = LONG ? 400 : 16;

/** Something that a machine may have been used for. */
function use({ system }: Past, random: Random): void {
  const { core, machine: { ram } } = system, control = system.debugger.give(EVERY_VM, false);
  const pages = [...filledPages(system.machine)], [page] = random.pick(pages), pa = page * PAGE_SIZE + 8 * random.below(PAGE_SIZE / 8);
  switch (random.below(6)) {
    case 0:
      return core.stops.watchMemory({ pa, length: 8, kind: random.pick(["write", "read", "access", "execute"] as const) });
    case 1:
      return core.stops.watchRegisters([random.pick(["x0", "x19", "v3", "sp", "vbar_el1"])]);
    case 2:
      for (const { registers: { pc } } of control.vcpus()) control.insertAhead(pc);
      return;
    case 3:
      // Not a part of any state.
      ram.write(pa, Uint8Array.of(random.below(256)));
      return;
    case 4:
      return core.flush();
  }
}

/** Compares places of a run; how many machines were in memory that was left. */
function comparePlaces(plan: SessionPlan, length: number, random: Random): number {
  const system = assemble(plan), again = machinesOf(plan);
  let taken = 0;
  const run = new SessionRun(system, (state, left) => {
    if (left) taken++;
    return again(state, left);
  }, undefined);
  for (let count = length / 20; count <= length; count += length / 20) {
    runTo(system, count);
    run.keepNow();
  }
  for (let index = 0; index < PLACES; index++) {
    const place = random.below(length), milestone = run.milestone(place), past = run.pastAt(milestone);
    const other = again(milestone?.state);
    const isSaved = () => {
      assert.equal(hashesOf(past.system), hashesOf(other), `${place}`);
      const [state, expected] = [past.system, other].map((one) => one.save());
      assert.deepEqual(state.fields, expected.fields, `${place}`);
      assert.deepEqual(state.tlbs, expected.tlbs, `${place}`);
    };
    isSaved();
    while (!past.advance(place, Infinity));
    if (other.instructions() < place) runTo(other, place);
    isSaved();
    use(past, random);
    past.onStop = () => true;
    past.advance(place + random.below(length / 20), Infinity);
    run.leave(past);
  }
  return taken;
}

for (const tier of ["interp", "jit"] as const) {
  Deno.test(`places of the demo are the same in memory that another machine has left, in tier ${tier}`, async () => {
    const taken = comparePlaces(await demoPlan({ tier }), 400_000, new Random(77));
    assert.ok(taken > PLACES / 2, `${taken}`);
  });

  Deno.test(`places of a primary VM are the same in memory that another machine has left, in tier ${tier}`, async () => {
    const taken = comparePlaces(await bootPlan({ tier }), 4_000, new Random(78));
    assert.ok(taken > PLACES / 2, `${taken}`);
  });
}
