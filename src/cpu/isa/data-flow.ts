// The way of a value through one instruction: to memory by a store, from memory by a load, from one
// register to another. Taken from the assembly text, which the table declares for every word. An
// instruction that computes a value has none.

import { disassemble } from "./disassemble.ts";

/** A general register: 0..30, `sp` or `zr`. */
export type GeneralRegister = number | "sp" | "zr";

/** The address of an access, from the registers before the instruction. */
interface AddressOperand {
  /** Without it, `offset` is the address. */
  readonly base?: GeneralRegister;
  readonly offset: bigint;
  /** A register that is added: its lowest bits, as signed or not, shifted to the left. */
  readonly index?: { readonly register: GeneralRegister; readonly bits: 32 | 64; readonly signed: boolean; readonly shift: bigint };
}

/** An access of general registers: the bytes of the first are at the address, others follow. */
interface RegisterAccess {
  readonly kind: "load" | "store";
  readonly registers: readonly GeneralRegister[];
  /** Of each register. */
  readonly bytes: number;
  readonly address: AddressOperand;
}

type DataFlow = RegisterAccess | { readonly kind: "move"; readonly to: GeneralRegister; readonly from: GeneralRegister };

const LOADS = /^ld(u?r|tr|ar|lar|apr|apur|xr|axr|p|np|psw|xp|axp)(s?[bhw])?$/;
const STORES = /^st(u?r|tr|lr|llr|lur|xr|lxr|p|np|xp|lxp)([bh])?$/;
/** Their first register receives the status. */
const EXCLUSIVE_STORES = /^st(l?xr[bh]?|l?xp)$/;
const NARROW: Readonly<Record<string, number>> = { b: 1, h: 2, w: 4 };
/** The last register in brackets, a shift or extension, and an immediate before or after. */
const MEMORY = /^\[(\w+)(?:, #(-?\w+)|, (\w+)(?:, (lsl|[su]xt[wx])(?: #(\d+))?)?)?\]/;
const REGISTER = /^([wx])(\d+|zr)$|^w?sp$/;

function registerOf(text: string): GeneralRegister | undefined {
  const found = REGISTER.exec(text);
  if (!found) return undefined;
  return found[2] === undefined ? "sp" : found[2] === "zr" ? "zr" : Number(found[2]);
}

/** The way of a value through the instruction at an address; undefined: it moves none. */
export function dataFlow(word: number, pc: bigint): DataFlow | undefined {
  const [mnemonic, operands = ""] = disassemble(word, pc).split("\t");
  const isLoad = LOADS.test(mnemonic);
  return isLoad || STORES.test(mnemonic) ? accessOf(mnemonic, operands, isLoad) : moveOf(mnemonic, operands.split(", "));
}

function accessOf(mnemonic: string, operands: string, isLoad: boolean): RegisterAccess | undefined {
  const bracket = operands.indexOf("["), isLiteral = bracket < 0;
  const names = (isLiteral ? operands : operands.slice(0, bracket)).split(", ").filter((name) => REGISTER.test(name));
  if (EXCLUSIVE_STORES.test(mnemonic)) names.shift();
  const registers = names.map(registerOf).filter((register) => register !== undefined);
  const address = isLiteral ? { offset: BigInt(operands.split(", ")[1] ?? 0) } : addressOf(operands.slice(bracket));
  // `REGISTER` has no names of vector registers.
  if (registers.length === 0 || !address) return undefined;
  const narrow = NARROW[(isLoad ? LOADS : STORES).exec(mnemonic)?.[2]?.at(-1) ?? (mnemonic === "ldpsw" ? "w" : "")];
  return { kind: isLoad ? "load" : "store", registers, bytes: narrow ?? (names[0].startsWith("w") ? 4 : 8), address };
}

function addressOf(text: string): AddressOperand | undefined {
  const [, base, immediate, index, extension, amount] = MEMORY.exec(text) ?? [];
  const register = base === undefined ? undefined : registerOf(base);
  if (register === undefined) return undefined;
  if (index === undefined) return { base: register, offset: immediateOf(immediate) };
  const added = registerOf(index);
  if (added === undefined) return undefined;
  const bits = index.startsWith("w") ? 32 : 64, signed = extension?.startsWith("s") ?? false;
  return { base: register, offset: 0n, index: { register: added, bits, signed, shift: BigInt(amount ?? 0) } };
}

const immediateOf = (text = "0") => text.startsWith("-") ? -BigInt(text.slice(1)) : BigInt(text);

/** ORR with the zero register, ADD of 0, and SBFM and UBFM of the lowest bits. */
function moveOf(mnemonic: string, [to, first, second, last]: readonly string[]): DataFlow | undefined {
  const target = registerOf(to), from = registerOf(first ?? ""), other = registerOf(second ?? "");
  if (target === undefined || from === undefined) return undefined;
  if (mnemonic === "orr" && from === "zr" && other !== undefined && last === undefined) return { kind: "move", to: target, from: other };
  const isWhole = mnemonic === "add" && second === "#0x0" || (mnemonic === "sbfm" || mnemonic === "ubfm") && second === "#0";
  return isWhole ? { kind: "move", to: target, from } : undefined;
}

/** The address of an operand; `read` gives the values of registers. */
export function addressBy({ base, offset, index }: AddressOperand, read: (register: GeneralRegister) => bigint): bigint {
  const first = base === undefined ? 0n : read(base);
  if (!index) return BigInt.asUintN(64, first + offset);
  const bits = read(index.register), added = index.signed ? BigInt.asIntN(index.bits, bits) : BigInt.asUintN(index.bits, bits);
  return BigInt.asUintN(64, first + (added << index.shift));
}
