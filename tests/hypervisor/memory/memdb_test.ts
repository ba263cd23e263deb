import assert from "node:assert/strict";
import { asPa } from "../../../src/abi/numbers.ts";
import { MemoryDatabase } from "../../../src/hypervisor/memory/memdb.ts";

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
  const runs = () => memory.all().map(({ pa, size, owner }) => `${pa / PAGE}+${size / PAGE} ${owner.name}`);
  memory.insert(one, asPa(0), 8 * PAGE);
  assert.deepEqual(runs(), ["0+8 one"]);
  assert.ok(memory.transfer(one, other, asPa(2 * PAGE), 2 * PAGE));
  assert.deepEqual(runs(), ["0+2 one", "2+2 other", "4+4 one"]);
  assert.ok(!memory.transfer(one, other, asPa(0), 8 * PAGE), "a part of it is another's");
  assert.deepEqual(runs(), ["0+2 one", "2+2 other", "4+4 one"]);
  memory.insert(other, asPa(9 * PAGE), PAGE);
  assert.deepEqual(runs(), ["0+2 one", "2+2 other", "4+4 one", "9+1 other"]);
});
