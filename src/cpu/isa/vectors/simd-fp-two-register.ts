// AdvSIMD two-register miscellaneous, floating point: absolute value, rounding, conversion,
// estimates, vector and scalar. Arm ARM C4.1.96, "Advanced SIMD two-register miscellaneous" and its
// scalar form.

import type { Builder, Node } from "../notation/builder.ts";
import { type FloatFormat, FLOATS, readBits, readFloat, scalar, unlessNaNs, vector, writeFloat } from "../notation/fp-operands.ts";
import { roundingMode } from "./fp-data-processing.ts";
import { insn, type Instruction } from "../notation/insn.ts";
import { arrangementName } from "./simd-fp.ts";
import { bits, pattern, setHalf, setVector, vectorOf, zeros } from "../notation/simd-operands.ts";

interface FpTwoRegisterEntry {
  readonly name: string;
  readonly U: 0 | 1;
  readonly a: 0 | 1;
  readonly opcode: number;
  /**
   * `function` applied to a vector or a scalar, of which `suffix` is the end of the library's name.
   */
  readonly apply: ($: Builder, type: "v128" | "f32" | "f64", suffix: string, x: Node) => Node;
  readonly hasScalar?: boolean;
}

const call = (name: string): FpTwoRegisterEntry["apply"] => ($, type, suffix, x) => $.call(type, name + suffix, x);
const round = (mode: number | undefined, exact: 0 | 1): FpTwoRegisterEntry["apply"] => ($, type, suffix, x) =>
  $.call(type, `FPRoundInt${suffix}`, x, mode === undefined ? roundingMode($) : $.i32(mode), $.i32(exact));

const ENTRIES: readonly FpTwoRegisterEntry[] = [
  { name: "frintn", U: 0, a: 0, opcode: 0b11000, apply: round(0, 0) },
  { name: "frintm", U: 0, a: 0, opcode: 0b11001, apply: round(2, 0) },
  { name: "frintp", U: 0, a: 1, opcode: 0b11000, apply: round(1, 0) },
  { name: "frintz", U: 0, a: 1, opcode: 0b11001, apply: round(3, 0) },
  { name: "frinta", U: 1, a: 0, opcode: 0b11000, apply: round(4, 0) },
  { name: "frintx", U: 1, a: 0, opcode: 0b11001, apply: round(undefined, 1) },
  { name: "frinti", U: 1, a: 1, opcode: 0b11001, apply: round(undefined, 0) },
  { name: "frecpe", U: 0, a: 1, opcode: 0b11101, apply: call("FPRecipEstimate"), hasScalar: true },
  { name: "frsqrte", U: 1, a: 1, opcode: 0b11101, apply: call("FPRSqrtEstimate"), hasScalar: true },
  { name: "fsqrt", U: 1, a: 1, opcode: 0b11111, apply: call("FPSqrt") },
];

const vectorPattern = (U: number, a: number, opcode: number) =>
  pattern<"Q sz Rn Rd">(`0 Q ${U} 01110 ${a} sz 10000 ${bits(opcode, 5)} 10 Rn Rd`);
const scalarPattern = (U: number, a: number, opcode: number) =>
  pattern<"sz Rn Rd">(`01 ${U} 11110 ${a} sz 10000 ${bits(opcode, 5)} 10 Rn Rd`);

type VectorFields = { readonly Q: number; readonly sz: number; readonly Rn: number; readonly Rd: number };
const vectorText = (name: string, f: VectorFields) => `${name}\t${vector(2 + f.sz, f.Q, f.Rd)}, ${vector(2 + f.sz, f.Q, f.Rn)}`;
const scalarText = (name: string, f: { readonly sz: number; readonly Rn: number; readonly Rd: number }) =>
  `${name}\t${scalar(2 + f.sz, f.Rd)}, ${scalar(2 + f.sz, f.Rn)}`;

/** Shape and validity of all vector forms: two doubles need 128 bits. */
const vectorOptions = { shape: "Q sz", when: (f: { Q: number; sz: number }) => !f.sz || f.Q === 1, cold: true } as const;

