// TLB maintenance drops the entries that it must, however they were cached.

import assert from "node:assert/strict";
import { Pstate } from "../../../../src/cpu/core/architecture/exceptions.ts";
import { TlbSpace } from "../../../../src/cpu/core/state/tlb-layout.ts";
import { TlbPool } from "../../../../src/cpu/core/memory/tlb-pool.ts";
import { enable, Leaf, PageTables, TCR_48 } from "./page-tables.ts";
import { RAM_BASE, Rig } from "../rig.ts";

const OLD = RAM_BASE + 0x5000;
const NEW = RAM_BASE + 0x6000;
const VA = 0x40_0000n;
const ATTRIBUTES = Leaf.Accessed | Leaf.NonGlobal;

const load = (rig: Rig, va: bigint) => rig.call("slowLoad", va, 8).value;

const store = (rig: Rig, va: bigint, value: bigint) => rig.call("slowStore", va, 8, value);

function mapped(attributes: bigint = ATTRIBUTES): { rig: Rig; tables: PageTables } {
  const rig = new Rig();
  const tables = new PageTables(rig);
  tables.map(VA, OLD, attributes);
  enable(rig, tables);
  rig.poke(OLD, 1n);
  rig.poke(NEW, 2n);
  return { rig, tables };
}

/** TLBI by op2; inner shareable or local. */
const tlbi = (rig: Rig, op2: number, operand: bigint, shareable = false) =>
  rig.call("systemInstruction", 8 << 7 | (shareable ? 3 : 7) << 3 | op2, BigInt.asIntN(64, operand));
const BY_ADDRESS: [string, number][] = [["VAE1", 1], ["VAAE1", 3], ["VALE1", 5], ["VAALE1", 7]];
const page = (va: bigint) => va >> 12n & (1n << 44n) - 1n;

const writeTtbr0 = (rig: Rig, value: bigint) => rig.call("writeSystemRegister", 3 << 14 | 2 << 7, BigInt.asIntN(64, value));

Deno.test("a translation stays cached until it is invalidated", () => {
  const { rig, tables } = mapped();
  assert.equal(load(rig, VA), 1n);
  tables.map(VA, NEW, ATTRIBUTES);
  assert.equal(load(rig, VA), 1n, "nothing is walked on a hit");
  tlbi(rig, 0, 0n);
  assert.equal(load(rig, VA), 2n);
});

Deno.test("every TLBI by address drops its page, and no other", () => {
  for (const shareable of [false, true]) {
    for (const [name, op2] of BY_ADDRESS) {
      const { rig, tables } = mapped();
      tables.map(VA + 0x1000n, OLD, ATTRIBUTES);
      load(rig, VA), load(rig, VA + 0x1000n);
      tables.map(VA, NEW, ATTRIBUTES), tables.map(VA + 0x1000n, NEW, ATTRIBUTES);
      tlbi(rig, op2, page(VA), shareable);
      assert.deepEqual([load(rig, VA), load(rig, VA + 0x1000n)], [2n, 1n], name);
    }
  }
});

Deno.test("TLBI by address drops the page for reads, writes and fetches of every regime", () => {
  const { rig, tables } = mapped(Leaf.Accessed | Leaf.User);
  const regimes = [Pstate.EL0t, Pstate.EL1h, Pstate.EL1h | Pstate.PAN];
  const wasmAddresses = () =>
    regimes.flatMap((pstate) => {
      rig.pstate(pstate);
      const store = pstate === Pstate.EL0t || !(pstate & Pstate.PAN) ? [rig.call("slowAddress", VA, 8).value] : [];
      return [...store, pstate & Pstate.PAN ? undefined : load(rig, VA)].filter((value) => value !== undefined);
    });
  assert.deepEqual(wasmAddresses(), [rig.wasmAddress(OLD), 1n, rig.wasmAddress(OLD), 1n]);
  tables.map(VA, NEW, Leaf.Accessed | Leaf.User);
  assert.deepEqual(wasmAddresses(), [rig.wasmAddress(OLD), 1n, rig.wasmAddress(OLD), 1n]);
  tlbi(rig, 1, page(VA));
  assert.deepEqual(wasmAddresses(), [rig.wasmAddress(NEW), 2n, rig.wasmAddress(NEW), 2n]);
});

Deno.test("a TLBI by any address of a block drops the whole block", () => {
  for (const [level, offset] of [[2, 0x1f_3000n], [1, 0x3fff_0000n]] as const) {
    const rig = new Rig();
    const tables = new PageTables(rig);
    const va = 0x80_0000_0000n;
    tables.map(va, RAM_BASE, ATTRIBUTES, level);
    enable(rig, tables);
    rig.poke(OLD, 1n);
    assert.equal(load(rig, va + 0x5000n), 1n);
    rig.poke(tables.descriptor(va, level), 0n);
    tlbi(rig, 5, page(va + offset));
    assert.equal(load(rig, va + 0x5000n), undefined, `level ${level}`);
  }
});

