// Operands of floating-point and AdvSIMD instructions: their assembly text, and reads and writes of
// scalars by format.

import type { Builder, Node } from "./builder.ts";

/** Prefixes of scalar registers by log2 of their bytes. */
export const SCALARS = ["b", "h", "s", "d", "q"] as const;

/** "s1": a scalar register of 2^size bytes. */
export const scalar = (size: number, index: number): string => `${SCALARS[size]}${index}`;

/**
 * Arrangement specifiers, "8b" and so on: elements of 2^size bytes, Q says whether 64 or 128 bits.
 */
export const arrangement = (size: number, Q: number): string => `${(Q ? 16 : 8) >> size}${SCALARS[size]}`;

/** "v1.16b". */
export const vector = (size: number, Q: number, index: number): string => `v${index}.${arrangement(size, Q)}`;

/** "v1.s[2]". */
export const element = (size: number, index: number, lane: number): string => `v${index}.${SCALARS[size]}[${lane}]`;

/** A floating-point immediate as objdump prints it. */
export function floatImmediate(value: number): string {
  const [digits, exponent] = value.toExponential(18).split("e");
  const magnitude = exponent.slice(1).padStart(2, "0");
  return `#${digits}e${exponent[0]}${magnitude}`;
}

/** VFPExpandImm: the number that an 8-bit immediate stands for. */
export function expandFloat(imm8: number): number {
  const exponent = (imm8 >> 4 & 7 ^ 4) - 3;
  return (imm8 & 0x80 ? -1 : 1) * (1 + (imm8 & 15) / 16) * 2 ** exponent;
}

export const doubleBits = (value: number): bigint => new BigUint64Array(new Float64Array([value]).buffer)[0];

export const singleBits = (value: number): number => new Uint32Array(new Float32Array([value]).buffer)[0];

/** A format of numbers. */
interface ScalarFormat {
  /** Width, which ends the names of the library's functions. */
  readonly width: 16 | 32 | 64;
  /** Wasm's type; half precision is bits, with zeros above. */
  readonly type: "i32" | "f32" | "f64";
  /** The sign bit. */
  readonly sign: bigint;
}

/** Single and double precision, as `ftype` 0 and 1, or `sz`, choose them. */
export interface FloatFormat extends ScalarFormat {
  readonly width: 32 | 64;
  readonly type: "f32" | "f64";
  /** Wasm's lanes of a vector. */
  readonly lanes: "f32x4" | "f64x2";
  /** The smallest normal number. */
  readonly smallestNormal: number;
  /** log2 of the bytes. */
  readonly size: 2 | 3;
}

/** By `ftype` or `sz`. */
export const FLOATS: readonly [FloatFormat, FloatFormat] = [
  { width: 32, type: "f32", lanes: "f32x4", sign: 1n << 31n, smallestNormal: 2 ** -126, size: 2 },
  { width: 64, type: "f64", lanes: "f64x2", sign: 1n << 63n, smallestNormal: 2 ** -1022, size: 3 },
];

/** Half precision, `ftype` 3 (FEAT_FP16). */
export const HALF: ScalarFormat = { width: 16, type: "i32", sign: 1n << 15n };

/** The format that a field `ftype` names. */
export const formatOf = (ftype: number): ScalarFormat => ftype === 3 ? HALF : FLOATS[ftype];

/** Reads H, S or D as a number. */
export function readFloat($: Builder, format: ScalarFormat, index: Node): Node {
  if (format.width === 16) return $.Hbits(index);
  return format.width === 64 ? $.D(index) : $.S(index);
}

/** Writes H, S or D, as a float or an integer of its bits. */
export function writeFloat($: Builder, format: ScalarFormat, index: Node, value: Node): void {
  if (format.width === 64) $.setD(index, value);
  else if (format.width === 32) $.setS(index, value);
  else $.setH(index, value);
}

/** Reads H, S or D as an integer. */
export function readBits($: Builder, format: ScalarFormat, index: Node): Node {
  if (format.width === 16) return $.Hbits(index);
  return format.width === 64 ? $.Dbits(index) : $.Sbits(index);
}

export function floatZero($: Builder, { type }: ScalarFormat): Node {
  return type === "i32" ? $.i32(0) : type === "f64" ? $.f64(0) : $.f32(0);
}

/** The number negated, NaNs included: only the sign changes. */
export function negate($: Builder, value: Node): Node {
  return value.type === "i32" ? $.eor(value, Number(HALF.sign)) : $.op(`${value.type}.neg`, value);
}

/** The bits of a half that an 8-bit immediate can stand for. */
export function halfBits(value: number): number {
  const bits = singleBits(value);
  return bits >>> 16 & 0x8000 | ((bits >>> 23 & 255) - 127 + 15) << 10 | bits >>> 13 & 0x3ff;
}
