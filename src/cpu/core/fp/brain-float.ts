// BFloat16 (FEAT_BF16) as functions of the core's library: sums of products that round to odd and
// set no flags, and the conversion from single precision, which obeys FPCR. Arm ARM J1.2,
// shared/functions/float (BFDotAdd, BFMulH, BFAdd, BFRound, FPConvertBF).
//
// Sums are computed in double precision, and so is the error of their rounding, which is exact.

import { Code, constant, type Local, type Value } from "../wasm/expression.ts";
import type { Library } from "../wasm/library.ts";
import { Fpcr, Fpsr, Rounding, SINGLE } from "./formats.ts";
import type { SoftFloat } from "./soft-float.ts";

const SMALLEST_NORMAL = 2 ** -126;
const SINGLE_SIGN = 0x8000_0000 | 0, SINGLE_INFINITY = 0x7f80_0000, SINGLE_QUIET = 0x40_0000;
/** Bits of a double's fraction below those of a single's, and the lowest of the latter. */
const BELOW_SINGLE = 0x1fff_ffffn, SINGLE_UNIT = 0x2000_0000n;

/** Defines the functions of FEAT_BF16. */
export function defineBrainFloat(soft: SoftFloat): void {
  defineRound(soft);
  defineDotAdd(soft.library);
  defineConvert(soft);
  if (soft.alternate) defineMulAdd(soft);
}

/** FPMulAddBF (addend, a, b): that of BFMLALB and BFMLALT on CPUs with FEAT_AFP. */
function defineMulAdd(soft: SoftFloat): void {
  const mulAdd = soft.library.named("FPMulAdd32");
  soft.defineQuiet("FPMulAddBF", ["f32", "f32", "f32"], "f32", (code, c, a, b) => code.result(code.call(mulAdd, c, a, b)));
}

const asSingle = (bits: Value): Value => bits.op("f32.reinterpret_i32", "f32");

/** BFRound: (sum as a double, its error) -> single: to odd, without subnormals. */
function defineRound(soft: SoftFloat): void {
  const c = new Code(soft.library.define("brainRound", ["f64", "f64"], ["f32"]));
  const sum = c.parameter(0), error = c.parameter(1);
  // Infinities and NaNs.
  c.if(sum.sub(sum).ne(0), () => {
    c.return(sum.ne(sum).select(asSingle(soft.defaultNaN(c, SINGLE).wrap()), sum.op("f32.demote_f64", "f32")));
  });
  const bits = c.let(sum.op("i64.reinterpret_f64", "i64"));
  c.if(error.ne(0).and(bits.wrap().and(1).not()), () => {
    c.set(bits, bits.add(error.gt(0).eq(sum.gt(0)).select(constant("i64", 1), -1)));
  });
  const sticky = bits.and(BELOW_SINGLE).nonZero().select(constant("i64", SINGLE_UNIT), 0);
  const odd = c.let(bits.and(~BELOW_SINGLE).or(sticky).op("f64.reinterpret_i64", "f64"));
  c.if(odd.abs().lt(SMALLEST_NORMAL), () => c.return(constant("f64", 0).copysign(odd).op("f32.demote_f64", "f32")));
  c.result(odd.op("f32.demote_f64", "f32"));
}

/** BFDotAdd: (addend, two pairs of BFloat16 numbers) -> addend + a0 * b0 + a1 * b1. */
function defineDotAdd(library: Library): void {
  const round = library.named("brainRound");
  const c = new Code(library.define("brainDotAdd", ["f32", "i32", "i32"], ["f32"]));
  const addend = c.parameter(0), a = c.parameter(1), b = c.parameter(2);
  /** The double of a single, or zero for a subnormal. */
  const widened = (x: Value): Local => {
    const value = c.let(x.op("f64.promote_f32", "f64"));
    c.if(value.abs().lt(SMALLEST_NORMAL), () => c.set(value, constant("f64", 0).copysign(value)));
    return value;
  };
  const low = (pair: Value) => widened(asSingle(pair.shl(16))), high = (pair: Value) => widened(asSingle(pair.and(0xffff_0000 | 0)));
  const product = (x: Value, y: Value) => c.let(c.call(round, x.mul(y), 0).op("f64.promote_f32", "f64"));
  const sum = (x: Local, y: Local): Value => {
    const total = c.let(x.add(y)), second = c.let(total.sub(x));
    return c.call(round, total, x.sub(total.sub(second)).add(y.sub(second)));
  };
  const first = product(low(a), low(b)), other = product(high(a), high(b));
  const products = c.let(sum(first, other).op("f64.promote_f32", "f64"));
  c.result(sum(widened(addend), products));
}

/** FPConvertBF: (bits of a single) -> bits of a BFloat16, rounded as FPCR says. */
function defineConvert(soft: SoftFloat): void {
  soft.defineQuiet("FPConvertBF", ["i32"], "i32", (code, x) => {
    const magnitude = code.let(x.and(~SINGLE_SIGN)), sign = x.shrU(16).and(0x8000);
    code.if(magnitude.gtU(SINGLE_INFINITY), () => {
      code.if(x.and(SINGLE_QUIET).not(), () => soft.raise(code, Fpsr.IOC));
      code.if(soft.fpcr(code).and(Fpcr.DN), () => code.return(soft.defaultNaN(code, SINGLE).wrap().shrU(16)));
      code.return(x.shrU(16).or(SINGLE_QUIET >>> 16));
    });
    const isSubnormal = code.let(magnitude.sub(1).ltU(0x7f_ffff));
    code.if(isSubnormal.and(soft.flushes(code).nonZero()), () => {
      const raise = () => soft.raise(code, Fpsr.IDC);
      // FIZ alone says nothing in FPSR.
      if (soft.alternate) code.if(soft.fpcr(code).and(Fpcr.FZ), raise);
      else raise();
      code.return(sign);
    });
    const rest = code.let(x.and(0xffff)), mode = code.let(soft.roundingMode(code)), isNegative = x.shrU(31);
    code.if(rest.not(), () => code.return(x.shrU(16)));
    const nearest = rest.add(x.shrU(16).and(1)).gtU(0x8000);
    const away = mode.eq(Rounding.PlusInfinity).and(isNegative.not()).or(mode.eq(Rounding.MinusInfinity).and(isNegative));
    const result = code.let(x.shrU(16).add(mode.not().select(nearest, away)));
    const overflow = result.and(0x7fff).eq(SINGLE_INFINITY >>> 16).mul(Fpsr.OFC);
    soft.raise(code, overflow.or(isSubnormal.mul(Fpsr.UFC)).or(Fpsr.IXC));
    code.result(result);
  });
}
