// Pages of 16 and 64 KiB at stage 1: what their tables map, and what TLBI drops of them.

import assert from "node:assert/strict";
import { enable, Leaf, PageTables, TCR_48 } from "./page-tables.ts";
import { RAM_BASE, Rig } from "../rig.ts";
import { Random } from "../../../support/random.ts";

const TG0 = 3n << 14n, TG1 = 3n << 30n;
/** Pages: log2 of their bytes, TG0, TG1. */
const GRANULES = [[12, 0n, 2n], [14, 2n, 1n], [16, 1n, 3n]] as const;
const tcrOf = (tg0: bigint, tg1: bigint) => TCR_48 & ~TG0 & ~TG1 | tg0 << 14n | tg1 << 30n;
const signed = (va: bigint) => BigInt.asIntN(64, va);
const load = (rig: Rig, va: bigint) => rig.call("slowLoad", signed(va), 8);
/** TLBI VAAE1, VALE1IS. */
const tlbi = (rig: Rig, va: bigint, inner = false) =>
  rig.call("systemInstruction", 8 << 7 | (inner ? 3 : 7) << 3 | (inner ? 5 : 3), va >> 12n & 0xfff_ffff_ffffn);
const ATTRIBUTES = Leaf.Accessed;
const DATA = 0x9600_0000;

/** An address of a half that `tsz` reaches, in the middle of a page. */
function addressOf(random: Random, tsz: number, high: boolean, shift: number): bigint {
  const inside = BigInt.asUintN(64 - tsz, random.wide()) >> BigInt(shift) << BigInt(shift);
  return high ? BigInt.asUintN(64, (-1n << BigInt(64 - tsz)) | inside) : inside;
}

Deno.test("pages of every granule are found in both halves, with address spaces of every size", () => {
  const random = new Random(16);
  for (const [shift, tg0, tg1] of GRANULES) {
    for (const tsz of [16, 17, 20, 22, 25, 28, 33, 39]) {
      const rig = new Rig("max"), halves = [new PageTables(rig, tsz, shift), new PageTables(rig, tsz, shift)];
      enable(rig, halves[0], halves[1], tcrOf(tg0, tg1));
      for (let round = 0; round < 4; round++) {
        const high = random.below(2), va = addressOf(random, tsz, high === 1, shift);
        const page = RAM_BASE + (random.below(0x20_0000 / 2 ** shift) << shift), within = random.below(2 ** shift / 8) * 8;
        halves[high].map(va, page, ATTRIBUTES);
        rig.poke(page + within, BigInt(round) + 7n);
        assert.equal(load(rig, va + BigInt(within)).value, BigInt(round) + 7n, `${shift} ${tsz} ${va.toString(16)}`);
      }
    }
  }
});

Deno.test("address spaces may be as small as one table with FEAT_TTST, and 52 bits wide with FEAT_LVA and pages of 64 KiB", () => {
  const random = new Random(5), DATA_ABORT = 0x25;
  for (const [cpu, has] of [["max", true], ["v8.2", false]] as const) {
    for (const [shift, tg0, tg1] of GRANULES) {
      for (const tsz of [40, 43, 46, 47, ...shift === 16 ? [12, 13, 15] : [48]]) {
        // Without the feature, the nearest size that there is counts.
        const rig = new Rig(cpu), counted = has ? tsz : tsz < 16 ? 16 : 39;
        const halves = [new PageTables(rig, counted, shift), new PageTables(rig, counted, shift)];
        enable(rig, halves[0], halves[1], tcrOf(tg0, tg1) & ~0x3f_003fn);
        rig.call("writeSystemRegister", 3 << 14 | 2 << 7 | 2, signed(tcrOf(tg0, tg1) & ~0x3f_003fn | BigInt(tsz) | BigInt(tsz) << 16n));
        for (const high of [0, 1]) {
          const va = addressOf(random, Math.max(tsz, counted), high === 1, shift), page = RAM_BASE + (random.below(8) << shift);
          halves[high].map(va, page, ATTRIBUTES);
          rig.poke(page + 8, 77n);
          assert.equal(load(rig, va + 8n).value, 77n, `${cpu} ${shift} ${tsz} ${va.toString(16)}`);
          // The first address outside of the half.
          const outside = BigInt.asUintN(64, high ? (-1n << BigInt(64 - counted)) - 8n : 1n << BigInt(64 - counted));
          const { esr } = load(rig, outside);
          assert.deepEqual([esr! >>> 26, esr! & 0x3f], [DATA_ABORT, 4], `${cpu} ${shift} ${tsz}`);
        }
      }
    }
  }
});

