// AdvSIMD floating-point arithmetic and comparison of three registers, vector and scalar, and pairs
// and across lanes. Arm ARM C4.1.96, "Advanced SIMD three same", "scalar three same", "scalar
// pairwise", "across lanes". The functions are in `cpu/core/fp/vectors.ts`.

import type { Builder, Node } from "../notation/builder.ts";
import { absolute, type FloatFormat, FLOATS, readFloat, scalar, unlessNaNs, vector, writeFloat } from "../notation/fp-operands.ts";
import { insn, type Instruction } from "../notation/insn.ts";
import { bits, both, pairs, pattern, setVector, vectorOf } from "../notation/simd-operands.ts";

/** The arrangement that ends the names of the library's vector functions. */
export const arrangementName = (sz: number, Q: number): string => sz ? "2D" : Q ? "4S" : "2S";

/** An operation of three registers. */
export interface FpEntry {
  readonly name: string;
  readonly U: 0 | 1;
  /** The size field's high bit. */
  readonly a: 0 | 1;
  readonly opcode: number;
  /** The function in the library. */
  readonly function: string;
  readonly form?: "pairs" | "absolute" | "difference" | "accumulate" | "subtract";
  readonly hasScalar?: boolean;
  readonly isCompare?: boolean;
  readonly hot?: boolean;
}

/** Operations of three registers, of every precision. */
export const FP_ENTRIES: readonly FpEntry[] = [
  { name: "fmaxnm", U: 0, a: 0, opcode: 0b11000, function: "FPMaxNum" },
  { name: "fminnm", U: 0, a: 1, opcode: 0b11000, function: "FPMinNum" },
  { name: "fmaxnmp", U: 1, a: 0, opcode: 0b11000, function: "FPMaxNum", form: "pairs" },
  { name: "fminnmp", U: 1, a: 1, opcode: 0b11000, function: "FPMinNum", form: "pairs" },
  { name: "fmla", U: 0, a: 0, opcode: 0b11001, function: "FPMulAdd", form: "accumulate", hot: true },
  { name: "fmls", U: 0, a: 1, opcode: 0b11001, function: "FPMulAdd", form: "subtract" },
  { name: "fadd", U: 0, a: 0, opcode: 0b11010, function: "FPAdd", hot: true },
  { name: "fsub", U: 0, a: 1, opcode: 0b11010, function: "FPSub", hot: true },
  { name: "faddp", U: 1, a: 0, opcode: 0b11010, function: "FPAdd", form: "pairs" },
  { name: "fabd", U: 1, a: 1, opcode: 0b11010, function: "FPSub", form: "difference", hasScalar: true },
  { name: "fmulx", U: 0, a: 0, opcode: 0b11011, function: "FPMulX", hasScalar: true },
  { name: "fmul", U: 1, a: 0, opcode: 0b11011, function: "FPMul", hot: true },
  { name: "fcmeq", U: 0, a: 0, opcode: 0b11100, function: "FPCompareEQ", hasScalar: true, isCompare: true },
  { name: "fcmge", U: 1, a: 0, opcode: 0b11100, function: "FPCompareGE", hasScalar: true, isCompare: true },
  { name: "fcmgt", U: 1, a: 1, opcode: 0b11100, function: "FPCompareGT", hasScalar: true, isCompare: true },
  { name: "facge", U: 1, a: 0, opcode: 0b11101, function: "FPCompareGE", form: "absolute", hasScalar: true, isCompare: true },
  { name: "facgt", U: 1, a: 1, opcode: 0b11101, function: "FPCompareGT", form: "absolute", hasScalar: true, isCompare: true },
  { name: "fmax", U: 0, a: 0, opcode: 0b11110, function: "FPMax" },
  { name: "fmin", U: 0, a: 1, opcode: 0b11110, function: "FPMin" },
  { name: "fmaxp", U: 1, a: 0, opcode: 0b11110, function: "FPMax", form: "pairs" },
  { name: "fminp", U: 1, a: 1, opcode: 0b11110, function: "FPMin", form: "pairs" },
  { name: "frecps", U: 0, a: 0, opcode: 0b11111, function: "FPRecipStep", hasScalar: true },
  { name: "frsqrts", U: 0, a: 1, opcode: 0b11111, function: "FPRSqrtStep", hasScalar: true },
  { name: "fdiv", U: 1, a: 0, opcode: 0b11111, function: "FPDiv" },
];

