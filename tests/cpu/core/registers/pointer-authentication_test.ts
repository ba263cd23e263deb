// Pointer authentication in every level and with every algorithm, beside AddPAC, Auth and Strip of
// the manual written down again; keys that are off, exceptions, branches and loads, in both tiers.

import assert from "node:assert/strict";
import { parseCpu } from "../../../../src/cpu/isa/cpus/cpus.ts";
import type { RegisterName } from "../../../../src/cpu/core/interface.ts";
import { Random } from "../../../support/random.ts";
import { LONG } from "../../../support/long.ts";
import { Machine, RAM_BASE } from "../program.ts";
import { qarma, SIGMA1, SIGMA2 } from "../qarma-reference.ts";

const CODE = RAM_BASE + 0x1000, VECTORS = RAM_BASE + 0x4000, DATA = RAM_BASE + 0x8000;
const ALL = (1n << 64n) - 1n;
/** Pointers of each level and algorithm. */
const ROUNDS = LONG ? 300 : 120;
/** SCTLR_EL1 with all keys on, and without MMU. */
const KEYS_ON = 0xf8d0_2800n;
const KEYS = ["IA", "IB", "DA", "DB", "GA"] as const;

interface Level {
  readonly epac?: boolean;
  readonly pauth2?: boolean;
  readonly fpac?: boolean;
  readonly combined?: boolean;
}
const LEVELS: readonly (readonly [changes: string, level: Level])[] = [
  ["-EPAC,-PAuth2,-FPAC,-FPACCOMBINE", {}],
  ["-PAuth2,-FPAC,-FPACCOMBINE", { epac: true }],
  ["-FPAC,-FPACCOMBINE", { pauth2: true }],
  ["-FPACCOMBINE", { pauth2: true, fpac: true }],
  ["", { pauth2: true, fpac: true, combined: true }],
].map(([changes, level]) => [changes ? `,${changes}` : "", level] as [string, Level]);

type Code = (data: bigint, modifier: bigint, low: bigint, high: bigint) => bigint;

/** el2's own code, as cpu/core/registers/pointer-authentication.ts has it. */
const hash: Code = (data, modifier, low, high) => {
  const step = (value: bigint, factor: bigint, shift: bigint) => {
    const product = value * factor & ALL;
    return product ^ product >> shift;
  };
  const first = step(data ^ low, 0x9e3779b97f4a7c15n, 32n) + (modifier ^ high) & ALL;
  return step(step(first, 0xbf58476d1ce4e5b9n, 29n), 0x94d049bb133111ebn, 32n);
};
const ALGORITHMS: readonly (readonly [feature: string, code: Code])[] = [
  ["PACIMP", hash],
  ["PACQARMA5", (data, modifier, low, high) => qarma(data, modifier, high, low, 5, SIGMA2)],
  ["PACQARMA3", (data, modifier, low, high) => qarma(data, modifier, high, low, 3, SIGMA1)],
];

const bit = (value: bigint, at: number) => Number(value >> BigInt(at) & 1n);
const ones = (from: number, to: number) => (1n << BigInt(to + 1)) - (1n << BigInt(from));

/** TBI of the half that a pointer belongs to, and the lowest bit of a code there. */
function placeOf(tcr: bigint, data: boolean, high: number): { tbi: boolean; bottom: number } {
  // Pages of 64 KiB have FEAT_LVA, others TCR_EL1.DS of FEAT_LPA2.
  const isLarge = Number(tcr >> (high ? 30n : 14n) & 3n) === (high ? 3 : 1), least = isLarge || bit(tcr, 59) ? 12 : 16;
  const tsz = Math.min(isLarge ? 47 : 48, Math.max(least, Number(tcr >> BigInt(16 * high) & 63n)));
  return { tbi: bit(tcr, 37 + high) === 1 && (data || bit(tcr, 51 + high) === 0), bottom: 64 - tsz };
}

/** AddPAC. */
function addPac(pointer: bigint, tcr: bigint, data: boolean, code: (address: bigint) => bigint, level: Level): bigint {
  const anyTbi = [0, 1].some((high) => placeOf(tcr, data, high).tbi);
  const half = bit(pointer, anyTbi ? 55 : 63), { tbi, bottom } = placeOf(tcr, data, half);
  const top = tbi ? 55 : 63, extension = ones(bottom, top), field = ones(bottom, 54) | (tbi ? 0n : ones(56, 63));
  const extended = pointer & ~extension | (half ? extension : 0n);
  let pac = code(extended);
  const bits = pointer & extension;
  if (bits !== 0n && bits !== extension && !level.pauth2) pac = level.epac ? 0n : pac ^ 1n << BigInt(top - 1);
  if (level.pauth2) pac ^= pointer;
  return pointer & ~extension & ALL | BigInt(half) << 55n | pac & field;
}

