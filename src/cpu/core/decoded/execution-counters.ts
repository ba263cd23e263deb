// Counters of executed instructions, in a core that counts (`CoreOptions.counts`): two for each
// decoded instruction, and two after the last instruction of a page. The first one counts arrivals:
// how often control reached the instruction from any other than the one before it. The second one
// counts departures: how often control left it for any other than the one after it. An instruction
// is executed as often as the one before it, minus the departures from that one, plus its own
// arrivals; so straight code costs nothing. The departures from a conditional branch are how often
// it was taken.
//
// Counts that follow from others are left out. Where a direct branch leads to an instruction of its
// page, its departures are arrivals there. An instruction after which control never goes to the
// next one departs as often as it is executed; its departures are counted only if it branches
// backward, as counts could not be found along a loop otherwise. For calls both are counted: those
// that return are not.
//
// So counts depend on the words of branches. The word of each decoded instruction is kept with its
// counters, which are emptied before another one is decoded.
//
// Counters have 32 bits: they are right modulo 2^32, and are emptied before a count can be higher.

import { Pstate } from "../architecture/exceptions.ts";
import { CPU } from "../state/cpu-state.ts";
import { define } from "../state/functions.ts";
import { DECODED_PAGE_SIZE, DECODED_PAGES, INSTRUCTIONS_SHIFT } from "../state/layout.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import { Code } from "../wasm/expression.ts";
import type { Callees, Library } from "../wasm/library.ts";
import type { FunctionBuilder } from "../wasm/module.ts";
import { DECODED_SIZE } from "./operands.ts";

/** log2 of how much smaller the counters of an instruction are than its decoded form. */
export const COUNTER_SHIFT = 1;
/** The counters of an instruction. */
const COUNTER_SIZE = DECODED_SIZE >> COUNTER_SHIFT;

/** log2 of how much smaller the word of an instruction is than its decoded form. */
export const COUNTED_WORD_SHIFT = 2;

/** How a decoded page was entered: where its counts belong. */
export const CountedEntry = {
  /** The virtual page. i64. */
  Page: 0,
  /** `CPU.STAGE2_ID` and 1; 0: not yet. i32. */
  Tables: 8,
  Size: 16,
} as const;

/** Bytes of a decoded page with its counters and words. */
const COUNTED_SIZE = DECODED_PAGE_SIZE + (DECODED_PAGE_SIZE >> COUNTER_SHIFT) + (DECODED_PAGE_SIZE >> COUNTED_WORD_SHIFT);

/** Decoded pages of a core that counts; all that is counted uses the memory of the other ones. */
export const COUNTED_PAGES = Math.floor(DECODED_PAGES.count * DECODED_PAGE_SIZE / (COUNTED_SIZE + CountedEntry.Size));

/** `CountedEntry` of each decoded page. */
export const COUNTED_ENTRIES = DECODED_PAGES.base + COUNTED_PAGES * COUNTED_SIZE;

/** The distance from the address of a decoded instruction, shifted, to that of its counters. */
export const COUNTERS = DECODED_PAGES.base + COUNTED_PAGES * DECODED_PAGE_SIZE - (DECODED_PAGES.base >> COUNTER_SHIFT);

/**
 * The same for its word, with all bits inverted: 0 where nothing was decoded, as none of a program
 * has all bits set.
 */
export const COUNTED_WORDS = DECODED_PAGES.base + COUNTED_PAGES * (DECODED_PAGE_SIZE + (DECODED_PAGE_SIZE >> COUNTER_SHIFT)) -
  (DECODED_PAGES.base >> COUNTED_WORD_SHIFT);

/** Changes of the counters of an instruction: which of them, and by how much. */
const MOVES = {
  /** Control comes to it from elsewhere. */
  arrive: { offset: 0, change: 1 },
  /** Control has come to it, and leaves before it is executed. */
  turnBack: { offset: 0, change: -1 },
  /** It is executed, and control goes elsewhere. */
  depart: { offset: 4, change: 1 },
  /** `depart` was wrong. */
  remain: { offset: 4, change: -1 },
} as const;

