// Scalar floating-point operations as functions of the core's library, under the names of the Arm
// ARM's pseudocode (J1.2, shared/functions/ float) with the width after them: FPAdd64, FPMulAdd32.
// Operands and results are f32 or f64.
//
// The computer's floats round to nearest even, as FPCR's reset value asks. Where such a result is a
// normal number and FPSR.IXC is set already, no flag can change and the computer's result is the
// architecture's. All else goes to `soft-float.ts`.

import { type Code, constant, type Local, type Operand, type Value } from "../wasm/expression.ts";
import type { FunctionBuilder } from "../wasm/module.ts";
import { DOUBLE, type Format, Fpsr, Rounding, signBit, SINGLE } from "./formats.ts";
import { isFast, slowModes } from "./modes.ts";
import { isInfinite, isNaN, isSignalling, isZero } from "./significands.ts";
import type { SoftArithmetic, SoftFloat } from "./soft-float.ts";

/** The Wasm type of a format's numbers: half precision is bits, with zeros above. */
export function floatType(format: Format & { readonly width: 32 | 64 }): "f32" | "f64";
export function floatType(format: Format): "i32" | "f32" | "f64";
export function floatType({ width }: Format): "i32" | "f32" | "f64" {
  return width === 64 ? "f64" : width === 32 ? "f32" : "i32";
}

/** The smallest normal number. */
const smallestNormal = (format: Format): number => 2 ** (1 - format.bias);

/** The bits of a float as an i64. */
export function toBits(x: Value): Value {
  if (x.type === "i32") return x.wide();
  return x.type === "f64" ? x.reinterpret() : x.reinterpret().wide();
}

/** The float that the low bits of an i64 are. */
export function fromBits(format: Format, bits: Value): Value {
  if (format.width === 16) return bits.wrap();
  return format.width === 64 ? bits.reinterpret() : bits.wrap().reinterpret();
}

/** Defines the operations of both widths. */
export function defineArithmetic(soft: SoftFloat): void {
  for (const [format, slow] of [[SINGLE, soft.single], [DOUBLE, soft.double]] as const) {
    defineBasic(soft, format, slow);
    defineSteps(soft, format, slow);
    defineMinMax(soft, format, slow);
    defineCompare(soft, format, slow);
  }
  defineMulAddSingle(soft);
  defineMulAddDouble(soft);
}

/** Calls a slow function, which works on bits, with floats. */
function callSoft(code: Code, format: Format, target: FunctionBuilder, ...operands: Value[]): Value {
  return fromBits(format, code.call(target, ...operands.map(toBits)));
}

function defineBasic(soft: SoftFloat, format: Format, slow: SoftArithmetic): void {
  const { width } = format, type = floatType(format), slowly = slowModes(soft.alternate);
  const finite = (r: Value) => r.abs().lt(Infinity);
  /** Normal, and not the smallest normal number, which may have been rounded up to that. */
  const normal = (r: Value) => r.abs().gt(smallestNormal(format)).and(finite(r));

  const sum = (name: string, operation: "add" | "sub") =>
    soft.define(`${name}${width}`, [type, type], type, (code, a, b) => {
      const r = code.let(a[operation](b));
      // Sums do not underflow: a tiny one is exact.
      code.if(finite(r), () => {
        code.if(isFast(code, soft.alternate), () => code.return(r));
        code.if(soft.fpcr(code).and(slowly).not(), () => {
          const addend = operation === "sub" ? code.let(b.neg()) : b;
          code.if(sumError(code, a, addend, r).ne(0), () => soft.raise(code, Fpsr.IXC));
          code.return(r);
        });
      });
      if (operation === "sub") {
        // A NaN operand is not negated.
        const bits = code.let(toBits(b));
        code.set(bits, bits.xor(isNaN(format, bits).select(constant("i64", 0), signBit(format))));
        code.result(fromBits(format, code.call(slow.FPAdd, toBits(a), bits)));
      } else code.result(callSoft(code, format, slow.FPAdd, a, b));
    });
  sum("FPAdd", "add");
  sum("FPSub", "sub");

  const productEquals = defineProductEquals(soft, format);
  /**
   * Ends the operation with the computer's result where it is normal; `x * y === expected` says
   * that it is exact.
   */
  const shortCut = (code: Code, r: Local, x: Value, y: Value, expected: Value) =>
    code.if(normal(r), () => {
      code.if(isFast(code, soft.alternate), () => code.return(r));
      code.if(soft.fpcr(code).and(slowly).not(), () => {
        const exact = code.let(code.call(productEquals, x, y, expected));
        code.if(exact.not(), () => soft.raise(code, Fpsr.IXC));
        code.if(exact.geS(0), () => code.return(r));
      });
    });

  soft.define(`FPMul${width}`, [type, type], type, (code, a, b) => {
    const r = code.let(a.mul(b));
    shortCut(code, r, a, b, r);
    // Zero times a number is exact.
    code.if(r.eq(0).and(a.eq(0).or(b.eq(0))).and(soft.flushes(code).not()), () => code.return(r));
    code.result(callSoft(code, format, slow.FPMul, a, b));
  });

  soft.define(`FPDiv${width}`, [type, type], type, (code, a, b) => {
    const r = code.let(a.div(b));
    shortCut(code, r, r, b, a);
    code.result(callSoft(code, format, slow.FPDiv, a, b));
  });

  soft.define(`FPSqrt${width}`, [type], type, (code, a) => {
    const r = code.let(a.sqrt());
    shortCut(code, r, r, r, a);
    code.result(callSoft(code, format, slow.FPSqrt, a));
  });

  // As FPMul, but zero times infinity is 2.
  soft.define(`FPMulX${width}`, [type, type], type, (code, a, b) => {
    const x = code.let(code.call(slow.flushInput, toBits(a))), y = code.let(code.call(slow.flushInput, toBits(b)));
    const timesZero = isInfinite(format, x).and(isZero(format, y)).or(isZero(format, x).and(isInfinite(format, y)));
    code.if(timesZero, () => {
      code.return(fromBits(format, x.xor(y).and(signBit(format)).or(toBits(constant(type, 2)))));
    });
    code.result(fromBits(format, code.call(slow.FPMul, x, y)));
  });
}

