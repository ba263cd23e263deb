// Walks and lists of translation tables, for each granule: what a list has, each walk finds.

import assert from "node:assert/strict";
import {
  type Descriptor,
  isInHalf,
  lastTableShift,
  leavesOf,
  outputOf,
  tablesOf,
  untagged,
  walkBeside,
  walkTables,
} from "../../src/formats/page-tables.ts";
import { Random } from "../support/random.ts";

const ROOT = 0x4000_0000, RAM = 1n << 40n;

/** TCR_EL1 for a granule and size of addresses, with TBI in the upper half. */
function tcrOf(granule: number, bits: number): bigint {
  const tg0 = { 12: 0n, 16: 1n, 14: 2n }[granule]!, tg1 = { 12: 2n, 14: 1n, 16: 3n }[granule]!, size = BigInt(64 - bits);
  return size | tg0 << 14n | size << 16n | tg1 << 30n | 1n << 38n;
}

/** Tables with random leaves: entries of 8 bytes, and `granule - 3` bits of an index. */
function randomTables(random: Random, granule: number, bits: number, upper: boolean) {
  const memory = new Map<number, bigint>(), mapped = new Map<bigint, bigint>();
  const indexBits = granule - 3, levels = Math.ceil((bits - granule) / indexBits);
  let free = ROOT + 2 ** 20;
  for (let count = 0; count < 60; count++) {
    const isNear = random.below(2) === 0;
    const page = BigInt(isNear ? random.below(700) : random.below(2 ** 30)) % (1n << BigInt(bits - granule));
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
    const output = (BigInt(random.below(2 ** 20)) << BigInt(granule)) % RAM;
    memory.set(table + 8 * (Number(page) % 2 ** indexBits), output | 0x703n);
    const first = (upper ? (1n << 64n) - (1n << BigInt(bits)) : 0n) + (page << BigInt(granule));
    mapped.set(first, output);
  }
  return { memory, mapped };
}

for (const granule of [12, 14, 16]) {
  Deno.test(`tables of ${2 ** (granule - 10)} KiB pages: a list, walks and walks beside them agree with what was mapped`, () => {
    const random = new Random(granule);
    for (
      const [bits, upper] of [[granule === 16 ? 52 : 48, true], [39, false], [36, true], [42, false], [20, true], [17, false]] as const
    ) {
      const { memory, mapped } = randomTables(random, granule, bits, upper), read = (ipa: number) => memory.get(ipa) ?? 0n;
      const tables = tablesOf(BigInt(ROOT) | 0x12n << 48n | 1n, tcrOf(granule, bits), upper);
      assert.deepEqual(tables, { root: ROOT, granule, bits, upper });
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
  assert.deepEqual(passed.map(({ kind, level, entry }) => [kind, level, entry]), [["table", 1, ROOT + 8]]);
  assert.equal(walkBeside(tables, end, address + 0x1000n, read), end);
  assert.equal(walkTables(tables, 0x1000n, read).kind, "unreadable");
});

Deno.test("the top byte is a tag only where TCR_EL1 says so", () => {
  const tcr = tcrOf(12, 48);
  assert.equal(untagged(0x12ff_8000_0000_0000n, tcr), -0x8000_0000_0000n);
  assert.equal(isInHalf(tablesOf(0n, tcr, false), untagged(0x1200_0000_0000_0000n, tcr)), false);
});
