// Half-precision arithmetic (FEAT_FP16) as functions of the core's library, under the names of
// single precision with 16 instead of the width: FPAdd16. Operands and results are i32 with zeros
// above the 16 bits. Vectors have one function for all lanes, FPAdd16V, whose last operand is the
// number of lanes; those above it are zero in the result. Arm ARM J1.2, shared/functions/float.

import { CPU } from "../state/cpu-state.ts";
import { Code, constant, type Local, Value } from "../wasm/expression.ts";
import type { FunctionBuilder, ValueType } from "../wasm/module.ts";
import { roundToIntegral } from "./arithmetic.ts";
import { defineHalfEstimates } from "./estimates.ts";
import { Fpsr, HALF, signBit } from "./formats.ts";
import { isInfinite, isNaN, isSignalling, isZero } from "./significands.ts";
import type { SoftArithmetic, SoftFloat } from "./soft-float.ts";

const SIGN = 0x8000, INFINITY = 0x7c00;
/** The exponent field of a single less that of a half, and the distance of their fractions. */
const REBIAS = 127 - 15, WIDER = 23 - 10;
/** 2.0 in half precision. */
const TWO = 0x4000;

/** Where vectors lie while their lanes are walked, and the result. */
const OPERANDS = [CPU.SCRATCH, CPU.SCRATCH + 16, CPU.SCRATCH + 32] as const;
const RESULT = CPU.SCRATCH + 48;

/** Defines all functions of half precision. */
export function defineHalfPrecision(soft: SoftFloat): void {
  const slow = soft.defineHalf();
  const widen = defineWiden(soft), narrow = defineNarrow(soft);
  defineBasic(soft, slow);
  defineMinMax(soft, slow, widen);
  defineCompare(soft, slow, widen);
  defineRoundInt(soft, slow, widen, narrow);
  defineFixed(soft, slow, widen);
  defineHalfEstimates(soft, slow);
  defineVectors(soft);
}

/** The exact single of a number or an infinity: (bits i32) -> f32. */
function defineWiden(soft: SoftFloat): FunctionBuilder {
  return soft.define("widenHalf", ["i32"], "f32", (code, x) => {
    const sign = x.and(SIGN).shl(16), exponent = code.let(x.shrU(10).and(31)), fraction = x.and(0x3ff);
    code.if(exponent.not(), () => {
      const magnitude = fraction.op("f32.convert_i32_u", "f32").mul(2 ** -24);
      code.return(magnitude.op("i32.reinterpret_f32", "i32").or(sign).op("f32.reinterpret_i32", "f32"));
    });
    const field = exponent.eq(31).select(constant("i32", 255), exponent.add(REBIAS));
    code.result(sign.or(field.shl(23)).or(fraction.shl(WIDER)).op("f32.reinterpret_i32", "f32"));
  });
}

/** The half of an integral single that a half can be, or of an infinity: (f32) -> bits. */
function defineNarrow(soft: SoftFloat): FunctionBuilder {
  return soft.define("narrowIntegral", ["f32"], "i32", (code, x) => {
    const bits = code.let(x.op("i32.reinterpret_f32", "i32"));
    const sign = bits.shrU(16).and(SIGN), exponent = code.let(bits.shrU(23).and(255));
    code.if(exponent.not(), () => code.return(sign));
    code.if(exponent.eq(255), () => code.return(sign.or(INFINITY)));
    code.result(sign.or(exponent.sub(REBIAS).shl(10)).or(bits.shrU(WIDER).and(0x3ff)));
  });
}

const bits = (x: Value): Value => x.wide();

