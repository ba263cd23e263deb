// Reciprocal and reciprocal square root estimates (FRECPE, FRSQRTE, FRECPX, URECPE, URSQRTE) as
// functions of the core's library. Arm ARM J1.2, shared/functions/float: FPRecipEstimate,
// FPRSqrtEstimate, FPRecpX, RecipEstimate, RecipSqrtEstimate.

import { type Code, constant, type Value } from "../wasm/expression.ts";
import type { FunctionBuilder } from "../wasm/module.ts";
import { floatType, fromBits, toBits } from "./arithmetic.ts";
import { DOUBLE, type Format, Fpcr, Fpsr, HALF, infinity, Rounding, signBit, SINGLE } from "./formats.ts";
import { isInfinite, isNaN, isZero } from "./significands.ts";
import type { SoftArithmetic, SoftFloat } from "./soft-float.ts";

/** The tables of the estimates of FEAT_RPRES: 12 bits of a fraction from 11, not 8 from 8. */
interface IncreasedPrecision {
  readonly recip: FunctionBuilder;
  readonly rsqrt: FunctionBuilder;
}

/**
 * Defines the estimates of both widths and of unsigned integers.
 * @param increased whether those of singles have more bits while FPCR.AH is set (FEAT_RPRES)
 */
export function defineEstimates(soft: SoftFloat, increased: boolean): void {
  const recip = defineRecipTable(soft), rsqrt = defineRSqrtTable(soft);
  defineOfFormat(soft, SINGLE, soft.single, increased ? defineIncreasedPrecision(soft) : undefined);
  defineOfFormat(soft, DOUBLE, soft.double);
  soft.define("UnsignedRecipEstimate", ["i32"], "i32", (code, x) => {
    code.if(x.geS(0), () => code.return(constant("i32", -1)));
    code.result(code.call(recip, x.shrU(23)).shl(23));
  });
  soft.define("UnsignedRSqrtEstimate", ["i32"], "i32", (code, x) => {
    code.if(x.shrU(30).not(), () => code.return(constant("i32", -1)));
    code.result(code.call(rsqrt, x.shrU(23)).shl(23));
  });
}

/** The same for half precision (FEAT_FP16). */
export function defineHalfEstimates(soft: SoftFloat, slow: SoftArithmetic): void {
  defineOfFormat(soft, HALF, slow);
}

function defineOfFormat(soft: SoftFloat, format: Format, slow: SoftArithmetic, increased?: IncreasedPrecision): void {
  defineRecipEstimate(soft, format, slow, increased);
  defineRSqrtEstimate(soft, format, slow, increased);
  defineRecpX(soft, format, slow);
}

/** From [256, 511] (0.5 to 1.0 in units of 1/512) to [256, 511] (1.0 to 2.0 in units of 1/256). */
function defineRecipTable(soft: SoftFloat): FunctionBuilder {
  return soft.define("RecipEstimate", ["i32"], "i32", (code, a) => {
    code.result(constant("i32", 1 << 19).divU(a.shl(1).or(1)).add(1).shrU(1));
  });
}

/** From [128, 511] (0.25 to 1.0 in units of 1/512) to [256, 511] (1.0 to 2.0 in units of 1/256). */
function defineRSqrtTable(soft: SoftFloat): FunctionBuilder {
  return soft.define("RecipSqrtEstimate", ["i32"], "i32", (code, a) => {
    code.if(a.ltU(256), () => code.set(a, a.shl(1).or(1)), () => code.set(a, a.or(1).shl(1)));
    // The largest b with a * b * b < 2^28, from a float that may be one off.
    const quotient = constant("f64", 2 ** 28).div(a.op("f64.convert_i32_u", "f64"));
    const b = code.let(quotient.sqrt().op("i32.trunc_sat_f64_u", "i32"));
    const square = (x: Value) => a.mul(x).mul(x);
    code.if(square(b.add(1)).ltU(1 << 28), () => code.set(b, b.add(1)));
    code.if(square(b).geU(1 << 28), () => code.set(b, b.sub(1)));
    code.result(b.add(1).shrU(1));
  });
}

