// Conversions between floating-point formats, to and from integers and fixed point, and rounding to
// integral values, as functions of the core's library. Names and rules are those of the Arm ARM's
// pseudocode (J1.2, shared/functions/float): FPConvert, FPRoundInt, FPToFixed, FixedToFP. Half
// precision is an i32 with zeros above.

import { Code, constant, type Local, type Value } from "../wasm/expression.ts";
import { floatType, fromBits, roundToIntegral, toBits } from "./arithmetic.ts";
import { defaultNaN, DOUBLE, type Format, Fpcr, Fpsr, HALF, infinity, quietBit, Rounding, signBit, SINGLE } from "./formats.ts";
import { isFast, slowModes } from "./modes.ts";
import { isInfinite, isNaN, isZero, unpack } from "./significands.ts";
import type { SoftFloat } from "./soft-float.ts";

/** Defines the conversions of all widths. */
export function defineConversions(soft: SoftFloat): void {
  for (const format of [SINGLE, DOUBLE]) {
    defineRoundInt(soft, format);
    defineFixedToFP(soft, format, true);
    defineFixedToFP(soft, format, false);
  }
  for (const width of [32, 64] as const) {
    defineToFixed(soft, width, true);
    defineToFixed(soft, width, false);
  }
  defineConvert(soft, HALF, SINGLE);
  defineConvert(soft, HALF, DOUBLE);
  defineConvert(soft, SINGLE, HALF);
  defineConvert(soft, DOUBLE, HALF);
  defineConvert(soft, SINGLE, DOUBLE);
  defineConvert(soft, DOUBLE, SINGLE);
  defineConvert(soft, DOUBLE, SINGLE, Rounding.Odd);
}

const softOf = (soft: SoftFloat, format: Format) => format.width === 16 ? soft.half : format.width === 32 ? soft.single : soft.double;

/**
 * FPRoundInt32/64 (x, rounding mode, exact): an integral float. With `exact` not zero, FPSR.IXC
 * says that x was not integral.
 */
function defineRoundInt(soft: SoftFloat, format: Format): void {
  const { FPProcessNaN, flushInput } = softOf(soft, format);
  const type = floatType(format);
  soft.define(`FPRoundInt${format.width}`, [type, "i32", "i32"], type, (code, x, mode, exact) => {
    code.if(x.ne(x), () => code.return(fromBits(format, code.call(FPProcessNaN, toBits(x)))));
    code.if(soft.flushes(code).nonZero(), () => code.set(x, fromBits(format, code.call(flushInput, toBits(x)))));
    const r = roundToIntegral(code, x, mode);
    code.if(exact.nonZero().and(r.ne(x)), () => soft.raise(code, Fpsr.IXC));
    code.result(r);
  });
}

/**
 * FPToFixedS32, U32, S64, U64 (x f64, scale f64, rounding mode i32, smallest f64): x * scale as a
 * saturated integer. A single-precision x comes promoted; `smallest` is the smallest normal
 * number of its format.
 */
function defineToFixed(soft: SoftFloat, width: 32 | 64, signed: boolean): void {
  const type = `i${width}` as const;
  const limit = 2 ** (signed ? width - 1 : width), least = signed ? -limit : 0;
  soft.define(`FPToFixed${signed ? "S" : "U"}${width}`, ["f64", "f64", "i32", "f64"], type, (code, x, scale, mode, smallest) => {
    code.if(soft.flushesInputs(code).nonZero().and(x.ne(0)).and(x.abs().lt(smallest)), () => {
      const flush = () => {
        soft.raise(code, Fpsr.IDC);
        code.set(x, 0);
      };
      if (!soft.alternate) return flush();
      // As `flushInput`.
      code.if(soft.fpcr(code).and(Fpcr.FZ | Fpcr.AH).eq(Fpcr.FZ), flush);
      code.if(soft.fpcr(code).and(Fpcr.FIZ), () => code.set(x, 0));
    });
    code.set(x, x.mul(scale));
    const r = roundToIntegral(code, x, mode);
    code.if(
      r.ge(least).and(r.lt(limit)),
      () => code.if(r.ne(x), () => soft.raise(code, Fpsr.IXC)),
      () => soft.raise(code, Fpsr.IOC),
    );
    // Wasm's saturation is Arm's, zero for a NaN included.
    code.result(r.op(`${type}.trunc_sat_f64_${signed ? "s" : "u"}`, type));
  });
}

/**
 * FixedToFPS32, U32, S64, U64 (x i64, fraction bits i32): x / 2^fbits, rounded as FPCR says. 32-bit
 * sources come extended.
 */
