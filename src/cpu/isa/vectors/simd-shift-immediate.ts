// AdvSIMD shifts by an immediate, vector and scalar, with conversion to and from fixed point. Arm
// ARM C4.1.96, "Advanced SIMD shift by immediate" and its scalar form. immh:immb holds the
// element's size in its highest set bit; the bits below are `low`.

import type { Builder, Node } from "../notation/builder.ts";
import { doubleBits, FLOATS, readFloat, scalar, vector, writeFloat } from "../notation/fp-operands.ts";
import { insn, type Instruction } from "../notation/insn.ts";
import { arrangementName } from "./simd-fp.ts";
import { scalarFromFixed, scalarToFixed } from "./simd-fp-two-register.ts";
import {
  ALL,
  bits,
  both,
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
  vectorOf,
} from "../notation/simd-operands.ts";

/** `count` is static: 1 to the width for right shifts, 0 to the width - 1 for left ones. */
type ShiftOperation = ($: Builder, size: number, a: Node, count: Node, d: () => Node) => Node;

interface ShiftEntry {
  readonly name: string;
  readonly U: 0 | 1;
  readonly opcode: number;
  readonly direction: "left" | "right";
  readonly scalars?: readonly number[];
  /** Sizes that loops use at 128 bits. */
  readonly hot?: readonly number[];
  readonly operation: ShiftOperation;
}

/** A vector with a static value in each lane. */
function splat($: Builder, size: number, value: Node): Node {
  return $.op(`${LANES[size]}.splat`, size === 3 ? $.signExtend64(value) : value);
}

/** A shift right by 1 to the width: Wasm counts modulo the width, so that it takes two steps. */
function shiftRight($: Builder, size: number, letter: "s" | "u", a: Node, count: Node): Node {
  const instruction = `${LANES[size]}.shr_${letter}`;
  return $.op(instruction, $.op(instruction, a, $.range($.sub(count, 1), 0, 63)), $.i32(1));
}

/** The same, rounded to nearest: the last bit that falls out is added. */
function roundingShiftRight($: Builder, size: number, letter: "s" | "u", a: Node, count: Node): Node {
  const instruction = `${LANES[size]}.shr_${letter}`;
  const almost = $.let($.op(instruction, a, $.range($.sub(count, 1), 0, 63)));
  return $.op(`${LANES[size]}.add`, $.op(instruction, almost, $.i32(1)), $.and(almost, splat($, size, $.i32(1))));
}

const right = (letter: "s" | "u"): ShiftOperation => ($, size, a, count) => shiftRight($, size, letter, a, count);
const rounding = (letter: "s" | "u"): ShiftOperation => ($, size, a, count) => roundingShiftRight($, size, letter, a, count);
const accumulate = (operation: ShiftOperation): ShiftOperation => ($, size, a, count, d) =>
  $.op(`${LANES[size]}.add`, d(), operation($, size, a, count, d));
const shiftLeft: ShiftOperation = ($, size, a, count) => $.op(`${LANES[size]}.shl`, a, count);
const saturating = (name: string): ShiftOperation => ($, size, a, count) => $.call("v128", `${name}${8 << size}`, a, splat($, size, count));

/** SLI and SRI keep the bits of the destination that nothing is shifted into. */
const insertLeft: ShiftOperation = ($, size, a, count, d) => {
  const ones = both($, -1n), taken = $.op(`${LANES[size]}.shl`, ones, count);
  return $.op("v128.bitselect", $.op(`${LANES[size]}.shl`, a, count), d(), taken);
};
const insertRight: ShiftOperation = ($, size, a, count, d) =>
  $.op("v128.bitselect", shiftRight($, size, "u", a, count), d(), shiftRight($, size, "u", both($, -1n), count));

