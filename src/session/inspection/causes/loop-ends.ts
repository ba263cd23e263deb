// The value of a word in memory, or of a register of a device or of the CPU, that ends a loop: by
// its read, and the branch on what that gives (Arm ARM C4.1.93 and C4.1.94). Where a loop reads
// neither: the branches that would leave it.

import type { EndlessLoop, SeenWord } from "../../../cpu/core/interface.ts";
import type { Vcpu } from "../../../machine/hypervisor/inspect.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import type { LoopEnd } from "../../../model/queries/facts/loop-end.ts";
import { readInstruction, readWord } from "../readers/guest/read-symbols.ts";
import type { View } from "../readers/inspected.ts";

/** LDR (immediate, unsigned offset), zero-extending; loads that are exclusive, or acquire. */
const LOAD = [0x3fc0_0000, 0x3940_0000] as const, ORDERED_LOAD = [0x3f40_0000, 0x0840_0000] as const;
const COMPARE_ZERO = [0x7e00_0000, 0x3400_0000] as const, TEST_BIT = [0x7e00_0000, 0x3600_0000] as const;
/** CMP of a register with an immediate, and with a register that is not shifted. */
const COMPARE = [0x7fc0_001f, 0x7100_001f] as const, COMPARE_REGISTER = [0x7fe0_fc1f, 0x6b00_001f] as const;
/** AND and ANDS with an immediate. */
const AND = [0x7f80_0000, 0x1200_0000] as const, ANDS = [0x7f80_0000, 0x7200_0000] as const;
/** B.EQ and B.NE. */
const BRANCH_EQUAL = [0xff00_001e, 0x5400_0000] as const;
const REGISTER = 0x1f, ZERO_OR_SP = 31, RN_SHIFT = 5, RM_SHIFT = 16, IMM12_SHIFT = 10, IMM12 = 0xfff;
/** Bit 24 of CBNZ and TBNZ. */
const NOT_ZERO = 1 << 24;
/** Instructions from the load to the branch at most. */
const NEAR = 8;

const is = (word: number, [mask, value]: readonly [number, number]) => (word & mask) >>> 0 === value;

/** Memory or a device's register, by its address, or a system register. */
export type PolledPlace = Pick<SeenWord, "va" | "size"> | { readonly name: string; readonly size: number };

/** Undefined if the loop does something else with the value. */
export function loopEnd(view: View, vcpu: Vcpu, { first, last }: EndlessLoop, place: PolledPlace): LoopEnd | undefined {
  const count = Number(last - first >> 2n) + 1, addressOf = (index: number) => first + BigInt(4 * (index % count));
  const wordAt = (index: number) => readWord(view, vcpu, addressOf(index)) ?? 0;
  const textAt = (index: number) => readInstruction(view, vcpu, addressOf(index)) ?? "";
  const reads = (index: number) =>
    "name" in place ? readsRegister(textAt(index), place.name) : loadedFrom(vcpu, wordAt(index)) === place.va;
  const load = Array.from({ length: count }, (_, index) => index).find(reads);
  if (load === undefined) return undefined;
  let register = wordAt(load) & REGISTER, compared: bigint | undefined, bits: bigint | undefined;
  for (let index = load + 1; index <= load + NEAR; index++) {
    const word = wordAt(index), at = addressOf(index);
    const isTaken = (offset: number) => at + BigInt(offset) >= first && at + BigInt(offset) <= last;
    if (compared !== undefined) {
      if (!is(word, BRANCH_EQUAL)) return undefined;
      const staysEqual = ((word & 1) === 0) === isTaken(word << 8 >> 13 << 2);
      return bits === undefined ? { is: staysEqual ? "not-equal" : "equal", to: hex(compared, 2 * place.size) } : bitsEnd(bits, staysEqual);
    }
    if (is(word, COMPARE_ZERO) && (word & REGISTER) === register) {
      const staysZero = ((word & NOT_ZERO) === 0) === isTaken(word << 8 >> 13 << 2);
      return bits === undefined ? { is: staysZero ? "not-equal" : "equal", to: "0" } : bitsEnd(bits, staysZero);
    }
    if (is(word, TEST_BIT) && (word & REGISTER) === register) {
      const staysZero = ((word & NOT_ZERO) === 0) === isTaken(word << 13 >> 18 << 2);
      return { is: "bit", bit: word >>> 31 << 5 | word >>> 19 & REGISTER, value: staysZero ? 1 : 0 };
    }
    const masked = is(word, AND) || is(word, ANDS) ? maskOf(textAt(index)) : undefined;
    if (masked !== undefined && (word >>> RN_SHIFT & REGISTER) === register && bits === undefined) {
      bits = masked;
      if (is(word, ANDS)) compared = 0n;
      register = word & REGISTER;
      continue;
    }
    compared = bits === undefined ? comparedWith(vcpu, word, register) : undefined;
    if (compared === undefined && (word & REGISTER) === register) return undefined;
  }
  return undefined;
}

