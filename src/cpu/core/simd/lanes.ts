// AdvSIMD integer operations that WebAssembly has no instruction for, one lane after the other, as
// functions of the core's library: saturation, shifts by a vector, counts, polynomial products.
// Names are the instructions' with the lane width after them: SQADD32. All take and give v128.
// Saturation sets FPSR.QC. Arm ARM C7.2, the pseudocode of each instruction.

import { Fpsr } from "../fp/formats.ts";
import { CPU } from "../state/cpu-state.ts";
import { Code, constant, type Local, Value } from "../wasm/expression.ts";
import type { Library } from "../wasm/library.ts";
import type { FunctionBuilder } from "../wasm/module.ts";

type Width = 8 | 16 | 32 | 64;
const WIDTHS: readonly Width[] = [8, 16, 32, 64];

/** The addresses of the operands and the result while the lanes are walked. */
const FIRST = CPU.SCRATCH, SECOND = CPU.SCRATCH + 16, RESULT = CPU.SCRATCH + 32, THIRD = CPU.SCRATCH + 48;

/** One lane: the operands as i64, extended; the result's low bits count. */
type Lane = (code: Code, a: Local, b: Local, c: Local) => Value;

interface Shape {
  /** Width of the lanes of both operands and of the result. */
  readonly width: Width;
  readonly signed: boolean;
  /** Where these differ: of the result; of the second operand. */
  readonly resultWidth?: Width;
  readonly secondSigned?: boolean;
  readonly operands?: 1 | 2 | 3;
}

const loadName = (width: Width, signed: boolean) => width === 64 ? "i64.load" : `i64.load${width}_${signed ? "s" : "u"}`;
const storeName = (width: Width) => width === 64 ? "i64.store" : `i64.store${width}`;

/**
 * Defines `name` followed by the width of its result, or of its operands where the result has no
 * other width.
 */
function define(library: Library, name: string, shape: Shape, lane: Lane): void {
  const { width, signed, resultWidth = width, secondSigned = signed, operands = 2 } = shape;
  const f: FunctionBuilder = library.define(`${name}${resultWidth}`, Array(operands).fill("v128"), ["v128"]);
  const code = new Code(f);
  code.store("v128.store", FIRST, code.parameter(0));
  if (operands > 1) code.store("v128.store", SECOND, code.parameter(1));
  if (operands > 2) code.store("v128.store", THIRD, code.parameter(2));
  if (resultWidth !== width) code.store("v128.store", RESULT, new Value("v128", (b) => b.v128(0n, 0n)));
  const from = code.local("i32"), to = code.local("i32");
  code.set(from, 0);
  code.set(to, 0);
  const a = code.local("i64"), b = code.local("i64"), c = code.local("i64");
  code.doWhile(() => {
    code.set(a, code.load(loadName(width, signed), from, FIRST));
    if (operands > 1) code.set(b, code.load(loadName(width, secondSigned), from, SECOND));
    if (operands > 2) code.set(c, code.load(loadName(width, signed), from, THIRD));
    const result = code.let(lane(code, a, b, c));
    code.store(storeName(resultWidth), to, result, RESULT);
    code.set(from, from.add(width / 8));
    code.set(to, to.add(resultWidth / 8));
  }, () => from.ltU(16));
  code.result(code.load("v128.load", RESULT));
}

/** Sets the cumulative saturation flag. */
function saturated(code: Code): void {
  code.store("i32.store", CPU.FPSR, code.load("i32.load", CPU.FPSR).or(Fpsr.QC));
}

const largest = (width: Width, signed: boolean): bigint => (1n << BigInt(signed ? width - 1 : width)) - 1n;
const least = (width: Width, signed: boolean): bigint => signed ? -(1n << BigInt(width - 1)) : 0n;

/** SignedSat and UnsignedSat of an exact i64 (signed). */
function saturate(code: Code, value: Value, width: Width, signed: boolean): Local {
  const result = code.let(value), limit = largest(width, signed), floor = least(width, signed);
  code.if(result.gtS(limit), () => {
    saturated(code);
    code.set(result, limit);
  }, () =>
    code.if(result.ltS(floor), () => {
      saturated(code);
      code.set(result, floor);
    }));
  return result;
}

/** A 64-bit result that is `limit` instead when `overflow`. */
function replaceOn(code: Code, overflow: Value, value: Value, limit: Value): Local {
  const result = code.let(value);
  code.if(overflow, () => {
    saturated(code);
    code.set(result, limit);
  });
  return result;
}

