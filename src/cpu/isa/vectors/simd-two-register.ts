// AdvSIMD two-register miscellaneous and across lanes, integer, vector and scalar. Arm ARM C4.1.96.

import type { Builder, Node } from "../notation/builder.ts";
import { arrangement, scalar, vector } from "../notation/fp-operands.ts";
import { insn, type Instruction } from "../notation/insn.ts";
import {
  ALL,
  bits,
  both,
  compareLanes,
  D,
  extendLow,
  halfOf,
  LANES,
  narrow,
  needsQ,
  NOT_D,
  pattern,
  scalarOf,
  setHalf,
  setScalar,
  setVector,
  shuffleLanes,
  vectorOf,
} from "../notation/simd-operands.ts";

type TwoRegisterOperation = ($: Builder, size: number, a: Node, d: () => Node) => Node;

interface TwoRegisterEntry {
  readonly name: string;
  readonly U: 0 | 1;
  readonly opcode: number;
  readonly sizes: readonly number[];
  readonly scalars?: readonly number[];
  readonly operation: TwoRegisterOperation;
  /** "#0" after the operands. */
  readonly zero?: boolean;
}

const library = (name: string): TwoRegisterOperation => ($, size, a) => $.call("v128", `${name}${8 << size}`, a);
const compare = (condition: "eq" | "gt_s" | "ge_s", exchanged = false): TwoRegisterOperation => ($, size, a) => {
  const zero = both($, 0n);
  return exchanged ? compareLanes($, size, condition, zero, a) : compareLanes($, size, condition, a, zero);
};
const lanewise = (instruction: string): TwoRegisterOperation => ($, size, a) => $.op(`${LANES[size]}.${instruction}`, a);

/** Reverses the elements of 2^size bytes within containers of 2^container bytes. */
const reverse = (container: number): TwoRegisterOperation => ($, size, a) => {
  const last = (1 << container - size) - 1;
  return $.shuffle(shuffleLanes(size, Array.from({ length: 16 >> size }, (_, i) => i ^ last)), a, a);
};

/** The bits of each byte from the other end: halves, quarters and eighths change places. */
const reverseBits: TwoRegisterOperation = ($, _, a) => {
  const steps: readonly [number, bigint][] = [[4, 0x0f0f0f0f0f0f0f0fn], [2, 0x3333333333333333n], [1, 0x5555555555555555n]];
  let value = a;
  for (const [count, mask] of steps) {
    const current = $.let(value);
    const low = $.op("i8x16.shl", $.and(current, both($, mask)), $.i32(count));
    value = $.or(low, $.and($.op("i8x16.shr_u", current, $.i32(count)), both($, mask)));
  }
  return value;
};

/** SADDLP and UADDLP: sums of neighbors in lanes of twice the width. */
const addPairs = (letter: "s" | "u"): TwoRegisterOperation => ($, size, a) => {
  if (size < 2) return $.op(`${LANES[size + 1]}.extadd_pairwise_${LANES[size]}_${letter}`, a);
  const shift = `i64x2.shr_${letter}`;
  return $.op("i64x2.add", $.op(shift, a, $.i32(32)), $.op(shift, $.op("i64x2.shl", a, $.i32(32)), $.i32(32)));
};
const accumulatePairs = (letter: "s" | "u"): TwoRegisterOperation => ($, size, a, d) =>
  $.op(`${LANES[size + 1]}.add`, d(), addPairs(letter)($, size, a, d));

/** SUQADD and USQADD add to the destination. */
const accumulateSaturating = (name: string): TwoRegisterOperation => ($, size, a, d) => $.call("v128", `${name}${8 << size}`, d(), a);

