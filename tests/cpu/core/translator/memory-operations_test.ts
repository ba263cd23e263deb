// Memory copies and sets (FEAT_MOPS) in regions: their main part is a loop of one instruction, and
// what needs more than a region may do is left to the interpreter, exactly where it would happen.

import assert from "node:assert/strict";
import { Pstate, Sctlr, SCTLR_MSCEN_SHIFT } from "../../../../src/cpu/core/architecture/exceptions.ts";
import { ExitReason } from "../../../../src/cpu/core/interface.ts";
import { discover } from "../../../../src/cpu/core/translator/regions/region.ts";
import { parseCpu } from "../../../../src/cpu/isa/cpus/cpus.ts";
import { Random } from "../../../support/random.ts";
import { Machine, RAM_BASE } from "../program.ts";
import { executedWords } from "./executed-code.ts";

const CODE = RAM_BASE + 0x1000, BESIDE = CODE + 0x800, FUNCTION = RAM_BASE + 0x3000, VECTORS = RAM_BASE + 0x8000;
const TABLE = RAM_BASE + 0x8_0000, DATA = RAM_BASE + 0x10_0000, FUNCTIONS = RAM_BASE + 0x20_0000, END = RAM_BASE + 0x40_0000;
const DATA_SIZE = 0x8000, ENTRIES = 48;

/** Over X1 to X3, and X4 for the value of a set. */
const copyParts = (base: number, options: number) => [0, 1, 2].map((part) => base | part << 22 | options << 12 | 2 << 16 | 3 << 5 | 1);
const setParts = (options: number) => [0, 1, 2].map((part) => 0x19c0_0400 | part << 14 | options << 12 | 4 << 16 | 3 << 5 | 1);
const COPY = 0x1d00_0400, COPY_FORWARD = 0x1900_0400;
/** `ldp x1, x2, [x20], #16`; `ldp x3, x4, [x20], #16`: the next entry of the table. */
const NEXT_ENTRY = [0xa8c1_0a81, 0xa8c1_1283];
/** `bl`, and `b` or `cbnz x21`, over so many instructions. */
const call = (from: number, to: number) => (0x9400_0000 | (to - from) / 4 & 0x3ff_ffff) >>> 0;
const back = (count: number) => (0x1400_0000 | -count & 0x3ff_ffff) >>> 0,
  backUnlessZero = (count: number) => 0xb500_0015 | (-count & 0x7_ffff) << 5;
/** `movz x9, #value`; `add x10, x10, x9`; `ret`. */
const functionOf = (value: number) => [0xd280_0009 | value << 5, 0x8b09_014a, 0xd65f_03c0];

/**
 * The place in the loop that copies replace: a word that is never executed, so that the first byte
 * is of no decoded instruction, then `movz x9, #value`; `add`.
 */
const REPLACED = 16, REPLACEMENTS = RAM_BASE + 0x20_1000;
const replacement = (value: number) => [0, ...functionOf(value).slice(0, 2)];
const OVER_ONE = 0x1400_0002;

/** Copies and sets by three entries in each turn, and starts again at the end of the table. */
function loop(options: number): number[] {
  const turn = [COPY, COPY_FORWARD].flatMap((base) => [...NEXT_ENTRY, ...copyParts(base, options)]);
  turn.push(...NEXT_ENTRY, ...setParts(options & 1));
  turn.push(OVER_ONE);
  assert.equal(turn.length, REPLACED);
  turn.push(...replacement(0), call(CODE + 4 * (turn.length + 3), FUNCTION));
  // sub x21, x21, #1; cbnz x21; mov x20, x22; movz x21, #ENTRIES / 3; b.
  return [...turn, 0xd100_06b5, backUnlessZero(turn.length + 1), 0xaa16_03f4, 0xd280_0015 | ENTRIES / 3 << 5, back(turn.length + 4)];
}

/** Counts the exception, and steps over the instruction: mrs, add, msr, add, eret. */
const HANDLER = [0xd538_403d, 0x9100_13bd, 0xd518_403d, 0x9100_056b, 0xd69f_03e0];