const i64 = (value: bigint | number): Value => constant("i64", value);

/** The saturation limit on the side of the sign of `x`. */
const limitTowards = (x: Value): Value => x.shrS(63).xor(largest(64, true));

function addSaturating(code: Code, a: Local, b: Local, width: Width, signed: boolean): Value {
  const sum = code.let(a.add(b));
  if (width < 64) return saturate(code, sum, width, signed);
  return signed ? replaceOn(code, a.xor(sum).and(b.xor(sum)).ltS(0), sum, limitTowards(a)) : replaceOn(code, sum.ltU(a), sum, i64(-1));
}

function subtractSaturating(code: Code, a: Local, b: Local, width: Width, signed: boolean): Value {
  const difference = code.let(a.sub(b));
  if (width < 64) return saturate(code, difference, width, signed);
  return signed
    ? replaceOn(code, a.xor(b).and(a.xor(difference)).ltS(0), difference, limitTowards(a))
    : replaceOn(code, a.ltU(b), difference, i64(0));
}

/** SUQADD and USQADD: `a` is the accumulator, signed or not; `b` is the opposite. */
function addMixed(code: Code, a: Local, b: Local, width: Width, signed: boolean): Value {
  const sum = code.let(a.add(b));
  if (width < 64) return saturate(code, sum, width, signed);
  if (signed) return replaceOn(code, b.gtU(i64(largest(64, true)).sub(a)), sum, i64(largest(64, true)));
  const down = b.ltS(0);
  return replaceOn(code, down.select(a.ltU(i64(0).sub(b)), sum.ltU(a)), sum, down.select(i64(0), -1));
}

interface ShiftKind {
  readonly signed: boolean;
  readonly rounding: boolean;
  readonly saturating: boolean;
  /** The sign of the result where it differs: SQSHLU. */
  readonly resultSigned?: boolean;
}

/** A shift left by the low byte of `count`, to the right where that is negative. */
function shiftByVector(code: Code, a: Local, count: Local, width: Width, kind: ShiftKind): Value {
  const { signed, rounding, saturating, resultSigned = signed } = kind;
  const shift = code.let(count.op("i64.extend8_s", "i64"));
  const result = code.local("i64");
  code.if(shift.ltS(0), () => {
    const right = code.let(i64(0).sub(shift));
    const by = code.let(right.gtS(64).select(i64(64), right).sub(1));
    // Two steps, because Wasm counts modulo 64; the last bit that falls out rounds.
    const shifted = code.let(signed ? a.shrS(by) : a.shrU(by));
    const half = signed ? shifted.shrS(1) : shifted.shrU(1);
    code.set(result, rounding ? half.add(shifted.and(1)) : half);
    if (rounding && !signed) code.if(right.gtS(64), () => code.set(result, 0));
  }, () => {
    const over = code.let(shift.geS(width));
    const shifted = code.let(over.select(i64(0), a.shl(shift)));
    if (!saturating) {
      code.set(result, shifted);
      return;
    }
    const back = (value: Value) => width < 64 ? value : resultSigned ? value.shrS(shift) : value.shrU(shift);
    const inRange = width < 64
      ? (resultSigned ? shifted.leS(largest(width, true)).and(shifted.geS(least(width, true))) : shifted.leU(largest(width, false)))
      : back(shifted).eq(a);
    const limit = resultSigned
      ? a.shrS(63).xor(largest(width, true))
      : signed
      ? a.ltS(0).select(i64(0), largest(width, false))
      : i64(largest(width, false));
    const negative = signed && !resultSigned ? a.geS(0) : constant("i32", 1);
    code.set(result, shifted);
    code.if(a.nonZero().and(over.or(inRange.and(negative).not())), () => {
      saturated(code);
      code.set(result, limit);
    });
  });
  return result;
}

const SHIFTS: readonly (readonly [string, ShiftKind])[] = [
  ["SSHL", { signed: true, rounding: false, saturating: false }],
  ["USHL", { signed: false, rounding: false, saturating: false }],
  ["SRSHL", { signed: true, rounding: true, saturating: false }],
  ["URSHL", { signed: false, rounding: true, saturating: false }],
  ["SQSHL", { signed: true, rounding: false, saturating: true }],
  ["UQSHL", { signed: false, rounding: false, saturating: true }],
  ["SQRSHL", { signed: true, rounding: true, saturating: true }],
  ["UQRSHL", { signed: false, rounding: true, saturating: true }],
  ["SQSHLU", { signed: true, rounding: false, saturating: true, resultSigned: false }],
];

