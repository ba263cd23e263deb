// Tables with addresses of 52 bits for pages of 4 and 16 KiB (FEAT_LPA2, TCR_EL1.DS): the level -1,
// larger blocks, bits 51:48 of addresses, the shareability, and TLBI. Arm ARM D8.2, D8.3.

import assert from "node:assert/strict";
import { faultOf, FaultStatus, faultStatus } from "../../../../src/cpu/core/architecture/exceptions.ts";
import { Random } from "../../../support/random.ts";
import { RAM_BASE, Rig } from "../rig.ts";
import { enable, Leaf, PageTables, TCR_48 } from "./page-tables.ts";

const TG0 = 3n << 14n, TG1 = 3n << 30n, DS = 1n << 59n;
/** Pages: log2 of their bytes, TG0, TG1, and the largest block: its level and log2 of its bytes. */
const GRANULES = [[12, 0n, 2n, 0, 39], [14, 2n, 1n, 1, 36]] as const;
const tcrOf = (tg0: bigint, tg1: bigint, more = DS) => TCR_48 & ~TG0 & ~TG1 | tg0 << 14n | tg1 << 30n | more;
const signed = (va: bigint) => BigInt.asIntN(64, va);
const load = (rig: Rig, va: bigint) => rig.call("slowLoad", signed(va), 8);
const system = (rig: Rig, crn: number, crm: number, op2: number, operand: bigint) =>
  rig.call("systemInstruction", crn << 7 | crm << 3 | op2, signed(operand));
const writeTcr = (rig: Rig, value: bigint) => rig.call("writeSystemRegister", 3 << 14 | 2 << 7 | 2, signed(value));
/** AT S1E1R; PAR_EL1. */
function parOf(rig: Rig, va: bigint): bigint {
  system(rig, 7, 8, 0, va);
  return rig.get("PAR_EL1");
}

const DATA_ABORT = 0x9600_0000, WRITE = 0x40;
const FAULT_BELOW_0 = { addressSize: 0x29, translation: 0x2b, external: 0x13 } as const;

/** An address of a half of `bits` bits, at the start of a page. */
function addressOf(random: Random, bits: number, high: boolean, shift: number): bigint {
  const inside = BigInt.asUintN(bits, random.wide()) >> BigInt(shift) << BigInt(shift);
  return high ? BigInt.asUintN(64, -1n << BigInt(bits) | inside) : inside;
}

Deno.test("tables reach 52 bits in both halves with pages of 4 and 16 KiB, from level -1 on", () => {
  const random = new Random(52);
  for (const [shift, tg0, tg1] of GRANULES) {
    for (const tsz of [12, 13, 14, 15, 16, 20, 25]) {
      const rig = new Rig("max"), halves = [new PageTables(rig, tsz, shift), new PageTables(rig, tsz, shift)];
      assert.equal(halves[0].startLevel, shift === 14 ? tsz < 17 ? 0 : 1 : tsz < 16 ? -1 : tsz < 25 ? 0 : 1);
      enable(rig, halves[0], halves[1], tcrOf(tg0, tg1));
      for (let round = 0; round < 4; round++) {
        const high = random.below(2), va = addressOf(random, 64 - tsz, high === 1, shift);
        const page = RAM_BASE + (random.below(0x20_0000 / 2 ** shift) << shift), within = random.below(2 ** shift / 8) * 8;
        halves[high].map(va, page, Leaf.Accessed);
        rig.poke(page + within, BigInt(round) + 7n);
        assert.equal(load(rig, va + BigInt(within)).value, BigInt(round) + 7n, `${shift} ${tsz} ${va.toString(16)}`);
      }
      // The first address outside of each half.
      for (const outside of [1n << BigInt(64 - tsz), BigInt.asUintN(64, (-1n << BigInt(64 - tsz)) - 8n)]) {
        assert.equal(load(rig, outside).esr, DATA_ABORT + 4, `${shift} ${tsz}`);
      }
    }
  }
});

