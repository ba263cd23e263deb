import assert from "node:assert/strict";
import fc from "fast-check";
import { asPa } from "../../../../src/machine/abi/numbers.ts";
import { MemoryDatabase } from "../../../../src/machine/hypervisor/memory/memdb.ts";

const PAGE = 4096;

Deno.test("memory that is entered has its owner, and cannot be entered twice", () => {
  const memory = new MemoryDatabase(), low = { serial: 3, name: "low" }, high = { serial: 5, name: "high" };
  memory.insert(low, asPa(0), 4 * PAGE);
  memory.insert(high, asPa(4 * PAGE), 4 * PAGE);
  assert.equal(memory.ownerOf(asPa(3 * PAGE)), low);
  assert.equal(memory.ownerOf(asPa(4 * PAGE)), high);
  assert.equal(memory.ownerOf(asPa(8 * PAGE)), undefined);
  assert.throws(() => memory.insert(high, asPa(7 * PAGE), 2 * PAGE), /0x7000 to 0x9000 belongs to high/);
  assert.throws(() => memory.insert(high, asPa(3 * PAGE), PAGE), /belongs to low/);
  assert.equal(memory.ownerOf(asPa(8 * PAGE)), undefined);
});

Deno.test("the runs of all pages follow every change", () => {
  const memory = new MemoryDatabase(), one = { serial: 3, name: "one" }, other = { serial: 5, name: "other" };
  const runs = () => [...memory.all()].map(({ pa, size, owner }) => `${pa / PAGE}+${size / PAGE} ${owner.name}`);
  memory.insert(one, asPa(0), 8 * PAGE);
  assert.deepEqual(runs(), ["0+8 one"]);
  assert.ok(memory.transfer(one, other, asPa(2 * PAGE), 2 * PAGE));
  assert.deepEqual(runs(), ["0+2 one", "2+2 other", "4+4 one"]);
  assert.ok(!memory.transfer(one, other, asPa(0), 8 * PAGE), "a part of it is another's");
  assert.deepEqual(runs(), ["0+2 one", "2+2 other", "4+4 one"]);
  memory.insert(other, asPa(9 * PAGE), PAGE);
  assert.deepEqual(runs(), ["0+2 one", "2+2 other", "4+4 one", "9+1 other"]);
});

Deno.test("pages change hands as in a list of all pages", () => {
  const PAGES = 24, OWNERS = [1, 2, 3].map((serial) => ({ serial, name: `owner ${serial}` }));
  const page = fc.integer({ min: 0, max: PAGES }), owner = fc.constantFrom(...OWNERS);
  const step = fc.record({ from: owner, to: owner, first: page, count: page });
  fc.assert(fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
    const memory = new MemoryDatabase(), pages = new Array<number>(PAGES).fill(1);
    memory.insert(OWNERS[0], asPa(0), PAGES * PAGE);
    for (const { from, to, first, count } of steps) {
      const range = pages.slice(first, first + count), size = count * PAGE, pa = asPa(first * PAGE);
      const owned = first + count <= PAGES && range.every((serial) => serial === from.serial);
      let most = 0;
      while (range[most] === from.serial) most++;
      assert.equal(memory.ownedBytes(from, pa, size), most * PAGE);
      const inside = [...memory.runs(from, pa, size)].flatMap(({ pa, size }) => listed(pa, size));
      assert.deepEqual(inside, range.flatMap((serial, index) => serial === from.serial ? [first + index] : []));
      assert.equal(memory.transfer(from, to, pa, size), owned);
      if (owned) pages.fill(to.serial, first, first + count);
      assert.deepEqual(pages.map((_, index) => memory.ownerOf(asPa(index * PAGE))?.serial), pages);
      const runs = [...memory.all()];
      assert.deepEqual(runs.flatMap(({ size, owner }) => new Array(size / PAGE).fill(owner.serial)), pages);
      assert.ok(runs.every(({ owner }, index) => owner !== runs[index - 1]?.owner), "runs are as long as they can be");
    }
  }));
});

/** The pages of a run. */
function listed(pa: number, size: number): number[] {
  return Array.from({ length: size / PAGE }, (_, index) => pa / PAGE + index);
}
