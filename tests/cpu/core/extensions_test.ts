// Instructions of features that unicorn does not know, beside a plain computation; the fields of
// PSTATE that features add; and what a CPU without a feature does with its words.

import assert from "node:assert/strict";
import { parseCpu } from "../../../src/cpu/isa/cpus/cpus.ts";
import { disassemble } from "../../../src/cpu/isa/disassemble.ts";
import { extensionEncodings } from "../../../src/cpu/isa/table.ts";
import { nameWord } from "../../../src/cpu/isa/word-names.ts";
import { randomWord } from "../../differential/random-words.ts";
import { Random } from "../../support/random.ts";
import { Machine, RAM_BASE } from "./program.ts";

const MAX = { cpu: parseCpu("max") };
const CODE = RAM_BASE + 0x1000;
const TIERS = [MAX, { ...MAX, tier: "jit", hotness: { samples: 1, landings: 1, slice: 100 } }] as const;

/** Executes a word once, after what `before` sets. */
function execute(machine: Machine, word: number, before: () => void): void {
  machine.view.setUint32(CODE - RAM_BASE, word, true);
  machine.core.memoryWritten(CODE, 4);
  before();
  const { retired } = machine.run(1, CODE);
  assert.equal(retired, 1);
  assert.equal(machine.vcpu.pc, BigInt(CODE + 4), disassemble(word, 0n));
}

/** The elements of a vector. */
const bytesOf = ([low, high]: readonly [bigint, bigint]) => new Uint8Array(new BigUint64Array([low, high]).buffer);
const wordsOf = (vector: readonly [bigint, bigint]) => new Int32Array(bytesOf(vector).buffer);

Deno.test("products of bytes of FEAT_I8MM are those of numbers", () => {
  const machine = new Machine(MAX), random = new Random(11), { vcpu } = machine;
  vcpu.setRegister("CPACR_EL1", 3n << 20n);
  const signed = (bytes: Uint8Array) => new Int8Array(bytes.buffer);
  // usdot v0.4s, v1.16b, v2.16b; smmla, ummla, usmmla of the same; sudot and usdot by element 2.
  const cases = [[0x4e829c20, "us"], [0x4e82a420, "ss"], [0x6e82a420, "uu"], [0x4e82ac20, "us"], [0x4f02f820, "su"], [
    0x4f82f820,
    "us",
  ]] as const;
  for (let round = 0; round < 1000; round++) {
    const [word, signs] = cases[round % cases.length];
    const vectors = [0, 1, 2].map(() => [random.wide(), random.wide()] as const);
    execute(machine, word, () => vectors.forEach(([low, high], index) => vcpu.setV(index, low, high)));
    const n = signs[0] === "s" ? signed(bytesOf(vectors[1])) : bytesOf(vectors[1]);
    const m = signs[1] === "s" ? signed(bytesOf(vectors[2])) : bytesOf(vectors[2]);
    const isMatrix = (word >>> 10 & 0x35) === 0x21 && (word & 0x1f00_0000) === 0x0e00_0000 && (word >>> 10 & 7) !== 7;
    const expected = wordsOf(vectors[0]).map((sum, lane) => {
      if (isMatrix) { for (let i = 0; i < 8; i++) sum += n[8 * (lane >> 1) + i] * m[8 * (lane & 1) + i]; }
      else for (let i = 0; i < 4; i++) sum += n[4 * lane + i] * m[4 * (word & 1 << 24 ? 2 : lane) + i];
      return sum;
    });
    assert.deepEqual([...wordsOf(vcpu.getV(0))], [...expected], disassemble(word, 0n));
  }
});

Deno.test("minimum, maximum, counts and the absolute value of FEAT_CSSC are those of numbers", () => {
  const machine = new Machine(MAX), random = new Random(12), { vcpu } = machine;
  const ones = (value: bigint) => BigInt(value.toString(2).replaceAll("0", "").length);
  const trailing = (value: bigint, bits: number) => value === 0n ? BigInt(bits) : BigInt(/0*$/.exec(value.toString(2))![0].length);
  for (let round = 0; round < 4000; round++) {
    const sf = random.below(2), bits = sf ? 64 : 32, kind = random.below(11);
    const x = random.below(4) === 0 ? [0n, 1n << BigInt(bits - 1), -1n, 1n][random.below(4)] : random.wide(), y = random.wide();
    const a = BigInt.asUintN(bits, x), imm = random.below(256), opcode = kind % 4;
    const one = (op: number) => 0x5ac0_0000 | op << 10;
    const word =
      (sf << 31 | (kind < 3 ? one(6 + kind) : kind < 7 ? 0x1ac0_6000 | opcode << 10 | 2 << 16 : 0x11c0_0000 | opcode << 18 | imm << 10) |
        1 << 5) >>> 0;
    execute(machine, word, () => {
      vcpu.setX(1, BigInt.asUintN(64, x));
      vcpu.setX(2, y);
    });
    const isUnsigned = (opcode & 1) === 1, order = isUnsigned ? BigInt.asUintN : BigInt.asIntN;
    const b = kind < 7 ? y : isUnsigned ? BigInt(imm) : BigInt.asIntN(8, BigInt(imm));
    const [p, q] = [order(bits, a), order(bits, b)];
    const expected = kind === 0
      ? trailing(a, bits)
      : kind === 1
      ? ones(a)
      : kind === 2
      ? (BigInt.asIntN(bits, a) < 0n ? -a : a)
      : (opcode < 2) === p > q
      ? p
      : q;
    assert.equal(vcpu.getX(0), BigInt.asUintN(bits, expected), `${disassemble(word, 0n)} of ${a.toString(16)}, ${y.toString(16)}`);
  }
});