Deno.test("without TCR_EL1.DS, and on CPUs without FEAT_LPA2, addresses have 48 bits; more bits than there are fault with FEAT_LVA", () => {
  for (const [shift, tg0, tg1] of GRANULES) {
    for (
      const [cpu, ds, tsz, faults] of [["max", 0n, 15, true], ["max", DS, 11, true], ["max", DS, 0, true], ["v8.6", DS, 12, false]] as const
    ) {
      const rig = new Rig(cpu), counted = cpu === "max" && ds ? 12 : 16;
      const halves = [new PageTables(rig, counted, shift), new PageTables(rig, counted, shift)];
      enable(rig, halves[0], halves[1], tcrOf(tg0, tg1, ds));
      const tcr = tcrOf(tg0, tg1, ds) & ~0x3f_003fn | BigInt(tsz) | BigInt(tsz) << 16n;
      writeTcr(rig, tcr);
      for (const high of [0, 1]) {
        const va = addressOf(new Random(1), 40, high === 1, shift);
        halves[high].map(va, RAM_BASE, Leaf.Accessed);
        rig.poke(RAM_BASE + 8, 3n);
        assert.equal(load(rig, va + 8n)[faults ? "esr" : "value"], faults ? DATA_ABORT + 4 : 3n, `${cpu} ${shift} ${tsz}`);
      }
    }
  }
});

Deno.test("a fault at level -1 has its own status: translation, address size, external abort", () => {
  const rig = new Rig("max"), tables = new PageTables(rig, 12), va = 5n << 48n | 0x1234_5678n, top = tables.descriptor(va, -1);
  enable(rig, tables, tables, tcrOf(0n, 2n));
  assert.equal(load(rig, va).esr, DATA_ABORT + FAULT_BELOW_0.translation);
  assert.equal(rig.call("slowStore", va, 8, 1n).esr, DATA_ABORT + WRITE + FAULT_BELOW_0.translation);
  assert.equal(parOf(rig, va), BigInt(FAULT_BELOW_0.translation << 1 | 0x801));
  // There are no blocks of level -1.
  rig.poke(top, BigInt(RAM_BASE) | Leaf.Accessed | 1n);
  assert.equal(load(rig, va).esr, DATA_ABORT + FAULT_BELOW_0.translation);
  // A next table beyond the 36 bits of TCR_EL1.IPS, in each place of the address.
  for (const bit of [36n, 47n, 48n, 49n, 8n, 9n]) {
    rig.poke(top, BigInt(tables.root) | 1n << bit | 3n);
    assert.equal(load(rig, va).esr, DATA_ABORT + FAULT_BELOW_0.addressSize, `bit ${bit}`);
    assert.equal(parOf(rig, va), BigInt(FAULT_BELOW_0.addressSize << 1 | 0x801));
  }
  // The tables themselves in memory of the VM that is not RAM.
  const outside = RAM_BASE - 0x10_0000;
  rig.stage2.map(outside, outside, 0x1000, 1);
  rig.call("writeSystemRegister", 3 << 14 | 2 << 7, BigInt(outside));
  assert.equal(load(rig, va).esr, DATA_ABORT + FAULT_BELOW_0.external);
  // Stage 2 does not map them: EL2's fault, and the level of the walk for it.
  rig.call("writeSystemRegister", 3 << 14 | 2 << 7, BigInt(outside - 0x1000));
  const { exit, esr } = load(rig, va);
  assert.equal(exit !== undefined && esr! & 0x80, 0x80, "on a walk");
  assert.equal(rig.getWord("WALK_LEVEL") | 0, -1);
});

Deno.test("a status code and its kind and level follow from each other", () => {
  const { AddressSize, Translation, AccessFlag, Permission, ExternalOnWalk } = FaultStatus;
  for (const kind of [AddressSize, Translation, AccessFlag, Permission, ExternalOnWalk]) {
    for (const level of [-1, 0, 1, 2, 3]) {
      // There are no leaves of level -1.
      if (level === -1 && (kind === AccessFlag || kind === Permission)) continue;
      assert.deepEqual(faultOf(faultStatus(kind, level)), { kind, level });
    }
  }
});