export type Move = keyof typeof MOVES;

/** Whether a core counts. */
export const countsInstructions = (library: Callees): boolean => library.has("depart");

/** Makes a core count: the parts that are defined after this do. */
export function defineExecutionCounters(library: Library): void {
  {
    const c = new Code(define(library, "isCountedEntry"));
    const [va, page] = [c.parameter(0), c.parameter(1)];
    const entry = c.let(page.sub(DECODED_PAGES.base).divU(DECODED_PAGE_SIZE).mul(CountedEntry.Size).add(COUNTED_ENTRIES));
    const inVm = c.load("i32.load", entry, CountedEntry.Tables).eq(c.load("i32.load", CPU.STAGE2_ID).add(1));
    const isHere = c.load("i64.load", entry, CountedEntry.Page).eq(va.and(-PAGE_SIZE));
    c.result(inVm.and(isHere.or(c.load("i32.load", CPU.PSTATE).and(Pstate.ElMask).not())));
  }
  for (const [name, { offset, change }] of Object.entries(MOVES)) {
    const c = new Code(library.define(name, ["i32"], []));
    const at = c.let(c.parameter(0).shrU(COUNTER_SHIFT));
    c.store("i32.store", at, c.load("i32.load", at, COUNTERS + offset).add(change), COUNTERS + offset);
  }
}

/** Appends a call for the decoded instruction whose address is on the stack. */
export function callMove(f: FunctionBuilder, library: Callees, move: Move): void {
  f.call(library.named(move));
}

/**
 * Appends the same without a call. `push` puts the address of a decoded instruction, shifted, on
 * the stack; the counters are those of one that is `distance` instructions after it.
 */
export function emitMove(f: FunctionBuilder, move: Move, push: () => void, distance = 0): void {
  const { offset, change } = MOVES[move], at = COUNTERS + distance * COUNTER_SIZE + offset;
  push();
  push();
  f.memory("i32.load", at).i32(change).op("i32.add").memory("i32.store", at);
}

/** B. Arm ARM C4.1.93.11. */
const isBranch = (word: number): boolean => word >>> 26 === 0x05;

/** BR and RET, with and without authentication. */
const isIndirect = (word: number): boolean => (word & 0xfea0_0000) >>> 0 === 0xd600_0000;

/** Whether control never goes from an instruction to the next one, unless as its target. */
export const departsAlways = (word: number): boolean => isBranch(word) || isIndirect(word);

/** B.cond and BC.cond; CBZ, CBNZ, TBZ and TBNZ. Arm ARM C4.1.66. */
export const isConditional = (word: number): boolean => word >>> 24 === 0x54 || (word & 0x7c00_0000) === 0x3400_0000;

/** TBZ and TBNZ. */
const testsBit = (word: number): boolean => (word & 0x7e00_0000) === 0x3600_0000;

/** How far a direct branch leads that is not a call, in instructions; undefined for all others. */
export function branchDistance(word: number): number | undefined {
  if (isBranch(word)) return word << 6 >> 6;
  if (!isConditional(word)) return undefined;
  return testsBit(word) ? word << 13 >> 18 : word << 8 >> 13;
}

/**
 * The instruction that an instruction with this index branches to, if its arrivals from there are
 * not counted.
 */
export function impliedTarget(word: number, index: number): number | undefined {
  const distance = branchDistance(word);
  if (distance === undefined) return undefined;
  const target = index + distance;
  return target >> INSTRUCTIONS_SHIFT === index >> INSTRUCTIONS_SHIFT ? target : undefined;
}

/** Whether the branch of an instruction to its implied target is counted as a departure. */
export const countsBranch = (word: number, index: number, target: number): boolean => !isBranch(word) || target <= index;
