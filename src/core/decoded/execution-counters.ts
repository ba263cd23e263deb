// Counters of executed instructions, in a core that counts (`CoreOptions.counts`): two for each
// decoded instruction, and two after the last instruction of a page. The first one counts arrivals:
// how often control reached the instruction from any other than the one before it. The second one
// counts departures: how often control left it for any other than the one after it. An instruction
// is executed as often as the one before it, minus the departures from that one, plus its own
// arrivals; so straight code costs nothing. The departures from a conditional branch are how often
// it was taken.
//
// Counters have 32 bits: they are right modulo 2^32, and are emptied before a count can be higher.

import { DECODED_PAGE_SIZE, DECODED_PAGES } from "../state/layout.ts";
import { Code } from "../wasm/expression.ts";
import type { Callees, Library } from "../wasm/library.ts";
import type { FunctionBuilder } from "../wasm/module.ts";
import { DECODED_SIZE } from "./operands.ts";

/** log2 of how much smaller the counters of an instruction are than its decoded form. */
export const COUNTER_SHIFT = 1;
/** The counters of an instruction. */
const COUNTER_SIZE = DECODED_SIZE >> COUNTER_SHIFT;

/** Decoded pages of a core that counts; the counters use the memory of the other ones. */
export const COUNTED_PAGES = Math.floor(DECODED_PAGES.count * DECODED_SIZE / (DECODED_SIZE + COUNTER_SIZE)) - 1;

/** The distance from the address of a decoded instruction, shifted, to that of its counters. */
export const COUNTERS = DECODED_PAGES.base + COUNTED_PAGES * DECODED_PAGE_SIZE - (DECODED_PAGES.base >> COUNTER_SHIFT);

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