const ENTRIES: readonly ShiftEntry[] = [
  { name: "sshr", U: 0, opcode: 0b00000, direction: "right", scalars: D, operation: right("s") },
  { name: "ushr", U: 1, opcode: 0b00000, direction: "right", scalars: D, hot: [2, 3], operation: right("u") },
  { name: "ssra", U: 0, opcode: 0b00010, direction: "right", scalars: D, operation: accumulate(right("s")) },
  { name: "usra", U: 1, opcode: 0b00010, direction: "right", scalars: D, operation: accumulate(right("u")) },
  { name: "srshr", U: 0, opcode: 0b00100, direction: "right", scalars: D, operation: rounding("s") },
  { name: "urshr", U: 1, opcode: 0b00100, direction: "right", scalars: D, operation: rounding("u") },
  { name: "srsra", U: 0, opcode: 0b00110, direction: "right", scalars: D, operation: accumulate(rounding("s")) },
  { name: "ursra", U: 1, opcode: 0b00110, direction: "right", scalars: D, operation: accumulate(rounding("u")) },
  { name: "sri", U: 1, opcode: 0b01000, direction: "right", scalars: D, hot: [2], operation: insertRight },
  { name: "shl", U: 0, opcode: 0b01010, direction: "left", scalars: D, hot: [2, 3], operation: shiftLeft },
  { name: "sli", U: 1, opcode: 0b01010, direction: "left", scalars: D, hot: [2], operation: insertLeft },
  { name: "sqshlu", U: 1, opcode: 0b01100, direction: "left", scalars: ALL, operation: saturating("SQSHLU") },
  { name: "sqshl", U: 0, opcode: 0b01110, direction: "left", scalars: ALL, operation: saturating("SQSHL") },
  { name: "uqshl", U: 1, opcode: 0b01110, direction: "left", scalars: ALL, operation: saturating("UQSHL") },
];

/** immh:immb for elements of 2^size bytes, as a pattern. */
const immediate = (size: number) => `${"0".repeat(3 - size)}1 low:${3 + size}`;

/** The shift that the field stands for. */
const countOf = (direction: "left" | "right", size: number, low: number) => direction === "left" ? low : (8 << size) - low;
const count = ($: Builder, direction: "left" | "right", size: number, low: Node) =>
  direction === "left" ? low : $.range($.sub($.i32(8 << size), low), 1, 8 << size);

function rareVector({ name, U, opcode, direction, operation }: ShiftEntry, size: number): Instruction {
  return insn(
    `${name.toUpperCase()} (vector, ${8 << size})`,
    pattern<"Q low Rn Rd">(`0 Q ${U} 011110 ${immediate(size)} ${bits(opcode, 5)} 1 Rn Rd`),
    { unallocated: (f) => needsQ(f, size), cold: true },
    (f) => `${name}\t${vector(size, f.Q, f.Rd)}, ${vector(size, f.Q, f.Rn)}, #${countOf(direction, size, f.low)}`,
    ({ Q, low, Rn, Rd }, $) => setVector($, Q, Rd, operation($, size, vectorOf($, Q, Rn), count($, direction, size, low), () => $.Q(Rd))),
  );
}

function hotVector({ name, U, opcode, direction, operation }: ShiftEntry, size: number): Instruction {
  return insn(
    `${name.toUpperCase()} (vector, ${8 << size}, 128 bits)`,
    pattern<"low Rn Rd">(`0 1 ${U} 011110 ${immediate(size)} ${bits(opcode, 5)} 1 Rn Rd`),
    {},
    (f) => `${name}\t${vector(size, 1, f.Rd)}, ${vector(size, 1, f.Rn)}, #${countOf(direction, size, f.low)}`,
    ({ low, Rn, Rd }, $) => $.setQ(Rd, operation($, size, $.Q(Rn), count($, direction, size, low), () => $.Q(Rd))),
  );
}

function scalarForm({ name, U, opcode, direction, operation }: ShiftEntry, size: number): Instruction {
  return insn(
    `${name.toUpperCase()} (scalar, ${8 << size})`,
    pattern<"low Rn Rd">(`01 ${U} 111110 ${immediate(size)} ${bits(opcode, 5)} 1 Rn Rd`),
    { cold: true },
    (f) => `${name}\t${scalar(size, f.Rd)}, ${scalar(size, f.Rn)}, #${countOf(direction, size, f.low)}`,
    ({ low, Rn, Rd }, $) => {
      const result = operation($, size, scalarOf($, size, Rn), count($, direction, size, low), () => scalarOf($, size, Rd));
      setScalar($, size, Rd, result);
    },
  );
}