/** Of a loop that continues while these bits are all 0, or not. */
function bitsEnd(bits: bigint, staysZero: boolean): LoopEnd {
  const bit = bits.toString(2).length - 1;
  if (bits === 1n << BigInt(bit)) return { is: "bit", bit, value: staysZero ? 1 : 0 };
  return { is: staysZero ? "any-bit" : "no-bit", of: hex(bits) };
}

const readsRegister = (text: string, name: string) => /^mrs x\d+, (\w+)$/.exec(text)?.[1] === name.toLowerCase();

/** The immediate at the end of an instruction. */
function maskOf(text: string): bigint | undefined {
  const [, immediate] = /#(0x[0-9a-f]+|\d+)$/.exec(text) ?? [];
  return immediate === undefined ? undefined : BigInt(immediate);
}

/** The address that a load of one register is from. */
function loadedFrom({ registers }: Vcpu, word: number): bigint | undefined {
  const base = word >>> RN_SHIFT & REGISTER;
  if (base === ZERO_OR_SP) return undefined;
  if (is(word, ORDERED_LOAD)) return registers.getX(base);
  return is(word, LOAD) ? registers.getX(base) + BigInt((word >>> IMM12_SHIFT & IMM12) << (word >>> 30)) : undefined;
}

/** The value with which an instruction compares a register. */
function comparedWith({ registers }: Vcpu, word: number, register: number): bigint | undefined {
  const one = word >>> RN_SHIFT & REGISTER, other = word >>> RM_SHIFT & REGISTER;
  if (is(word, COMPARE) && one === register) return BigInt(word >>> IMM12_SHIFT & IMM12);
  if (!is(word, COMPARE_REGISTER) || one !== register && other !== register) return undefined;
  const against = one === register ? other : one, value = against === ZERO_OR_SP ? 0n : registers.getX(against);
  return BigInt.asUintN(word >>> 31 ? 64 : 32, value);
}

/** A branch that would leave a loop, and the registers that decide, which each turn has again. */
export interface LoopExit {
  readonly at: bigint;
  readonly instruction: string;
  readonly registers: readonly { readonly name: string; readonly value: bigint }[];
}

/** Conditional branches of a loop that go elsewhere, or past its end. */
export function loopExits(view: View, vcpu: Vcpu, { first, last }: EndlessLoop): LoopExit[] {
  const found: LoopExit[] = [];
  let compare = "";
  for (let at = first; at <= last; at += 4n) {
    const instruction = readInstruction(view, vcpu, at) ?? "", [, target] = /(0x[0-9a-f]+)$/.exec(instruction) ?? [];
    if (/^(cmp|cmn|tst|subs|ands|adds) /.test(instruction)) compare = instruction;
    const isFlags = /^b\.\w+ /.test(instruction), isOwn = /^(cbz|cbnz|tbz|tbnz) /.test(instruction);
    if (!isFlags && !isOwn || target === undefined) continue;
    const isIn = (address: bigint) => address >= first && address <= last;
    if (isIn(BigInt(target)) && isIn(at + 4n)) continue;
    const by = isOwn ? instruction : compare;
    if (by === "") continue;
    const names = [...new Set([...by.matchAll(/\b[wx](\d+)\b/g)].map(([, number]) => Number(number)))];
    const registers = names.map((number) => ({ name: `X${number}`, value: vcpu.registers.getX(number) }));
    found.push({ at, instruction: isOwn ? instruction : `${compare}; ${instruction}`, registers });
  }
  return found;
}