const absoluteVector = ($: Builder, { lanes }: FloatFormat, a: Node) => unlessNaNs($, lanes, a, $.op(`${lanes}.abs`, a));

function vectorForm(entry: FpEntry): Instruction {
  const { name, U, a, opcode, form } = entry;
  return insn(
    `${name.toUpperCase()} (vector)`,
    pattern<"Q sz Rm Rn Rd">(`0 Q ${U} 01110 ${a} sz 1 Rm ${bits(opcode, 5)} 1 Rn Rd`),
    { shape: "Q sz", when: (f) => !f.sz || f.Q === 1, cold: (f) => !entry.hot || !f.Q },
    (f) => {
      const size = 2 + f.sz;
      return `${name}\t${vector(size, f.Q, f.Rd)}, ${vector(size, f.Q, f.Rn)}, ${vector(size, f.Q, f.Rm)}`;
    },
    ({ Q, sz, Rm, Rn, Rd }, $) => {
      const format = FLOATS[sz], target = entry.function + arrangementName(sz, Q);
      let x = vectorOf($, Q, Rn), y = vectorOf($, Q, Rm);
      if (form === "pairs") [x, y] = pairs($, format.size, Q, x, y);
      if (form === "absolute") [x, y] = [absoluteVector($, format, x), absoluteVector($, format, y)];
      if (form === "subtract") x = unlessNaNs($, format.lanes, x, $.op(`${format.lanes}.neg`, x));
      const isFused = form === "accumulate" || form === "subtract";
      const result = isFused ? $.call("v128", target, $.Q(Rd), x, y) : $.call("v128", target, x, y);
      setVector($, Q, Rd, form === "difference" ? absoluteVector($, format, result) : result);
    },
  );
}

/** All ones or all zeros for a comparison's result, as a float register's bits. */
function comparisonMask($: Builder, format: FloatFormat, holds: Node): Node {
  return $.neg(format.width === 64 ? $.zeroExtend64(holds) : holds);
}

function scalarForm(entry: FpEntry): Instruction {
  const { name, U, a, opcode, form, isCompare } = entry;
  return insn(
    `${name.toUpperCase()} (scalar)`,
    pattern<"sz Rm Rn Rd">(`01 ${U} 11110 ${a} sz 1 Rm ${bits(opcode, 5)} 1 Rn Rd`),
    { shape: "sz", cold: true },
    (f) => `${name}\t${scalar(2 + f.sz, f.Rd)}, ${scalar(2 + f.sz, f.Rn)}, ${scalar(2 + f.sz, f.Rm)}`,
    ({ sz, Rm, Rn, Rd }, $) => {
      const format = FLOATS[sz];
      const operands = [readFloat($, format, Rn), readFloat($, format, Rm)].map((x) => form === "absolute" ? absolute($, x) : x);
      const target = `${entry.function}${format.width}`;
      if (isCompare) return writeFloat($, format, Rd, comparisonMask($, format, $.call("i32", target, ...operands)), Rm);
      const result = $.call(format.type, target, ...operands);
      writeFloat($, format, Rd, form === "difference" ? absolute($, result) : result, Rn);
    },
  );
}

/** FMAXNMP, FADDP, FMAXP, FMINNMP, FMINP of the two lanes of one register. */
function scalarPairwise({ name, a, opcode, function: target }: FpEntry): Instruction {
  const code = { fmaxnmp: 0b01100, fminnmp: 0b01100, faddp: 0b01101, fmaxp: 0b01111, fminp: 0b01111 }[name] ?? opcode;
  return insn(
    `${name.toUpperCase()} (scalar)`,
    pattern<"sz Rn Rd">(`01 1 11110 ${a} sz 11000 ${bits(code, 5)} 10 Rn Rd`),
    { shape: "sz", cold: true },
    (f) => `${name}\t${scalar(2 + f.sz, f.Rd)}, ${vector(2 + f.sz, f.sz, f.Rn)}`,
    ({ sz, Rn, Rd }, $) => {
      const format = FLOATS[sz], second = $.let($.readV(`${format.type}.load`, Rn, format.width / 8));
      writeFloat($, format, Rd, $.call(format.type, `${target}${format.width}`, readFloat($, format, Rn), second));
    },
  );
}

