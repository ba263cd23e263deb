// AdvSIMD arithmetic in half precision: FEAT_FP16, with FEAT_FCMA the complex numbers, and FEAT_FHM
// (FMLAL, FMLSL), which widens the products. Arm ARM C4.1.96, "Advanced SIMD three same (FP16)",
// "two-register miscellaneous (FP16)", their scalar forms, and others. The functions are in
// cpu/core/fp/half.ts.

import type { Builder, Node } from "../notation/builder.ts";
import { roundingMode } from "./fp-data-processing.ts";
import {
  absolute,
  expandFloat,
  floatImmediate,
  HALF,
  halfBits,
  negate,
  scalar,
  unlessNaNs,
  vector,
  writeFloat,
} from "../notation/fp-operands.ts";
import { insn, type Instruction } from "../notation/insn.ts";
import { FP_ENTRIES, type FpEntry, ZERO_COMPARISONS } from "./simd-fp.ts";
import { INDEXED_FLOAT } from "./simd-indexed.ts";
import { bits, pairs, pattern, replicate, setVector, shuffleLanes } from "../notation/simd-operands.ts";

const FP16 = { feature: "FEAT_FP16", cold: true } as const;
/** log2 of the bytes of a half. */
const H = 1;
const SIGNS = replicate(0x8000n, H), MAGNITUDES = replicate(0x7fffn, H);

/** Lanes of an arrangement, and a call of a vector function on them. */
const lanes = ($: Builder, Q: Node): Node => $.range($.lsl($.i32(4), Q), 4, 8);
const call = ($: Builder, Q: Node, name: string, ...operands: Node[]): Node => $.call("v128", `${name}16V`, ...operands, lanes($, Q));
const negateAll = ($: Builder, a: Node): Node => $.let(unlessNaNs($, "i16x8", a, $.eor(a, $.v128(SIGNS, SIGNS))));
const absoluteAll = ($: Builder, a: Node): Node => $.let(unlessNaNs($, "i16x8", a, $.and(a, $.v128(MAGNITUDES, MAGNITUDES))));

const threeText = (name: string, f: { Q: number; Rd: number; Rn: number; Rm: number }) =>
  `${name}\t${vector(H, f.Q, f.Rd)}, ${vector(H, f.Q, f.Rn)}, ${vector(H, f.Q, f.Rm)}`;
const twoText = (name: string, f: { Q: number; Rd: number; Rn: number }) => `${name}\t${vector(H, f.Q, f.Rd)}, ${vector(H, f.Q, f.Rn)}`;
const scalarText = (name: string, f: { Rd: number; Rn: number }) => `${name}\t${scalar(H, f.Rd)}, ${scalar(H, f.Rn)}`;

function threeSame({ name, U, a, opcode, function: target, form }: FpEntry): Instruction {
  return insn(
    `${name.toUpperCase()} (vector, half precision)`,
    pattern<"Q Rm Rn Rd">(`0 Q ${U} 01110 ${a} 10 Rm 00 ${bits(opcode & 7, 3)} 1 Rn Rd`),
    FP16,
    (f) => threeText(name, f),
    ({ Q, Rm, Rn, Rd }, $) => {
      let x = $.Q(Rn), y = $.Q(Rm);
      if (form === "pairs") [x, y] = pairs($, H, Q, x, y);
      if (form === "absolute") [x, y] = [absoluteAll($, x), absoluteAll($, y)];
      if (form === "subtract") x = negateAll($, x);
      const isFused = form === "accumulate" || form === "subtract";
      const result = isFused ? call($, Q, target, $.Q(Rd), x, y) : call($, Q, target, x, y);
      setVector($, Q, Rd, form === "difference" ? absoluteAll($, result) : result);
    },
  );
}

