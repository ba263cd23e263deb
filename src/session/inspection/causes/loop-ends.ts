// The value of a word in memory that ends a loop: by the load, and the branch on what it gives (Arm
// ARM C4.1.93 and C4.1.94).

import type { EndlessLoop, SeenWord } from "../../../cpu/core/interface.ts";
import type { Vcpu } from "../../../machine/hypervisor/inspect.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import type { LoopEnd } from "../../../model/queries/facts/evidence.ts";
import { readWord } from "../readers/guest/read-symbols.ts";
import type { View } from "../readers/inspected.ts";

/** LDR (immediate, unsigned offset), zero-extending; loads that are exclusive, or acquire. */
const LOAD = [0x3fc0_0000, 0x3940_0000] as const, ORDERED_LOAD = [0x3f40_0000, 0x0840_0000] as const;
const COMPARE_ZERO = [0x7e00_0000, 0x3400_0000] as const, TEST_BIT = [0x7e00_0000, 0x3600_0000] as const;
/** CMP of a register with an immediate, and with a register that is not shifted. */
const COMPARE = [0x7fc0_001f, 0x7100_001f] as const, COMPARE_REGISTER = [0x7fe0_fc1f, 0x6b00_001f] as const;
/** B.EQ and B.NE. */
const BRANCH_EQUAL = [0xff00_001e, 0x5400_0000] as const;
const REGISTER = 0x1f, ZERO_OR_SP = 31, RN_SHIFT = 5, RM_SHIFT = 16, IMM12_SHIFT = 10, IMM12 = 0xfff;
/** Bit 24 of CBNZ and TBNZ. */
const NOT_ZERO = 1 << 24;
/** Instructions from the load to the branch at most. */
const NEAR = 8;

const is = (word: number, [mask, value]: readonly [number, number]) => (word & mask) >>> 0 === value;

/** Undefined if the loop does something else with the word. */
export function loopEnd(view: View, vcpu: Vcpu, { first, last }: EndlessLoop, { va, size }: SeenWord): LoopEnd | undefined {
  const count = Number(last - first >> 2n) + 1, wordAt = (index: number) => readWord(view, vcpu, first + BigInt(4 * (index % count))) ?? 0;
  const load = Array.from({ length: count }, (_, index) => index).find((index) => loadedFrom(vcpu, wordAt(index)) === va);
  if (load === undefined) return undefined;
  const register = wordAt(load) & REGISTER;
  let compared: bigint | undefined;
  for (let index = load + 1; index <= load + NEAR; index++) {
    const word = wordAt(index), at = first + BigInt(4 * (index % count));
    const isTaken = (offset: number) => at + BigInt(offset) >= first && at + BigInt(offset) <= last;
    if (compared !== undefined) {
      if (!is(word, BRANCH_EQUAL)) return undefined;
      const staysEqual = ((word & 1) === 0) === isTaken(word << 8 >> 13 << 2);
      return { is: staysEqual ? "not-equal" : "equal", to: hex(compared, 2 * size) };
    }
    if (is(word, COMPARE_ZERO) && (word & REGISTER) === register) {
      const staysZero = ((word & NOT_ZERO) === 0) === isTaken(word << 8 >> 13 << 2);
      return { is: staysZero ? "not-equal" : "equal", to: "0" };
    }
    if (is(word, TEST_BIT) && (word & REGISTER) === register) {
      const staysZero = ((word & NOT_ZERO) === 0) === isTaken(word << 13 >> 18 << 2);
      return { is: "bit", bit: word >>> 31 << 5 | word >>> 19 & REGISTER, value: staysZero ? 1 : 0 };
    }
    compared = comparedWith(vcpu, word, register);
    if (compared === undefined && (word & REGISTER) === register) return undefined;
  }
  return undefined;
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
