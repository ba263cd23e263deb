// Conversions of FEAT_JSCVT and FEAT_FRINTTS as functions of the core's library: FPToFixedJS and
// FPRoundIntN of the Arm ARM's pseudocode (J1.2, shared/functions/float).

import { constant } from "../wasm/expression.ts";
import { floatType, fromBits, roundToIntegral, toBits } from "./arithmetic.ts";
import { DOUBLE, type Format, Fpsr, SINGLE } from "./formats.ts";
import type { SoftFloat } from "./soft-float.ts";

/** Set in the upper half of `FPToFixedJS` where the result is not exact. */
const INEXACT = 1n << 32n;

/**
 * FPToFixedJS (x f64): x towards zero modulo 2^32, as JavaScript converts; bit 32 of the i64 is set
 * unless the result is exactly x, a negative zero included.
 */
export function defineToFixedJS(soft: SoftFloat): void {
  soft.define("FPToFixedJS", ["f64"], "i64", (code, x) => {
    const low = code.let(constant("i64", 0));
    const original = code.let(toBits(x));
    code.set(x, fromBits(DOUBLE, code.call(soft.double.flushInput, original)));
    const integer = code.let(x.trunc());
    code.if(integer.abs().lt(2 ** 31).or(integer.eq(-(2 ** 31))), () => {
      code.set(low, integer.op("i64.trunc_sat_f64_s", "i64").and(0xffff_ffff));
      code.if(integer.ne(x), () => {
        soft.raise(code, Fpsr.IXC);
        code.return(low.or(INEXACT));
      });
      // A zero that is negative, or that was a subnormal number, is not what x was.
      code.return(x.eq(0).and(original.nonZero()).select(low.or(INEXACT), low));
    });
    soft.raise(code, Fpsr.IOC);
    const exponent = code.let(original.shrU(52).and(0x7ff).sub(1023 + 52));
    // Bits of the significand that are below 2^32; numbers from 2^84 on have none.
    code.if(exponent.ltS(32), () => {
      const significand = code.let(original.and((1n << 52n) - 1n).or(1n << 52n));
      code.set(low, exponent.ltS(0).select(significand.shrU(constant("i64", 0).sub(exponent)), significand.shl(exponent)));
      code.if(original.ltS(0), () => code.set(low, constant("i64", 0).sub(low)));
    });
    code.result(low.and(0xffff_ffff).or(INEXACT));
  });
}

/**
 * FPRoundIntN32/64 (x, rounding mode, 32 or 64): an integral float, or the most negative integer of
 * that width where x is out of its range.
 */
export function defineRoundIntN(soft: SoftFloat): void {
  for (const format of [SINGLE, DOUBLE]) defineOfFormat(soft, format);
}

function defineOfFormat(soft: SoftFloat, format: Format): void {
  const type = floatType(format), { flushInput } = format === DOUBLE ? soft.double : soft.single;
  soft.define(`FPRoundIntN${format.width}`, [type, "i32", "i32"], type, (code, x, mode, width) => {
    code.set(x, fromBits(format, code.call(flushInput, toBits(x))));
    const r = roundToIntegral(code, x, mode);
    const limit = code.let(width.eq(64).select(constant(type, 2 ** 63), 2 ** 31));
    // A NaN is in no range.
    code.if(r.ge(limit.neg()).and(r.lt(limit)), () => {
      code.if(r.ne(x), () => soft.raise(code, Fpsr.IXC));
      code.return(r);
    });
    soft.raise(code, Fpsr.IOC);
    code.result(limit.neg());
  });
}