Deno.test("half-precision instructions that unicorn is wrong about agree with their neighbors", () => {
  const machine = new Machine(MAX), random = new Random(13), { vcpu } = machine;
  vcpu.setRegister("CPACR_EL1", 3n << 20n);
  const run = (word: number, vectors: readonly (readonly [bigint, bigint])[]) => {
    execute(machine, word, () => {
      vectors.forEach(([low, high], index) => vcpu.setV(index, low, high));
      vcpu.setRegister("FPSR", 0n);
    });
    return { result: vcpu.getV(0), flags: vcpu.getRegister("FPSR") };
  };
  for (let round = 0; round < 2000; round++) {
    const vectors = [0, 1, 2].map(() => [random.wide(), random.wide()] as const);
    // fcvtzs h0, h1, #n has what lane 0 of fcvtzs v0.4h, v1.4h, #n has.
    const shift = random.below(16) << 16;
    const scalar = run(0x5f10fc20 | shift, vectors).result;
    assert.deepEqual(scalar, [run(0x0f10fc20 | shift, vectors).result[0] & 0xffffn, 0n]);
    // fcmla v0.4h, v1.4h, v2.h[n], #rot is fcmla v0.4h, v1.4h, v3.4h, #rot with the pair in v3.
    const index = random.below(2), rot = random.below(4), pair = vectors[2][0] >> BigInt(32 * index) & 0xffff_ffffn;
    const indexed = run((0x2f421020 | index << 21 | rot << 13) >>> 0, vectors);
    const plain = run((0x2e43c420 | rot << 11) >>> 0, [...vectors, [pair << 32n | pair, 0n]]);
    assert.deepEqual(indexed, plain);
  }
});

Deno.test("BC.cond branches as B.cond does, in every tier", () => {
  // movz x0, #100; subs x0, x0, #1; bc.ne .-4; hvc #0
  const program = [0xd2800c80, 0xf1000400, 0x54fffff1, 0xd4000002];
  for (const options of TIERS) {
    const machine = new Machine(options);
    program.forEach((word, i) => machine.view.setUint32(CODE - RAM_BASE + 4 * i, word, true));
    let retired = machine.run(1, CODE).retired;
    for (let turns = 0; turns < 100 && machine.vcpu.getX(0) !== 0n; turns++) retired += machine.run(50).retired;
    assert.equal(machine.vcpu.getX(0), 0n);
    assert.ok(retired >= 201);
  }
});

Deno.test("PSTATE.DIT and SSBS are written, saved by exceptions and restored by returns", () => {
  const machine = new Machine(MAX), { vcpu } = machine;
  const DIT = 1 << 24, SSBS = 1 << 12;
  vcpu.setRegister("VBAR_EL1", BigInt(RAM_BASE + 0x4000));
  execute(machine, 0xd503415f, () => {}); // msr dit, #1
  execute(machine, 0xd503413f, () => {}); // msr ssbs, #1
  assert.equal(vcpu.pstate & (DIT | SSBS), DIT | SSBS);
  execute(machine, 0xd53b42a3, () => {}); // mrs x3, dit
  assert.equal(vcpu.getX(3), BigInt(DIT));
  machine.view.setUint32(CODE - RAM_BASE, 0xd4000001, true); // svc #0
  machine.core.memoryWritten(CODE, 4);
  machine.run(1, CODE);
  assert.equal(vcpu.pstate & (DIT | SSBS), DIT, "SSBS is SCTLR_EL1.DSSBS");
  assert.equal(Number(vcpu.getRegister("SPSR_EL1")) & (DIT | SSBS), DIT | SSBS);
  machine.view.setUint32(CODE - RAM_BASE, 0xd69f03e0, true); // eret
  machine.core.memoryWritten(CODE, 4);
  machine.run(1, CODE);
  assert.equal(vcpu.pstate & (DIT | SSBS), DIT | SSBS);
  execute(machine, 0xd503405f, () => {}); // msr dit, #0
  assert.equal(vcpu.pstate & (DIT | SSBS), SSBS);
});

