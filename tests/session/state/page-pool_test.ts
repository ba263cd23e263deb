// Copies of pages in slabs: their content, and slots and slabs that are free again.

import assert from "node:assert/strict";
import { PagePool, SLAB_PAGES } from "../../../src/session/state/page-pool.ts";
import { PAGE_SIZE } from "../../../src/kit/support/values/sizes.ts";
import { heap } from "../../support/heap.ts";

const contentOf = (value: number) => new Uint8Array(PAGE_SIZE).fill(value);

/** Lets the engine collect garbage, and say so. */
async function collect(): Promise<void> {
  heap(0);
  await new Promise((resolve) => setTimeout(resolve, 1));
}

Deno.test("copies stay what they were while slots of others are used again, and slabs without copies go", async () => {
  const pool = new PagePool(), kept = new Map<number, Uint8Array>();
  const first = contentOf(255), copy = pool.copy(first);
  first.fill(1);
  assert.deepEqual([copy[0], copy[PAGE_SIZE - 1], copy.length], [255, 255, PAGE_SIZE]);
  for (let index = 1; index < 2 * SLAB_PAGES; index++) {
    const made = pool.copy(contentOf(index));
    if (index % 1000 === 0) kept.set(index, made);
  }
  assert.equal(pool.slabs, 2);
  // As many copies again need another slab, unless they have the slots of the earlier ones.
  for (let before = 0; before < pool.slabs;) {
    await collect();
    before = pool.slabs;
    for (let index = 0; index < SLAB_PAGES; index++) pool.copy(contentOf(7));
  }
  for (const [index, bytes] of kept) assert.ok(bytes.every((byte) => byte === (index & 255)), `${index}`);
  kept.clear();
  // The one with the first copy stays, and that of the last.
  while (pool.slabs > 2) await collect();
  assert.ok(copy.every((byte) => byte === 255));
});