interface NarrowEntry {
  readonly name: string;
  readonly U: 0 | 1;
  readonly opcode: number;
  readonly letter: "s" | "u";
  readonly rounds: boolean;
  /** The saturating narrowing, or none. */
  readonly saturates?: "SQXTN" | "SQXTUN" | "UQXTN";
}

const NARROW: readonly NarrowEntry[] = [
  { name: "shrn", U: 0, opcode: 0b10000, letter: "u", rounds: false },
  { name: "rshrn", U: 0, opcode: 0b10001, letter: "u", rounds: true },
  { name: "sqshrn", U: 0, opcode: 0b10010, letter: "s", rounds: false, saturates: "SQXTN" },
  { name: "sqrshrn", U: 0, opcode: 0b10011, letter: "s", rounds: true, saturates: "SQXTN" },
  { name: "sqshrun", U: 1, opcode: 0b10000, letter: "s", rounds: false, saturates: "SQXTUN" },
  { name: "sqrshrun", U: 1, opcode: 0b10001, letter: "s", rounds: true, saturates: "SQXTUN" },
  { name: "uqshrn", U: 1, opcode: 0b10010, letter: "u", rounds: false, saturates: "UQXTN" },
  { name: "uqrshrn", U: 1, opcode: 0b10011, letter: "u", rounds: true, saturates: "UQXTN" },
];

function narrowing({ name, U, opcode, letter, rounds, saturates }: NarrowEntry, size: number): Instruction[] {
  const compute = ($: Builder, a: Node, low: Node) => {
    const by = count($, "right", size, low);
    const shifted = $.let((rounds ? roundingShiftRight : shiftRight)($, size + 1, letter, a, by));
    return saturates ? $.call("v128", `${saturates}${8 << size}`, shifted) : $.let(narrow($, size, shifted));
  };
  const inVectors = insn(
    `${name.toUpperCase()}, ${name.toUpperCase()}2 (${8 << size})`,
    pattern<"Q low Rn Rd">(`0 Q ${U} 011110 ${immediate(size)} ${bits(opcode, 5)} 1 Rn Rd`),
    { cold: true },
    (f) => `${name}${f.Q ? "2" : ""}\t${vector(size, f.Q, f.Rd)}, ${vector(size + 1, 1, f.Rn)}, #${countOf("right", size, f.low)}`,
    ({ Q, low, Rn, Rd }, $) => setHalf($, Q, Rd, compute($, $.Q(Rn), low)),
  );
  if (!saturates) return [inVectors];
  const inScalars = insn(
    `${name.toUpperCase()} (scalar, ${8 << size})`,
    pattern<"low Rn Rd">(`01 ${U} 111110 ${immediate(size)} ${bits(opcode, 5)} 1 Rn Rd`),
    { cold: true },
    (f) => `${name}\t${scalar(size, f.Rd)}, ${scalar(size + 1, f.Rn)}, #${countOf("right", size, f.low)}`,
    ({ low, Rn, Rd }, $) => setScalar($, size, Rd, compute($, scalarOf($, size + 1, Rn), low)),
  );
  return [inVectors, inScalars];
}

const widening = () =>
  ([0, 1] as const).flatMap((U) =>
    NOT_D.map((size) => {
      const name = `${U ? "u" : "s"}shll`;
      return insn(
        `${name.toUpperCase()}, ${name.toUpperCase()}2 (${8 << size})`,
        pattern<"Q low Rn Rd">(`0 Q ${U} 011110 ${immediate(size)} 10100 1 Rn Rd`),
        { cold: true },
        (f) => `${name}${f.Q ? "2" : ""}\t${vector(size + 1, 1, f.Rd)}, ${vector(size, f.Q, f.Rn)}, #${f.low}`,
        ({ Q, low, Rn, Rd }, $) => $.setQ(Rd, $.op(`${LANES[size + 1]}.shl`, extendLow($, size, !U, halfOf($, Q, Rn)), low)),
      );
    })
  );

