// Programs whose regions want as much of the computer's stack as a guest can make them: functions
// that call themselves, and whose regions have thousands of flags, addresses, vectors or ways.

import { Random } from "../../../support/random.ts";

/** A program: it sets X0 to `depth` and calls `code` for ever, which calls itself X0 times. */
export interface Hostile {
  readonly name: string;
  /** Of the function, and the number of its first instruction. */
  readonly code: readonly number[];
  readonly entry: number;
  readonly depth: number;
}

const PUSH = 0xf81f0ffe, POP = 0xf84107fe, RET = 0xd65f03c0;
const DECREMENT = 0xf1000400, LOAD = 0xf9400149;
/** A compare by a condition, with the flags of the one before it. */
const CCMP = 0xfa421020;

const branch = (offset: number) => (0x14000000 | offset & 0x3ffffff) >>> 0;
const call = (offset: number) => (0x94000000 | offset & 0x3ffffff) >>> 0;
const branchIfEqual = (offset: number) => (0x54000000 | (offset & 0x7ffff) << 5) >>> 0;
const branchIfNotEqual = (offset: number) => (branchIfEqual(offset) | 1) >>> 0;
const branchIfGreater = (offset: number) => (branchIfEqual(offset) | 12) >>> 0;
const branchIfZero = (offset: number) => (0xb4000000 | (offset & 0x7ffff) << 5 | 11) >>> 0;
const branchIfNotZero = (offset: number) => (branchIfZero(offset) | 1 << 24) >>> 0;

const many = (count: number, word: (i: number) => number | number[]): number[] =>
  Array.from({ length: count }, (_, i) => word(i)).flat().map((word) => word >>> 0);

type Function = Pick<Hostile, "code" | "entry">;

/** A function that does `body`, calls itself, and does `after`. */
export function recursive(body: readonly number[], after: readonly number[] = []): Function {
  const before = [PUSH, ...body, LOAD, DECREMENT, branchIfEqual(2)];
  return { code: [...before, call(-before.length), ...after, POP, RET], entry: 0 };
}

/** Instructions before a region's head, and after it, that it can have. */
const BEFORE = 1000, AFTER = 2000;

/**
 * The same with a loop around all of it, which is one region even if that has thousands of
 * instructions: it begins in a loop of two instructions, where the translator finds it, and which a
 * branch parts from the rest. X28 makes the loop turn once, so that its end is known.
 */
function recursiveLoop(body: readonly number[]): Function {
  const split = Math.min(body.length, AFTER), rest = body.slice(split);
  if (rest.length > BEFORE) throw new RangeError(`${body.length} instructions are not in one region`);
  const entry = rest.length + 1;
  const head = [0xf10007bd, branchIfGreater(-1), PUSH, 0xd280321d, branch(1), ...body.slice(0, split)];
  // The rest is before the head, and leads to the end.
  const code = [...rest, branch(head.length + 2), ...head];
  code.push(branch(-code.length), LOAD, DECREMENT, branchIfEqual(2));
  code.push(call(entry - code.length), POP, 0xb400009c, 0xd280001c, 0xd2800040);
  code.push(branch(entry - code.length), RET);
  return { code, entry };
}

/** Values that are the same the second time, so that an optimizing compiler keeps them all. */
const twice = (body: readonly number[]): number[] => [...body, LOAD, ...body];

/** Two operands, different each time, into register 1; and something made of the results. */
const sums = (count: number, base: number, used: number) =>
  many(count, (i) => [base | (i % 26 + 3) << 16 | (Math.floor(i / 26) % 26 + 3) << 5 | 1, used]);
const ADD = 0x8b000000, EOR_X2 = 0xca010042, ADD_16B = 0x4e208400, EOR_V0 = 0x6e211c00, FADD_4S = 0x4e20d400, PMUL_16B = 0x6e209c00;

/** LDR of X1 and LDP of X1 and X2 from different places. */
const loads = (count: number) => many(count, (i) => 0xf9400000 | i * 41 % 4096 << 10 | 3 << 5 | 1);
const pairs = (count: number) => many(count, (i) => 0xa9400000 | i % 64 << 15 | (Math.floor(i / 64) % 8 + 12) << 5 | 2 << 10 | 1);
/** Two neighbors each, which make a group, at many bases. */
const groups = (count: number) =>
  many(count, (i) => {
    const base = i % 8 + 12;
    return [0xf9400001 | base << 5, 0xf9400402 | base << 5, 0x91002000 | base << 5 | base];
  });