function forms({ name, U, a, opcode, apply, hasScalar }: FpTwoRegisterEntry): Instruction[] {
  const inVectors = insn(
    `${name.toUpperCase()} (vector)`,
    vectorPattern(U, a, opcode),
    vectorOptions,
    (f) => vectorText(name, f),
    ({ Q, sz, Rn, Rd }, $) => setVector($, Q, Rd, apply($, "v128", arrangementName(sz, Q), vectorOf($, Q, Rn))),
  );
  if (!hasScalar) return [inVectors];
  const inScalars = insn(
    `${name.toUpperCase()} (scalar)`,
    scalarPattern(U, a, opcode),
    { shape: "sz", cold: true },
    (f) => scalarText(name, f),
    ({ sz, Rn, Rd }, $) => {
      const format = FLOATS[sz];
      writeFloat($, format, Rd, apply($, format.type, String(format.width), readFloat($, format, Rn)), Rd);
    },
  );
  return [inVectors, inScalars];
}

/** FABS and FNEG: the sign bit alone. */
const signs = () =>
  (["abs", "neg"] as const).map((operation, U) =>
    insn(
      `F${operation.toUpperCase()} (vector)`,
      vectorPattern(U, 1, 0b01111),
      vectorOptions,
      (f) => vectorText(`f${operation}`, f),
      ({ Q, sz, Rn, Rd }, $) => {
        const { lanes } = FLOATS[sz], a = $.Q(Rn);
        setVector($, Q, Rd, unlessNaNs($, lanes, a, $.op(`${lanes}.${operation}`, a)));
      },
    )
  );

/** FPToFixed of a scalar, to an integer of the same width. */
export function scalarToFixed($: Builder, format: FloatFormat, U: number, value: Node, scale: Node, mode: Node): Node {
  const wide = format.width === 64 ? value : $.op("f64.promote_f32", value);
  const type = format.width === 64 ? "i64" : "i32";
  return $.call(type, `FPToFixed${U ? "U" : "S"}${format.width}`, wide, scale, mode, $.f64(format.smallestNormal));
}

/** FixedToFP of the integer of the same width in a scalar register. */
export function scalarFromFixed($: Builder, format: FloatFormat, U: number, Rn: Node, fbits: Node): Node {
  const value = readBits($, format, Rn);
  const wide = U ? $.zeroExtend64(value) : $.signExtend64(value);
  return $.call(format.type, `FixedToFP${U ? "U" : "S"}${format.width}`, wide, fbits);
}

const toInteger = () =>
  ([["n", 0, 0b11010, 0], ["m", 0, 0b11011, 2], ["a", 0, 0b11100, 4], ["p", 1, 0b11010, 1], ["z", 1, 0b11011, 3]] as const)
    .flatMap(([letter, a, opcode, mode]) =>
      [0, 1].flatMap((U) => {
        const name = `fcvt${letter}${"su"[U]}`;
        return [
          insn(
            `${name.toUpperCase()} (vector, integer)`,
            vectorPattern(U, a, opcode),
            vectorOptions,
            (f) => vectorText(name, f),
            ({ Q, sz, Rn, Rd }, $) => {
              const target = `FPToFixed${U ? "U" : "S"}${arrangementName(sz, Q)}`;
              setVector($, Q, Rd, $.call("v128", target, vectorOf($, Q, Rn), $.f64(1), $.i32(mode)));
            },
          ),
          insn(
            `${name.toUpperCase()} (SIMD scalar, integer)`,
            scalarPattern(U, a, opcode),
            { shape: "sz", cold: true },
            (f) => scalarText(name, f),
            ({ sz, Rn, Rd }, $) => {
              const format = FLOATS[sz];
              writeFloat($, format, Rd, scalarToFixed($, format, U, readFloat($, format, Rn), $.f64(1), $.i32(mode)), Rd);
            },
          ),
        ];
      })
    );

const fromInteger = () =>
  [0, 1].flatMap((U) => {
    const name = `${"su"[U]}cvtf`;
    return [
      insn(
        `${name.toUpperCase()} (vector, integer)`,
        vectorPattern(U, 0, 0b11101),
        vectorOptions,
        (f) => vectorText(name, f),
        ({ Q, sz, Rn, Rd }, $) =>
          setVector($, Q, Rd, $.call("v128", `FixedToFP${U ? "U" : "S"}${arrangementName(sz, Q)}`, vectorOf($, Q, Rn), $.i32(0))),
      ),
      insn(
        `${name.toUpperCase()} (SIMD scalar, integer)`,
        scalarPattern(U, 0, 0b11101),
        { shape: "sz", cold: true },
        (f) => scalarText(name, f),
        ({ sz, Rn, Rd }, $) => writeFloat($, FLOATS[sz], Rd, scalarFromFixed($, FLOATS[sz], U, Rn, $.i32(0)), Rd),
      ),
    ];
  });

