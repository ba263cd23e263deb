// States of a machine whose CPUs execute EL2, taken on both sides of world switches: a machine that
// continues from one is the same to the end, and so is a past that begins in one.

import assert from "node:assert/strict";
import { isBelowEl2 } from "../../../src/cpu/core/interface.ts";
import type { SessionPlan } from "../../../src/model/plans/plan.ts";
import { assemble } from "../../../src/session/assembly/assemble.ts";
import type { GuestSystem } from "../../../src/session/assembly/system/guest-system.ts";
import { Past } from "../../../src/session/recordings/past/past.ts";
import { assembleFrom, loaded } from "../../../src/session/snapshots/begin.ts";
import { saveSystem } from "../../../src/session/state/system-state.ts";
import { el2Plan, withEl2Program } from "../../support/el2-program.ts";
import { hashesOf, runTo } from "./systems.ts";

/** Instructions before the guest's first entry, after its other ones; and between two states. */
const BEFORE = 1_000, LAST = 2_600, STEP = 2, STATES = 4;

/** Whether a vCPU is in the guest of its EL2. */
const isInGuest = ({ hypervisor }: GuestSystem) => [...hypervisor.scheduler.vcpus].some(({ registers }) => isBelowEl2(registers));

/** Instructions after which the guest has been entered. */
function firstEntry(plan: SessionPlan): number {
  const system = assemble(plan);
  for (let count = BEFORE; count < LAST; count++) {
    runTo(system, count);
    if (isInGuest(system)) return count;
  }
  assert.fail("no guest was entered");
}

/** The guests that EL2 has entered, by vCPU. */
const guestsOf = ({ hypervisor }: Pick<GuestSystem, "hypervisor">) =>
  [...hypervisor.scheduler.vcpus].map(({ registers }) => registers.guests);

Deno.test("a state in a guest of EL2, or in the hypervisor between two entries, continues as the run that it is of", () =>
  withEl2Program(["start.S", "guest.c"], async (elf) => {
    const plan: SessionPlan = await el2Plan(elf), first = assemble(plan), seen = new Set<boolean>(), start = firstEntry(plan) - 1;
    const states = Array.from({ length: STATES }, (_, index) => {
      runTo(first, start + STEP * index);
      seen.add(isInGuest(first));
      return { hashes: hashesOf(first), guests: guestsOf(first), state: saveSystem(first) };
    });
    assert.deepEqual(seen, new Set([true, false]));
    runTo(first, LAST);
    const end = hashesOf(first);
    assert.equal(guestsOf(first).flatMap(({ entries }) => entries).length, 1);
    for (const { hashes, guests, state } of states) {
      const second = assembleFrom(plan);
      second.load(state, true);
      assert.equal(hashesOf(second), hashes);
      assert.deepEqual(guestsOf(second), guests);
      runTo(second, LAST);
      assert.equal(hashesOf(second), end, hashes);
      const past = new Past(loaded(plan, state), []);
      while (!past.advance(LAST, Infinity));
      assert.equal(hashesOf(past.system), end, hashes);
    }
  }));