/** As the tables above with 4 bits more: from [2048, 4095], or [1024, 4095], to [4096, 8191]. */
function defineIncreasedPrecision(soft: SoftFloat): IncreasedPrecision {
  const recip = soft.define("RecipEstimateIncreased", ["i32"], "i32", (code, a) => {
    code.result(constant("i32", 1 << 26).divU(a.shl(1).or(1)).add(1).shrU(1));
  });
  const rsqrt = soft.define("RecipSqrtEstimateIncreased", ["i32"], "i32", (code, a) => {
    code.if(a.ltU(2048), () => code.set(a, a.shl(1).or(1)), () => code.set(a, a.or(1).shl(1)));
    // The largest b with a * b * b < 2^39, in doubles, which hold these products exactly.
    const factor = code.let(a.op("f64.convert_i32_u", "f64")), limit = 2 ** 39;
    const b = code.let(constant("f64", limit).div(factor).sqrt().trunc());
    const square = (x: Value) => factor.mul(x).mul(x);
    code.if(square(b.add(1)).lt(limit), () => code.set(b, b.add(1)));
    code.if(square(b).ge(limit), () => code.set(b, b.sub(1)));
    code.result(b.op("i32.trunc_sat_f64_u", "i32").add(1).shrU(1));
  });
  return { recip, rsqrt };
}

function fields(code: Code, format: Format, bits: Value) {
  const exponent = code.let(bits.shrU(format.fraction).wrap().and(format.maximum));
  const fraction = code.let(bits.and((1n << BigInt(format.fraction)) - 1n));
  return { exponent, fraction };
}

function defineRecipEstimate(soft: SoftFloat, format: Format, slow: SoftArithmetic, increased?: IncreasedPrecision): void {
  const { width, fraction: F, bias } = format, type = floatType(format), mask = (1n << BigInt(F)) - 1n;
  const table = soft.library.named("RecipEstimate");
  soft.defineQuiet(`FPRecipEstimate${width}`, [type], type, (code, x) => {
    const done = (bits: Value) => code.return(fromBits(format, bits));
    const bits = code.let(code.call(slow.flushInput, toBits(x)));
    const sign = code.let(bits.and(signBit(format)));
    const magnitude = code.let(bits.and(signBit(format) - 1n));
    code.if(isNaN(format, bits), () => done(code.call(slow.FPProcessNaN, bits)));
    code.if(isInfinite(format, bits), () => done(sign));
    code.if(isZero(format, bits), () => {
      soft.raise(code, Fpsr.DZC);
      done(sign.or(infinity(format)));
    });
    // Below 2^-(bias + 1) the reciprocal overflows.
    code.if(magnitude.ltU(1n << BigInt(F - 2)), () => {
      soft.raise(code, Fpsr.OFC | Fpsr.IXC);
      const mode = code.let(soft.roundingMode(code));
      const toInfinity = mode.eq(Rounding.TieEven).or(mode.eq(Rounding.PlusInfinity).and(sign.not()))
        .or(mode.eq(Rounding.MinusInfinity).and(sign.nonZero()));
      done(sign.or(toInfinity.select(constant("i64", infinity(format)), infinity(format) - 1n)));
    });
    code.if(
      soft.fpcr(code).and(format.width === 16 ? Fpcr.FZ16 : Fpcr.FZ).nonZero().and(magnitude.geU(BigInt(2 * bias - 1) << BigInt(F))),
      () => {
        soft.raise(code, Fpsr.UFC);
        done(sign);
      },
    );
    const { exponent, fraction } = fields(code, format, bits);
    code.if(exponent.not(), () => {
      code.if(fraction.shrU(F - 1).not(), () => {
        code.set(exponent, -1);
        code.set(fraction, fraction.shl(2).and(mask));
      }, () => code.set(fraction, fraction.shl(1).and(mask)));
    });
    const result = code.let(constant("i32", 2 * bias - 1).sub(exponent));
    const estimate = () => code.set(fraction, code.call(table, fraction.shrU(F - 8).wrap().or(256)).and(255).wide().shl(F - 8));
    if (increased) {
      const precise = code.call(increased.recip, fraction.shrU(F - 11).wrap().or(2048));
      code.if(soft.alternates(code), () => code.set(fraction, precise.and(4095).wide().shl(F - 12)), estimate);
    } else estimate();
    // The result may be subnormal.
    code.if(result.not(), () => code.set(fraction, fraction.shrU(1).or(1n << BigInt(F - 1))));
    code.if(result.eq(-1), () => {
      code.set(fraction, fraction.shrU(2).or(1n << BigInt(F - 2)));
      code.set(result, 0);
    });
    code.result(fromBits(format, sign.or(result.wide().shl(F)).or(fraction)));
  });
}