function defineFixedToFP(soft: SoftFloat, format: Format, signed: boolean): void {
  const { width, fraction, bias } = format;
  const type = floatType(format);
  soft.define(`FixedToFP${signed ? "S" : "U"}${width}`, ["i64", "i32"], type, (code, x, fbits) => {
    const scale = fromBits(format, constant("i64", bias).sub(fbits.wide()).shl(fraction));
    const converted = code.let(x.op(`${type}.convert_i64_${signed ? "s" : "u"}`, type).mul(scale));
    // Integers that fit into the fraction are exact in every rounding mode.
    const reach = 1n << BigInt(fraction + 1);
    const small = signed ? x.add(reach).leU(2n * reach) : x.leU(reach);
    code.if(small.or(isFast(code, soft.alternate)), () => code.return(converted));
    const sign = code.let(signed ? x.ltS(0) : constant("i32", 0));
    const magnitude = code.let(sign.select(constant("i64", 0).sub(x), x));
    const exponent = code.let(constant("i32", 63).sub(magnitude.clz().wrap()).sub(fbits));
    code.if(magnitude.ltS(0), () => {
      code.set(magnitude, magnitude.shrU(1).or(magnitude.and(1)));
    }, () => code.set(magnitude, magnitude.shl(magnitude.clz().sub(1))));
    code.result(fromBits(format, code.call(softOf(soft, format).FPRound, sign, exponent, magnitude, soft.roundingMode(code))));
  });
}

/**
 * FPConvert16To32 and so on (x): rounded as FPCR says. With a mode, FPConvertRoundOdd64To32:
 * FCVTXN.
 */
function defineConvert(soft: SoftFloat, from: Format, to: Format, mode?: number): void {
  const name = `FPConvert${mode === undefined ? "" : "RoundOdd"}${from.width}To${to.width}`;
  const wasmType = (format: Format) => format.width === 16 ? "i32" : floatType(format);
  soft.define(name, [wasmType(from)], wasmType(to), (code, x) => {
    const result = (bits: Value) => to.width === 16 ? bits.wrap() : fromBits(to, bits);
    if (from === SINGLE && to === DOUBLE) {
      // Exact, unless a subnormal is to be flushed.
      const flushes = soft.flushes(code).nonZero();
      code.if(x.eq(x).and(flushes.not()), () => code.return(x.op("f64.promote_f32", "f64")));
    }
    if (from === DOUBLE && to === SINGLE && mode === undefined) {
      const r = code.let(x.op("f32.demote_f64", "f32"));
      const plain = soft.fpcr(code).and(slowModes(soft.alternate)).not();
      code.if(r.abs().gt(2 ** -126).and(r.abs().lt(Infinity)).and(plain), () => {
        code.if(r.op("f64.promote_f32", "f64").ne(x), () => soft.raise(code, Fpsr.IXC));
        code.return(r);
      });
    }
    const bits = code.let(code.call(softOf(soft, from).flushInput, from.width === 16 ? x.wide() : toBits(x)));
    const sign = code.let(bits.shrU(from.width - 1));
    const signed = code.let(sign.shl(to.width - 1));
    const alternative = code.let(soft.fpcr(code).and(Fpcr.AHP));
    convertSpecial(code, soft, from, to, { bits, signed, alternative, result });
    soft.useDenormals(code, softOf(soft, from), bits);
    const { exponent, significand } = unpack(code, from, bits);
    const rounding = mode === undefined ? soft.roundingMode(code) : constant("i32", mode);
    code.result(result(code.call(softOf(soft, to).FPRound, sign.wrap(), exponent, significand, rounding)));
  });
}

/** Ends a conversion of a NaN, an infinity or a zero. */
function convertSpecial(
  code: Code,
  soft: SoftFloat,
  from: Format,
  to: Format,
  { bits, signed, alternative, result }: { bits: Local; signed: Local; alternative: Local; result: (bits: Value) => Value },
): void {
  code.if(isZero(from, bits), () => code.return(result(signed)));
  /**
   * Where one side is the alternative half-precision format, which has neither NaNs nor infinities.
   */
  const hasSpecials = from.width === 16 ? alternative.not() : constant("i32", 1);
  code.if(hasSpecials.and(isNaN(from, bits)), () => {
    code.if(bits.and(quietBit(from)).not(), () => soft.raise(code, Fpsr.IOC));
    if (to.width === 16) {
      code.if(alternative, () => {
        soft.raise(code, Fpsr.IOC);
        code.return(result(signed));
      });
    }
    code.if(soft.fpcr(code).and(Fpcr.DN).nonZero(), () => code.return(result(soft.defaultNaN(code, to))));
    const payload = bits.and(quietBit(from) - 1n), distance = to.fraction - from.fraction;
    const kept = distance >= 0 ? payload.shl(distance) : payload.shrU(-distance);
    code.return(result(signed.or(defaultNaN(to)).or(kept)));
  });
  code.if(hasSpecials.and(isInfinite(from, bits)), () => {
    if (to.width === 16) {
      code.if(alternative, () => {
        soft.raise(code, Fpsr.IOC);
        code.return(result(signed.or(signBit(to) - 1n)));
      });
    }
    code.return(result(signed.or(infinity(to))));
  });
}
