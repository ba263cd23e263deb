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

/** Fields of FPCR (FEAT_AFP). */
const FPCR_AH_SHIFT = 1, FPCR_NEP = 1 << 2;

/** Wasm's lanes of a vector for a result of each type; half precision is an i32. */
const LANES = { i32: "i32x4", i64: "i64x2", f32: "f32x4", f64: "f64x2" } as const;

/**
 * Writes H, S or D, as a float or an integer of its bits.
 * @param others the register that FPCR.NEP takes the other elements from (Arm ARM C7.1.2); none if
 * it never does
 */
export function writeFloat($: Builder, format: ScalarFormat, index: Node, value: Node, others?: Node): void {
  const plain = (result: Node) => {
    if (format.width === 64) $.setD(index, result);
    else if (format.width === 32) $.setS(index, result);
    else $.setH(index, result);
  };
  if (!$.alternate || !others) return plain(value);
  const result = $.let(value), lanes = format.width === 16 ? "i16x8" : LANES[result.type as keyof typeof LANES];
  $.if(
    $.and($.state("FPCR"), FPCR_NEP),
    () => $.setQ(index, $.lane(`${lanes}.replace_lane`, 0, $.Q(others), result)),
    () => plain(result),
  );
}

/** Reads H, S or D as an integer. */
export function readBits($: Builder, format: ScalarFormat, index: Node): Node {
  if (format.width === 16) return $.Hbits(index);
  return format.width === 64 ? $.Dbits(index) : $.Sbits(index);
}

export function floatZero($: Builder, { type }: ScalarFormat): Node {
  return type === "i32" ? $.i32(0) : type === "f64" ? $.f64(0) : $.f32(0);
}

/** FPNeg: only the sign changes, that of a NaN unless FPCR.AH is set. */
export function negate($: Builder, value: Node): Node {
  const x = $.alternate ? $.let(value) : value;
  return unlessNaN($, x, x.type === "i32" ? $.eor(x, Number(HALF.sign)) : $.op(`${x.type}.neg`, x));
}

/** FPAbs, in the same way. */
export function absolute($: Builder, value: Node): Node {
  const x = $.alternate ? $.let(value) : value;
  return unlessNaN($, x, x.type === "i32" ? $.and(x, Number(HALF.sign) - 1) : $.op(`${x.type}.abs`, x));
}

/** `changed`, or with FPCR.AH a NaN as it was; half precision is an i32. */
function unlessNaN($: Builder, value: Node, changed: Node): Node {
  if (!$.alternate) return changed;
  const isNaN = value.type === "i32" ? $.gtU($.and(value, Number(HALF.sign) - 1), 0x7c00) : $.op(`${value.type}.ne`, value, value);
  return $.let($.select($.and(isNaN, $.lsr($.state("FPCR"), FPCR_AH_SHIFT)), value, changed));
}

/** The same of vectors: `changed`, or with FPCR.AH the lanes that are NaNs as they were. */
export function unlessNaNs($: Builder, lanes: "i16x8" | "f32x4" | "f64x2", value: Node, changed: Node): Node {
  if (!$.alternate) return changed;
  const enabled = $.op("i32x4.splat", $.neg($.and($.lsr($.state("FPCR"), FPCR_AH_SHIFT), 1)));
  const splat = (half: number) => $.op("i16x8.splat", $.i32(half));
  const isNaN = lanes === "i16x8" ? $.op("i16x8.gt_u", $.and(value, splat(0x7fff)), splat(0x7c00)) : $.op(`${lanes}.ne`, value, value);
  return $.let($.op("v128.bitselect", value, changed, $.and(isNaN, enabled)));
}

/** The bits of a half that an 8-bit immediate can stand for. */
export function halfBits(value: number): number {
  const bits = singleBits(value);
  return bits >>> 16 & 0x8000 | ((bits >>> 23 & 255) - 127 + 15) << 10 | bits >>> 13 & 0x3ff;
}