/** Switches, each with its own table, as compilers make them. */
function switches(pieces: number): number[] {
  // ADR x3; LDR x1, [x3, x1, lsl #3]; BR x1: never reached, as CBZ leads around it.
  return many(pieces, () => [branchIfZero(5), 0x10000083, 0xf8617861, 0xd61f0020, 0x91000442]);
}

/** A random body of these kinds. */
function mixed(random: Random, size: number): number[] {
  const body: number[] = [];
  while (body.length < size) {
    const left = size - body.length, count = 1 + random.below(Math.min(40, left));
    switch (random.below(8)) {
      case 0:
        body.push(...many(count, () => CCMP | random.below(16) << 12));
        break;
      case 1:
        body.push(...many(count, () => 0xab000000 | random.below(30) << 16 | (random.below(8) + 20) << 5 | 1));
        break;
      case 2:
        body.push(...loads(count));
        break;
      case 3:
        body.push(...groups(Math.ceil(count / 3)));
        break;
      case 4:
        body.push(...many(count, () => branchIfNotEqual(1 + random.below(3)) | random.below(16)));
        break;
      case 5:
        body.push(...sums(Math.ceil(count / 2), [ADD_16B, FADD_4S, PMUL_16B][random.below(3)], EOR_V0));
        break;
      case 6:
        body.push(...sums(Math.ceil(count / 2), ADD, EOR_X2));
        break;
      case 7:
        body.push(...switches(Math.ceil(count / 5)));
        break;
    }
  }
  // Branches forward reach the rest of the function at most.
  return [...body, ...many(4, () => 0xd503201f)];
}

/** Those that were made by hand. */
export const HOSTILE: readonly Hostile[] = [
  { name: "nothing but a call", ...recursive([]), depth: 3000 },
  { name: "450 conditional compares", ...recursive(many(450, () => CCMP)), depth: 126 },
  { name: "1,000 conditional compares", ...recursiveLoop(many(1000, () => CCMP)), depth: 130 },
  { name: "450 sums with flags", ...recursive(many(450, () => 0xab020023)), depth: 130 },
  { name: "2,900 conditional compares", ...recursiveLoop(many(2900, () => CCMP)), depth: 130 },
  { name: "150 groups of accesses", ...recursive(groups(150)), depth: 130 },
  { name: "900 groups of accesses", ...recursiveLoop(groups(900)), depth: 130 },
  { name: "500 branches", ...recursive(many(500, (i) => branchIfNotEqual(1 + i % 3))), depth: 130 },
  { name: "2,000 branches", ...recursiveLoop(many(2000, (i) => i % 3 ? branchIfNotZero(-(i % 50)) : 0x91000442)), depth: 130 },
  { name: "100 switches", ...recursive(switches(100)), depth: 130 },
  { name: "500 switches", ...recursiveLoop(switches(500)), depth: 130 },
  { name: "sums that are the same twice", ...recursiveLoop(twice(sums(720, ADD, EOR_X2))), depth: 130 },
  { name: "vectors that are the same twice", ...recursiveLoop(twice(sums(720, ADD_16B, EOR_V0))), depth: 130 },
  { name: "long vector operations that are the same twice", ...recursiveLoop(twice(sums(720, PMUL_16B, EOR_V0))), depth: 130 },
  { name: "floats that are the same twice", ...recursiveLoop(twice(sums(720, FADD_4S, EOR_V0))), depth: 130 },
  { name: "loads that are the same twice", ...recursiveLoop(twice(loads(1400))), depth: 130 },
  { name: "pairs that are the same twice", ...recursiveLoop(twice(pairs(512))), depth: 130 },
];

/** As many random ones. */
export function randomHostile(seed: number, count: number): Hostile[] {
  const random = new Random(seed);
  return Array.from({ length: count }, (_, i) => {
    const isLoop = random.below(2) === 0, body = mixed(random, isLoop ? 500 + random.below(2300) : 20 + random.below(440));
    return { name: `random ${i} of seed ${seed}`, ...isLoop ? recursiveLoop(body) : recursive(body, mixed(random, 10)), depth: 200 };
  });
}