function threeScalar({ name, U, a, opcode, function: target, form, isCompare }: FpEntry): Instruction {
  return insn(
    `${name.toUpperCase()} (scalar, half precision)`,
    pattern<"Rm Rn Rd">(`01 ${U} 11110 ${a} 10 Rm 00 ${bits(opcode & 7, 3)} 1 Rn Rd`),
    FP16,
    (f) => `${name}\t${scalar(H, f.Rd)}, ${scalar(H, f.Rn)}, ${scalar(H, f.Rm)}`,
    ({ Rm, Rn, Rd }, $) => {
      const operands = [$.Hbits(Rn), $.Hbits(Rm)].map((x) => form === "absolute" ? absolute($, x) : x);
      const result = $.call("i32", `${target}${isCompare ? "Mask" : ""}16`, ...operands);
      writeFloat($, HALF, Rd, form === "difference" ? absolute($, result) : result, isCompare ? Rm : Rn);
    },
  );
}

/** FMAXNMP, FADDP, FMAXP, FMINNMP, FMINP of the two lowest lanes. */
function pairwiseScalar({ name, a, function: target }: FpEntry): Instruction {
  const code = name === "faddp" ? 0b01101 : name.includes("nm") ? 0b01100 : 0b01111;
  return insn(
    `${name.toUpperCase()} (scalar, half precision)`,
    pattern<"Rn Rd">(`01 0 11110 ${a} 0 11000 ${bits(code, 5)} 10 Rn Rd`),
    FP16,
    (f) => `${name}\t${scalar(H, f.Rd)}, v${f.Rn}.2h`,
    ({ Rn, Rd }, $) => $.setH(Rd, $.call("i32", `${target}16`, $.Hbits(Rn), $.let($.readV("i32.load16_u", Rn, 2)))),
  );
}

/** FMAXNMV, FMINNMV, FMAXV, FMINV: halves of the vector with each other. */
const acrossLanes = () =>
  ([["fmaxnmv", 0, 0b01100, "FPMaxNum"], ["fminnmv", 1, 0b01100, "FPMinNum"], ["fmaxv", 0, 0b01111, "FPMax"], [
    "fminv",
    1,
    0b01111,
    "FPMin",
  ]] as const).map(([name, a, opcode, target]) =>
    insn(
      `${name.toUpperCase()} (half precision)`,
      pattern<"Q Rn Rd">(`0 Q 0 01110 ${a} 0 11000 ${bits(opcode, 5)} 10 Rn Rd`),
      { ...FP16, shape: "Q" },
      (f) => `${name}\t${scalar(H, f.Rd)}, ${vector(H, f.Q, f.Rn)}`,
      ({ Q, Rn, Rd }, $) => {
        let values = Array.from({ length: Q ? 8 : 4 }, (_, i) => $.let($.readV("i32.load16_u", Rn, 2 * i)));
        while (values.length > 1) {
          values = values.flatMap((x, i) => i & 1 ? [] : [$.call("i32", `${target}16`, x, values[i + 1])]);
        }
        $.setH(Rd, values[0]);
      },
    )
  );

const vectorPattern = (U: number, a: number, opcode: number) =>
  pattern<"Q Rn Rd">(`0 Q ${U} 01110 ${a} 111100 ${bits(opcode, 5)} 10 Rn Rd`);
const scalarPattern = (U: number, a: number, opcode: number) => pattern<"Rn Rd">(`01 ${U} 11110 ${a} 111100 ${bits(opcode, 5)} 10 Rn Rd`);

const compareZero = () =>
  ZERO_COMPARISONS.flatMap(([name, U, opcode, target, exchanged]) => [
    insn(
      `${name.toUpperCase()} (zero, vector, half precision)`,
      vectorPattern(U, 1, opcode),
      FP16,
      (f) => `${twoText(name, f)}, #0.0`,
      ({ Q, Rn, Rd }, $) => {
        const x = $.Q(Rn), zero = $.v128(0n, 0n);
        setVector($, Q, Rd, call($, Q, target, ...exchanged ? [zero, x] : [x, zero]));
      },
    ),
    insn(
      `${name.toUpperCase()} (zero, scalar, half precision)`,
      scalarPattern(U, 1, opcode),
      FP16,
      (f) => `${scalarText(name, f)}, #0.0`,
      ({ Rn, Rd }, $) => {
        const x = $.Hbits(Rn), zero = $.i32(0);
        $.setH(Rd, $.call("i32", `${target}Mask16`, ...exchanged ? [zero, x] : [x, zero]));
      },
    ),
  ]);

