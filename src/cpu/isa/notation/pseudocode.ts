// Functions of the Arm manual's shared pseudocode (Arm ARM J1.1.3) that several instruction groups
// use, against the builder.

import type { Builder, Node } from "./builder.ts";

/** Sets NZCV of `a + b = result` (AddWithCarry without carry in). */
export function setAddFlags($: Builder, a: Node, b: Node, result: Node): void {
  const value = $.let($.signExtend64(result));
  $.setFlags(value, value, $.ltU(result, a), $.signExtend64($.and($.eor(a, result), $.eor(b, result))));
}

/** Sets NZCV of `a - b = result`. */
export function setSubFlags($: Builder, a: Node, b: Node, result: Node): void {
  const value = $.let($.signExtend64(result));
  $.setFlags(value, value, $.geU(a, b), $.signExtend64($.and($.eor(a, b), $.eor(a, result))), [a, b]);
}

/** Sets N and Z of a result, C and V to zero. */
export function setLogicalFlags($: Builder, result: Node): void {
  const value = $.let($.signExtend64(result));
  $.setFlags(value, value, $.i32(0), $.i64(0));
}

/** ShiftReg: LSL, LSR, ASR or ROR by a static amount. */
export function shiftRegister($: Builder, value: Node, shift: number, amount: Node): Node {
  return [$.lsl, $.lsr, $.asr, $.ror][shift](value, amount);
}

/**
 * ExtendReg: the low 8, 16, 32 or 64 bits of an X value, extended to 64 bits and shifted left by a
 * static amount.
 */
export function extendRegister($: Builder, value: Node, option: number, amount: Node | number): Node {
  const extended = [
    () => $.and(value, 0xff),
    () => $.and(value, 0xffff),
    () => $.zeroExtend64($.wrap(value)),
    () => value,
    () => $.signExtend(value, 8),
    () => $.signExtend(value, 16),
    () => $.signExtend(value, 32),
    () => value,
  ][option]();
  return amount === 0 ? extended : $.lsl(extended, amount);
}

/** Bits of the element that DecodeBitMasks repeats; undefined for reserved values. */
export function elementSize(N: number, imms: number, immediate: boolean): number | undefined {
  const length = 31 - Math.clz32(N << 6 | ~imms & 63);
  if (length < 1) return undefined;
  const size = 1 << length;
  return immediate && (imms & (size - 1)) === size - 1 ? undefined : size;
}

/**
 * The immediate and the mask that DecodeBitMasks makes of N:immr:imms, for 64 bits; undefined for
 * reserved values.
 */
export function decodeBitMasks(N: number, immr: number, imms: number, immediate: boolean): { wmask: bigint; tmask: bigint } | undefined {
  const size = elementSize(N, imms, immediate);
  if (size === undefined) return undefined;
  const S = imms & (size - 1), R = immr & (size - 1);
  const ones = (count: number) => (1n << BigInt(count)) - 1n;
  const replicate = (element: bigint) => {
    let value = 0n;
    for (let at = 0; at < 64; at += size) value |= element << BigInt(at);
    return value;
  };
  const element = ones(S + 1);
  const rotated = (element >> BigInt(R) | element << BigInt(size - R)) & ones(size);
  return { wmask: replicate(rotated), tmask: replicate(ones((S - R & (size - 1)) + 1)) };
}