function defineBasic(soft: SoftFloat, slow: SoftArithmetic): void {
  const define = (name: string, count: number, body: (code: Code, ...operands: Value[]) => Value) =>
    soft.define(`${name}16`, Array(count).fill("i32"), "i32", (code, ...operands) => {
      code.result(body(code, ...operands.map((x) => code.let(bits(x)))).wrap());
    });
  for (const name of ["FPAdd", "FPMul", "FPDiv"] as const) define(name, 2, (code, a, b) => code.call(slow[name], a, b));
  define("FPSqrt", 1, (code, a) => code.call(slow.FPSqrt, a));
  define("FPMulAdd", 3, (code, c, a, b) => code.call(slow.FPMulAdd, c, a, b));
  // A NaN operand is not negated.
  define("FPSub", 2, (code, a, b) => code.call(slow.FPAdd, a, b.xor(isNaN(HALF, b).select(constant("i64", 0), signBit(HALF)))));
  for (const name of ["FPRecipStep", "FPRSqrtStep"] as const) {
    soft.defineQuiet(`${name}16`, ["i32", "i32"], "i32", (code, x, y) => {
      const a = code.let(bits(x)), b = code.let(bits(y));
      if (soft.alternate) {
        code.if(isNaN(HALF, a).and(soft.alternates(code).nonZero()), () => code.return(code.call(slow[name], a, b).wrap()));
      }
      code.result(code.call(slow[name], a.xor(signBit(HALF)), b).wrap());
    });
  }
  // As FPMul, but zero times infinity is 2.
  define("FPMulX", 2, (code, a, b) => {
    const x = code.let(code.call(slow.flushInput, a)), y = code.let(code.call(slow.flushInput, b));
    const timesZero = isInfinite(HALF, x).and(isZero(HALF, y)).or(isZero(HALF, x).and(isInfinite(HALF, y)));
    code.if(timesZero, () => code.return(x.xor(y).and(SIGN).or(TWO).wrap()));
    return code.call(slow.FPMul, x, y);
  });
}

/** Flushes two operands: their bits (i64), in locals. */
function flushed(code: Code, slow: SoftArithmetic, a: Value, b: Value): [Local, Local] {
  return [code.let(code.call(slow.flushInput, bits(a))), code.let(code.call(slow.flushInput, bits(b)))];
}

function defineMinMax(soft: SoftFloat, slow: SoftArithmetic, widen: FunctionBuilder): void {
  for (const [name, takesFirst] of [["FPMin", "lt"], ["FPMax", "gt"]] as const) {
    const plain = soft.define(soft.alternate ? `${name}16Plain` : `${name}16`, ["i32", "i32"], "i32", (code, a, b) => {
      const [x, y] = flushed(code, slow, a, b);
      code.if(isNaN(HALF, x).or(isNaN(HALF, y)), () => code.return(code.call(slow.FPProcessNaNs, x, y).wrap()));
      const p = code.let(code.call(widen, x.wrap())), q = code.let(code.call(widen, y.wrap()));
      // Equal numbers are the same, or zeros of either sign.
      code.if(p.eq(q), () => code.return((name === "FPMin" ? x.or(y) : x.and(y)).wrap()));
      const chosen = p[takesFirst](q).select(x, y);
      code.result(soft.exact(code, slow, chosen).wrap());
    });
    if (soft.alternate) {
      // The second of two zeros, and of operands one of which is a NaN; subnormal numbers stay.
      soft.define(`${name}16`, ["i32", "i32"], "i32", (code, a, b) => {
        code.if(soft.alternates(code).not(), () => code.return(code.call(plain, a, b)));
        const [x, y] = flushed(code, slow, a, b);
        code.if(isZero(HALF, x).and(isZero(HALF, y)), () => code.return(y.wrap()));
        code.if(isNaN(HALF, x).or(isNaN(HALF, y)), () => {
          soft.raise(code, Fpsr.IOC);
          code.return(y.wrap());
        });
        const p = code.call(widen, x.wrap()), q = code.call(widen, y.wrap());
        code.result(p[takesFirst](q).select(x, y).wrap());
      });
    }
    // A quiet NaN loses against a number.
    soft.define(`${name}Num16`, ["i32", "i32"], "i32", (code, a, b) => {
      const [x, y] = [code.let(bits(a)), code.let(bits(b))];
      const quiet = (value: Value) => isNaN(HALF, value).and(isSignalling(HALF, value).not());
      const number = (value: Value) => soft.exact(code, slow, code.call(slow.flushInput, value)).wrap();
      code.if(quiet(x).and(isNaN(HALF, y).not()), () => code.return(number(y)));
      code.if(quiet(y).and(isNaN(HALF, x).not()), () => code.return(number(x)));
      code.result(code.call(plain, a, b));
    });
  }
}