interface OneOperand {
  readonly name: string;
  readonly U: 0 | 1;
  readonly a: 0 | 1;
  readonly opcode: number;
  readonly function: string;
  /** Operands of the function after the number. */
  readonly rest?: ($: Builder) => Node[];
  readonly forms: "vector" | "scalar" | "both";
}

const rounding = (mode: number | undefined, exact: 0 | 1) => ($: Builder): Node[] => [
  mode === undefined ? roundingMode($) : $.i32(mode),
  $.i32(exact),
];
const toFixed = (mode: number) => ($: Builder): Node[] => [$.f64(1), $.i32(mode)];

const ONE: readonly OneOperand[] = [
  { name: "frintn", U: 0, a: 0, opcode: 0b11000, function: "FPRoundInt", rest: rounding(0, 0), forms: "vector" },
  { name: "frintm", U: 0, a: 0, opcode: 0b11001, function: "FPRoundInt", rest: rounding(2, 0), forms: "vector" },
  { name: "frintp", U: 0, a: 1, opcode: 0b11000, function: "FPRoundInt", rest: rounding(1, 0), forms: "vector" },
  { name: "frintz", U: 0, a: 1, opcode: 0b11001, function: "FPRoundInt", rest: rounding(3, 0), forms: "vector" },
  { name: "frinta", U: 1, a: 0, opcode: 0b11000, function: "FPRoundInt", rest: rounding(4, 0), forms: "vector" },
  { name: "frintx", U: 1, a: 0, opcode: 0b11001, function: "FPRoundInt", rest: rounding(undefined, 1), forms: "vector" },
  { name: "frinti", U: 1, a: 1, opcode: 0b11001, function: "FPRoundInt", rest: rounding(undefined, 0), forms: "vector" },
  { name: "frecpe", U: 0, a: 1, opcode: 0b11101, function: "FPRecipEstimate", forms: "both" },
  { name: "frsqrte", U: 1, a: 1, opcode: 0b11101, function: "FPRSqrtEstimate", forms: "both" },
  { name: "fsqrt", U: 1, a: 1, opcode: 0b11111, function: "FPSqrt", forms: "vector" },
  { name: "frecpx", U: 0, a: 1, opcode: 0b11111, function: "FPRecpX", forms: "scalar" },
  ...([["n", 0, 0b11010, 0], ["m", 0, 0b11011, 2], ["a", 0, 0b11100, 4], ["p", 1, 0b11010, 1], ["z", 1, 0b11011, 3]] as const).flatMap((
    [letter, a, opcode, mode],
  ) =>
    ([0, 1] as const).map((U): OneOperand => ({
      name: `fcvt${letter}${"su"[U]}`,
      U,
      a,
      opcode,
      function: `FPToFixed${"SU"[U]}`,
      rest: toFixed(mode),
      forms: "both",
    }))
  ),
  { name: "scvtf", U: 0, a: 0, opcode: 0b11101, function: "FixedToFPS", rest: ($) => [$.i32(0)], forms: "both" },
  { name: "ucvtf", U: 1, a: 0, opcode: 0b11101, function: "FixedToFPU", rest: ($) => [$.i32(0)], forms: "both" },
];

/** The operand of a scalar function: FixedToFP takes 64 bits. */
function scalarOperand($: Builder, target: string, Rn: Node): Node {
  const value = $.Hbits(Rn);
  if (target === "FixedToFPS") return $.signExtend64($.signExtend(value, 16));
  return target === "FixedToFPU" ? $.zeroExtend64(value) : value;
}