/** Auth: the result, and whether FEAT_FPAC would raise an exception. */
function auth(pointer: bigint, tcr: bigint, key: number, code: (address: bigint) => bigint, level: Level): [bigint, boolean] {
  const half = bit(pointer, 55), { tbi, bottom } = placeOf(tcr, key > 1, half);
  const extension = ones(bottom, tbi ? 55 : 63), field = ones(bottom, 54) | (tbi ? 0n : ones(56, 63));
  const original = pointer & ~extension & ALL | (half ? extension : 0n), pac = code(original);
  const good = (pac & field) === (pointer & field);
  if (level.pauth2) {
    const result = pointer ^ pac & field;
    return [result, (result & extension) !== (half ? extension : 0n)];
  }
  const at = tbi ? 53n : 61n;
  return good ? [original, false] : [original & ~(3n << at) | BigInt(key & 1 ? 2 : 1) << at, false];
}

const keyName = (key: number, half: "Lo" | "Hi") => `AP${KEYS[key]}Key${half}_EL1` as RegisterName;

/** A machine with keys. */
function machineOf(cpu: string, random: Random, tier: "interp" | "jit" = "interp") {
  const machine = new Machine({ cpu: parseCpu(cpu), ...(tier === "jit" && { tier, hotness: { samples: 1, landings: 1, slice: 100 } }) });
  const { vcpu } = machine, keys = KEYS.map(() => [random.wide(), random.wide()] as const);
  vcpu.setRegister("SCTLR_EL1", KEYS_ON);
  vcpu.setRegister("VBAR_EL1", BigInt(VECTORS));
  keys.forEach(([low, high], key) => {
    vcpu.setRegister(keyName(key, "Lo"), low);
    vcpu.setRegister(keyName(key, "Hi"), high);
  });
  const place = (...words: number[]) => {
    words.forEach((word, i) => machine.view.setUint32(CODE - RAM_BASE + 4 * i, word, true));
    machine.core.memoryWritten(CODE, 4 * words.length);
  };
  /** Executes one word; the result is ESR_EL1, if an exception was taken. */
  const execute = (word: number): bigint => {
    place(word);
    vcpu.setRegister("ESR_EL1", 0n);
    machine.run(1, CODE);
    return vcpu.getRegister("ESR_EL1");
  };
  return { machine, vcpu, keys, place, execute };
}

/** A pointer that is often an address of one of the halves. */
function pointer(random: Random): bigint {
  const any = random.wide(), kind = random.below(4);
  return kind === 0
    ? any
    : kind === 1
    ? any >> 25n
    : kind === 2
    ? ALL ^ any >> 25n
    : any & ~(0x7fn << 48n) | (any & 1n ? 0x7fn << 48n : 0n);
}

Deno.test("signing, authenticating and stripping are AddPAC, Auth and Strip in every level and with every algorithm", () => {
  const random = new Random(83);
  let failures = 0, cases = 0;
  for (const [algorithm, codeOf] of ALGORITHMS) {
    // Levels are the same for all algorithms.
    for (const [changes, level] of algorithm === "PACIMP" ? LEVELS : [LEVELS[0], LEVELS[4]]) {
      const { vcpu, keys, execute } = machineOf(`max,+FEAT_${algorithm}${changes}`, random);
      for (let round = 0; round < ROUNDS; round++) {
        const key = random.below(4), [low, high] = keys[key];
        const tcr = BigInt(random.below(64)) | BigInt(random.below(64)) << 16n | BigInt(random.below(4)) << 37n |
          BigInt(random.below(4)) << 51n | BigInt(random.below(4)) << 14n | BigInt(random.below(4)) << 30n;
        vcpu.setRegister("TCR_EL1", tcr);
        const before = pointer(random), modifier = random.wide(), code = (data: bigint) => codeOf(data, modifier, low, high);
        vcpu.setX(0, before);
        vcpu.setX(1, modifier);
        assert.equal(execute((0xdac1_0020 | key << 10) >>> 0), 0n);
        const expected = addPac(before, tcr, key > 1, code, level);
        assert.equal(vcpu.getX(0), expected, `${algorithm}${changes}: signed ${before.toString(16)} with TCR ${tcr.toString(16)}`);
        if (round & 1) vcpu.setX(0, random.below(2) ? random.wide() : expected ^ 1n << BigInt(random.below(64)));
        const [result, fails] = auth(vcpu.getX(0), tcr, key, code, level), given = vcpu.getX(0);
        const esr = execute((0xdac1_1020 | key << 10) >>> 0);
        cases += 2;
        if (fails && level.fpac) {
          failures++;
          assert.equal(esr, 0x1cn << 26n | 1n << 25n | BigInt(key), "EC 0x1c; the key in bits 1:0");
          assert.equal(vcpu.getRegister("ELR_EL1"), BigInt(CODE));
          assert.equal(vcpu.getX(0), given);
          vcpu.setRegister("SCTLR_EL1", KEYS_ON);
          vcpu.pstate = 0x3c5;
          continue;
        }
        assert.equal(esr, 0n);
        assert.equal(vcpu.getX(0), result, `${algorithm}${changes}: authenticated ${given.toString(16)} with TCR ${tcr.toString(16)}`);
        vcpu.setX(0, given);
        execute(key > 1 ? 0xdac1_47e0 : 0xdac1_43e0);
        const { tbi, bottom } = placeOf(tcr, key > 1, bit(given, 55)), extension = ones(bottom, tbi ? 55 : 63);
        assert.equal(vcpu.getX(0), given & ~extension & ALL | (bit(given, 55) ? extension : 0n), "stripped");
      }
      vcpu.setX(0, 3n);
      vcpu.setX(1, 5n);
      execute(0x9ac1_3002); // pacga x2, x0, x1
      assert.equal(vcpu.getX(2), codeOf(3n, 5n, ...keys[4]) & 0xffff_ffff_0000_0000n);
    }
  }
  assert.ok(failures > ROUNDS * 2 / 3, `${failures} of ${cases} fail`);
});