function defineCompare(soft: SoftFloat, slow: SoftArithmetic, widen: FunctionBuilder): void {
  /**
   * The operands as singles, and whether they are unordered, which sets IOC: always when `signal`,
   * else for signaling NaNs.
   */
  const prepare = (code: Code, a: Value, b: Value, signal: Value): [Local, Local, Local] => {
    const [x, y] = flushed(code, slow, a, b), unordered = code.let(isNaN(HALF, x).or(isNaN(HALF, y)));
    code.if(unordered, () => {
      code.if(signal.or(isSignalling(HALF, x)).or(isSignalling(HALF, y)), () => soft.raise(code, Fpsr.IOC));
    });
    return [code.let(code.call(widen, x.wrap())), code.let(code.call(widen, y.wrap())), unordered];
  };
  // (a, b, signal): NZCV in bits 3:0.
  soft.define("FPCompare16", ["i32", "i32", "i32"], "i32", (code, a, b, signal) => {
    const [p, q, unordered] = prepare(code, a, b, signal), less = code.let(p.lt(q));
    code.result(less.shl(3).or(p.eq(q).shl(2)).or(less.xor(1).shl(1)).or(unordered));
  });
  for (const [name, compare] of [["EQ", "eq"], ["GE", "ge"], ["GT", "gt"]] as const) {
    soft.define(`FPCompare${name}16`, ["i32", "i32"], "i32", (code, a, b) => {
      const [p, q] = prepare(code, a, b, constant("i32", name === "EQ" ? 0 : 1));
      code.result(p[compare](q));
    });
    // All ones or all zeros, for vectors.
    soft.define(`FPCompare${name}Mask16`, ["i32", "i32"], "i32", (code, a, b) => {
      code.result(constant("i32", 0).sub(code.call(soft.library.named(`FPCompare${name}16`), a, b)).and(0xffff));
    });
  }
}

function defineRoundInt(soft: SoftFloat, slow: SoftArithmetic, widen: FunctionBuilder, narrow: FunctionBuilder): void {
  soft.define("FPRoundInt16", ["i32", "i32", "i32"], "i32", (code, a, mode, exact) => {
    const x = code.let(code.call(slow.flushInput, bits(a)));
    code.if(isNaN(HALF, x), () => code.return(code.call(slow.FPProcessNaN, x).wrap()));
    const wide = code.let(code.call(widen, x.wrap())), r = roundToIntegral(code, wide, mode);
    code.if(exact.nonZero().and(r.ne(wide)), () => soft.raise(code, Fpsr.IXC));
    code.result(code.call(narrow, r));
  });
}

/** Conversions to and from integers: of half to the operand of FPToFixed, and FixedToFP16. */
function defineFixed(soft: SoftFloat, slow: SoftArithmetic, widen: FunctionBuilder): void {
  // The double of a half that is converted to an integer, subnormals flushed as FZ16 says.
  const promote = soft.define("promoteHalf", ["i32"], "f64", (code, a) => {
    code.result(code.call(widen, code.call(slow.flushInput, bits(a)).wrap()).op("f64.promote_f32", "f64"));
  });
  for (const letter of ["S", "U"] as const) {
    // (x i64, fraction bits).
    soft.define(`FixedToFP${letter}16`, ["i64", "i32"], "i32", (code, x, fbits) => {
      code.if(x.not(), () => code.return(constant("i32", 0)));
      const sign = code.let(letter === "S" ? x.ltS(0) : constant("i32", 0));
      const magnitude = code.let(sign.select(constant("i64", 0).sub(x), x));
      const exponent = code.let(constant("i32", 63).sub(magnitude.clz().wrap()).sub(fbits));
      code.if(magnitude.ltS(0), () => {
        code.set(magnitude, magnitude.shrU(1).or(magnitude.and(1)));
      }, () => code.set(magnitude, magnitude.shl(magnitude.clz().sub(1))));
      code.result(code.call(slow.FPRound, sign, exponent, magnitude, soft.roundingMode(code)).wrap());
    });
    // (x, scale f64, rounding mode): a saturated integer of 16 bits.
    soft.define(`FPToFixed${letter}16`, ["i32", "f64", "i32"], "i32", (code, a, scale, mode) => {
      const [least, largest] = letter === "S" ? [-0x8000, 0x7fff] : [0, 0xffff];
      const x = code.let(code.call(promote, a).mul(scale)), r = roundToIntegral(code, x, mode);
      code.if(
        r.ge(least).and(r.le(largest)),
        () => code.if(r.ne(x), () => soft.raise(code, Fpsr.IXC)),
        () => soft.raise(code, Fpsr.IOC),
      );
      const bounded = code.let(r.op("i64.trunc_sat_f64_s", "i64"));
      code.if(bounded.gtS(largest), () => code.set(bounded, largest));
      code.if(bounded.ltS(least), () => code.set(bounded, least));
      code.result(bounded.wrap().and(0xffff));
    });
  }
}

