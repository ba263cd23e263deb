// A slow and simple reference for floating-point arithmetic: exact rationals of bigints, rounded by
// the definition in IEEE 754-2008, 4.3.

import type { Format } from "../../../../src/cpu/core/fp/formats.ts";
import { Fpsr, Rounding } from "../../../../src/cpu/core/fp/formats.ts";

/** A rational number; the denominator is positive. */
export interface Rational {
  readonly n: bigint;
  readonly d: bigint;
}

/** The value of finite bits. */
export function rational(format: Format, bits: bigint): Rational {
  const fraction = bits & ((1n << BigInt(format.fraction)) - 1n);
  const exponent = Number((bits >> BigInt(format.fraction)) & BigInt(format.maximum));
  const significand = exponent ? fraction | (1n << BigInt(format.fraction)) : fraction;
  const power = BigInt((exponent || 1) - format.bias - format.fraction);
  const n = bits >> BigInt(format.width - 1) ? -significand : significand;
  return power >= 0n ? { n: n << power, d: 1n } : { n, d: 1n << -power };
}

export const add = (a: Rational, b: Rational): Rational => ({ n: a.n * b.d + b.n * a.d, d: a.d * b.d });
export const multiply = (a: Rational, b: Rational): Rational => ({ n: a.n * b.n, d: a.d * b.d });
export const divide = (a: Rational, b: Rational): Rational => b.n < 0n ? { n: -a.n * b.d, d: -a.d * b.n } : { n: a.n * b.d, d: a.d * b.n };

/**
 * The number in the format, and the flags of FPSR that rounding sets. Not for zero, whose sign
 * depends on the operation.
 */
export function round(format: Format, value: Rational, mode: number): { bits: bigint; flags: number } {
  const negative = value.n < 0n;
  let n = negative ? -value.n : value.n, d = value.d;
  // The exponent of the leading digit, then the power of the last place.
  let exponent = n.toString(2).length - d.toString(2).length;
  if (exponent >= 0 ? n < d << BigInt(exponent) : n << BigInt(-exponent) < d) exponent--;
  const tiny = exponent < 1 - format.bias;
  const last = Math.max(exponent, 1 - format.bias) - format.fraction;
  if (last >= 0) d <<= BigInt(last);
  else n <<= BigInt(-last);
  let significand = n / d;
  const rest = n % d;
  const up = [
    2n * rest > d || 2n * rest === d && (significand & 1n) === 1n,
    rest !== 0n && !negative,
    rest !== 0n && negative,
    false,
    2n * rest >= d,
    rest !== 0n && (significand & 1n) === 0n,
  ][mode];
  if (up) significand++;
  let flags = rest ? Fpsr.IXC : 0;
  if (rest && tiny) flags |= Fpsr.UFC;
  let field = last + format.fraction + format.bias;
  if (significand >> BigInt(format.fraction + 1)) {
    significand >>= 1n;
    field++;
  }
  const sign = negative ? 1n << BigInt(format.width - 1) : 0n;
  if (field >= format.maximum) {
    const infinity = BigInt(format.maximum) << BigInt(format.fraction);
    const toInfinity = mode === Rounding.TieEven || mode === Rounding.TieAway || mode === Rounding.PlusInfinity && !negative ||
      mode === Rounding.MinusInfinity && negative;
    return { bits: sign | (toInfinity ? infinity : infinity - 1n), flags: Fpsr.OFC | Fpsr.IXC };
  }
  const hidden = 1n << BigInt(format.fraction);
  const packed = significand & hidden ? (BigInt(field) << BigInt(format.fraction)) | (significand & (hidden - 1n)) : significand;
  return { bits: sign | packed, flags };
}