Deno.test("copies and sets belong to their region, where each main part is a loop", () => {
  const words = loop(0), blocks = discover(executedWords(words), 0);
  // All but the word that is never executed.
  assert.equal(blocks.reduce((sum, { instructions }) => sum + instructions.length, 0), words.length - 1);
  const loops = blocks.filter(({ first, ending }) => ending.kind === "condition" && ending.to === first);
  assert.deepEqual(loops.map(({ first, instructions }) => [first, instructions.length]), [[3, 1], [8, 1], [13, 1]]);
});

/**
 * An entry: destination, source, size and value. By its number it is for a copy, a forward copy or
 * a set; the first ones replace instructions.
 */
function entry(random: Random, number: number): bigint[] {
  const size = random.below([9, 200, 5000, 9000][random.below(4)]), value = random.below(8);
  const place = () => DATA + random.below(DATA_SIZE - size);
  const special: number[][] = [
    [CODE + 4 * REPLACED, REPLACEMENTS + 12 * value, 12],
    [FUNCTION, FUNCTIONS + 12 * value, 12],
    // Data beside the region's code, and memory that ends.
    ...[BESIDE, BESIDE + 13, BESIDE + 200].map((to) => [to, place(), random.below(64)]),
    ...[3000, 2000, 4000].map((left) => [END - left, place(), 5000]),
    ...[300, 200, 4].map((left) => [place(), END - left, 400]),
  ];
  return [...(special[number] ?? [place(), place(), size]).map(BigInt), random.wide()];
}

function start(tier: "interp" | "jit" | "auto", options: number, seed: number): Machine {
  const machine = new Machine({
    cpu: parseCpu("max"),
    ...(tier !== "interp" && { tier, hotness: { samples: 1, landings: 2, slice: 60 } }),
  });
  const { view, vcpu } = machine, random = new Random(seed);
  const put = (address: number, words: readonly number[]) =>
    words.forEach((word, i) => view.setUint32(address - RAM_BASE + 4 * i, word, true));
  put(CODE, loop(options));
  put(FUNCTION, functionOf(1));
  for (let value = 0; value < 8; value++) {
    put(FUNCTIONS + 12 * value, functionOf(value + 2));
    put(REPLACEMENTS + 12 * value, replacement(value + 10));
  }
  for (let at = VECTORS; at < VECTORS + 0x800; at += 0x80) put(at, HANDLER);
  for (let at = 0; at < ENTRIES; at++) {
    entry(random, at).forEach((value, i) => view.setBigUint64(TABLE - RAM_BASE + 32 * at + 8 * i, value, true));
  }
  for (let at = 0; at < DATA_SIZE; at++) view.setUint8(DATA - RAM_BASE + at, at * 7 + (at >> 8));
  vcpu.defaultCacheable = true;
  vcpu.setRegister("VBAR_EL1", BigInt(VECTORS));
  vcpu.pc = BigInt(CODE);
  for (const register of [20, 22]) vcpu.setX(register, BigInt(TABLE));
  vcpu.setX(21, BigInt(ENTRIES / 3));
  return machine;
}

/** States of EL1 and EL0, the latter with and without permission. */
const PHASES = [[Pstate.EL1h, true], [Pstate.EL0t, true], [Pstate.EL0t, false], [Pstate.EL1h, false]] as const;

/** A byte that an entry of the table changes. */
function destinationOf({ view }: Machine, random: Random): bigint {
  const at = TABLE - RAM_BASE + 32 * random.below(ENTRIES), size = Number(view.getBigUint64(at + 16, true));
  return view.getBigUint64(at, true) + BigInt(random.below(size + 1));
}