/** FPRecipStep and FPRSqrtStep: the first operand is negated, but for a NaN with FPCR.AH. */
function defineSteps(soft: SoftFloat, format: Format, slow: SoftArithmetic): void {
  const { width } = format, type = floatType(format);
  for (const name of ["FPRecipStep", "FPRSqrtStep"] as const) {
    soft.defineQuiet(`${name}${width}`, [type, type], type, (code, a, b) => {
      if (soft.alternate) {
        code.if(a.ne(a).and(soft.alternates(code).nonZero()), () => code.return(callSoft(code, format, slow[name], a, b)));
      }
      code.result(callSoft(code, format, slow[name], a.neg(), b));
    });
  }
}

/**
 * (x, y, expected) -> 1 when x * y is exactly `expected`, 0 when not, -1 where that cannot be
 * decided.
 */
function defineProductEquals(soft: SoftFloat, format: Format): FunctionBuilder {
  const type = floatType(format);
  return soft.define(`productEquals${format.width}`, [type, type, type], "i32", (code, x, y, expected) => {
    if (format.width === 32) {
      const wide = (value: Value) => value.op("f64.promote_f32", "f64");
      return code.result(wide(x).mul(wide(y)).eq(wide(expected)));
    }
    const product = code.let(x.mul(y));
    code.if(productInRange(product, x, y).not(), () => code.return(constant("i32", -1)));
    code.result(product.eq(expected).and(productError(code, x, y, product).eq(0)));
  });
}

/** 1 where `productError` is right: nothing in it overflows or becomes subnormal. */
function productInRange(product: Value, a: Value, b: Value): Value {
  const magnitude = product.abs();
  return magnitude.gt(2 ** -900).and(magnitude.lt(2 ** 990)).and(a.abs().max(b.abs()).lt(2 ** 990));
}

/**
 * The error of a rounded product of doubles: a * b - product exactly (Veltkamp's splitting,
 * Dekker's product).
 */
function productError(code: Code, a: Value, b: Value, product: Value): Value {
  const split = (x: Value): [Local, Local] => {
    const scaled = code.let(x.mul(2 ** 27 + 1));
    const high = code.let(scaled.sub(scaled.sub(x)));
    return [high, code.let(x.sub(high))];
  };
  const [a1, a0] = split(a), [b1, b0] = split(b);
  return a0.mul(b0).sub(product.sub(a1.mul(b1)).sub(a0.mul(b1)).sub(a1.mul(b0)));
}

/** The error of a rounded sum: a + b - r exactly, where r is a + b rounded to nearest. */
function sumError(code: Code, a: Value, b: Value, r: Value): Value {
  const fromB = code.let(r.sub(a));
  return a.sub(r.sub(fromB)).add(b.sub(fromB));
}

