// AdvSIMD three registers of the same type, vector and scalar: integer. Arm ARM C4.1.96, "Advanced
// SIMD three same" and "Advanced SIMD scalar three same", with the two of FEAT_RDM from "three same
// extra".

import type { Builder, Node } from "../notation/builder.ts";
import { scalar, vector } from "../notation/fp-operands.ts";
import { insn, type Instruction } from "../notation/insn.ts";
import {
  ALL,
  bits,
  bitSelect,
  both,
  compareLanes,
  D,
  LANES,
  multiply,
  needsQ,
  NOT_D,
  pairs,
  pattern,
  replicate,
  scalarOf,
  setScalar,
  setVector,
  vectorOf,
} from "../notation/simd-operands.ts";

/** From two vectors, and the old value of the destination, to the result. */
type ThreeSameOperation = ($: Builder, size: number, a: Node, b: Node, d: () => Node) => Node;

interface ThreeSameEntry {
  readonly name: string;
  readonly U: 0 | 1;
  readonly opcode: number;
  /** Sizes (log2 of bytes) of the vector form, and of the scalar form, if it exists. */
  readonly sizes: readonly number[];
  readonly scalars?: readonly number[];
  /** Sizes that loops use at 128 bits; those are in the interpreter loop. */
  readonly hot?: readonly number[];
  readonly operation: ThreeSameOperation;
}

const HS = [1, 2];

const lanewise = (instruction: string): ThreeSameOperation => ($, size, a, b) => $.op(`${LANES[size]}.${instruction}`, a, b);
const library = (name: string): ThreeSameOperation => ($, size, a, b) => $.call("v128", `${name}${8 << size}`, a, b);
const compare = (condition: Parameters<typeof compareLanes>[2]): ThreeSameOperation => ($, size, a, b) =>
  compareLanes($, size, condition, a, b);

/** (a + b) >> 1 and (a - b) >> 1 without a carry out of the lane. */
const halvingAdd = (letter: "s" | "u"): ThreeSameOperation => ($, size, a, b) =>
  $.op(`${LANES[size]}.add`, $.and(a, b), shiftRight($, size, letter, $.eor(a, b)));
const roundingHalvingAdd = (letter: "s" | "u"): ThreeSameOperation => ($, size, a, b) =>
  $.op(`${LANES[size]}.sub`, $.or(a, b), shiftRight($, size, letter, $.eor(a, b)));
const halvingSubtract = (letter: "s" | "u"): ThreeSameOperation => ($, size, a, b) => {
  const borrow = $.and($.op("v128.andnot", b, a), both($, replicate(1n, size)));
  const halves = $.op(`${LANES[size]}.sub`, shiftRight($, size, letter, a), shiftRight($, size, letter, b));
  return $.op(`${LANES[size]}.sub`, halves, borrow);
};
const shiftRight = ($: Builder, size: number, letter: "s" | "u", a: Node): Node => $.op(`${LANES[size]}.shr_${letter}`, a, $.i32(1));

const absoluteDifference = (letter: "s" | "u"): ThreeSameOperation => ($, size, a, b) =>
  $.op(`${LANES[size]}.sub`, $.op(`${LANES[size]}.max_${letter}`, a, b), $.op(`${LANES[size]}.min_${letter}`, a, b));
const accumulate = (operation: ThreeSameOperation, sum: "add" | "sub" = "add"): ThreeSameOperation => ($, size, a, b, d) =>
  $.op(`${LANES[size]}.${sum}`, d(), operation($, size, a, b, d));

