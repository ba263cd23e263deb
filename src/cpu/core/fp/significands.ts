// Parts of floating-point numbers as integers: predicates on bit patterns, significands and their
// shifts. Soft-float.ts says how a number is held.

import { type Code, constant, type Local, type Value } from "../wasm/expression.ts";
import { type Format, infinity, quietBit, signBit } from "./formats.ts";

/** 1 when these bits are a NaN. */
export function isNaN(format: Format, x: Value): Value {
  return x.and(signBit(format) - 1n).gtU(infinity(format));
}

/** 1 when these bits are a signaling NaN. */
export function isSignalling(format: Format, x: Value): Value {
  return isNaN(format, x).and(x.and(quietBit(format)).not());
}

/** 1 when these bits are a subnormal number. */
export function isSubnormal(format: Format, x: Value): Value {
  return x.and(signBit(format) - 1n).sub(1).ltU((1n << BigInt(format.fraction)) - 1n);
}

/** 1 when these bits are an infinity. */
export function isInfinite(format: Format, x: Value): Value {
  return x.and(signBit(format) - 1n).eq(infinity(format));
}

/** 1 when these bits are a zero. */
export function isZero(format: Format, x: Value): Value {
  return x.and(signBit(format) - 1n).not();
}

/** The parts of a number that is neither zero nor infinite nor a NaN; `sign` is 0 or 1. */
export function unpack(code: Code, format: Format, x: Value): { sign: Local; exponent: Local; significand: Local } {
  const { width, fraction, bias, maximum } = format;
  const sign = code.let(x.shrU(width - 1).and(1).wrap());
  const field = x.shrU(fraction).wrap().and(maximum);
  const significand = code.let(x.and((1n << BigInt(fraction)) - 1n));
  const exponent = code.let(field);
  code.if(exponent, () => {
    code.set(significand, significand.or(1n << BigInt(fraction)).shl(62 - fraction));
    code.set(exponent, exponent.sub(bias));
  }, () => {
    const shift = code.let(significand.clz().sub(1));
    code.set(significand, significand.shl(shift));
    code.set(exponent, constant("i32", 63 - bias - fraction).sub(shift.wrap()));
  });
  return { sign, exponent, significand };
}

/** Brings the highest set bit of a significand (not zero) to bit 62. */
export function normalize(code: Code, significand: Local, exponent: Local): void {
  code.if(significand.ltS(0), () => {
    code.set(significand, significand.shrU(1).or(significand.and(1)));
    code.set(exponent, exponent.add(1));
  }, () => {
    const shift = code.let(significand.clz().sub(1));
    code.set(significand, significand.shl(shift));
    code.set(exponent, exponent.sub(shift.wrap()));
  });
}

/**
 * `x` (below 2^63, not zero) shifted right by an i32 of 0 or more; bits that fall out stay in bit
 * 0.
 */
export function shiftRightSticky(code: Code, x: Value, count: Value): Value {
  const distance = code.let(count), value = code.let(x);
  const by = code.let(distance.wide());
  const lost = value.and(constant("i64", 1).shl(by).sub(1)).nonZero().wide();
  return distance.gtU(62).select(constant("i64", 1), value.shrU(by).or(lost));
}

/** The same for 128 bits, in place. */
export function shiftRightSticky128(code: Code, high: Local, low: Local, count: Value): void {
  const distance = code.let(count);
  code.if(distance.gtU(126), () => {
    code.set(high, 0);
    code.set(low, 1);
  }, () => {
    const lost = code.let(constant("i64", 0));
    code.if(distance.geU(64), () => {
      code.set(lost, low);
      code.set(low, high);
      code.set(high, 0);
      code.set(distance, distance.sub(64));
    });
    code.if(distance, () => {
      const by = code.let(distance.wide()), rest = code.let(constant("i64", 64).sub(by));
      code.set(lost, lost.or(low.shl(rest)));
      code.set(low, low.shrU(by).or(high.shl(rest)));
      code.set(high, high.shrU(by));
    });
    code.set(low, low.or(lost.nonZero().wide()));
  });
}

/** The 128-bit product of two unsigned 64-bit numbers. */
export function multiply128(code: Code, a: Value, b: Value): { high: Local; low: Local } {
  const x = code.let(a), y = code.let(b);
  const x0 = code.let(x.and(0xffffffff)), x1 = code.let(x.shrU(32));
  const y0 = code.let(y.and(0xffffffff)), y1 = code.let(y.shrU(32));
  const cross = code.let(x1.mul(y0).add(x0.mul(y0).shrU(32)));
  const middle = code.let(x0.mul(y1).add(cross.and(0xffffffff)));
  const high = code.let(x1.mul(y1).add(cross.shrU(32)).add(middle.shrU(32)));
  return { high, low: code.let(x.mul(y)) };
}

/** A number of 128 bits: high:low / 2^126 * 2^exponent. */
interface Wide {
  readonly high: Local;
  readonly low: Local;
  readonly exponent: Local;
}

/**
 * Adds an addend, or subtracts it if the signs are opposite.
 * @param cancelled emits what happens if nothing is left
 */
export function addWide(
  code: Code,
  { high, low, exponent, sign }: Wide & { readonly sign: Local },
  addend: { readonly high: Local; readonly low: Local; readonly exponent: Value },
  opposite: Local,
  cancelled: () => void,
): void {
  const distance = code.let(exponent.sub(addend.exponent));
  code.if(distance.ltS(0), () => {
    shiftRightSticky128(code, high, low, constant("i32", 0).sub(distance));
    code.set(exponent, addend.exponent);
  }, () => shiftRightSticky128(code, addend.high, addend.low, distance));
  code.if(opposite, () => {
    // The larger minus the smaller, with the sign of the larger.
    code.if(high.ltU(addend.high).or(high.eq(addend.high).and(low.ltU(addend.low))), () => {
      code.set(sign, sign.xor(1));
      for (const [p, q] of [[high, addend.high], [low, addend.low]]) {
        const swap = code.let(p);
        code.set(p, q);
        code.set(q, swap);
      }
    });
    code.set(high, high.sub(addend.high).sub(low.ltU(addend.low).wide()));
    code.set(low, low.sub(addend.low));
    code.if(high.or(low).not(), () => cancelled());
  }, () => {
    code.set(low, low.add(addend.low));
    code.set(high, high.add(addend.high).add(low.ltU(addend.low).wide()));
  });
}

/** Moves the highest bit to 62, where a significand has it before it is rounded. */
export function normalizeWide(code: Code, { high, low, exponent }: Wide): void {
  code.if(high.not(), () => {
    // 63, so that the highest bit is not a sign yet.
    code.set(high, low.shrU(1));
    code.set(low, low.shl(63));
    code.set(exponent, exponent.sub(63));
    code.if(high.not(), () => {
      code.set(high, low.shrU(1));
      code.set(low, 0);
      code.set(exponent, exponent.sub(63));
    });
  });
  code.if(high.ltS(0), () => {
    code.set(high, high.shrU(1).or(high.and(1)));
    code.set(exponent, exponent.add(1));
  }, () => {
    const shift = code.let(high.clz().wrap().sub(1));
    code.if(shift, () => {
      code.set(high, high.shl(shift.wide()).or(low.shrU(constant("i64", 64).sub(shift.wide()))));
      code.set(low, low.shl(shift.wide()));
      code.set(exponent, exponent.sub(shift));
    });
  });
}
