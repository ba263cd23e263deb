// The floating-point formats, FPCR and FPSR fields and rounding modes of the Arm architecture.
// Arm ARM A1.4 (formats), C5.2.8 (FPCR), C5.2.9 (FPSR).

import type { FeatureName } from "../../isa/cpus/features.ts";

/** A binary interchange format. Bit patterns are handled as i64, narrower ones with zeros above. */
export interface Format {
  /** Width in bits. */
  readonly width: 16 | 32 | 64;
  /** Bits of the fraction. */
  readonly fraction: number;
  /** Exponent bias. */
  readonly bias: number;
  /** The exponent field of infinities and NaNs. */
  readonly maximum: number;
}

/** binary16. */
export const HALF: Format = { width: 16, fraction: 10, bias: 15, maximum: 31 };
/** binary32. */
export const SINGLE: Format = { width: 32, fraction: 23, bias: 127, maximum: 255 };
/** binary64. */
export const DOUBLE: Format = { width: 64, fraction: 52, bias: 1023, maximum: 2047 };

export const signBit = (format: Format): bigint => 1n << BigInt(format.width - 1);
/** The bit that makes a NaN quiet. */
export const quietBit = (format: Format): bigint => 1n << BigInt(format.fraction - 1);
/** Positive infinity. */
export const infinity = (format: Format): bigint => BigInt(format.maximum) << BigInt(format.fraction);
/** The default NaN: positive, quiet, no payload. */
export const defaultNaN = (format: Format): bigint => infinity(format) | quietBit(format);

/** Fields of FPCR. */
export const Fpcr = {
  /** Alternative half-precision format: no infinities, no NaNs. */
  AHP: 1 << 26,
  /** Every NaN result is the default NaN. */
  DN: 1 << 25,
  /** Subnormal single and double inputs and results become zero. */
  FZ: 1 << 24,
  RMode: 3 << 22,
  /** Subnormal half-precision operands and results become zero (FEAT_FP16). */
  FZ16: 1 << 19,
  /** Results of scalar instructions leave the other elements of a register (FEAT_AFP). */
  NEP: 1 << 2,
  /** Alternate handling of NaNs, zeros and subnormal numbers (FEAT_AFP). */
  AH: 1 << 1,
  /** Subnormal single and double inputs become zero (FEAT_AFP). */
  FIZ: 1 << 0,
} as const;

/** The lowest bit of FPCR.RMode. */
export const RMODE_SHIFT = 22;

/** Bits of FPCR that a CPU implements (no trapping). */
export const fpcrMask = (features: ReadonlySet<FeatureName>): number =>
  Fpcr.AHP | Fpcr.DN | Fpcr.FZ | Fpcr.RMode | (features.has("FEAT_FP16") ? Fpcr.FZ16 : 0) |
  (features.has("FEAT_AFP") ? Fpcr.NEP | Fpcr.AH | Fpcr.FIZ : 0);

/** Cumulative flags of FPSR. */
export const Fpsr = {
  /** Invalid operation. */
  IOC: 1 << 0,
  /** Division by zero. */
  DZC: 1 << 1,
  /** Overflow. */
  OFC: 1 << 2,
  /** Underflow. */
  UFC: 1 << 3,
  /** Inexact. */
  IXC: 1 << 4,
  /** Input denormal. */
  IDC: 1 << 7,
  /** Integer saturation in AdvSIMD. */
  QC: 1 << 27,
} as const;

/** Bits of FPSR that can be set without AArch32. */
export const FPSR_MASK = Fpsr.IOC | Fpsr.DZC | Fpsr.OFC | Fpsr.UFC | Fpsr.IXC | Fpsr.IDC | Fpsr.QC;

/** Rounding modes: the values of FPCR.RMode, then two that only instructions name. */
export const Rounding = { TieEven: 0, PlusInfinity: 1, MinusInfinity: 2, Zero: 3, TieAway: 4, Odd: 5 } as const;