Deno.test("WFIT and WFET yield until the counter has the value, and are trapped from EL0 as SCTLR_EL1 says", () => {
  const YIELD = 4, TRAPPED_WFX = 0x07e0_0000, machine = new Machine(MAX), { vcpu } = machine;
  const wait = (word: number, timeout: bigint) => {
    machine.view.setUint32(CODE - RAM_BASE, word, true);
    machine.core.memoryWritten(CODE, 4);
    vcpu.setX(7, timeout);
    vcpu.setRegister("ESR_EL1", 0n);
    return machine.run(1, CODE);
  };
  const WFET = 0xd5031007, WFIT = 0xd5031027;
  for (const word of [WFET, WFIT]) {
    const { reason } = wait(word, 1n << 40n);
    assert.deepEqual([reason, vcpu.pc], [YIELD, BigInt(CODE + 4)]);
    machine.now = 32 * 1000;
    assert.notEqual(wait(word, 1000n).reason, YIELD, "the counter is there: 16 ns are a tick");
    assert.equal(vcpu.pc, BigInt(CODE + 4));
    assert.equal(wait(word, 1n << 63n).reason, YIELD, "the value is unsigned");
  }
  vcpu.event = true;
  assert.notEqual(wait(WFET, 1n << 40n).reason, YIELD);
  assert.equal(vcpu.event, false);
  vcpu.pstate = 0x3c0;
  vcpu.setRegister("SCTLR_EL1", 0n);
  for (const [word, ti] of [[WFIT, 2], [WFET, 3]] as const) {
    vcpu.pstate = 0x3c0;
    wait(word, 1n << 40n);
    assert.equal(Number(vcpu.getRegister("ESR_EL1")), TRAPPED_WFX + (7 << 5) + 4 + ti);
  }
});

Deno.test("RNDR and RNDRRS are numbers of SplitMix64, at EL0 too, and clear the flags", () => {
  const machine = new Machine(MAX), { vcpu } = machine;
  // The first numbers of the generator from zero.
  const numbers = [0xe220a8397b1dcdafn, 0x6e789e6aa1b965f4n, 0x06c45d188009454fn, 0xf88bb8a8724c81ecn];
  for (const [i, number] of numbers.entries()) {
    vcpu.pstate = (i & 1 ? 0x3c0 : 0x3c5) | 0xf000_0000;
    execute(machine, i < 2 ? 0xd53b2400 : 0xd53b2420, () => {}); // mrs x0, rndr; mrs x0, rndrrs
    assert.equal(vcpu.getX(0), number);
    assert.equal(vcpu.pstate >>> 28, 0);
  }
});

Deno.test("a CPU without a feature has none of its instructions: its words are what they were", () => {
  const machine = new Machine(), random = new Random(5), { vcpu } = machine;
  vcpu.setRegister("VBAR_EL1", BigInt(RAM_BASE + 0x4000));
  vcpu.setRegister("CPACR_EL1", 3n << 20n);
  for (const encoding of extensionEncodings()) {
    const word = randomWord(encoding, random);
    if (word === undefined) continue;
    machine.view.setUint32(CODE - RAM_BASE, word, true);
    machine.core.memoryWritten(CODE, 4);
    machine.undefinedWords.length = 0;
    machine.run(1, CODE);
    const isHint = (word & 0xffff_f01f) >>> 0 === 0xd503_201f;
    if (isHint) assert.equal(vcpu.pc, BigInt(CODE + 4));
    else {
      assert.equal(vcpu.getRegister("ESR_EL1"), 0x200_0000n, disassemble(word, 0n));
      const { feature } = encoding.instruction;
      assert.ok(machine.undefinedWords[0].lack.startsWith(`${feature}; this CPU is "v8"; CPUs that have it: `));
    }
    vcpu.setRegister("ESR_EL1", 0n);
    assert.equal(nameWord(word)?.feature, encoding.instruction.feature);
  }
});

Deno.test("an UNDEFINED word is reported with the level or the feature that it lacks", () => {
  const machine = new Machine();
  machine.vcpu.setRegister("VBAR_EL1", BigInt(RAM_BASE + 0x4000));
  const lacks = (word: number, pstate = 0x3c5) => {
    machine.view.setUint32(CODE - RAM_BASE, word, true);
    machine.core.memoryWritten(CODE, 4);
    machine.undefinedWords.length = 0;
    machine.vcpu.pstate = pstate;
    machine.run(1, CODE);
    return machine.undefinedWords.map(({ lack }) => lack);
  };
  assert.deepEqual(lacks(0x04200000), ['FEAT_SVE; this CPU is "v8"; no CPU of el2 has it']);
  assert.deepEqual(lacks(0xc0080000), ['FEAT_SME; this CPU is "v8"; no CPU of el2 has it']);
  assert.deepEqual(lacks(0xd50c_871f), ["EL2 (tlbi alle2)"]);
  assert.deepEqual(lacks(0xd69f_03e0, 0x3c0), ["EL1 (eret)"]);
  assert.deepEqual(lacks(0x0000_0000), [""]);
});
