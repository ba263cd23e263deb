// The outlook of a vCPU if nothing else changes: its code is evaluated on a copy of its state.
// A state that comes back exactly is a loop without progress; the memory that it reads says who
// could end it.

import type { Mark, SeenWord } from "./copied-state.ts";
import { type Evaluation, type KnownRegister, Stretch } from "./evaluation.ts";
import { Pstate } from "../architecture/exceptions.ts";
import { Departs, type Departure } from "./instruction-values.ts";

/** A loop whose every turn leaves the state as it was. */
export interface EndlessLoop {
  readonly kind: "loops";
  /** Instructions of a turn, and the lowest and the highest address of one. */
  readonly length: number;
  readonly first: bigint;
  readonly last: bigint;
  /**
   * Memory that it reads and does not write itself, or exchanges for what it has: a lock that is
   * taken.
   */
  readonly inputs: readonly SeenWord[];
  /** It executes WFE or YIELD; WFI that returns at once. */
  readonly yields: boolean;
  readonly sleeps: boolean;
  /** Calls and loads of device registers that a turn makes, which all answer as they do now. */
  readonly calls: number;
  /** Registers of devices and system registers that it reads. */
  readonly registers: readonly KnownRegister[];
  /** An interrupt could end it: it may be taken, or the loop polls for it. */
  readonly open: boolean;
  /** Exceptions that a turn takes to EL1; the syndrome, address and level of the last. */
  readonly exceptions: number;
  readonly el: 0 | 1;
  readonly esr: number;
  readonly elr: bigint;
  /** FAR_EL1. */
  readonly far: bigint;
}

export type Outlook =
  | EndlessLoop
  /** Its state still changes after the last instruction that was evaluated. */
  | { readonly kind: "works" }
  | {
    readonly kind: "leaves";
    readonly how: Departure;
    readonly pc: bigint;
    /** Memory that it has read since the last change of direction. */
    readonly inputs: readonly SeenWord[];
  };

/** Follows the code from the state of an evaluation, for as many instructions as it may take. */
export function outlookOf(evaluation: Evaluation): Outlook {
  const { state, prospect: { limit } } = evaluation, begin = state.mark();
  let mark = begin, next = 1;
  try {
    for (let count = 1; count <= limit; count++) {
      evaluation.step();
      if (state.isAt(mark)) return mark === begin || returnsTo(evaluation, begin) ? loopOf(evaluation) : { kind: "works" };
      if (count < next) continue;
      next *= 2;
      mark = state.mark();
      evaluation.stretch = new Stretch();
    }
  } catch (error) {
    if (!(error instanceof Departs)) throw error;
    return { kind: "leaves", how: error.how, pc: evaluation.pc, inputs: inputsOf(evaluation) };
  }
  return { kind: "works" };
}

/**
 * Whether the loop that was found contains `begin`, or the way from there to the loop has changed
 * no memory.
 */
function returnsTo(evaluation: Evaluation, begin: Mark): boolean {
  const { state, stretch } = evaluation;
  if (!state.hasChanges) return true;
  for (let left = stretch.length; left > 0; left--) {
    evaluation.step();
    stretch.length--;
    if (state.isAt(begin)) return true;
  }
  return false;
}

function loopOf(evaluation: Evaluation): EndlessLoop {
  const { state, stretch: { length, first, last, yields, sleeps, calls, open, exceptions, registers } } = evaluation;
  const el = Number(state.get("SPSR_EL1")) & Pstate.ElMask ? 1 : 0;
  const esr = Number(state.get("ESR_EL1")), elr = state.get("ELR_EL1"), far = state.get("FAR_EL1");
  return {
    kind: "loops",
    length,
    first,
    last,
    inputs: inputsOf(evaluation),
    yields,
    sleeps,
    calls,
    open,
    exceptions,
    el,
    esr,
    elr,
    far,
    registers: [...registers].sort(([a], [b]) => a < b ? -1 : 1).map(([, register]) => register),
  };
}

function inputsOf({ state, stretch }: Evaluation): SeenWord[] {
  const reads = [...stretch.reads.values()].filter((word) => stretch.atomics.has(word.va) || !state.hasWritten(word));
  // In an order that does not depend on where the loop is entered.
  return reads.sort((a, b) => a.va < b.va ? -1 : 1);
}