/** The product of two 8-bit polynomials over GF(2), up to 15 bits. */
function polynomialProduct(code: Code, a: Local, b: Local): Value {
  const product = code.let(i64(0));
  for (let bit = 0; bit < 8; bit++) {
    const chosen = i64(0).sub(b.shrU(bit).and(1));
    code.set(product, product.xor(a.shl(bit).and(chosen)));
  }
  return product;
}

/** Defines all functions of this file. */
export function defineLanes(library: Library): void {
  for (const width of WIDTHS) {
    for (const signed of [true, false]) {
      const letter = signed ? "S" : "U";
      define(library, `${letter}QADD`, { width, signed }, (code, a, b) => addSaturating(code, a, b, width, signed));
      define(library, `${letter}QSUB`, { width, signed }, (code, a, b) => subtractSaturating(code, a, b, width, signed));
      define(
        library,
        signed ? "SUQADD" : "USQADD",
        { width, signed, secondSigned: !signed },
        (code, a, b) => addMixed(code, a, b, width, signed),
      );
    }
    for (const [name, kind] of SHIFTS) {
      define(library, name, { width, signed: kind.signed }, (code, a, b) => shiftByVector(code, a, b, width, kind));
    }
    define(library, "SQNEG", { width, signed: true, operands: 1 }, (code, a) => {
      const zero = code.let(i64(0));
      return subtractSaturating(code, zero, a, width, true);
    });
    define(library, "SQABS", { width, signed: true, operands: 1 }, (code, a) => {
      const magnitude = code.let(a.ltS(0).select(i64(0).sub(a), a));
      return width < 64 ? saturate(code, magnitude, width, true) : replaceOn(code, magnitude.ltS(0), magnitude, i64(largest(64, true)));
    });
  }
  for (const width of [8, 16, 32] as const) {
    define(library, "CLZ", { width, signed: false, operands: 1 }, (_, a) => a.clz().sub(64 - width));
    define(library, "CLS", { width, signed: true, operands: 1 }, (_, a) => a.xor(a.shrS(63)).clz().sub(65 - width));
    const wide = (2 * width) as Width;
    define(library, "SQXTN", { width: wide, signed: true, resultWidth: width, operands: 1 }, (code, a) => saturate(code, a, width, true));
    define(library, "SQXTUN", { width: wide, signed: true, resultWidth: width, operands: 1 }, (code, a) => saturate(code, a, width, false));
    define(
      library,
      "UQXTN",
      { width: wide, signed: false, resultWidth: width, operands: 1 },
      (code, a) => replaceOn(code, a.gtU(largest(width, false)), a, i64(largest(width, false))),
    );
  }
  for (const width of [16, 32] as const) {
    const product = (a: Local, b: Local, rounding: number) => a.mul(b).add(rounding).shrS(width - 1);
    define(library, "SQDMULH", { width, signed: true }, (code, a, b) => saturate(code, product(a, b, 0), width, true));
    define(library, "SQRDMULH", { width, signed: true }, (code, a, b) => saturate(code, product(a, b, 2 ** (width - 2)), width, true));
  }
  // FEAT_RDM: the accumulator comes in with the weight that the product's doubling and the rounding
  // leave it. All of this fits in 64 bits.
  for (const width of [16, 32] as const) {
    const rounded = (sum: Value) => sum.add(2 ** (width - 2)).shrS(width - 1);
    const shape = { width, signed: true, operands: 3 } as const;
    define(library, "SQRDMLAH", shape, (code, a, b, d) => saturate(code, rounded(d.shl(width - 1).add(a.mul(b))), width, true));
    define(library, "SQRDMLSH", shape, (code, a, b, d) => saturate(code, rounded(d.shl(width - 1).sub(a.mul(b))), width, true));
  }
  define(library, "PMUL", { width: 8, signed: false }, polynomialProduct);
  // Both operands come widened to 16-bit lanes.
  define(library, "PMULL", { width: 16, signed: false }, polynomialProduct);
  const estimates = ["UnsignedRecipEstimate", "UnsignedRSqrtEstimate"] as const;
  for (const name of estimates) {
    const scalar = library.get(name, ["i32"], ["i32"]);
    define(library, name, { width: 32, signed: false, operands: 1 }, (code, a) => code.call(scalar, a.wrap()).wide());
  }
}
