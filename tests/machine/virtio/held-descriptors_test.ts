// The descriptors that a device holds: whole chains go and come, also through a state.

import assert from "node:assert/strict";
import { HeldDescriptors } from "../../../src/machine/virtio/held-descriptors.ts";

/** A device that holds the chain 3, 1, 2 of 4 descriptors. */
function holding(): HeldDescriptors {
  const held = new HeldDescriptors(4);
  assert.deepEqual([3, 1, 2].map((descriptor, step) => held.take(descriptor, step)), [false, false, false]);
  return held;
}

Deno.test("each descriptor of a chain is held until the chain is given back, also after a load", () => {
  const saved = holding().save(), after = new HeldDescriptors(4);
  after.restore(saved);
  for (const held of [holding(), after]) {
    for (const descriptor of [3, 1, 2]) {
      const other = new HeldDescriptors(4);
      other.restore(held.save());
      assert.equal(other.take(descriptor, 0), true);
    }
    assert.equal(held.take(0, 0), false);
    held.giveBack(3);
    assert.deepEqual([3, 1, 2].map((descriptor, step) => held.take(descriptor, step)), [false, false, false]);
    held.clear();
    assert.equal(held.save(), undefined);
  }
});

Deno.test("chains that overlap are given back without an end or a throw", () => {
  const held = holding();
  assert.deepEqual([0, 1, 0].map((descriptor, step) => held.take(descriptor, step)), [false, true, true]);
  for (const head of [0, 3, 0]) held.giveBack(head);
  held.clear();
});

Deno.test("a state that is none of such a queue is refused", () => {
  for (const state of [[4 | 1 << 16], [0], [6 << 16], [-1], ["x"], {}]) {
    assert.throws(() => new HeldDescriptors(4).restore(state as number[]), JSON.stringify(state));
  }
});
