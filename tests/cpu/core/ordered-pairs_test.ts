// Instructions of FEAT_LRCPC3 and FEAT_LSE128, which no oracle here has: their texts, and their
// results beside a plain computation.

import assert from "node:assert/strict";
import { parseCpu } from "../../../src/cpu/isa/cpus/cpus.ts";
import { disassemble } from "../../../src/cpu/isa/disassemble.ts";
import { Random } from "../../support/random.ts";
import { Machine, RAM_BASE } from "./program.ts";

const CODE = RAM_BASE + 0x1000, VECTORS = RAM_BASE + 0x4000, DATA = RAM_BASE + 0x8000;
const MAX = { cpu: parseCpu("max") };
const X15 = 15, SP = 31;

/** Words and texts, as assemblers write them without aliases. */
const TEXTS: Readonly<Record<number, string>> = {
  0x99000a18: "stilp w24, w0, [x16, #-8]!",
  0xd9010a39: "stilp x25, x1, [x17, #-16]!",
  0x99021a5a: "stilp w26, w2, [x18]",
  0xd9031bfb: "stilp x27, x3, [sp]",
  0x99440a9c: "ldiapp w28, w4, [x20], #8",
  0xd9450abd: "ldiapp x29, x5, [x21], #16",
  0x99461bfe: "ldiapp w30, w6, [sp]",
  0xd9471aff: "ldiapp xzr, x7, [x23]",
  0x998009e3: "stlr w3, [x15, #-4]!",
  0xd9800be3: "stlr x3, [sp, #-8]!",
  0x99c00be3: "ldapr w3, [sp], #4",
  0xd9c009e3: "ldapr x3, [x15], #8",
  0x1d1ff9e3: "stlur b3, [x15, #-1]",
  0x5d0029e3: "stlur h3, [x15, #2]",
  0x9d1fd9e3: "stlur s3, [x15, #-3]",
  0xdd004be3: "stlur d3, [sp, #4]",
  0x1d9fb9e3: "stlur q3, [x15, #-5]",
  0x1d4069e3: "ldapur b3, [x15, #6]",
  0x5d5f99e3: "ldapur h3, [x15, #-7]",
  0x9d4089e3: "ldapur s3, [x15, #8]",
  0xdd5f79e3: "ldapur d3, [x15, #-9]",
  0x1dc0abe3: "ldapur q3, [sp, #10]",
  0x0d0185e3: "stl1 {v3.d}[0], [x15]",
  0x4d0187e3: "stl1 {v3.d}[1], [sp]",
  0x0d4187e3: "ldap1 {v3.d}[0], [sp]",
  0x4d4185e3: "ldap1 {v3.d}[1], [x15]",
  0x19221161: "ldclrp x1, x2, [x11]",
  0x19e21161: "ldclrpal x1, x2, [x11]",
  0x19a23161: "ldsetpa x1, x2, [x11]",
  0x193683f5: "swpp x21, x22, [sp]",
  0x196281e1: "swppl x1, x2, [x15]",
};

Deno.test("texts of FEAT_LRCPC3 and FEAT_LSE128 are those of assemblers", () => {
  for (const [word, text] of Object.entries(TEXTS)) assert.equal(disassemble(Number(word), 0n).replace("\t", " "), text);
});

const machine = new Machine(MAX);

/** The machine with registers at random, and the 64 bytes before and after `DATA`. */
function setUp(random: Random): Machine {
  const { vcpu } = machine;
  vcpu.setRegister("ESR_EL1", 0n);
  vcpu.setRegister("CPACR_EL1", 3n << 20n);
  vcpu.setRegister("VBAR_EL1", BigInt(VECTORS));
  for (let index = 0; index < 31; index++) vcpu.setX(index, random.wide());
  for (let index = 0; index < 32; index++) vcpu.setV(index, random.wide(), random.wide());
  for (let at = -64; at < 64; at += 8) machine.view.setBigUint64(DATA - RAM_BASE + at, random.wide(), true);
  return machine;
}