/** a + b (f64) rounded to odd: where inexact, the neighbor with an odd last bit. */
function addToOdd(code: Code, a: Value, b: Value): Value {
  const r = code.let(a.add(b));
  const error = code.let(sumError(code, a, b, r));
  const bits = code.let(r.reinterpret());
  code.if(error.ne(0).and(bits.and(1).not()), () => {
    const away = error.reinterpret().xor(bits).geS(0);
    code.set(bits, bits.add(away.select(constant("i64", 1), -1)));
  });
  return bits.reinterpret();
}

/**
 * The product of two singles is exact in a double; the sum rounded to odd has bits enough that
 * rounding it again does no harm.
 */
function defineMulAddSingle(soft: SoftFloat): void {
  soft.define("FPMulAdd32", ["f32", "f32", "f32"], "f32", (code, c, a, b) => {
    const wide = (x: Value) => x.op("f64.promote_f32", "f64");
    const product = code.let(wide(a).mul(wide(b)));
    const r = code.let(addToOdd(code, product, wide(c)).op("f32.demote_f64", "f32"));
    const normal = r.abs().gt(smallestNormal(SINGLE)).and(r.abs().lt(Infinity));
    code.if(normal.and(isFast(code, soft.alternate)), () => code.return(r));
    code.result(callSoft(code, SINGLE, soft.single.FPMulAdd, c, a, b));
  });
}

/**
 * Exact product and sums by error-free transformations, the low parts added with rounding to odd:
 * Boldo and Melquiond, "Emulation of FMA and correctly rounded sums: proved algorithms using
 * rounding to odd" (2008). Right where no intermediate result leaves the normal range.
 */
function defineMulAddDouble(soft: SoftFloat): void {
  soft.define("FPMulAdd64", ["f64", "f64", "f64"], "f64", (code, c, a, b) => {
    const product = code.let(a.mul(b));
    const inRange = productInRange(product, a, b).and(c.abs().lt(2 ** 990)).and(soft.fpcr(code).and(slowModes(soft.alternate)).not());
    code.if(inRange, () => {
      const lost = code.let(productError(code, a, b, product));
      const fast = code.let(isFast(code, soft.alternate));
      // An exact product leaves one rounding to do. Small integers and powers of two are frequent.
      const direct = code.let(product.add(c));
      code.if(lost.eq(0).and(direct.abs().gt(smallestNormal(DOUBLE))), () => {
        code.if(fast.not(), () => code.if(sumError(code, product, c, direct).ne(0), () => soft.raise(code, Fpsr.IXC)));
        code.return(direct);
      });
      code.if(fast, () => {
        const low = code.let(c.add(lost));
        const lowError = code.let(sumError(code, c, lost, low));
        const high = code.let(product.add(low));
        const highError = code.let(sumError(code, product, low, high));
        const r = code.let(high.add(addToOdd(code, lowError, highError)));
        code.if(r.abs().gt(smallestNormal(DOUBLE)), () => code.return(r));
      });
    });
    code.result(callSoft(code, DOUBLE, soft.double.FPMulAdd, c, a, b));
  });
}