Deno.test("TTBR has bits 51:48 of the address at 5:2, and the first table is aligned to 64 bytes", () => {
  for (const [shift, tg0, tg1] of GRANULES) {
    // Two entries of level -1 or 0: 16 bytes.
    const rig = new Rig("max"), tables = new PageTables(rig, shift === 12 ? 15 : 16, shift), va = 0x5000_0000n;
    enable(rig, tables, tables, tcrOf(tg0, tg1));
    tables.map(va, RAM_BASE, Leaf.Accessed);
    rig.poke(RAM_BASE, 77n);
    const ttbr = (value: bigint) => {
      rig.call("writeSystemRegister", 3 << 14 | 2 << 7, value);
      system(rig, 8, 7, 0, 0n);
      return load(rig, va);
    };
    assert.equal(ttbr(BigInt(tables.root) | 3n).value, 77n, "CnP and bit 1 are no address");
    for (const bit of [2n, 3n, 4n, 5n]) assert.equal(ttbr(BigInt(tables.root) | 1n << bit).esr, DATA_ABORT, "address size, level 0");
    assert.equal(ttbr(BigInt(tables.root) | 1n << 36n).esr, DATA_ABORT);
  }
});

Deno.test("there are blocks of one more level, whose highest bits are at 49:48 and 9:8", () => {
  for (const [shift, tg0, tg1, level, size] of GRANULES) {
    const rig = new Rig("max"), tables = new PageTables(rig, 12, shift), va = 3n << BigInt(size), descriptor = tables.descriptor(va, level);
    enable(rig, tables, tables, tcrOf(tg0, tg1));
    rig.poke(RAM_BASE + 0x5678, 9n);
    tables.map(va, 0n, Leaf.Accessed, level);
    const at = va + BigInt(RAM_BASE) + 0x5678n;
    assert.equal(load(rig, at).value, 9n);
    assert.equal(parOf(rig, at) & 0x000f_ffff_ffff_f000n, BigInt(RAM_BASE) + 0x5000n);
    for (const bit of [39n, 47n, 48n, 49n, 8n, 9n]) {
      rig.poke(descriptor, 1n << bit | Leaf.Accessed | 1n);
      system(rig, 8, 7, 0, 0n);
      assert.equal(load(rig, at).esr, DATA_ABORT + level, `address size, bit ${bit}`);
    }
    // Without DS, that level has none.
    rig.poke(descriptor, Leaf.Accessed | 1n);
    const plain = new PageTables(rig, 16, shift);
    plain.map(va, 0n, Leaf.Accessed, level);
    enable(rig, plain, plain, tcrOf(tg0, tg1, 0n));
    assert.equal(load(rig, at).esr, DATA_ABORT + 4 + level);
  }
});

Deno.test("the shareability is TCR_EL1's of the half with DS, and the descriptor's without", () => {
  const shareability = (rig: Rig, va: bigint) => parOf(rig, va) >> 7n & 3n;
  for (const [shift, tg0, tg1] of GRANULES) {
    for (const [sh0, sh1] of [[0n, 2n], [3n, 0n], [2n, 3n]]) {
      const rig = new Rig("max"), halves = [new PageTables(rig, 12, shift), new PageTables(rig, 12, shift)];
      enable(rig, halves[0], halves[1], tcrOf(tg0, tg1) | sh0 << 12n | sh1 << 28n);
      const low = 0x7000_0000_0000n, high = BigInt.asUintN(64, -low);
      halves[0].map(low, RAM_BASE, Leaf.Accessed);
      halves[1].map(high, RAM_BASE, Leaf.Accessed);
      assert.deepEqual([low, high].map((va) => shareability(rig, va)), [sh0, sh1]);
    }
    const rig = new Rig("max"), tables = new PageTables(rig, 16, shift);
    enable(rig, tables, tables, tcrOf(tg0, tg1, 0n) | 2n << 12n);
    tables.map(0x1_0000n, RAM_BASE, Leaf.Accessed | 3n << 8n);
    assert.equal(shareability(rig, 0x1_0000n), 3n);
  }
});