Deno.test("a TLBI in another block leaves a block's translations alone", () => {
  const rig = new Rig();
  const tables = new PageTables(rig);
  tables.map(0x4000_0000n, RAM_BASE, ATTRIBUTES, 2);
  enable(rig, tables);
  rig.poke(OLD, 1n);
  load(rig, 0x4000_5000n);
  rig.poke(tables.descriptor(0x4000_0000n, 2), 0n);
  tlbi(rig, 5, page(0x4020_5000n));
  assert.equal(load(rig, 0x4000_5000n), 1n);
});

Deno.test("a change of ASID drops non-global translations and keeps global ones", () => {
  const { rig, tables } = mapped();
  const global = 0x80_1000n;
  tables.map(global, OLD, Leaf.Accessed);
  assert.deepEqual([load(rig, VA), load(rig, global)], [1n, 1n]);
  const other = new PageTables(rig);
  other.map(VA, NEW, ATTRIBUTES), other.map(global, NEW, Leaf.Accessed);
  writeTtbr0(rig, 5n << 48n | BigInt(other.root));
  assert.deepEqual([load(rig, VA), load(rig, global)], [2n, 1n]);
  writeTtbr0(rig, BigInt(tables.root));
  assert.deepEqual([load(rig, VA), load(rig, global)], [1n, 1n]);
});

Deno.test("the ASID is that of TTBR1 when TCR_EL1.A1 is set, and has 8 bits unless TCR_EL1.AS is", () => {
  const { rig, tables } = mapped();
  enable(rig, tables, tables, TCR_48 | 1n << 22n);
  load(rig, VA);
  tables.map(VA, NEW, ATTRIBUTES);
  writeTtbr0(rig, 9n << 48n | BigInt(tables.root));
  assert.equal(load(rig, VA), 1n, "TTBR0's field is no ASID");
  const writeTtbr1 = (asid: bigint) =>
    rig.call("writeSystemRegister", 3 << 14 | 2 << 7 | 1, BigInt.asIntN(64, asid << 48n | BigInt(tables.root)));
  writeTtbr1(0x100n);
  assert.equal(load(rig, VA), 1n, "8 bits");
  writeTtbr1(0x101n);
  assert.equal(load(rig, VA), 2n);
  enable(rig, tables, tables, TCR_48 | 1n << 22n | 1n << 36n);
  writeTtbr1(0x1n);
  load(rig, VA);
  tables.map(VA, OLD, ATTRIBUTES);
  writeTtbr1(0x101n);
  assert.equal(load(rig, VA), 1n, "16 bits");
});

Deno.test("ASIDE1 drops non-global translations of the current ASID only", () => {
  const { rig, tables } = mapped();
  load(rig, VA);
  tables.map(VA, NEW, ATTRIBUTES);
  tlbi(rig, 2, 3n << 48n);
  assert.equal(load(rig, VA), 1n);
  tlbi(rig, 2, 0n);
  assert.equal(load(rig, VA), 2n);
});

Deno.test("a changed TCR_EL1, MAIR_EL1 or SCTLR_EL1.M drops everything", () => {
  for (const [crn, crm, op2, value] of [[2, 0, 2, TCR_48 | 1n << 37n], [10, 2, 0, 0n], [1, 0, 0, 0x30d00800n]] as const) {
    const { rig, tables } = mapped(Leaf.Accessed);
    load(rig, VA);
    tables.map(VA, NEW, Leaf.Accessed);
    rig.call("writeSystemRegister", 3 << 14 | crn << 7 | crm << 3 | op2, value);
    if (crn === 1) rig.call("writeSystemRegister", 3 << 14 | 1 << 7, value | 1n);
    assert.equal(load(rig, VA), 2n);
  }
});

// Arm ARM B2.5, and D19.2 (MAIR_EL1). QEMU, the oracle of exceptions_test.ts, has no alignment
// faults of Device memory.
Deno.test("memory that MAIR_EL1 makes Device has alignment faults from then on, and none once it is Normal again", () => {
  const { rig } = mapped(Leaf.Accessed), esrOf = (va: bigint) => rig.call("slowLoad", va, 8).esr;
  const attribute = (value: bigint) => {
    rig.call("writeSystemRegister", 3 << 14 | 10 << 7 | 2 << 3, value);
    tlbi(rig, 0, 0n);
  };
  attribute(0xffn);
  assert.deepEqual([esrOf(VA), esrOf(VA + 1n)], [undefined, undefined]);
  attribute(0n);
  assert.deepEqual([esrOf(VA), Number(esrOf(VA + 1n)) & 0x3f], [undefined, 0x21]);
  attribute(0xffn);
  assert.equal(esrOf(VA + 1n), undefined);
});