/** A scalar function on each lane, with its other operands in all of them. */
function defineVectors(soft: SoftFloat): void {
  const walk = (name: string, vectors: number, others: readonly ValueType[], lane: (code: Code, x: Value[], rest: Local[]) => Value) => {
    const f = soft.library.define(`${name}16V`, [...Array<ValueType>(vectors).fill("v128"), ...others, "i32"], ["v128"]);
    const code = new Code(f), end = code.let(code.parameter(vectors + others.length).shl(1));
    for (let i = 0; i < vectors; i++) code.store("v128.store", OPERANDS[i], code.parameter(i));
    code.store("v128.store", RESULT, new Value("v128", (b) => b.v128(0n, 0n)));
    const at = code.let(constant("i32", 0)), rest = others.map((_, i) => code.parameter(vectors + i));
    code.doWhile(() => {
      const operands = OPERANDS.slice(0, vectors).map((place) => code.load("i32.load16_u", at, place));
      code.store("i32.store16", at, lane(code, operands, rest), RESULT);
      code.set(at, at.add(2));
    }, () => at.ltU(end));
    code.result(code.load("v128.load", RESULT));
  };
  const plain = (name: string, vectors: number, scalar = name) =>
    walk(name, vectors, [], (code, operands) => code.call(soft.library.named(`${scalar}16`), ...operands));
  for (const name of ["FPAdd", "FPSub", "FPMul", "FPDiv", "FPMulX", "FPMin", "FPMax", "FPMinNum", "FPMaxNum"]) plain(name, 2);
  for (const name of ["FPRecipStep", "FPRSqrtStep"]) plain(name, 2);
  for (const name of ["FPSqrt", "FPRecipEstimate", "FPRSqrtEstimate"]) plain(name, 1);
  plain("FPMulAdd", 3);
  for (const name of ["FPCompareEQ", "FPCompareGE", "FPCompareGT"]) plain(name, 2, `${name}Mask`);
  walk("FPRoundInt", 1, ["i32", "i32"], (code, [x], [mode, exact]) => code.call(soft.library.named("FPRoundInt16"), x, mode, exact));
  for (const letter of ["S", "U"] as const) {
    const toFixed = soft.library.named(`FPToFixed${letter}16`), fromFixed = soft.library.named(`FixedToFP${letter}16`);
    walk(`FPToFixed${letter}`, 1, ["f64", "i32"], (code, [x], [scale, mode]) => code.call(toFixed, x, scale, mode));
    walk(`FixedToFP${letter}`, 1, ["i32"], (code, [x], [fbits]) => {
      return code.call(fromFixed, letter === "S" ? x.op("i32.extend16_s", "i32").wideSigned() : x.wide(), fbits);
    });
  }
}

/** FPMulAddH (addend f32, a, b): addend + a * b in single precision, of FEAT_FHM. */
export function defineHalfMulAdd(soft: SoftFloat): void {
  // A NaN keeps its payload and stays signaling, for FPMulAdd to process.
  const widen = soft.library.named("widenHalf"), flush = soft.library.named("flushInputH"), mulAdd = soft.library.named("FPMulAdd32");
  soft.define("FPMulAddH", ["f32", "i32", "i32"], "f32", (code, c, a, b) => {
    const wide = (x: Value) => code.call(widen, code.call(flush, bits(x)).wrap());
    code.result(code.call(mulAdd, c, wide(a), wide(b)));
  });
}