function oneOperand({ name, U, a, opcode, function: target, rest = () => [], forms }: OneOperand): Instruction[] {
  const inVectors = insn(
    `${name.toUpperCase()} (vector, half precision)`,
    vectorPattern(U, a, opcode),
    FP16,
    (f) => twoText(name, f),
    ({ Q, Rn, Rd }, $) => setVector($, Q, Rd, call($, Q, target, $.Q(Rn), ...rest($))),
  );
  const inScalars = insn(
    `${name.toUpperCase()} (SIMD scalar, half precision)`,
    scalarPattern(U, a, opcode),
    FP16,
    (f) => scalarText(name, f),
    ({ Rn, Rd }, $) => writeFloat($, HALF, Rd, $.call("i32", `${target}16`, scalarOperand($, target, Rn), ...rest($)), Rd),
  );
  return [...forms === "scalar" ? [] : [inVectors], ...forms === "vector" ? [] : [inScalars]];
}

const signs = () =>
  ([["fabs", 0, absoluteAll], ["fneg", 1, negateAll]] as const).map(([name, U, operation]) =>
    insn(
      `${name.toUpperCase()} (vector, half precision)`,
      vectorPattern(U, 1, 0b01111),
      FP16,
      (f) => twoText(name, f),
      ({ Q, Rn, Rd }, $) => setVector($, Q, Rd, operation($, $.Q(Rn))),
    )
  );

/** SCVTF, UCVTF, FCVTZS, FCVTZU with fraction bits. */
const fixedPoint = () =>
  ([0, 1] as const).flatMap((U) =>
    ([[`${"su"[U]}cvtf`, "11100", `FixedToFP${"SU"[U]}`], [`fcvtz${"su"[U]}`, "11111", `FPToFixed${"SU"[U]}`]] as const).flatMap((
      [name, opcode, target],
    ) => {
      const count = (low: number) => 16 - low;
      const rest = ($: Builder, low: Node): Node[] =>
        opcode === "11100" ? [$.range($.sub($.i32(16), low), 1, 16)] : [
          $.op("f64.convert_i32_u", $.range($.lsl($.i32(1), $.sub($.i32(16), low)), 2, 2 ** 16)),
          $.i32(3),
        ];
      return [
        insn(
          `${name.toUpperCase()} (vector, fixed-point, half precision)`,
          pattern<"Q low Rn Rd">(`0 Q ${U} 011110 001 low:4 ${opcode} 1 Rn Rd`),
          FP16,
          (f) => `${twoText(name, f)}, #${count(f.low)}`,
          ({ Q, low, Rn, Rd }, $) => setVector($, Q, Rd, call($, Q, target, $.Q(Rn), ...rest($, low))),
        ),
        insn(
          `${name.toUpperCase()} (SIMD scalar, fixed-point, half precision)`,
          pattern<"low Rn Rd">(`01 ${U} 111110 001 low:4 ${opcode} 1 Rn Rd`),
          FP16,
          (f) => `${scalarText(name, f)}, #${count(f.low)}`,
          ({ low, Rn, Rd }, $) => writeFloat($, HALF, Rd, $.call("i32", `${target}16`, scalarOperand($, target, Rn), ...rest($, low)), Rd),
        ),
      ];
    })
  );

type ElementFields = { readonly L: number; readonly M: number; readonly H: number; readonly Rm4: number };
const elementText = (f: ElementFields) => `v${f.Rm4}.h[${4 * f.H + 2 * f.L + f.M}]`;
/** The byte offset of the element H:L:M. */
const offsetOf = ($: Builder, f: { readonly L: Node; readonly M: Node; readonly H: Node }): Node =>
  $.computed("i32", "elementOffset16", [f.H, f.L, f.M], (high, middle, low) => 8 * high + 4 * middle + 2 * low, 0, 14);