const ENTRIES: readonly ThreeSameEntry[] = [
  { name: "shadd", U: 0, opcode: 0b00000, sizes: NOT_D, operation: halvingAdd("s") },
  { name: "uhadd", U: 1, opcode: 0b00000, sizes: NOT_D, operation: halvingAdd("u") },
  { name: "sqadd", U: 0, opcode: 0b00001, sizes: ALL, scalars: ALL, operation: library("SQADD") },
  { name: "uqadd", U: 1, opcode: 0b00001, sizes: ALL, scalars: ALL, operation: library("UQADD") },
  { name: "srhadd", U: 0, opcode: 0b00010, sizes: NOT_D, operation: roundingHalvingAdd("s") },
  { name: "urhadd", U: 1, opcode: 0b00010, sizes: NOT_D, operation: roundingHalvingAdd("u") },
  { name: "shsub", U: 0, opcode: 0b00100, sizes: NOT_D, operation: halvingSubtract("s") },
  { name: "uhsub", U: 1, opcode: 0b00100, sizes: NOT_D, operation: halvingSubtract("u") },
  { name: "sqsub", U: 0, opcode: 0b00101, sizes: ALL, scalars: ALL, operation: library("SQSUB") },
  { name: "uqsub", U: 1, opcode: 0b00101, sizes: ALL, scalars: ALL, operation: library("UQSUB") },
  { name: "cmgt", U: 0, opcode: 0b00110, sizes: ALL, scalars: D, operation: compare("gt_s") },
  { name: "cmhi", U: 1, opcode: 0b00110, sizes: ALL, scalars: D, operation: compare("gt_u") },
  { name: "cmge", U: 0, opcode: 0b00111, sizes: ALL, scalars: D, operation: compare("ge_s") },
  { name: "cmhs", U: 1, opcode: 0b00111, sizes: ALL, scalars: D, operation: compare("ge_u") },
  { name: "sshl", U: 0, opcode: 0b01000, sizes: ALL, scalars: D, operation: library("SSHL") },
  { name: "ushl", U: 1, opcode: 0b01000, sizes: ALL, scalars: D, operation: library("USHL") },
  { name: "sqshl", U: 0, opcode: 0b01001, sizes: ALL, scalars: ALL, operation: library("SQSHL") },
  { name: "uqshl", U: 1, opcode: 0b01001, sizes: ALL, scalars: ALL, operation: library("UQSHL") },
  { name: "srshl", U: 0, opcode: 0b01010, sizes: ALL, scalars: D, operation: library("SRSHL") },
  { name: "urshl", U: 1, opcode: 0b01010, sizes: ALL, scalars: D, operation: library("URSHL") },
  { name: "sqrshl", U: 0, opcode: 0b01011, sizes: ALL, scalars: ALL, operation: library("SQRSHL") },
  { name: "uqrshl", U: 1, opcode: 0b01011, sizes: ALL, scalars: ALL, operation: library("UQRSHL") },
  { name: "smax", U: 0, opcode: 0b01100, sizes: NOT_D, operation: lanewise("max_s") },
  { name: "umax", U: 1, opcode: 0b01100, sizes: NOT_D, operation: lanewise("max_u") },
  { name: "smin", U: 0, opcode: 0b01101, sizes: NOT_D, operation: lanewise("min_s") },
  { name: "umin", U: 1, opcode: 0b01101, sizes: NOT_D, operation: lanewise("min_u") },
  { name: "sabd", U: 0, opcode: 0b01110, sizes: NOT_D, operation: absoluteDifference("s") },
  { name: "uabd", U: 1, opcode: 0b01110, sizes: NOT_D, operation: absoluteDifference("u") },
  { name: "saba", U: 0, opcode: 0b01111, sizes: NOT_D, operation: accumulate(absoluteDifference("s")) },
  { name: "uaba", U: 1, opcode: 0b01111, sizes: NOT_D, operation: accumulate(absoluteDifference("u")) },
  { name: "add", U: 0, opcode: 0b10000, sizes: ALL, scalars: D, hot: ALL, operation: lanewise("add") },
  { name: "sub", U: 1, opcode: 0b10000, sizes: ALL, scalars: D, hot: [2, 3], operation: lanewise("sub") },
  {
    name: "cmtst",
    U: 0,
    opcode: 0b10001,
    sizes: ALL,
    scalars: D,
    operation: ($, size, a, b) => $.op(`${LANES[size]}.ne`, $.and(a, b), both($, 0n)),
  },
  { name: "cmeq", U: 1, opcode: 0b10001, sizes: ALL, scalars: D, hot: [0], operation: compare("eq") },
  { name: "mla", U: 0, opcode: 0b10010, sizes: NOT_D, hot: [2], operation: accumulate(multiply) },
  { name: "mls", U: 1, opcode: 0b10010, sizes: NOT_D, operation: accumulate(multiply, "sub") },
  { name: "mul", U: 0, opcode: 0b10011, sizes: NOT_D, hot: [2], operation: multiply },
  { name: "pmul", U: 1, opcode: 0b10011, sizes: [0], operation: library("PMUL") },
  { name: "sqdmulh", U: 0, opcode: 0b10110, sizes: HS, scalars: HS, operation: library("SQDMULH") },
  { name: "sqrdmulh", U: 1, opcode: 0b10110, sizes: HS, scalars: HS, operation: library("SQRDMULH") },
];