function defineRSqrtEstimate(soft: SoftFloat, format: Format, slow: SoftArithmetic, increased?: IncreasedPrecision): void {
  const { width, fraction: F, bias } = format, type = floatType(format), mask = (1n << BigInt(F)) - 1n;
  const table = soft.library.named("RecipSqrtEstimate");
  soft.defineQuiet(`FPRSqrtEstimate${width}`, [type], type, (code, x) => {
    const done = (bits: Value) => code.return(fromBits(format, bits));
    const bits = code.let(code.call(slow.flushInput, toBits(x)));
    code.if(isNaN(format, bits), () => done(code.call(slow.FPProcessNaN, bits)));
    code.if(isZero(format, bits), () => {
      soft.raise(code, Fpsr.DZC);
      done(bits.or(infinity(format)));
    });
    code.if(bits.and(signBit(format)).nonZero(), () => {
      soft.raise(code, Fpsr.IOC);
      done(soft.defaultNaN(code, format));
    });
    code.if(isInfinite(format, bits), () => done(constant("i64", 0)));
    const { exponent, fraction } = fields(code, format, bits);
    code.if(exponent.not(), () => {
      const leading = code.let(fraction.clz().sub(64 - F));
      code.set(exponent, constant("i32", 0).sub(leading.wrap()));
      code.set(fraction, fraction.shl(leading.add(1)).and(mask));
    });
    const result = constant("i32", 3 * bias - 1).sub(exponent).shrU(1).wide().shl(F);
    if (increased) {
      code.if(soft.alternates(code), () => {
        const top = code.let(fraction.shrU(F - 11).wrap().or(2048));
        const estimate = code.call(increased.rsqrt, exponent.and(1).select(top.shrU(1), top));
        done(result.or(estimate.and(4095).wide().shl(F - 12)));
      });
    }
    const top = code.let(fraction.shrU(F - 8).wrap().or(256));
    const estimate = code.call(table, exponent.and(1).select(top.shrU(1), top));
    code.result(fromBits(format, result.or(estimate.and(255).wide().shl(F - 8))));
  });
}

/** FRECPX: the sign, the exponent inverted, no fraction. */
function defineRecpX(soft: SoftFloat, format: Format, slow: SoftArithmetic): void {
  const { width, fraction: F, maximum } = format, type = floatType(format);
  soft.defineQuiet(`FPRecpX${width}`, [type], type, (code, x) => {
    const bits = code.let(code.call(slow.flushInput, toBits(x)));
    code.if(isNaN(format, bits), () => code.return(fromBits(format, code.call(slow.FPProcessNaN, bits))));
    const { exponent } = fields(code, format, bits);
    const inverted = exponent.not().select(constant("i32", maximum - 1), exponent.xor(maximum));
    code.result(fromBits(format, bits.and(signBit(format)).or(inverted.wide().shl(F))));
  });
}