Deno.test("a key that SCTLR_EL1 turns off does nothing to pointers, in hints and in branches", () => {
  const { vcpu, execute } = machineOf("max", new Random(1));
  const enables = [1n << 31n, 1n << 30n, 1n << 27n, 1n << 13n];
  for (let key = 0; key < 4; key++) {
    vcpu.setRegister("SCTLR_EL1", KEYS_ON & ~enables[key]);
    for (const opcode of [key, 4 | key]) {
      vcpu.setX(0, 0x1234_5678n);
      assert.equal(execute((0xdac1_0020 | opcode << 10) >>> 0), 0n);
      assert.equal(vcpu.getX(0), 0x1234_5678n);
    }
    vcpu.setX(0, 0x1234_5678n);
    execute((0xdac1_0020 | (key + 1 & 3) << 10) >>> 0);
    assert.notEqual(vcpu.getX(0), 0x1234_5678n, "the others are on");
  }
  vcpu.setRegister("SCTLR_EL1", 0n);
  vcpu.setX(30, BigInt(CODE + 64));
  execute(0xd65f_0bff); // retaa
  assert.equal(vcpu.pc, BigInt(CODE + 64));
});

Deno.test("branches, returns, exception returns and loads authenticate, and fault at what is not authentic", () => {
  for (const [changes, level] of LEVELS) {
    const { machine, vcpu, place, execute } = machineOf(`max${changes}`, new Random(7)), target = BigInt(CODE + 0x100);
    machine.view.setUint32(CODE + 0x100 - RAM_BASE, 0xd503_201f, true);
    const sp = BigInt(DATA);
    vcpu.setRegister("SP_EL1", sp);
    /** Signs `value` in X0 with `pac`, spoils it, and executes `word`. */
    const signed = (pac: number, value: bigint, spoilt: boolean, word: number, register = 0) => {
      vcpu.pstate = 0x3c5;
      vcpu.setX(1, 77n);
      vcpu.setX(0, value);
      assert.equal(execute(pac), 0n);
      vcpu.setX(register, vcpu.getX(0) ^ (spoilt ? 1n << 57n : 0n));
      if (register === 31) vcpu.setRegister("ELR_EL1", vcpu.getX(0) ^ (spoilt ? 1n << 57n : 0n));
      return execute(word);
    };
    const branches = [
      [0xdac1_23e0, 0xd61f_081f, 0], // paciza x0; braaz x0
      [0xdac1_0420, 0xd71f_0c01, 0], // pacib x0, x1; brab x0, x1
      [0xdac1_27e0, 0xd63f_0c1f, 0], // pacizb x0; blrabz x0
      [0xdac1_0020, 0xd73f_0801, 0], // pacia x0, x1; blraa x0, x1
      [0xdac1_07e0, 0xd65f_0fff, 30], // pacib x0, sp; retab
      [0xdac1_03e0, 0xd69f_0bff, 31], // pacia x0, sp; eretaa
    ] as const;
    for (const [pac, branch, register] of branches) {
      vcpu.setRegister("SPSR_EL1", 0x3c5n);
      assert.equal(signed(pac, target, false, branch, register), 0n);
      assert.equal(vcpu.pc, target);
      const isCall = branch === 0xd63f_0c1f || branch === 0xd73f_0801;
      if (isCall) assert.equal(vcpu.getX(30), BigInt(CODE + 4));
      vcpu.setX(30, 0n);
      const esr = signed(pac, target, true, branch, register), key = branch & 0x400 ? 1n : 0n;
      if (level.combined) {
        assert.deepEqual([esr, vcpu.getRegister("ELR_EL1")], [0x7200_0000n | key, BigInt(CODE)]);
        if (isCall) assert.equal(vcpu.getX(30), 0n, "before any effect");
      } else {
        // The fetch fails, with MMU off for an address beyond those that exist.
        if (esr === 0n) machine.run(1);
        assert.equal(vcpu.getRegister("ESR_EL1"), 0x8600_0000n);
        assert.notEqual(vcpu.getRegister("FAR_EL1"), target);
      }
    }
    // ldraa x2, [x0, #16] and its form with writeback; of zero, the modifier is SP for none.
    machine.view.setBigUint64(DATA + 16 - RAM_BASE, 0x1122_3344_5566_7788n, true);
    for (const [word, after] of [[0xf820_2402, undefined], [0xf820_2c02, sp + 16n]] as const) {
      assert.equal(signed(0xdac1_2be0, sp, false, word), 0n);
      assert.equal(vcpu.getX(2), 0x1122_3344_5566_7788n);
      if (after) assert.equal(vcpu.getX(0), after);
      const esr = signed(0xdac1_2be0, sp, true, word);
      assert.equal(esr >> 26n, level.combined ? 0x1cn : 0x25n);
      if (level.combined) assert.equal(esr & 3n, 2n);
    }
    place(0);
  }
});

