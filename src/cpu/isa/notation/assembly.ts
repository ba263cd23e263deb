// Operands in assembly text, written as `objdump -d -M no-aliases` writes them. Used by the entries
// of the table.

/** General registers; 31 is the zero register. */
export const r = (sf: number, index: number): string => index === 31 ? (sf ? "xzr" : "wzr") : `${sf ? "x" : "w"}${index}`;
/** X0 to X30 or XZR. */
export const x = (index: number): string => r(1, index);
/** W0 to W30 or WZR. */
export const w = (index: number): string => r(0, index);

/** General registers; 31 is the stack pointer. */
export const rsp = (sf: number, index: number): string => index === 31 ? (sf ? "sp" : "wsp") : r(sf, index);
/** X0 to X30 or SP. */
export const xsp = (index: number): string => rsp(1, index);

/** Names of additions and subtractions, by op:S. */
export const ADD_SUB = ["add", "adds", "sub", "subs"] as const;
export const CONDITIONS = ["eq", "ne", "cs", "cc", "mi", "pl", "vs", "vc", "hi", "ls", "ge", "lt", "gt", "le", "al", "nv"] as const;

const SHIFTS = ["lsl", "lsr", "asr", "ror"] as const;
const EXTENDS = ["uxtb", "uxth", "uxtw", "uxtx", "sxtb", "sxth", "sxtw", "sxtx"] as const;

/** ", lsl #4" after a shifted register; nothing for LSL #0. */
export const shiftSuffix = (shift: number, amount: number): string => shift === 0 && amount === 0 ? "" : `, ${SHIFTS[shift]} #${amount}`;

/** "uxtw #2" of an extended register; the amount only where it is not zero. */
export const extend = (option: number, amount: number): string => EXTENDS[option] + (amount ? ` #${amount}` : "");

/** An immediate in hexadecimal, "#0x1f"; 64-bit values as bigint. */
export const hex = (value: number | bigint): string => `#0x${value.toString(16)}`;

/** An immediate in decimal. */
export const decimal = (value: number | bigint): string => `#${value}`;

/** Sign-extends the low `width` bits (up to 31). */
export const signed = (value: number, width: number): number => (value << (32 - width)) >> (32 - width);

/**
 * A branch target as objdump prints it where there are no symbols: the address in hexadecimal,
 * "0x40080000".
 */
export const target = (address: bigint, offset: number): string => `0x${BigInt.asUintN(64, address + BigInt(offset)).toString(16)}`;

/** "[x1]" or "[x1, #8]". */
export const offsetAddress = (base: number, offset: number): string => offset ? `[${xsp(base)}, #${offset}]` : `[${xsp(base)}]`;
