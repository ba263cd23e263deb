import assert from "node:assert/strict";
import { TypedAhead } from "../../../src/machine/devices/typed-ahead.ts";
import { assemble, assembleEmpty } from "../../../src/session/assembly/assemble.ts";
import { PRIMARY_CONSOLE } from "../../../src/model/plans/plan.ts";
import { MiB } from "../../../src/kit/support/values/sizes.ts";
import { buildAccesses } from "../../guests/accesses/accesses.ts";
import { hashesOf } from "../../session/snapshots/systems.ts";
import { primaryPlan } from "../../guests/accesses/primary.ts";

Deno.test("characters are taken in the order in which they were typed, also those of a saved state", () => {
  let queue = new TypedAhead();
  const taken: number[] = [], typed: number[] = [];
  for (let round = 0; round < 200; round++) {
    const characters = Array.from({ length: round % 17 }, (_, index) => (round * 31 + index) % 0x401);
    queue.push(characters);
    typed.push(...characters);
    queue.feed((waiting) => {
      const count = Math.min(waiting.length, round % 7);
      taken.push(...waiting.subarray(0, count));
      return count;
    });
    const copy = new TypedAhead();
    copy.restore(queue.save());
    assert.equal(copy.length, queue.length);
    queue = copy;
  }
  queue.feed((waiting) => taken.push(...waiting) && waiting.length);
  assert.deepEqual(taken, typed);
});

for (const uart of ["pl011", "16550a"] as const) {
  Deno.test(`a ${uart} takes megabytes of input ahead of its guest, keeps them in its state, and then takes no more`, async () => {
    const plan = primaryPlan(await buildAccesses(), [], { uart });
    const system = assemble(plan);
    for (let count = 0; count < 3; count++) system.consoles.type(PRIMARY_CONSOLE, new Uint8Array(MiB).fill(97 + count));
    assert.equal(system.consoles.closed(PRIMARY_CONSOLE), undefined);
    const copy = assembleEmpty(plan);
    copy.load(system.save(), true);
    assert.equal(hashesOf(copy), hashesOf(system));
    system.consoles.type(PRIMARY_CONSOLE, new Uint8Array(4 * MiB));
    assert.match(system.consoles.closed(PRIMARY_CONSOLE)?.what ?? "", /con:host: 4 MiB of input are waiting for the guest/);
  });
}