const reciprocalExponent = () =>
  insn(
    "FRECPX",
    "01 0 11110 1 sz 10000 11111 10 Rn Rd",
    { shape: "sz", cold: true },
    (f) => scalarText("frecpx", f),
    ({ sz, Rn, Rd }, $) => {
      const format = FLOATS[sz];
      writeFloat($, format, Rd, $.call(format.type, `FPRecpX${format.width}`, readFloat($, format, Rn)), Rd);
    },
  );

/**
 * Names of the element sizes of a conversion between formats: sz 0 is half and single, 1 single and
 * double.
 */
const widths = (sz: number) => sz ? { narrow: 32, wide: 64 } as const : { narrow: 16, wide: 32 } as const;

const convertLong = () =>
  insn(
    "FCVTL, FCVTL2",
    "0 Q 0 01110 0 sz 10000 10111 10 Rn Rd",
    { shape: "sz", cold: true },
    (f) => `fcvtl${f.Q ? "2" : ""}\t${vector(2 + f.sz, 1, f.Rd)}, ${vector(1 + f.sz, f.Q, f.Rn)}`,
    ({ Q, sz, Rn, Rd }, $) => {
      const { narrow, wide } = widths(sz), format = FLOATS[sz];
      let result = zeros($);
      for (let i = 0; i < 128 / wide; i++) {
        const offset = $.range($.add($.lsl(Q, 3), i * narrow / 8), 0, 15);
        const source = $.let($.readV(sz ? "f32.load" : "i32.load16_u", Rn, offset));
        result = $.lane(`${format.lanes}.replace_lane`, i, result, $.call(format.type, `FPConvert${narrow}To${wide}`, source));
      }
      $.setQ(Rd, result);
    },
  );

const convertNarrow = () =>
  ([["fcvtn", 0, "FPConvert"], ["fcvtxn", 1, "FPConvertRoundOdd"]] as const).map(([name, U, target]) =>
    insn(
      `${name.toUpperCase()}, ${name.toUpperCase()}2`,
      vectorPattern(U, 0, 0b10110),
      { shape: "sz", when: (f) => !U || f.sz === 1, cold: true },
      (f) => `${name}${f.Q ? "2" : ""}\t${vector(1 + f.sz, f.Q, f.Rd)}, ${vector(2 + f.sz, 1, f.Rn)}`,
      ({ Q, sz, Rn, Rd }, $) => {
        const { narrow, wide } = widths(sz), format = FLOATS[sz], a = $.Q(Rn);
        let result = zeros($);
        for (let i = 0; i < 128 / wide; i++) {
          const source = $.lane(`${format.lanes}.extract_lane`, i, a);
          const value = $.call(sz ? "f32" : "i32", `${target}${wide}To${narrow}`, source);
          result = $.lane(sz ? "f32x4.replace_lane" : "i16x8.replace_lane", i, result, value);
        }
        setHalf($, Q, Rd, $.let(result));
      },
    )
  );

const convertOdd = () =>
  insn(
    "FCVTXN (scalar)",
    "01 1 11110 0 1 10000 10110 10 Rn Rd",
    { cold: true },
    (f) => `fcvtxn\t${scalar(2, f.Rd)}, ${scalar(3, f.Rn)}`,
    ({ Rn, Rd }, $) => writeFloat($, FLOATS[0], Rd, $.call("f32", "FPConvertRoundOdd64To32", $.D(Rn)), Rd),
  );

/** Two-register miscellaneous, floating point. */
export const simdFpTwoRegister = (): Instruction[] => [
  ...ENTRIES.flatMap(forms),
  ...signs(),
  ...toInteger(),
  ...fromInteger(),
  reciprocalExponent(),
  convertLong(),
  ...convertNarrow(),
  convertOdd(),
];