/** FMAXNMV, FMINNMV, FMAXV, FMINV: four singles, in pairs. */
const acrossLanes = () =>
  ([
    ["fmaxnmv", 0, 0b01100, "FPMaxNum32"],
    ["fminnmv", 1, 0b01100, "FPMinNum32"],
    ["fmaxv", 0, 0b01111, "FPMax32"],
    ["fminv", 1, 0b01111, "FPMin32"],
  ] as const).map(([name, a, opcode, target]) =>
    insn(
      name.toUpperCase(),
      pattern<"Rn Rd">(`0 1 1 01110 ${a} 0 11000 ${bits(opcode, 5)} 10 Rn Rd`),
      { cold: true },
      (f) => `${name}\t${scalar(2, f.Rd)}, ${vector(2, 1, f.Rn)}`,
      ({ Rn, Rd }, $) => {
        const [a0, a1, a2, a3] = [0, 4, 8, 12].map((offset) => $.let($.readV("f32.load", Rn, offset)));
        const low = $.call("f32", target, a0, a1), high = $.call("f32", target, a2, a3);
        $.setS(Rd, $.call("f32", target, low, high));
      },
    )
  );

/** FCMGT, FCMGE, FCMEQ, FCMLE, FCMLT against zero: less is greater with the operands exchanged. */
export const ZERO_COMPARISONS = [
  ["fcmgt", 0, 0b01100, "FPCompareGT", false],
  ["fcmge", 1, 0b01100, "FPCompareGE", false],
  ["fcmeq", 0, 0b01101, "FPCompareEQ", false],
  ["fcmle", 1, 0b01101, "FPCompareGE", true],
  ["fcmlt", 0, 0b01110, "FPCompareGT", true],
] as const;

const compareZero = () =>
  ZERO_COMPARISONS.flatMap(([name, U, opcode, target, exchanged]) => [
    insn(
      `${name.toUpperCase()} (zero, vector)`,
      pattern<"Q sz Rn Rd">(`0 Q ${U} 01110 1 sz 10000 ${bits(opcode, 5)} 10 Rn Rd`),
      { shape: "Q sz", when: (f) => !f.sz || f.Q === 1, cold: true },
      (f) => `${name}\t${vector(2 + f.sz, f.Q, f.Rd)}, ${vector(2 + f.sz, f.Q, f.Rn)}, #0.0`,
      ({ Q, sz, Rn, Rd }, $) => {
        const x = vectorOf($, Q, Rn), zero = both($, 0n);
        setVector($, Q, Rd, $.call("v128", target + arrangementName(sz, Q), ...(exchanged ? [zero, x] : [x, zero])));
      },
    ),
    insn(
      `${name.toUpperCase()} (zero, scalar)`,
      pattern<"sz Rn Rd">(`01 ${U} 11110 1 sz 10000 ${bits(opcode, 5)} 10 Rn Rd`),
      { shape: "sz", cold: true },
      (f) => `${name}\t${scalar(2 + f.sz, f.Rd)}, ${scalar(2 + f.sz, f.Rn)}, #0.0`,
      ({ sz, Rn, Rd }, $) => {
        const format = FLOATS[sz], x = readFloat($, format, Rn), zero = sz ? $.f64(0) : $.f32(0);
        const holds = $.call("i32", `${target}${format.width}`, ...(exchanged ? [zero, x] : [x, zero]));
        writeFloat($, format, Rd, comparisonMask($, format, holds));
      },
    ),
  ]);

/** Floating-point arithmetic and comparison of vectors. */
export const simdFp = (): Instruction[] => [
  ...FP_ENTRIES.map(vectorForm),
  ...FP_ENTRIES.filter((entry) => entry.hasScalar).map(scalarForm),
  ...FP_ENTRIES.filter((entry) => entry.form === "pairs").map(scalarPairwise),
  ...acrossLanes(),
  ...compareZero(),
];