/** Executes a word with its base at `address`; whether it took no exception. */
function execute(machine: Machine, word: number, address: number): boolean {
  const { vcpu } = machine, base = word >>> 5 & 31;
  machine.view.setUint32(CODE - RAM_BASE, word, true);
  machine.core.memoryWritten(CODE, 4);
  if (base === SP) vcpu.setRegister("SP_EL1", BigInt(address));
  else vcpu.setX(base, BigInt(address));
  machine.run(1, CODE);
  return vcpu.pc === BigInt(CODE + 4);
}

const word64 = (machine: Machine, address: number) => machine.view.getBigUint64(address - RAM_BASE, true);
const baseOf = ({ vcpu }: Machine, word: number) =>
  Number((word >>> 5 & 31) === SP ? vcpu.getRegister("SP_EL1") : vcpu.getX(word >>> 5 & 31));

Deno.test("pairs and single registers are loaded and stored in order, with writeback", () => {
  const random = new Random(3), low = (value: bigint) => BigInt.asUintN(32, value);
  for (let round = 0; round < 20; round++) {
    for (const [word, before, after] of [[0xd9450abd, 0, 16], [0xd9471af9, 0, 0], [0x99440a9c, 0, 8], [0x99461bfe, 0, 0]] as const) {
      const machine = setUp(random), { vcpu } = machine, t = word & 31, t2 = word >>> 16 & 31;
      const [first, second] = [word64(machine, DATA + before), word64(machine, DATA + before + 8)];
      assert.ok(execute(machine, word, DATA));
      const expected = word >>> 30 === 3 ? [first, second] : [low(first), first >> 32n];
      assert.deepEqual([vcpu.getX(t), vcpu.getX(t2)], expected, disassemble(word, 0n));
      assert.equal(baseOf(machine, word), DATA + after);
    }
    for (const [word, at] of [[0xd9010a39, -16], [0xd9031bfb, 0], [0x99000a18, -8], [0x99021a5a, 0]] as const) {
      const machine = setUp(random), { vcpu } = machine, a = vcpu.getX(word & 31), b = vcpu.getX(word >>> 16 & 31);
      assert.ok(execute(machine, word, DATA));
      if (word >>> 30 === 3) assert.deepEqual([word64(machine, DATA + at), word64(machine, DATA + at + 8)], [a, b]);
      else assert.equal(word64(machine, DATA + at), low(a) | low(b) << 32n);
      assert.equal(baseOf(machine, word), DATA + at);
    }
    for (const [word, after, isWide] of [[0x99c00be3, 4, false], [0xd9c009e3, 8, true]] as const) {
      const machine = setUp(random), value = word64(machine, DATA);
      assert.ok(execute(machine, word, DATA));
      assert.deepEqual([machine.vcpu.getX(3), baseOf(machine, word)], [isWide ? value : low(value), DATA + after]);
    }
    for (const [word, at, isWide] of [[0x998009e3, -4, false], [0xd9800be3, -8, true]] as const) {
      const machine = setUp(random), value = machine.vcpu.getX(3), before = word64(machine, DATA - 8);
      assert.ok(execute(machine, word, DATA));
      assert.equal(word64(machine, DATA - 8), isWide ? value : low(before) | low(value) << 32n);
      assert.equal(baseOf(machine, word), DATA + at);
    }
  }
});