/** The states at the ends of its runs: of random budgets, at faults, at watchpoints. */
function history(machine: Machine, seed: number): { readonly states: string[]; readonly memory: Uint8Array } {
  const { core, vcpu, view } = machine, random = new Random(seed), states: string[] = [];
  let traps = 0, watched = 0, undefinedOnes = 0;
  for (const [level, enabled] of PHASES) {
    vcpu.pstate = level | Pstate.Daif;
    vcpu.setRegister("SCTLR_EL1", BigInt(Sctlr.Reset) | (enabled ? 1n << BigInt(SCTLR_MSCEN_SHIFT) : 0n));
    for (let run = 0; run < 300; run++) {
      const kind = random.pick([undefined, undefined, "write", "access"] as const), place = destinationOf(machine, random);
      if (kind) core.stops.insertWatchpoint(vcpu.stage2, place, 1, kind);
      const exit = machine.run(random.below([3, 20, 300, 3000][random.below(4)]) + 1);
      states.push([exit.reason, exit.retired, machine.registers()].join(" "));
      if (kind) core.stops.removeWatchpoint(vcpu.stage2, place, 1, kind);
      if (exit.reason === ExitReason.Watchpoint) watched++;
      if (exit.reason !== ExitReason.Trap) continue;
      states.push(`${exit.esr} ${exit.far}`);
      traps++;
      // Nothing more is copied.
      vcpu.setX(3, 0n);
    }
    undefinedOnes = Number(vcpu.getX(11));
  }
  assert.ok(traps > 0 && watched > 0 && undefinedOnes > 0, `${traps} faults, ${watched} watchpoints, ${undefinedOnes} undefined`);
  return { states, memory: new Uint8Array(view.buffer, view.byteOffset, END - RAM_BASE).slice() };
}

Deno.test("a region that copies over its own instructions is left before, though their first byte is of none", () => {
  // ldp x1, x2, [x20]; ldp x3, x4, [x20, #16]: the same entry in each turn.
  const turn = [0xa940_0a81, 0xa941_1283, ...copyParts(COPY, 0), OVER_ONE], replaced = CODE + 4 * turn.length;
  const words = [...turn, ...replacement(1), back(turn.length + 3)], copied = RAM_BASE + 0x20_1000;
  for (const tier of ["interp", "jit"] as const) {
    const machine = new Machine({ cpu: parseCpu("max"), ...(tier === "jit" && { tier, hotness: { samples: 1, landings: 2, slice: 60 } }) });
    const { core, vcpu, view } = machine;
    const put = (address: number, list: readonly number[]) =>
      list.forEach((word, i) => view.setUint32(address - RAM_BASE + 4 * i, word, true));
    const fill = (to: number) =>
      [to, copied, 12, 0].forEach((value, i) => view.setBigUint64(TABLE - RAM_BASE + 8 * i, BigInt(value), true));
    put(CODE, words);
    put(copied, replacement(5));
    vcpu.defaultCacheable = true;
    vcpu.setX(20, BigInt(TABLE));
    // A write to the page beside its instructions, so that its TLB entry is there.
    fill(CODE + 0x800);
    machine.run(1000 * (words.length - 1), CODE);
    assert.deepEqual([vcpu.pc, vcpu.getX(10)], [BigInt(CODE), 1000n], tier);
    if (tier === "jit") assert.ok(core.counters.translator!.regions > 0, "nothing was translated");
    fill(replaced);
    machine.run(3 * (words.length - 1));
    assert.deepEqual([vcpu.pc, vcpu.getX(10)], [BigInt(CODE), 1015n], tier);
  }
});

for (const [seed, options] of [[1, 0], [2, 3], [3, 15]]) {
  Deno.test(`at random budgets, faults and watchpoints, every tier leaves the same state: options ${options}`, () => {
    const [expected, ...others] = (["interp", "jit", "auto"] as const).map((tier) => {
      const machine = start(tier, options, seed), result = history(machine, seed);
      if (tier === "jit") assert.ok(machine.core.counters.translator!.regions > 0, "nothing was translated");
      return result;
    });
    for (const { states, memory } of others) {
      const at = states.findIndex((state, i) => state !== expected.states[i]);
      assert.equal(at, -1, `run ${at}:\n${states[at]}, not\n${expected.states[at]}`);
      assert.deepEqual(memory, expected.memory);
    }
  });
}