/** SCVTF, UCVTF, FCVTZS, FCVTZU with fraction bits. */
const fixedPoint = () =>
  ([0, 1] as const).flatMap((U) =>
    ([2, 3] as const).flatMap((size) => {
      const sz = size - 2, format = FLOATS[sz], letter = U ? "U" : "S", width = 8 << size;
      const from = `${letter.toLowerCase()}cvtf`, to = `fcvtz${letter.toLowerCase()}`;
      const vectors = (opcode: string) => pattern<"Q low Rn Rd">(`0 Q ${U} 011110 ${immediate(size)} ${opcode} 1 Rn Rd`);
      const scalars = (opcode: string) => pattern<"low Rn Rd">(`01 ${U} 111110 ${immediate(size)} ${opcode} 1 Rn Rd`);
      const options = { shape: "Q", when: (f: { Q: number }) => size === 2 || f.Q === 1, cold: true } as const;
      const fractionBits = ($: Builder, low: Node) => count($, "right", size, low);
      const scale = ($: Builder, low: Node) =>
        $.op("f64.reinterpret_i64", $.computed("i64", `fixedScale${width}`, [low], (value) => doubleBits(2 ** (width - value))));
      const vectorText = (name: string, f: { Q: number; low: number; Rn: number; Rd: number }) =>
        `${name}\t${vector(size, f.Q, f.Rd)}, ${vector(size, f.Q, f.Rn)}, #${width - f.low}`;
      const scalarText = (name: string, f: { low: number; Rn: number; Rd: number }) =>
        `${name}\t${scalar(size, f.Rd)}, ${scalar(size, f.Rn)}, #${width - f.low}`;
      return [
        insn(
          `${letter}CVTF (vector, fixed-point, ${width})`,
          vectors("11100"),
          options,
          (f) => vectorText(from, f),
          ({ Q, low, Rn, Rd }, $) => {
            const target = `FixedToFP${letter}${arrangementName(sz, Q)}`;
            setVector($, Q, Rd, $.call("v128", target, vectorOf($, Q, Rn), fractionBits($, low)));
          },
        ),
        insn(
          `FCVTZ${letter} (vector, fixed-point, ${width})`,
          vectors("11111"),
          options,
          (f) => vectorText(to, f),
          ({ Q, low, Rn, Rd }, $) => {
            const target = `FPToFixed${letter}${arrangementName(sz, Q)}`;
            setVector($, Q, Rd, $.call("v128", target, vectorOf($, Q, Rn), scale($, low), $.i32(3)));
          },
        ),
        insn(
          `${letter}CVTF (SIMD scalar, fixed-point, ${width})`,
          scalars("11100"),
          { cold: true },
          (f) => scalarText(from, f),
          ({ low, Rn, Rd }, $) => writeFloat($, format, Rd, scalarFromFixed($, format, U, Rn, fractionBits($, low)), Rd),
        ),
        insn(
          `FCVTZ${letter} (SIMD scalar, fixed-point, ${width})`,
          scalars("11111"),
          { cold: true },
          (f) => scalarText(to, f),
          ({ low, Rn, Rd }, $) =>
            writeFloat($, format, Rd, scalarToFixed($, format, U, readFloat($, format, Rn), scale($, low), $.i32(3)), Rd),
        ),
      ];
    })
  );

export const simdShiftImmediate = (): Instruction[] => [
  ...ENTRIES.flatMap((entry) => [
    // Doublewords have no 64-bit form besides the hot one.
    ...ALL.filter((size) => !(size === 3 && entry.hot?.includes(3))).map((size) => rareVector(entry, size)),
    ...(entry.hot ?? []).map((size) => hotVector(entry, size)),
    ...(entry.scalars ?? []).map((size) => scalarForm(entry, size)),
  ]),
  ...NARROW.flatMap((entry) => NOT_D.flatMap((size) => narrowing(entry, size))),
  ...widening(),
  ...fixedPoint(),
];