Deno.test("vector registers are loaded and stored in order", () => {
  const random = new Random(4);
  const sizes: [load: number, store: number, bits: number][] = [
    [0x1d400000, 0x1d000000, 8],
    [0x5d400000, 0x5d000000, 16],
    [0x9d400000, 0x9d000000, 32],
    [0xdd400000, 0xdd000000, 64],
    [0x1dc00000, 0x1d800000, 128],
  ];
  const operands = (offset: number) => (offset & 0x1ff) << 12 | 2 << 10 | X15 << 5 | 3;
  for (const [load, store, bits] of sizes) {
    // Within 16 bytes, as the address is aligned.
    const offset = bits === 128 ? -32 : 16 - bits / 8;
    const loading = setUp(random), at = DATA + offset;
    const memory = word64(loading, at & ~7) | word64(loading, (at & ~7) + 8) << 64n;
    assert.ok(execute(loading, (load | operands(offset)) >>> 0, DATA));
    const value = BigInt.asUintN(bits, memory >> BigInt(8 * (at & 7)));
    assert.deepEqual(loading.vcpu.getV(3), [BigInt.asUintN(64, value), value >> 64n]);

    const storing = setUp(random), [first, second] = storing.vcpu.getV(3);
    assert.ok(execute(storing, (store | operands(offset)) >>> 0, DATA));
    const stored = word64(storing, at & ~7) | word64(storing, (at & ~7) + 8) << 64n;
    assert.equal(BigInt.asUintN(bits, stored >> BigInt(8 * (at & 7))), BigInt.asUintN(bits, first | second << 64n));
  }
  for (const lane of [0, 1]) {
    const machine = setUp(random), { vcpu } = machine, before = vcpu.getV(3), value = word64(machine, DATA);
    assert.ok(execute(machine, (0x0d4185e3 | lane << 30) >>> 0, DATA));
    assert.deepEqual(vcpu.getV(3), lane ? [before[0], value] : [value, before[1]]);
    assert.ok(execute(machine, (0x0d0185e3 | lane << 30) >>> 0, DATA + 8));
    assert.equal(word64(machine, DATA + 8), value);
  }
});

Deno.test("atomic operations on 128 bits change memory, and return what it was", () => {
  const random = new Random(5);
  const operations: [word: number, of: (old: bigint, operand: bigint) => bigint][] = [
    [0x192211e1, (old, operand) => BigInt.asUintN(64, old & ~operand)],
    [0x192231e1, (old, operand) => old | operand],
    [0x192281e1, (_, operand) => operand],
  ];
  for (const [word, of] of operations) {
    // Without ordering, acquire, release, both.
    for (const order of [0, 1 << 23, 1 << 22, 3 << 22]) {
      const machine = setUp(random), { vcpu } = machine;
      const old = [word64(machine, DATA), word64(machine, DATA + 8)], operands = [vcpu.getX(1), vcpu.getX(2)];
      assert.ok(execute(machine, word | order, DATA));
      assert.deepEqual([vcpu.getX(1), vcpu.getX(2)], old);
      assert.deepEqual([word64(machine, DATA), word64(machine, DATA + 8)], old.map((value, index) => of(value, operands[index])));
    }
  }
});

Deno.test("accesses that cross a boundary of 16 bytes fault, and change nothing; XZR is unallocated in an atomic pair", () => {
  const random = new Random(6);
  const UNDEFINED = 0x200_0000n, ALIGNMENT = 0x21n;
  for (const word of [0xd9450abd, 0xd9010a39, 0x99440a9c, 0x192281e1, 0x1dc009e3, 0xd9c009e3]) {
    const machine = setUp(random), address = DATA + 12 + (word >>> 30 === 3 || word === 0x192281e1 || word === 0x1dc009e3 ? 0 : 2);
    const memory = machine.view.buffer.slice(
      machine.view.byteOffset + DATA - RAM_BASE - 64,
      machine.view.byteOffset + DATA - RAM_BASE + 64,
    );
    const before = machine.registers();
    assert.ok(!execute(machine, word, address), disassemble(word, 0n));
    assert.equal(machine.vcpu.getRegister("ESR_EL1") & 0x3fn, ALIGNMENT);
    assert.equal(baseOf(machine, word), address);
    machine.vcpu.setX(word >>> 5 & 31, 0n);
    const list = before.split(" ");
    assert.deepEqual(
      machine.registers().split(" ").slice(3).filter((_, x) => x !== (word >>> 5 & 31)),
      list.slice(3).filter((_, x) => x !== (word >>> 5 & 31)),
    );
    const after = new Uint8Array(machine.view.buffer, machine.view.byteOffset + DATA - RAM_BASE - 64, 128);
    assert.deepEqual(after, new Uint8Array(memory));
  }
  for (const word of [0x192281ff, 0x193f81e1]) {
    const machine = setUp(random);
    assert.ok(!execute(machine, word, DATA));
    assert.equal(machine.vcpu.getRegister("ESR_EL1"), UNDEFINED);
  }
});