Deno.test("a loop that signs and authenticates leaves the same in the translator, and its failure is exact", () => {
  // x19 counts; add x0, x0, #1; paciasp-like pairs around it.
  const loop = [0xaa13_03fe, 0xd503_233f, 0xd503_23bf, 0x8b1e_0294, 0xf100_0673, 0x54ff_ff61, 0xd400_0002];
  const states = (["interp", "jit"] as const).flatMap((tier) =>
    LEVELS.map(([changes]) => {
      const { machine, vcpu, place } = machineOf(`max${changes}`, new Random(5), tier);
      place(...loop);
      vcpu.setRegister("SP_EL1", BigInt(DATA));
      vcpu.setX(19, 3000n);
      vcpu.setX(20, 0n);
      let left = 18_001;
      left -= machine.run(left, CODE).retired;
      while (left > 0) left -= machine.run(left).retired;
      assert.equal(vcpu.getX(20), 3000n * 3001n / 2n);
      return machine.registers();
    })
  );
  assert.deepEqual(states.slice(0, LEVELS.length), states.slice(LEVELS.length));
  // autiasp without paciasp, after many good turns: the exception is at its instruction.
  const failing = [0xf100_0673, 0x54ff_ffe1, 0xd503_23bf, 0xd400_0002];
  for (const tier of ["interp", "jit"] as const) {
    const { machine, vcpu, place } = machineOf("max", new Random(5), tier);
    place(...failing);
    vcpu.setX(19, 1000n);
    vcpu.setX(30, 0x4000_0000n);
    machine.run(2001, CODE);
    assert.equal(vcpu.getRegister("ESR_EL1"), 0x7200_0000n);
    assert.equal(vcpu.getRegister("ELR_EL1"), BigInt(CODE + 8));
  }
});

Deno.test("EL0 may use pointer authentication, not its keys; v8 has neither, and its hints do nothing", () => {
  const { vcpu, execute } = machineOf("max", new Random(2));
  const EL0 = 0x3c0;
  vcpu.pstate = EL0;
  vcpu.setX(0, 5n);
  assert.equal(execute(0xdac1_23e0), 0n);
  assert.notEqual(vcpu.getX(0), 5n);
  for (const word of [0xd518_2100, 0xd538_2100, 0xd518_2320]) {
    vcpu.pstate = EL0;
    assert.equal(execute(word), 0x200_0000n);
  }
  vcpu.pstate = 0x3c5;
  vcpu.setX(0, 0x1234n);
  assert.equal(execute(0xd518_2320), 0n);
  assert.equal(vcpu.getRegister("APGAKeyHi_EL1"), 0x1234n);
  assert.equal(new Machine().vcpu.names.some((name) => name.startsWith("AP")), false);
});