Deno.test("TLBI of any address in the largest block drops all of it", () => {
  for (const [shift, tg0, tg1, level, size] of GRANULES) {
    for (const high of [0, 1]) {
      const rig = new Rig("max"), halves = [new PageTables(rig, 12, shift), new PageTables(rig, 12, shift)];
      enable(rig, halves[0], halves[1], tcrOf(tg0, tg1));
      const va = BigInt.asUintN(64, (high ? -6n : 5n) << BigInt(size)), inside = va + BigInt(RAM_BASE) + 0x8000n;
      halves[high].map(va, 0n, Leaf.Accessed, level);
      rig.poke(RAM_BASE + 0x8000, 1n);
      assert.equal(load(rig, inside).value, 1n);
      rig.poke(halves[high].descriptor(va, level), 0n);
      assert.equal(load(rig, inside).value, 1n, "still cached");
      system(rig, 8, 7, 3, va + (1n << BigInt(size)) - 0x1000n >> 12n & 0xfff_ffff_ffffn);
      assert.equal(load(rig, inside).esr, DATA_ABORT + 4 + level);
    }
  }
});

Deno.test("TLBI of a range has its address in units of 64 KiB with DS, and of pages without", () => {
  for (const [shift, tg0, tg1] of GRANULES) {
    for (const [ds, unit] of [[DS, 16], [0n, shift]] as const) {
      for (const high of [0, 1]) {
        const tsz = ds ? 12 : 16, rig = new Rig("max"), halves = [new PageTables(rig, tsz, shift), new PageTables(rig, tsz, shift)];
        enable(rig, halves[0], halves[1], tcrOf(tg0, tg1, ds));
        const bits = 64 - tsz, base = BigInt.asUintN(64, high ? (-1n << BigInt(bits)) + (7n << 40n) : (1n << BigInt(bits)) - (1n << 41n));
        // A range of 64 KiB, and the page after it.
        const places = [base, base + 0x1_0000n - (1n << BigInt(shift)), base + 0x1_0000n], other = RAM_BASE + 2 ** shift;
        rig.poke(RAM_BASE, 1n);
        rig.poke(other, 2n);
        for (const va of places) halves[high].map(va, RAM_BASE, Leaf.Accessed);
        assert.deepEqual(places.map((va) => load(rig, va).value), [1n, 1n, 1n]);
        for (const va of places) halves[high].map(va, other, Leaf.Accessed);
        const pages = BigInt(2 ** (16 - shift)), num = pages / 2n - 1n, tg = BigInt((shift - 10) / 2);
        system(rig, 8, 6, 1, (base >> BigInt(unit) & 0x1f_ffff_ffffn) | num << 39n | tg << 46n);
        assert.deepEqual(places.map((va) => load(rig, va).value), [2n, 2n, 1n], `${shift} ${unit} ${high}`);
      }
    }
  }
});

Deno.test("tables of pages of 64 KiB do not change with DS", () => {
  const rig = new Rig("max"), tables = new PageTables(rig, 12, 16), va = 0xa_bcde_f012_0000n;
  enable(rig, tables, tables, tcrOf(1n, 3n));
  tables.map(va, RAM_BASE, Leaf.Accessed | 3n << 8n);
  rig.poke(RAM_BASE + 16, 8n);
  assert.equal(load(rig, va + 16n).value, 8n);
  assert.equal(parOf(rig, va) >> 7n & 3n, 3n);
});

Deno.test("hostile tables end each walk with a value or a fault of stage 1, whatever their bits are", () => {
  const random = new Random(99);
  for (const [shift, tg0, tg1] of GRANULES) {
    const rig = new Rig("max"), tables = new PageTables(rig, 12, shift);
    enable(rig, tables, tables, tcrOf(tg0, tg1));
    const addresses = Array.from({ length: 8 }, () => addressOf(random, 52, false, 3));
    for (let round = 0; round < 400; round++) {
      const va = random.pick(addresses), level = tables.startLevel + random.below(4 - tables.startLevel);
      const at = tables.descriptor(va, level), kept = rig.peek(at);
      // Often with an address in RAM.
      const wild = random.wide(), value = random.below(2) ? wild : wild & ~0x0003_ffff_ffc0_0300n | BigInt(RAM_BASE);
      rig.poke(at, value | BigInt(random.below(4)));
      const outcome = load(rig, va), par = parOf(rig, va);
      if (outcome.esr !== undefined && outcome.exit === undefined) {
        assert.equal(par & 1n, 1n, "AT fails as the load does");
        assert.equal(Number(par >> 1n & 0x3fn), outcome.esr & 0x3f);
      }
      rig.poke(at, kept & 2n ? kept : 0n);
      system(rig, 8, 7, 0, 0n);
    }
  }
});
