// Reads and writes of AdvSIMD operands that the groups of vector instructions share, and small
// vector building blocks.
//
// Q, whether 64 or 128 bits, is an operand of the decoded instruction in most entries, so that one
// handler serves both: results of 64 bits have zeros above. Where an entry has Q in its shape, it
// is a number here.

import type { Builder, Node } from "./builder.ts";

/** Wasm's integer lanes by log2 of their bytes. */
export const LANES = ["i8x16", "i16x8", "i32x4", "i64x2"] as const;
/** Sizes of lanes, log2 of bytes, that encodings have: all, all but 64 bits, 64 bits alone. */
export const ALL = [0, 1, 2, 3], NOT_D = [0, 1, 2], D = [3];
/** Lane access for `readV` and `writeV`. */
export const LANE_LOADS = ["i32.load8_u", "i32.load16_u", "i32.load", "i64.load"] as const;
/** The stores that go with `LANE_LOADS`. */
export const LANE_STORES = ["i32.store8", "i32.store16", "i32.store", "i64.store"] as const;

/** Loads of one lane into all lanes. */
export const SPLAT_LOADS = ["v128.load8_splat", "v128.load16_splat", "v128.load32_splat", "v128.load64_splat"] as const;

/** A pattern with some fixed bits from a table of opcodes; the type names its fields alone. */
export function pattern<const Fields extends string>(text: string): Fields {
  return text as Fields;
}

/** The number as fixed bits. */
export const bits = (value: number, width: number): string => value.toString(2).padStart(width, "0");

/** The doublewords of a vector. */
export const low = ($: Builder, a: Node): Node => $.let($.lane("i64x2.extract_lane", 0, a));
export const high = ($: Builder, a: Node): Node => $.let($.lane("i64x2.extract_lane", 1, a));
/** A vector of two doublewords. */
export const vectorFrom = ($: Builder, first: Node, second: Node): Node =>
  $.lane("i64x2.replace_lane", 1, $.op("i64x2.splat", first), second);

/** 64-bit elements exist in 128-bit vectors only. */
export const needsQ = (f: { readonly Q: number }, size: number): boolean => size === 3 && f.Q === 0;

/** Writes 64 or 128 bits as Q says. */
export function setVector($: Builder, Q: Node | number, Rd: Node, value: Node): void {
  if (Q === 1) return $.setQ(Rd, value);
  const result = $.let(value), low = $.lane("i64x2.extract_lane", 0, result);
  if (Q === 0) return $.setD(Rd, low);
  const high = $.select(Q as Node, $.lane("i64x2.extract_lane", 1, result), 0);
  $.setQ(Rd, $.lane("i64x2.replace_lane", 1, result, high));
}

/**
 * Reads 64 or 128 bits depending on Q, with zeros above: for operations in which an unused lane
 * could set a flag.
 */
export function vectorOf($: Builder, Q: Node | number, Rn: Node): Node {
  if (Q === 1) return $.Q(Rn);
  if (Q === 0) return $.let($.readV("v128.load64_zero", Rn));
  const value = $.Q(Rn);
  return $.let($.lane("i64x2.replace_lane", 1, value, $.select(Q as Node, $.lane("i64x2.extract_lane", 1, value), 0)));
}

/**
 * The low (Q = 0) or high (Q = 1) half of a register in the low half of a vector: sources of
 * widening instructions.
 */
export function halfOf($: Builder, Q: Node, Rn: Node): Node {
  return $.let($.readV("v128.load64_zero", Rn, $.range($.lsl(Q, 3), 0, 8)));
}

/**
 * Writes 64 bits: to the low half with zeros above (Q = 0), or to the high half (Q = 1). Results of
 * narrowing instructions.
 */
export function setHalf($: Builder, Q: Node, Rd: Node, value: Node): void {
  const result = $.let($.lane("i64x2.extract_lane", 0, value)), low = $.Dbits(Rd);
  $.writeV("i64.store", Rd, 0, $.select(Q, low, result));
  $.writeV("i64.store", Rd, 8, $.select(Q, result, $.i64(0)));
}

/** A scalar of 2^size bytes in the lowest lane of a vector, zeros above. */
export function scalarOf($: Builder, size: number, Rn: Node): Node {
  if (size === 3) return $.let($.readV("v128.load64_zero", Rn));
  if (size === 2) return $.let($.readV("v128.load32_zero", Rn));
  return $.let($.lane("i32x4.replace_lane", 0, $.v128(0n, 0n), size === 1 ? $.Hbits(Rn) : $.Bbits(Rn)));
}