const ENTRIES: readonly TwoRegisterEntry[] = [
  { name: "rev64", U: 0, opcode: 0b00000, sizes: NOT_D, operation: reverse(3) },
  { name: "rev32", U: 1, opcode: 0b00000, sizes: [0, 1], operation: reverse(2) },
  { name: "rev16", U: 0, opcode: 0b00001, sizes: [0], operation: reverse(1) },
  { name: "suqadd", U: 0, opcode: 0b00011, sizes: ALL, scalars: ALL, operation: accumulateSaturating("SUQADD") },
  { name: "usqadd", U: 1, opcode: 0b00011, sizes: ALL, scalars: ALL, operation: accumulateSaturating("USQADD") },
  { name: "cls", U: 0, opcode: 0b00100, sizes: NOT_D, operation: library("CLS") },
  { name: "clz", U: 1, opcode: 0b00100, sizes: NOT_D, operation: library("CLZ") },
  { name: "cnt", U: 0, opcode: 0b00101, sizes: [0], operation: lanewise("popcnt") },
  { name: "sqabs", U: 0, opcode: 0b00111, sizes: ALL, scalars: ALL, operation: library("SQABS") },
  { name: "sqneg", U: 1, opcode: 0b00111, sizes: ALL, scalars: ALL, operation: library("SQNEG") },
  { name: "cmgt", U: 0, opcode: 0b01000, sizes: ALL, scalars: D, operation: compare("gt_s"), zero: true },
  { name: "cmge", U: 1, opcode: 0b01000, sizes: ALL, scalars: D, operation: compare("ge_s"), zero: true },
  { name: "cmeq", U: 0, opcode: 0b01001, sizes: ALL, scalars: D, operation: compare("eq"), zero: true },
  { name: "cmle", U: 1, opcode: 0b01001, sizes: ALL, scalars: D, operation: compare("ge_s", true), zero: true },
  { name: "cmlt", U: 0, opcode: 0b01010, sizes: ALL, scalars: D, operation: compare("gt_s", true), zero: true },
  { name: "abs", U: 0, opcode: 0b01011, sizes: ALL, scalars: D, operation: lanewise("abs") },
  { name: "neg", U: 1, opcode: 0b01011, sizes: ALL, scalars: D, operation: lanewise("neg") },
];

/** These have fixed size fields: 00 and 01 of one opcode. */
const BITS: readonly { readonly name: string; readonly size: string; readonly operation: TwoRegisterOperation }[] = [
  { name: "not", size: "00", operation: ($, _, a) => $.not(a) },
  { name: "rbit", size: "01", operation: reverseBits },
];

/** Elements of the result are twice as wide. */
const LONG_PAIRS: readonly TwoRegisterEntry[] = [
  { name: "saddlp", U: 0, opcode: 0b00010, sizes: NOT_D, operation: addPairs("s") },
  { name: "uaddlp", U: 1, opcode: 0b00010, sizes: NOT_D, operation: addPairs("u") },
  { name: "sadalp", U: 0, opcode: 0b00110, sizes: NOT_D, operation: accumulatePairs("s") },
  { name: "uadalp", U: 1, opcode: 0b00110, sizes: NOT_D, operation: accumulatePairs("u") },
];

/** Elements of the result are half as wide; `sizes` are the result's. */
const NARROW: readonly TwoRegisterEntry[] = [
  { name: "xtn", U: 0, opcode: 0b10010, sizes: NOT_D, operation: narrow },
  { name: "sqxtun", U: 1, opcode: 0b10010, sizes: NOT_D, scalars: NOT_D, operation: library("SQXTUN") },
  { name: "sqxtn", U: 0, opcode: 0b10100, sizes: NOT_D, scalars: NOT_D, operation: library("SQXTN") },
  { name: "uqxtn", U: 1, opcode: 0b10100, sizes: NOT_D, scalars: NOT_D, operation: library("UQXTN") },
];

const suffix = (zero: boolean | undefined) => zero ? ", #0" : "";
const misc = (U: number, opcode: number) => pattern<"Q size Rn Rd">(`0 Q ${U} 01110 size 10000 ${bits(opcode, 5)} 10 Rn Rd`);
const scalarMisc = (U: number, opcode: number) => pattern<"size Rn Rd">(`01 ${U} 11110 size 10000 ${bits(opcode, 5)} 10 Rn Rd`);

function vectorForm({ name, U, opcode, sizes, operation, zero }: TwoRegisterEntry): Instruction {
  return insn(
    `${name.toUpperCase()} (vector${zero ? ", zero" : ""})`,
    misc(U, opcode),
    { shape: "size", when: (f) => sizes.includes(f.size), unallocated: (f) => needsQ(f, f.size), cold: true },
    (f) => `${name}\t${vector(f.size, f.Q, f.Rd)}, ${vector(f.size, f.Q, f.Rn)}${suffix(zero)}`,
    ({ Q, size, Rn, Rd }, $) => setVector($, Q, Rd, operation($, size, vectorOf($, Q, Rn), () => vectorOf($, Q, Rd))),
  );
}