const PAIRWISE: readonly ThreeSameEntry[] = [
  { name: "smaxp", U: 0, opcode: 0b10100, sizes: NOT_D, operation: lanewise("max_s") },
  { name: "umaxp", U: 1, opcode: 0b10100, sizes: NOT_D, operation: lanewise("max_u") },
  { name: "sminp", U: 0, opcode: 0b10101, sizes: NOT_D, operation: lanewise("min_s") },
  { name: "uminp", U: 1, opcode: 0b10101, sizes: NOT_D, operation: lanewise("min_u") },
  { name: "addp", U: 0, opcode: 0b10111, sizes: ALL, operation: lanewise("add") },
];

const text = (name: string, f: { Q: number; size: number; Rd: number; Rn: number; Rm: number }) =>
  `${name}\t${vector(f.size, f.Q, f.Rd)}, ${vector(f.size, f.Q, f.Rn)}, ${vector(f.size, f.Q, f.Rm)}`;

/** An entry in 64 and 128 bits out of the interpreter loop. */
function rareVector({ name, U, opcode, sizes, hot = [], operation }: ThreeSameEntry): Instruction {
  return insn(
    `${name.toUpperCase()} (vector)`,
    pattern<"Q size Rm Rn Rd">(`0 Q ${U} 01110 size 1 Rm ${bits(opcode, 5)} 1 Rn Rd`),
    {
      shape: "size",
      // Doublewords have no 64-bit form besides the hot one.
      when: (f) => sizes.includes(f.size) && !(f.size === 3 && hot.includes(3)),
      unallocated: (f) => needsQ(f, f.size),
      cold: true,
    },
    (f) => text(name, f),
    ({ Q, size, Rm, Rn, Rd }, $) => setVector($, Q, Rd, operation($, size, vectorOf($, Q, Rn), vectorOf($, Q, Rm), () => $.Q(Rd))),
  );
}

/** The 128-bit forms that are hot; more fixed bits win against `rareVector`. */
function hotVector({ name, U, opcode, hot = [], operation }: ThreeSameEntry): Instruction {
  return insn(
    `${name.toUpperCase()} (vector, 128 bits)`,
    pattern<"size Rm Rn Rd">(`0 1 ${U} 01110 size 1 Rm ${bits(opcode, 5)} 1 Rn Rd`),
    { shape: "size", when: (f) => hot.includes(f.size) },
    (f) => text(name, { Q: 1, ...f }),
    ({ size, Rm, Rn, Rd }, $) => $.setQ(Rd, operation($, size, $.Q(Rn), $.Q(Rm), () => $.Q(Rd))),
  );
}

function scalarForm({ name, U, opcode, scalars = [], operation }: ThreeSameEntry): Instruction {
  return insn(
    `${name.toUpperCase()} (scalar)`,
    pattern<"size Rm Rn Rd">(`01 ${U} 11110 size 1 Rm ${bits(opcode, 5)} 1 Rn Rd`),
    { shape: "size", when: (f) => scalars.includes(f.size), cold: true },
    (f) => `${name}\t${scalar(f.size, f.Rd)}, ${scalar(f.size, f.Rn)}, ${scalar(f.size, f.Rm)}`,
    ({ size, Rm, Rn, Rd }, $) =>
      setScalar($, size, Rd, operation($, size, scalarOf($, size, Rn), scalarOf($, size, Rm), () => scalarOf($, size, Rd))),
  );
}