const byElement = () =>
  INDEXED_FLOAT.flatMap(({ name, U, opcode, target, negates, fused }) => [
    insn(
      `${name.toUpperCase()} (by element, half precision)`,
      pattern<"Q L M Rm4 H Rn Rd">(`0 Q ${U} 01111 00 L M Rm4 ${bits(opcode, 4)} H 0 Rn Rd`),
      FP16,
      (f) => `${twoText(name, f)}, ${elementText(f)}`,
      ({ Q, Rm4, Rn, Rd, ...f }, $) => {
        const a = $.Q(Rn), x = negates ? negateAll($, a) : a, y = $.let($.readV("v128.load16_splat", Rm4, offsetOf($, f)));
        setVector($, Q, Rd, call($, Q, target, ...fused ? [$.Q(Rd)] : [], x, y));
      },
    ),
    insn(
      `${name.toUpperCase()} (scalar, by element, half precision)`,
      pattern<"L M Rm4 H Rn Rd">(`01 ${U} 11111 00 L M Rm4 ${bits(opcode, 4)} H 0 Rn Rd`),
      FP16,
      (f) => `${scalarText(name, f)}, ${elementText(f)}`,
      ({ Rm4, Rn, Rd, ...f }, $) => {
        const a = $.Hbits(Rn), x = negates ? negate($, a) : a, y = $.let($.readV("i32.load16_u", Rm4, offsetOf($, f)));
        writeFloat($, HALF, Rd, $.call("i32", `${target}16`, ...fused ? [$.Hbits(Rd)] : [], x, y), fused ? Rd : Rn);
      },
    ),
  ]);

const moveImmediate = () =>
  insn(
    "FMOV (vector, immediate, half precision)",
    "0 Q 0 0111100000 abc:3 1111 1 1 defgh:5 Rd",
    FP16,
    (f) => `fmov\t${vector(H, f.Q, f.Rd)}, ${floatImmediate(expandFloat(f.abc << 5 | f.defgh))}`,
    ({ Q, abc, defgh, Rd }, $) => {
      const value = $.computed("i32", "expandVectorHalf", [abc, defgh], (high, low) => halfBits(expandFloat(high << 5 | low)));
      setVector($, Q, Rd, $.op("i16x8.splat", value));
    },
  );

/** The elements of a vector at even indices twice (0), or those at odd ones (1). */
const duplicated = ($: Builder, odd: number, a: Node): Node =>
  $.let($.shuffle(shuffleLanes(H, [0, 1, 2, 3, 4, 5, 6, 7].map((index) => index & ~1 | odd)), a, a));
const swapped = ($: Builder, a: Node): Node => $.let($.shuffle(shuffleLanes(H, [1, 0, 3, 2, 5, 4, 7, 6]), a, a));

/** Negates the real or the imaginary parts. */
function partlyNegated($: Builder, real: boolean, imaginary: boolean, a: Node): Node {
  const pair = (real ? 0x8000n : 0n) | (imaginary ? 0x8000_0000n : 0n), half = replicate(pair, 2);
  return real || imaginary ? $.let(unlessNaNs($, "i16x8", a, $.eor(a, $.v128(half, half)))) : a;
}

function partialProduct($: Builder, Q: Node, rot: number, sum: Node, a: Node, b: Node): Node {
  const odd = rot & 1, turned = partlyNegated($, rot === 1 || rot === 2, rot >= 2, odd ? swapped($, b) : b);
  return call($, Q, "FPMulAdd", sum, duplicated($, odd, a), turned);
}

const COMPLEX = { feature: "FEAT_FCMA", also: "FEAT_FP16", cold: true, shape: "rot" } as const;

const complex = () => [
  insn(
    "FCADD (16)",
    "0 Q 1 01110 01 0 Rm 111 rot:1 01 Rn Rd",
    COMPLEX,
    (f) => `${threeText("fcadd", f)}, #${f.rot ? 270 : 90}`,
    ({ Q, rot, Rm, Rn, Rd }, $) =>
      setVector($, Q, Rd, call($, Q, "FPAdd", $.Q(Rn), partlyNegated($, rot === 0, rot === 1, swapped($, $.Q(Rm))))),
  ),
  insn(
    "FCMLA (vector, 16)",
    "0 Q 1 01110 01 0 Rm 110 rot:2 1 Rn Rd",
    COMPLEX,
    (f) => `${threeText("fcmla", f)}, #${90 * f.rot}`,
    ({ Q, rot, Rm, Rn, Rd }, $) => setVector($, Q, Rd, partialProduct($, Q, rot, $.Q(Rd), $.Q(Rn), $.Q(Rm))),
  ),
  insn(
    "FCMLA (by element, 16)",
    "0 Q 1 01111 01 L Rm 0 rot:2 1 H 0 Rn Rd",
    { ...COMPLEX, unallocated: (f) => f.H === 1 && f.Q === 0 },
    (f) => `${twoText("fcmla", f)}, v${f.Rm}.h[${2 * f.H + f.L}], #${90 * f.rot}`,
    ({ Q, L, rot, Rm, H: high, Rn, Rd }, $) => {
      const offset = $.range($.or($.lsl(high, 3), $.lsl(L, 2)), 0, 12);
      const pair = $.let($.op("i32x4.splat", $.readV("i32.load", Rm, offset)));
      setVector($, Q, Rd, partialProduct($, Q, rot, $.Q(Rd), $.Q(Rn), pair));
    },
  ),
];

