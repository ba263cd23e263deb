// Walks and lists of translation tables, for each granule: what a list has, each walk finds.

import assert from "node:assert/strict";
import {
  type Descriptor,
  isInHalf,
  lastTableShift,
  leavesOf,
  outputOf,
  TableControl,
  tablesOf,
  untagged,
  walkBeside,
  walkTables,
} from "../../../src/kit/formats/page-tables.ts";
import { Random } from "../../support/random.ts";

const ROOT = 0x4000_0000, RAM = 1n << 40n;

/** TCR_EL1 for a granule and size of addresses, with TBI in the upper half. */
function tcrOf(granule: number, bits: number, wide = false): bigint {
  const tg0 = { 12: 0n, 16: 1n, 14: 2n }[granule]!, tg1 = { 12: 2n, 14: 1n, 16: 3n }[granule]!, size = BigInt(64 - bits);
  return size | tg0 << 14n | size << 16n | tg1 << 30n | 1n << 38n | (wide ? 1n << 59n : 0n);
}

/** Tables with random leaves: entries of 8 bytes, and `granule - 3` bits of an index. */
function randomTables(random: Random, granule: number, bits: number, upper: boolean, wide: boolean) {
  const memory = new Map<number, bigint>(), mapped = new Map<bigint, bigint>();
  const indexBits = granule - 3, levels = Math.ceil((bits - granule) / indexBits);
  let free = ROOT + 2 ** 20;
  for (let count = 0; count < 60; count++) {
    const isNear = random.below(2) === 0;
    const page = BigInt(isNear ? random.below(700) : random.below(2 ** 30) * 1031) % (1n << BigInt(bits - granule));
    let table = ROOT;
    for (let below = levels - 1; below > 0; below--) {
      const index = Number(page >> BigInt(below * indexBits)) % (below === levels - 1 ? 2 ** 30 : 2 ** indexBits), at = table + 8 * index;
      const known = memory.get(at);
      if (known === undefined) {
        memory.set(at, BigInt(free) | 3n);
        free += 2 ** granule;
      }
      table = Number(memory.get(at)! & 0xffff_ffff_f000n);
    }
    const low = (BigInt(random.below(2 ** 20)) << BigInt(granule)) % RAM, high = BigInt(wide ? random.below(16) : 0);
    const output = low | high << 48n, attributes = wide ? 0x403n : 0x703n;
    memory.set(table + 8 * (Number(page) % 2 ** indexBits), low | (high & 3n) << 48n | high >> 2n << 8n | attributes);
    const first = (upper ? (1n << 64n) - (1n << BigInt(bits)) : 0n) + (page << BigInt(granule));
    mapped.set(first, output);
  }
  return { memory, mapped };
}

for (const [granule, wide] of [[12, false], [14, false], [16, false], [12, true], [14, true]] as const) {
  const kind = `${2 ** (granule - 10)} KiB pages${wide ? " with addresses of 52 bits" : ""}`;
  Deno.test(`tables of ${kind}: a list, walks and walks beside them agree with what was mapped`, () => {
    const random = new Random(granule);
    for (
      const [bits, upper] of [
        ...[[granule === 16 || wide ? 52 : 48, true], [39, false], [36, true], [42, false], [20, true], [17, false]] as const,
        ...wide ? [[50, false], [49, true]] as const : [],
      ] as const
    ) {
      const { memory, mapped } = randomTables(random, granule, bits, upper, wide), read = (ipa: number) => memory.get(ipa) ?? 0n;
      const tables = tablesOf(BigInt(ROOT) | 0x12n << 48n | 1n, tcrOf(granule, bits, wide), upper);
      const { first, ...form } = tables;
      assert.deepEqual(form, { root: ROOT, granule, bits, upper, wide, refused: false });
      assert.equal(first.shift + first.width, bits);
      const all = [...leavesOf(tables, read)];
      assert.deepEqual(new Map(all.map(({ address, leaf }) => [address, BigInt(outputOf(leaf, 0n))])), mapped);
      assert.deepEqual(all.map(({ address }) => address), [...mapped.keys()].sort((a, b) => a < b ? -1 : 1));
      let before: { readonly end: Descriptor; readonly address: bigint } | undefined;
      for (const address of mapped.keys()) {
        for (const at of [address + 0x124n, address + (1n << BigInt(granule))]) {
          if (!isInHalf(tables, at)) continue;
          const end = walkTables(tables, at, read), page = at >> BigInt(granule) << BigInt(granule);
          assert.equal(end.kind, mapped.has(page) ? "leaf" : "invalid");
          if (end.kind === "leaf") assert.equal(BigInt(outputOf(end, at)), mapped.get(page)! + (at - page));
          const shift = BigInt(lastTableShift(tables));
          if (before && before.address >> shift === at >> shift) assert.deepEqual(walkBeside(tables, before.end, at, read), end);
          before = { end, address: at };
        }
      }
    }
  });
}

