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