Deno.test("blocks of level 2 have the size of the granule; level 1 has none with 16 and 64 KiB", () => {
  for (const [shift, tg0, tg1] of GRANULES) {
    const rig = new Rig("max"), tables = new PageTables(rig, 16, shift), size = 2n ** BigInt(2 * shift - 3);
    enable(rig, tables, tables, tcrOf(tg0, tg1));
    const va = 3n * size, pa = BigInt(RAM_BASE) / size * size;
    tables.map(va, pa, ATTRIBUTES, 2);
    rig.poke(RAM_BASE + 0x5678, 9n);
    assert.equal(load(rig, va + (BigInt(RAM_BASE) - pa) + 0x5678n).value, 9n, `${shift}`);
    const refused = new Rig("max"), level1 = new PageTables(refused, 16, shift);
    enable(refused, level1, level1, tcrOf(tg0, tg1));
    refused.poke(level1.descriptor(0n, 1), BigInt(RAM_BASE) | ATTRIBUTES | 1n);
    const outcome = load(refused, 0x1000n);
    if (shift === 12) assert.equal(outcome.value, 0n);
    else assert.equal(outcome.esr, DATA + 5, "a translation fault at level 1");
  }
});

Deno.test("a fault names the level at which the walk ended, in each granule", () => {
  for (const [shift, tg0, tg1] of GRANULES) {
    const rig = new Rig("max"), tables = new PageTables(rig, 16, shift), va = 1n << 30n;
    enable(rig, tables, tables, tcrOf(tg0, tg1));
    assert.equal(load(rig, va).esr, DATA + 4 + tables.startLevel);
    for (let level = tables.startLevel + 1; level <= 3; level++) {
      tables.descriptor(va, level);
      assert.equal(load(rig, va).esr, DATA + 4 + level);
    }
    tables.map(va, RAM_BASE, 0n);
    assert.equal(load(rig, va).esr, DATA + 8 + 3, "access flag");
    tables.map(va, RAM_BASE, Leaf.Accessed | Leaf.ReadOnly);
    const store = rig.call("slowStore", va, 8, 1n);
    assert.equal(store.esr, DATA + 0x40 + 0xc + 3, "permission");
  }
});

Deno.test("TLBI of an address drops all of its page, whatever the granule", () => {
  for (const [shift, tg0, tg1] of GRANULES) {
    for (const high of [0, 1]) {
      for (const inner of [false, true]) {
        const rig = new Rig("max"), halves = [new PageTables(rig, 16, shift), new PageTables(rig, 16, shift)];
        enable(rig, halves[0], halves[1], tcrOf(tg0, tg1));
        const va = addressOf(new Random(3), 16, high === 1, shift), other = RAM_BASE + 2 ** shift;
        halves[high].map(va, RAM_BASE, ATTRIBUTES);
        const parts = Array.from({ length: 2 ** (shift - 12) }, (_, i) => i * 4096);
        for (const at of parts) rig.poke(RAM_BASE + at, 1n);
        for (const at of parts) rig.poke(other + at, 2n);
        for (const at of parts) assert.equal(load(rig, va + BigInt(at)).value, 1n);
        halves[high].map(va, other, ATTRIBUTES);
        for (const at of parts) assert.equal(load(rig, va + BigInt(at)).value, 1n, "still cached");
        // Any address of the page will do.
        tlbi(rig, va + BigInt(parts.at(-1)!), inner);
        for (const at of parts) assert.equal(load(rig, va + BigInt(at)).value, 2n, `${shift}`);
      }
    }
  }
});

Deno.test("TLBI of an address in a large block drops all of the block", () => {
  for (const [shift, tg0, tg1] of GRANULES) {
    const rig = new Rig("max"), tables = new PageTables(rig, 16, shift), size = 2n ** BigInt(2 * shift - 3);
    enable(rig, tables, tables, tcrOf(tg0, tg1));
    const pa = BigInt(RAM_BASE) / size * size, inside = BigInt(RAM_BASE) - pa;
    tables.map(5n * size, pa, ATTRIBUTES, 2);
    rig.poke(RAM_BASE + 0x8000, 1n);
    assert.equal(load(rig, 5n * size + inside + 0x8000n).value, 1n);
    rig.poke(tables.descriptor(5n * size, 2), 0n);
    tlbi(rig, 5n * size);
    assert.equal(load(rig, 5n * size + inside + 0x8000n).esr, DATA + 4 + 2);
  }
});

Deno.test("a CPU without a granule takes what asks for it for 4 KiB", () => {
  const rig = new Rig(), tables = new PageTables(rig);
  enable(rig, tables, tables, tcrOf(2n, 1n));
  tables.map(0x4000n, RAM_BASE, ATTRIBUTES);
  rig.poke(RAM_BASE, 5n);
  assert.equal(load(rig, 0x4000n).value, 5n);
});
