// Allocation of IPAs and of vIRQ numbers.

import { asIpa } from "../../../../src/machine/abi/numbers.ts";
import assert from "node:assert/strict";
import fc from "fast-check";
import {
  type Addresses,
  addresses,
  allocateRange,
  freeRange,
  takeRange,
} from "../../../../src/machine/resource-manager/state/addresses.ts";
import { allocateNumber, numbers, takeNumber } from "../../../../src/machine/resource-manager/state/numbers.ts";

const LIMIT = 64;

/** Which units are taken, by the ranges. */
function occupied(space: Addresses): boolean[] {
  const units = new Array(LIMIT).fill(false);
  for (const { base, size } of space.taken) {
    for (let unit = base; unit < base + size; unit++) {
      assert.ok(!units[unit], `unit ${unit} is taken twice`);
      units[unit] = true;
    }
  }
  // However much is taken, a search passes as few ranges as there are gaps.
  assert.equal(space.taken.length, units.filter((taken, unit) => taken && !units[unit - 1]).length);
  return units;
}

Deno.test("ranges that are taken and given back at random agree with a map of single units", () => {
  const operation = fc.record({
    kind: fc.constantFrom("take", "allocate", "free"),
    base: fc.nat(LIMIT).map(asIpa),
    size: fc.integer({ min: 0, max: 12 }),
    alignment: fc.constantFrom(1, 2, 4, 8),
  });
  fc.assert(fc.property(fc.array(operation, { maxLength: 60 }), (operations) => {
    const space = addresses(LIMIT);
    const units = new Array<boolean>(LIMIT).fill(false);
    const isFree = (base: number, size: number) => base + size <= LIMIT && units.slice(base, base + size).every((unit) => !unit);
    for (const { kind, base, size, alignment } of operations) {
      if (kind === "take") {
        const possible = size > 0 && isFree(base, size);
        assert.equal(takeRange(space, { base, size }), possible);
        if (possible) units.fill(true, base, base + size);
      } else if (kind === "allocate") {
        const bases = Array.from({ length: LIMIT / alignment }, (_, index) => index * alignment);
        const lowest = size === 0 ? undefined : bases.find((candidate) => isFree(candidate, size));
        assert.equal(allocateRange(space, size, alignment), lowest);
        if (lowest !== undefined) units.fill(true, lowest, lowest + size);
      } else {
        freeRange(space, { base, size });
        units.fill(false, base, base + size);
      }
      assert.deepEqual(occupied(space), units);
    }
  }));
});

Deno.test("reserved ranges are left out by allocation and can be taken by name", () => {
  const space = addresses(LIMIT);
  space.reserved.push({ base: asIpa(0), size: 16 });
  assert.equal(allocateRange(space, 4, 4), 16);
  assert.ok(takeRange(space, { base: asIpa(4), size: 4 }));
});

Deno.test("a window says where a range begins, not where it ends", () => {
  const space = addresses(LIMIT);
  assert.equal(allocateRange(space, 8, 4, { base: asIpa(6), size: 4 }), 8);
  assert.equal(allocateRange(space, 8, 4, { base: asIpa(6), size: 4 }), undefined);
});

Deno.test("vIRQ numbers are given lowest first, and those out of range only by name", () => {
  const pool = numbers(960, 962);
  assert.ok(takeNumber(pool, 34));
  assert.ok(!takeNumber(pool, 34));
  assert.deepEqual([allocateNumber(pool), allocateNumber(pool), allocateNumber(pool), allocateNumber(pool)], [960, 961, 962, undefined]);
  pool.used.delete(961);
  assert.equal(allocateNumber(pool), 961);
});