function scalarForm({ name, U, opcode, scalars = [], operation, zero }: TwoRegisterEntry): Instruction {
  return insn(
    `${name.toUpperCase()} (scalar${zero ? ", zero" : ""})`,
    scalarMisc(U, opcode),
    { shape: "size", when: (f) => scalars.includes(f.size), cold: true },
    (f) => `${name}\t${scalar(f.size, f.Rd)}, ${scalar(f.size, f.Rn)}${suffix(zero)}`,
    ({ size, Rn, Rd }, $) => setScalar($, size, Rd, operation($, size, scalarOf($, size, Rn), () => scalarOf($, size, Rd))),
  );
}

const bitwise = () =>
  BITS.map(({ name, size, operation }) =>
    insn(
      `${name.toUpperCase()} (vector)`,
      pattern<"Q Rn Rd">(`0 Q 1 01110 ${size} 10000 00101 10 Rn Rd`),
      { cold: true },
      (f) => `${name}\t${vector(0, f.Q, f.Rd)}, ${vector(0, f.Q, f.Rn)}`,
      ({ Q, Rn, Rd }, $) => setVector($, Q, Rd, operation($, 0, $.Q(Rn), () => $.Q(Rd))),
    )
  );

const longPairs = () =>
  LONG_PAIRS.map(({ name, U, opcode, sizes, operation }) =>
    insn(
      name.toUpperCase(),
      misc(U, opcode),
      { shape: "size", when: (f) => sizes.includes(f.size), cold: true },
      (f) => `${name}\t${vector(f.size + 1, f.Q, f.Rd)}, ${vector(f.size, f.Q, f.Rn)}`,
      ({ Q, size, Rn, Rd }, $) => setVector($, Q, Rd, operation($, size, $.Q(Rn), () => $.Q(Rd))),
    )
  );

const narrowing = () =>
  NARROW.flatMap(({ name, U, opcode, sizes, scalars, operation }) => [
    insn(
      `${name.toUpperCase()}, ${name.toUpperCase()}2 (vector)`,
      misc(U, opcode),
      { shape: "size", when: (f) => sizes.includes(f.size), cold: true },
      (f) => `${name}${f.Q ? "2" : ""}\t${vector(f.size, f.Q, f.Rd)}, ${vector(f.size + 1, 1, f.Rn)}`,
      ({ Q, size, Rn, Rd }, $) => setHalf($, Q, Rd, $.let(operation($, size, $.Q(Rn), () => $.Q(Rd)))),
    ),
    ...(scalars
      ? [insn(
        `${name.toUpperCase()} (scalar)`,
        scalarMisc(U, opcode),
        { shape: "size", when: (f) => scalars.includes(f.size), cold: true },
        (f) => `${name}\t${scalar(f.size, f.Rd)}, ${scalar(f.size + 1, f.Rn)}`,
        ({ size, Rn, Rd }, $) => setScalar($, size, Rd, operation($, size, scalarOf($, size + 1, Rn), () => $.Q(Rd))),
      )]
      : []),
  ]);

const shiftLong = () =>
  insn(
    "SHLL, SHLL2",
    "0 Q 1 01110 size 10000 10011 10 Rn Rd",
    { shape: "size", when: (f) => f.size < 3, cold: true },
    (f) => `shll${f.Q ? "2" : ""}\t${vector(f.size + 1, 1, f.Rd)}, ${vector(f.size, f.Q, f.Rn)}, #${8 << f.size}`,
    ({ Q, size, Rn, Rd }, $) => $.setQ(Rd, $.op(`${LANES[size + 1]}.shl`, extendLow($, size, false, halfOf($, Q, Rn)), $.i32(8 << size))),
  );

const estimates = () =>
  ([["urecpe", 0, "UnsignedRecipEstimate"], ["ursqrte", 1, "UnsignedRSqrtEstimate"]] as const).map(([name, U, target]) =>
    insn(
      name.toUpperCase(),
      pattern<"Q Rn Rd">(`0 Q ${U} 01110 10 10000 11100 10 Rn Rd`),
      { cold: true },
      (f) => `${name}\t${vector(2, f.Q, f.Rd)}, ${vector(2, f.Q, f.Rn)}`,
      ({ Q, Rn, Rd }, $) => setVector($, Q, Rd, $.call("v128", `${target}32`, $.Q(Rn))),
    )
  );