/** Writes the lowest lane of a vector as a scalar of 2^size bytes. */
export function setScalar($: Builder, size: number, Rd: Node, value: Node): void {
  if (size === 3) $.setD(Rd, $.lane("i64x2.extract_lane", 0, value));
  else if (size === 2) $.setS(Rd, $.lane("i32x4.extract_lane", 0, value));
  else if (size === 1) $.setH(Rd, $.lane("i16x8.extract_lane_u", 0, value));
  else $.setB(Rd, $.lane("i8x16.extract_lane_u", 0, value));
}

/** A vector with this 64-bit value in both halves. */
export const both = ($: Builder, value: bigint): Node => $.v128(value, value);

/** A 64-bit value with `element` in each lane of 2^size bytes. */
export function replicate(element: bigint, size: number): bigint {
  const width = BigInt(8 << size);
  let value = 0n;
  for (let at = 0n; at < 64n; at += width) value |= BigInt.asUintN(Number(width), element) << at;
  return value;
}

/** Zero in all lanes. */
export const zeros = ($: Builder): Node => $.v128(0n, 0n);

/**
 * Byte lanes of a shuffle that moves lanes of 2^size bytes: `lanes` numbers them, those of the
 * second operand from 16 >> size up.
 */
export function shuffleLanes(size: number, lanes: readonly number[]): number[] {
  const bytes = 1 << size;
  return lanes.flatMap((lane) => Array.from({ length: bytes }, (_, i) => lane * bytes + i));
}

/** Lanes 0, 2, 4, … of a and then of b (UZP1), or 1, 3, 5, … (UZP2), of 128-bit vectors. */
function unzip($: Builder, size: number, a: Node, b: Node, odd: 0 | 1): Node {
  const count = 16 >> size;
  return $.shuffle(shuffleLanes(size, Array.from({ length: count }, (_, i) => 2 * i + odd)), a, b);
}

/**
 * The even and odd lanes of a:b, for pairwise operations; `Q` is a number or a node. With 64 bits
 * the lanes are of the low halves.
 */
export function pairs($: Builder, size: number, Q: Node | number, a: Node, b: Node): [Node, Node] {
  if (Q === 1) return [$.let(unzip($, size, a, b, 0)), $.let(unzip($, size, a, b, 1))];
  const low = Array.from({ length: 16 }, (_, i) => i < 8 ? i : i + 8);
  const joined = $.let($.shuffle(low, a, b));
  if (Q === 0) return [$.let(unzip($, size, joined, joined, 0)), $.let(unzip($, size, joined, joined, 1))];
  const first = $.let($.select(Q as Node, a, joined)), second = $.let($.select(Q as Node, b, joined));
  return [$.let(unzip($, size, first, second, 0)), $.let(unzip($, size, first, second, 1))];
}

/** Widens the low half: lanes of 2^size bytes to twice the width. */
export function extendLow($: Builder, size: number, signed: boolean, a: Node): Node {
  return $.op(`${LANES[size + 1]}.extend_low_${LANES[size]}_${signed ? "s" : "u"}`, a);
}

/** Narrows lanes of 2^(size + 1) bytes to their low halves, in the low 64 bits. */
export function narrow($: Builder, size: number, a: Node): Node {
  return unzip($, size, a, a, 0);
}

/** Products of 8-bit lanes, modulo 256. */
function multiplyBytes($: Builder, a: Node, b: Node): Node {
  const low = $.op("i16x8.extmul_low_i8x16_u", a, b), high = $.op("i16x8.extmul_high_i8x16_u", a, b);
  return unzip($, 0, low, high, 0);
}

/** a * b in each lane of 1, 2 or 4 bytes. */
export const multiply = ($: Builder, size: number, a: Node, b: Node): Node =>
  size === 0 ? multiplyBytes($, a, b) : $.op(`${LANES[size]}.mul`, a, b);

/** Compares lanes; unsigned 64-bit order through the signed one. */
export function compareLanes($: Builder, size: number, condition: "eq" | "gt_s" | "ge_s" | "gt_u" | "ge_u", a: Node, b: Node): Node {
  if (size < 3 || !condition.endsWith("_u")) return $.op(`${LANES[size]}.${condition}`, a, b);
  const flip = both($, 1n << 63n);
  return $.op(`i64x2.${condition.slice(0, 2)}_s`, $.eor(a, flip), $.eor(b, flip));
}

/** BSL: bits of `a` where `mask` is set, of `b` where not. */
export const bitSelect = ($: Builder, mask: Node, a: Node, b: Node): Node => $.op("v128.bitselect", a, b, mask);