Deno.test("inner-shareable TLBI reaches the other vCPUs of the VM, local TLBI and other VMs' do not", () => {
  const other = {};
  for (const [shareable, sameVm, dropped] of [[true, true, true], [false, true, false], [true, false, false]]) {
    const { rig, tables } = mapped(Leaf.Accessed);
    const space = rig.pool.acquire(other, sameVm ? rig.stage2.id : rig.stage2.id + 1);
    const run = (at: number) => {
      rig.setWord("TLB_SPACE", at + TlbSpace.Sets);
      rig.setWord("TLB_UNPRIVILEGED", at + TlbSpace.Sets);
      rig.call("updateRegime");
    };
    run(space);
    load(rig, VA);
    tables.map(VA, NEW, Leaf.Accessed);
    run(rig.space);
    tlbi(rig, 1, page(VA), shareable);
    run(space);
    assert.equal(load(rig, VA), dropped ? 2n : 1n, JSON.stringify([shareable, sameVm]));
  }
});

Deno.test("a change of stage 2 drops the translations of its VM", () => {
  const { rig } = mapped(Leaf.Accessed);
  assert.equal(load(rig, VA), 1n);
  rig.stage2.map(OLD, NEW, 4096, 3);
  rig.functions.tlbFlushStage2(rig.stage2.id);
  assert.equal(load(rig, VA), 2n);
});

/**
 * A store to VA whose page has decoded instructions: it is cached as one that takes the slow path.
 */
function cachedAsSlow(attributes: bigint): { rig: Rig; tables: PageTables } {
  const made = mapped(attributes);
  const { rig } = made;
  rig.codePages.add(rig.wasmAddress(OLD));
  store(rig, VA, 3n);
  assert.equal(rig.peek(OLD), 3n);
  return made;
}

Deno.test("a page with instructions that stage 2 takes away is written no more", () => {
  const { rig } = cachedAsSlow(Leaf.Accessed);
  rig.stage2.map(OLD, NEW, 4096, 3);
  rig.functions.tlbFlushTargets(rig.stage2.id, rig.wasmAddress(OLD), rig.wasmAddress(OLD) + 4096);
  store(rig, VA, 4n);
  assert.deepEqual([rig.peek(OLD), rig.peek(NEW)], [3n, 4n]);
});

Deno.test("a TLBI by any address of a block drops its pages with instructions, too", () => {
  const rig = new Rig();
  const tables = new PageTables(rig);
  const block = 0x80_0000_0000n, va = block + BigInt(OLD - RAM_BASE);
  tables.map(block, RAM_BASE, Leaf.Accessed, 2);
  enable(rig, tables);
  rig.codePages.add(rig.wasmAddress(OLD));
  store(rig, va, 3n);
  assert.equal(rig.peek(OLD), 3n);
  rig.poke(tables.descriptor(block, 2), 0n);
  tlbi(rig, 1, page(block + 0x10_0000n));
  store(rig, va, 4n);
  assert.equal(rig.peek(OLD), 3n);
});

Deno.test("a space that changed hands does not take its last ASID for the vCPU's", () => {
  const { rig, tables } = mapped();
  writeTtbr0(rig, 5n << 48n | BigInt(tables.root));
  rig.pool.flush(rig.space);
  rig.set("TTBR0_EL1", 6n << 48n | BigInt(tables.root));
  assert.equal(load(rig, VA), 1n);
  tables.map(VA, NEW, ATTRIBUTES);
  writeTtbr0(rig, 5n << 48n | BigInt(tables.root));
  assert.equal(load(rig, VA), 2n);
});

Deno.test("a recycled space starts empty, and its owner gets another", () => {
  const { rig } = mapped(Leaf.Accessed);
  load(rig, VA);
  const pool = new TlbPool(rig.memory, rig.pool.layout, (space) => void rig.functions.tlbFlushSpace(space));
  const [first, second, third] = [{}, {}, {}];
  const a = pool.acquire(first, 1), b = pool.acquire(second, 1);
  assert.notEqual(a, b);
  assert.equal(pool.acquire(first, 1), a);
  assert.equal(pool.acquire(third, 1), b, "the least recently used");
  assert.equal(pool.acquire(second, 1), a);
  pool.release(third);
  assert.equal(pool.acquire(first, 1), b, "a released space goes first");
});