function pairwise({ name, U, opcode, sizes, operation }: ThreeSameEntry): Instruction {
  return insn(
    `${name.toUpperCase()} (vector)`,
    pattern<"Q size Rm Rn Rd">(`0 Q ${U} 01110 size 1 Rm ${bits(opcode, 5)} 1 Rn Rd`),
    { shape: "size", when: (f) => sizes.includes(f.size), unallocated: (f) => needsQ(f, f.size), cold: true },
    (f) => text(name, f),
    ({ Q, size, Rm, Rn, Rd }, $) => {
      const [even, odd] = pairs($, size, Q, $.Q(Rn), $.Q(Rm));
      setVector($, Q, Rd, operation($, size, even, odd, () => $.Q(Rd)));
    },
  );
}

/** AND, BIC, ORR, ORN by size; EOR, BSL, BIT, BIF. */
const LOGICAL: readonly { readonly name: string; readonly operation: ($: Builder, a: Node, b: Node, d: () => Node) => Node }[][] = [
  [
    { name: "and", operation: ($, a, b) => $.and(a, b) },
    { name: "bic", operation: ($, a, b) => $.op("v128.andnot", a, b) },
    { name: "orr", operation: ($, a, b) => $.or(a, b) },
    { name: "orn", operation: ($, a, b) => $.or(a, $.not(b)) },
  ],
  [
    { name: "eor", operation: ($, a, b) => $.eor(a, b) },
    { name: "bsl", operation: ($, a, b, d) => bitSelect($, d(), a, b) },
    { name: "bit", operation: ($, a, b, d) => bitSelect($, b, a, d()) },
    { name: "bif", operation: ($, a, b, d) => bitSelect($, b, d(), a) },
  ],
];

const logical = () =>
  insn(
    "AND/BIC/ORR/ORN/EOR/BSL/BIT/BIF (vector)",
    "0 Q U 01110 size 1 Rm 00011 1 Rn Rd",
    { shape: "Q U size", cold: (f) => !f.Q || f.size === 3 },
    (f) => text(LOGICAL[f.U][f.size].name, { ...f, size: 0 }),
    ({ Q, U, size, Rm, Rn, Rd }, $) => setVector($, Q, Rd, LOGICAL[U][size].operation($, $.Q(Rn), $.Q(Rm), () => $.Q(Rd))),
  );

/** SQRDMLAH and SQRDMLSH, whose opcode lies elsewhere. */
const roundingDoubling = () =>
  ["SQRDMLAH", "SQRDMLSH"].flatMap((name, S) => [
    insn(
      `${name} (vector)`,
      pattern<"Q size Rm Rn Rd">(`0 Q 1 01110 size 0 Rm 1000${S} 1 Rn Rd`),
      { shape: "size", when: (f) => HS.includes(f.size), cold: true },
      (f) => text(name.toLowerCase(), f),
      ({ Q, size, Rm, Rn, Rd }, $) =>
        setVector($, Q, Rd, $.call("v128", `${name}${8 << size}`, vectorOf($, Q, Rn), vectorOf($, Q, Rm), vectorOf($, Q, Rd))),
    ),
    insn(
      `${name} (scalar)`,
      pattern<"size Rm Rn Rd">(`01 1 11110 size 0 Rm 1000${S} 1 Rn Rd`),
      { shape: "size", when: (f) => HS.includes(f.size), cold: true },
      (f) => `${name.toLowerCase()}\t${scalar(f.size, f.Rd)}, ${scalar(f.size, f.Rn)}, ${scalar(f.size, f.Rm)}`,
      ({ size, Rm, Rn, Rd }, $) => {
        const [a, b, d] = [Rn, Rm, Rd].map((register) => scalarOf($, size, register));
        setScalar($, size, Rd, $.call("v128", `${name}${8 << size}`, a, b, d));
      },
    ),
  ]);

/** Three same, integer. */
export const simdThreeSame = (): Instruction[] => [
  logical(),
  ...ENTRIES.map(rareVector),
  ...ENTRIES.filter((entry) => entry.hot).map(hotVector),
  ...ENTRIES.filter((entry) => entry.scalars).map(scalarForm),
  ...PAIRWISE.map(pairwise),
  ...roundingDoubling(),
];
