// A run that other machines can go through again, from its start or from a state of it that was
// kept.

import type { TraceKind } from "../../../machine/abi/trace.ts";
import { isLater, type Milestone } from "./history.ts";
import type { Moment, Past } from "./past.ts";
import type { IndexedPlace, WrittenObject } from "./written-index.ts";

export interface Rerun {
  /** The last place before a moment whose state was kept; undefined: the start. */
  milestone(moment: Moment): Milestone | undefined;
  /** Another machine there. */
  pastAt(milestone: Milestone | undefined): Past;
  /** Nobody uses that machine any more: the next one may have its memory and its code. */
  leave?(past: Past): void;
  /** Whether an object may have been written between two places. */
  mayBeWritten(first: Milestone | undefined, last: IndexedPlace, object: WrittenObject): boolean;
  /**
   * The instruction count before that of a place at which a state is to be kept on a machine's way
   * there; undefined: nowhere.
   */
  landing?(past: Past, target: number): number | undefined;
  /** Keeps the state of the run where a past is. */
  keepPast?(past: Past): void;
}

/**
 * Kinds whose events are seen only if somebody listened when they began. Other calls are always
 * noted, and are in kept states.
 */
const HEARD_FROM_BEGINNING: readonly TraceKind[] = ["hvc", "syscall"];

/** Virtual time (ns) of a call of vcpu_run: it ends with a time slice, of 5 ms by default. */
const LONGEST_CALL = 20e6;

/** Where a machine begins to listen, for events of these kinds that end after a kept state. */
export function listeningStart(rerun: Rerun, from: Milestone | undefined, kinds: readonly TraceKind[]): Milestone | undefined {
  if (!isLater(from) || !HEARD_FROM_BEGINNING.some((kind) => kinds.includes(kind))) return from;
  return rerun.milestone({ at: Math.max(0, from.at - LONGEST_CALL), settled: false });
}

/**
 * The way of a machine to a place of a run. Where it is long, a state shortly before its end is
 * kept: the next question is often about the same place.
 */
export class Way {
  readonly #stops: Moment[];

  /** @param instructions that are retired at the place */
  constructor(readonly rerun: Rerun, readonly past: Past, to: Moment, instructions: number) {
    const landing = rerun.landing?.(past, instructions);
    this.#stops = landing === undefined ? [to] : [landing, to];
  }

  /** Continues for at most `milliseconds` of wall time; whether the machine is there. */
  advance(milliseconds: number): boolean {
    while (this.past.advance(this.#stops[0], milliseconds)) {
      if (this.#stops.length === 1) return true;
      this.#stops.shift();
      this.rerun.keepPast?.(this.past);
    }
    return false;
  }
}