function defineMinMax(soft: SoftFloat, format: Format, slow: SoftArithmetic): void {
  const { width } = format, type = floatType(format);
  for (const [name, operation] of [["FPMin", "min"], ["FPMax", "max"]] as const) {
    const plain = soft.define(soft.alternate ? `${name}${width}Plain` : `${name}${width}`, [type, type], type, (code, a, b) => {
      const r = code.let(a[operation](b));
      code.if(r.eq(r).and(soft.flushes(code).not()), () => code.return(r));
      const x = code.let(code.call(slow.flushInput, toBits(a))), y = code.let(code.call(slow.flushInput, toBits(b)));
      code.if(isNaN(format, x).or(isNaN(format, y)), () => code.return(fromBits(format, code.call(slow.FPProcessNaNs, x, y))));
      soft.useDenormals(code, slow, x, y);
      const chosen = fromBits(format, x)[operation](fromBits(format, y));
      code.result(soft.alternate ? fromBits(format, soft.exact(code, slow, toBits(chosen))) : chosen);
    });
    if (soft.alternate) {
      // The second of two zeros, and of operands one of which is a NaN.
      soft.define(`${name}${width}`, [type, type], type, (code, a, b) => {
        code.if(soft.alternates(code).not(), () => code.return(code.call(plain, a, b)));
        const x = code.let(code.call(slow.flushInput, toBits(a))), y = code.let(code.call(slow.flushInput, toBits(b)));
        code.if(isZero(format, x).and(isZero(format, y)), () => code.return(fromBits(format, y)));
        code.if(isNaN(format, x).or(isNaN(format, y)), () => {
          soft.raise(code, Fpsr.IOC);
          code.return(fromBits(format, y));
        });
        soft.useDenormals(code, slow, x, y);
        code.result(fromBits(format, x)[operation](fromBits(format, y)));
      });
    }
    // A quiet NaN loses against a number.
    soft.define(`${name}Num${width}`, [type, type], type, (code, a, b) => {
      const x = code.let(toBits(a)), y = code.let(toBits(b));
      const quiet = (bits: Value) => isNaN(format, bits).and(isSignalling(format, bits).not());
      const number = (bits: Value) => {
        if (!soft.alternate) return fromBits(format, code.call(slow.flushInput, bits));
        const flushed = code.let(code.call(slow.flushInput, bits));
        soft.useDenormals(code, slow, flushed);
        return fromBits(format, soft.exact(code, slow, flushed));
      };
      code.if(quiet(x).and(isNaN(format, y).not()), () => code.return(number(y)));
      code.if(quiet(y).and(isNaN(format, x).not()), () => code.return(number(x)));
      code.result(code.call(plain, a, b));
    });
  }
}

function defineCompare(soft: SoftFloat, format: Format, slow: SoftArithmetic): void {
  const { width } = format, type = floatType(format);
  /**
   * Flushes where FPCR asks, and sets IOC for an unordered pair: always when `signal`, else for
   * signaling NaNs.
   */
  const prepare = (code: Code, a: Local, b: Local, signal: Value) => {
    code.if(soft.flushes(code).nonZero(), () => {
      for (const x of [a, b]) code.set(x, fromBits(format, code.call(slow.flushInput, toBits(x))));
      if (soft.alternate) code.if(a.eq(a).and(b.eq(b)), () => soft.useDenormals(code, slow, toBits(a), toBits(b)));
    });
    code.if(a.ne(a).or(b.ne(b)), () => {
      const signalling = isSignalling(format, toBits(a)).or(isSignalling(format, toBits(b)));
      code.if(signal.or(signalling), () => soft.raise(code, Fpsr.IOC));
    });
  };
  // (a, b, signal): NZCV in bits 3:0.
  soft.define(`FPCompare${width}`, [type, type, "i32"], "i32", (code, a, b, signal) => {
    prepare(code, a, b, signal);
    const less = code.let(a.lt(b));
    const equal = a.eq(b), unordered = a.ne(a).or(b.ne(b));
    code.result(less.shl(3).or(equal.shl(2)).or(less.xor(1).shl(1)).or(unordered));
  });
  for (const [name, compare] of [["EQ", "eq"], ["GE", "ge"], ["GT", "gt"]] as const) {
    soft.define(`FPCompare${name}${width}`, [type, type], "i32", (code, a, b) => {
      prepare(code, a, b, constant("i32", name === "EQ" ? 0 : 1));
      code.result(a[compare](b));
    });
  }
}

/** A float rounded to an integral float; `mode` is one of `Rounding`, but not Odd. */
export function roundToIntegral(code: Code, x: Local, mode: Operand): Local {
  const r = code.local(x.type);
  const pick = typeof mode === "number" ? mode : undefined;
  const byMode: [number, () => Value][] = [
    [Rounding.TieEven, () => x.nearest()],
    [Rounding.PlusInfinity, () => x.ceil()],
    [Rounding.MinusInfinity, () => x.floor()],
    [Rounding.Zero, () => x.trunc()],
  ];
  const tieAway = () => {
    code.set(r, x.trunc());
    code.if(x.sub(r).abs().ge(0.5), () => code.set(r, r.add(constant(x.type, 1).copysign(x))));
  };
  if (pick !== undefined) {
    const entry = byMode.find(([m]) => m === pick);
    if (entry) code.set(r, entry[1]());
    else tieAway();
    return r;
  }
  const selector = code.let(mode as Value);
  const chain = (index: number): void => {
    if (index === byMode.length) return tieAway();
    code.if(selector.eq(byMode[index][0]), () => code.set(r, byMode[index][1]()), () => chain(index + 1));
  };
  chain(0);
  return r;
}