const FHM = { feature: "FEAT_FHM", cold: true } as const;

/** Adds widened products of two or four halves to singles; `half` of the registers takes part. */
function widened($: Builder, f: { Q: number; Rn: Node; Rd: Node }, half: number, negates: boolean, second: (lane: number) => Node): void {
  const count = f.Q ? 4 : 2, first = half * count, d = $.Q(f.Rd);
  let result = $.v128(0n, 0n);
  for (let lane = 0; lane < count; lane++) {
    const a = $.let($.readV("i32.load16_u", f.Rn, 2 * (first + lane))), x = negates ? negate($, a) : a;
    const sum = $.call("f32", "FPMulAddH", $.lane("f32x4.extract_lane", lane, d), x, second(first + lane));
    result = $.lane("f32x4.replace_lane", lane, result, sum);
  }
  $.setQ(f.Rd, result);
}

const long = () =>
  ([["fmlal", 0, false], ["fmlsl", 1, true]] as const).flatMap(([name, S, negates]) =>
    [0, 1].flatMap((half) => [
      insn(
        `${name.toUpperCase()}${half ? "2" : ""} (vector)`,
        pattern<"Q Rm Rn Rd">(`0 Q ${half} 01110 ${S} 01 Rm 11${half ? "00" : "10"}11 Rn Rd`),
        { ...FHM, shape: "Q" },
        (f) => `${name}${half ? "2" : ""}\t${vector(2, f.Q, f.Rd)}, v${f.Rn}.${f.Q ? 4 : 2}h, v${f.Rm}.${f.Q ? 4 : 2}h`,
        ({ Q, Rm, Rn, Rd }, $) => widened($, { Q, Rn, Rd }, half, negates, (lane) => $.let($.readV("i32.load16_u", Rm, 2 * lane))),
      ),
      insn(
        `${name.toUpperCase()}${half ? "2" : ""} (by element)`,
        pattern<"Q L M Rm4 H Rn Rd">(`0 Q ${half} 01111 10 L M Rm4 ${half}${S}00 H 0 Rn Rd`),
        { ...FHM, shape: "Q" },
        (f) => `${name}${half ? "2" : ""}\t${vector(2, f.Q, f.Rd)}, v${f.Rn}.${f.Q ? 4 : 2}h, ${elementText(f)}`,
        ({ Q, Rm4, Rn, Rd, ...f }, $) => {
          const element = $.let($.readV("i32.load16_u", Rm4, offsetOf($, f)));
          widened($, { Q, Rn, Rd }, half, negates, () => element);
        },
      ),
    ])
  );

/** FP16 and FHM. */
export const simdHalf = (): Instruction[] => [
  ...FP_ENTRIES.map(threeSame),
  ...FP_ENTRIES.filter((entry) => entry.hasScalar).map(threeScalar),
  ...FP_ENTRIES.filter((entry) => entry.form === "pairs").map(pairwiseScalar),
  ...acrossLanes(),
  ...compareZero(),
  ...ONE.flatMap(oneOperand),
  ...signs(),
  ...fixedPoint(),
  ...byElement(),
  moveImmediate(),
  ...complex(),
  ...long(),
];