/**
 * Combines all lanes of 64 or 128 bits with an operation; the result is in lane 0. Unused lanes
 * must not matter: they repeat the used ones.
 */
function reduce($: Builder, size: number, Q: Node, a: Node, operation: (x: Node, y: Node) => Node): Node {
  // With 64 bits the halves would count twice: the step over the halves is chosen by Q.
  const swap = (bytes: number, x: Node) => $.shuffle(Array.from({ length: 16 }, (_, i) => i ^ bytes), x, x);
  let value = $.let($.select(Q, operation(a, swap(8, a)), a));
  for (let bytes = 4; bytes >= 1 << size; bytes >>= 1) value = $.let(operation(value, swap(bytes, value)));
  return value;
}

interface Across {
  readonly name: string;
  readonly U: 0 | 1;
  readonly opcode: number;
  readonly instruction: string;
}

const ACROSS: readonly Across[] = [
  { name: "addv", U: 0, opcode: 0b11011, instruction: "add" },
  { name: "smaxv", U: 0, opcode: 0b01010, instruction: "max_s" },
  { name: "umaxv", U: 1, opcode: 0b01010, instruction: "max_u" },
  { name: "sminv", U: 0, opcode: 0b11010, instruction: "min_s" },
  { name: "uminv", U: 1, opcode: 0b11010, instruction: "min_u" },
];

const across = (U: number, opcode: number) => pattern<"Q size Rn Rd">(`0 Q ${U} 01110 size 11000 ${bits(opcode, 5)} 10 Rn Rd`);
const acrossOptions = {
  shape: "size",
  when: (f: { size: number }) => f.size < 3,
  unallocated: (f: { Q: number; size: number }) => f.size === 2 && !f.Q,
  cold: true,
} as const;

const acrossLanes = () =>
  ACROSS.map(({ name, U, opcode, instruction }) =>
    insn(
      name.toUpperCase(),
      across(U, opcode),
      acrossOptions,
      (f) => `${name}\t${scalar(f.size, f.Rd)}, v${f.Rn}.${arrangement(f.size, f.Q)}`,
      ({ Q, size, Rn, Rd }, $) => {
        const operation = (x: Node, y: Node) => $.op(`${LANES[size]}.${instruction}`, x, y);
        setScalar($, size, Rd, reduce($, size, Q, $.Q(Rn), operation));
      },
    )
  );

/** SADDLV and UADDLV: neighbors are added into wide lanes first. */
const acrossLong = () =>
  (["s", "u"] as const).map((letter, U) =>
    insn(
      `${letter.toUpperCase()}ADDLV`,
      across(U, 0b00011),
      acrossOptions,
      (f) => `${letter}addlv\t${scalar(f.size + 1, f.Rd)}, v${f.Rn}.${arrangement(f.size, f.Q)}`,
      ({ Q, size, Rn, Rd }, $) => {
        const sums = $.let(addPairs(letter)($, size, vectorOf($, Q, Rn), () => $.Q(Rd)));
        setScalar($, size + 1, Rd, reduce($, size + 1, Q, sums, (x, y) => $.op(`${LANES[size + 1]}.add`, x, y)));
      },
    )
  );

const addPair = () =>
  insn(
    "ADDP (scalar)",
    "01 0 11110 11 11000 11011 10 Rn Rd",
    { cold: true },
    (f) => `addp\t${scalar(3, f.Rd)}, ${vector(3, 1, f.Rn)}`,
    ({ Rn, Rd }, $) => $.setD(Rd, $.add($.Dbits(Rn), $.let($.readV("i64.load", Rn, 8)))),
  );

/** Two-register miscellaneous and across lanes, integer. */
export const simdTwoRegister = (): Instruction[] => [
  ...ENTRIES.map(vectorForm),
  ...ENTRIES.filter((entry) => entry.scalars).map(scalarForm),
  ...bitwise(),
  ...longPairs(),
  ...narrowing(),
  shiftLong(),
  ...estimates(),
  ...acrossLanes(),
  ...acrossLong(),
  addPair(),
];