Deno.test("a block ends a walk early, tables take rights away from all below, and a walk ends where no memory is", () => {
  const memory = new Map([[ROOT + 8, BigInt(ROOT + 0x1000) | 3n | 1n << 62n | 1n << 60n], [ROOT + 0x1000 + 16, 0x8000_0000n | 1n]]);
  const tables = tablesOf(BigInt(ROOT), tcrOf(12, 39), false), read = (ipa: number) => ipa === ROOT ? undefined : memory.get(ipa) ?? 0n;
  const passed: Descriptor[] = [], address = 0x4041_2345n;
  const end = walkTables(tables, address, read, (table) => passed.push(table));
  assert.deepEqual([end.kind, end.level, end.shift, end.controls, outputOf(end, address)], ["leaf", 2, 21, 0b1010, 0x8001_2345]);
  const { noWrite, pxn, xn } = TableControl, all = (ipa: number) => memory.get(ipa) ?? 0n;
  assert.deepEqual([0, pxn, xn, noWrite].map((without) => [...leavesOf(tables, all, without)].length), [1, 1, 0, 0]);
  assert.deepEqual(passed.map(({ kind, level, entry }) => [kind, level, entry]), [["table", 1, ROOT + 8]]);
  assert.equal(walkBeside(tables, end, address + 0x1000n, read), end);
  assert.equal(walkTables(tables, 0x1000n, read).kind, "unreadable");
});

Deno.test("tables with addresses of 52 bits begin at level -1, and have blocks of one more level; others do not", () => {
  const block = 0x403n ^ 2n, address = 3n << 48n | 5n << 39n | 0x1234n;
  for (const wide of [true, false]) {
    const ttbr = BigInt(ROOT) | 0b1001n << 2n, tables = tablesOf(ttbr, tcrOf(12, wide ? 52 : 48, wide), false);
    // Bits 51:48 of the first table are at 5:2; without, the table is only aligned to its size.
    assert.equal(tables.root, wide ? ROOT + 9 * 2 ** 48 : ROOT);
    const below = ROOT + 0x1000, memory = new Map([[tables.root + 8 * (wide ? 3 : 5), wide ? BigInt(below) | 3n : block]]);
    memory.set(below + 8 * 5, 0x7n << 39n | 1n << 48n | 2n << 8n | block);
    const end = walkTables(tables, wide ? address : address % (1n << 48n), (ipa) => memory.get(ipa) ?? 0n);
    assert.deepEqual([end.kind, end.level], wide ? ["leaf", 0] : ["invalid", 0]);
    if (wide) assert.equal(outputOf(end, address), Number(7n << 39n | 0b1001n << 48n | 0x1234n));
  }
  const first = walkTables(tablesOf(0n, tcrOf(12, 52, true), false), 0n, () => block);
  assert.deepEqual([first.kind, first.level], ["invalid", -1]);
});

Deno.test("a TxSZ below the least counts as the least, or lets every walk fault where the CPU has FEAT_LVA", () => {
  const sizes = { granules: [12], hasWideTables: false, refusesLess: false, limits: () => [16, 39] as const } as const,
    tcr = tcrOf(12, 52, true);
  const clamped = tablesOf(0n, tcr, false, sizes), refused = tablesOf(0n, tcr, false, { ...sizes, refusesLess: true });
  assert.deepEqual([clamped.bits, clamped.wide, isInHalf(clamped, 1n << 47n), isInHalf(clamped, 1n << 48n)], [48, false, true, false]);
  assert.equal(isInHalf(refused, 0n), false);
  assert.deepEqual([...leavesOf(refused, () => 3n)], []);
});

Deno.test("the top byte is a tag only where TCR_EL1 says so", () => {
  const tcr = tcrOf(12, 48);
  assert.equal(untagged(0x12ff_8000_0000_0000n, tcr), -0x8000_0000_0000n);
  assert.equal(isInHalf(tablesOf(0n, tcr, false), untagged(0x1200_0000_0000_0000n, tcr)), false);
});
