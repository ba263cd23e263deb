// The results of a run besides its plan: all input to its machine from outside, each at its place,
// and the machine's final state.

import type { Action } from "../commands/actions.ts";
import type { Mark } from "../queries/move.ts";

/** Something that enters the machine from outside. */
export type Input =
  | { readonly kind: "console"; readonly console: string; readonly bytes: Uint8Array }
  /** An event of a socket or timer (`session/outside/outside.ts`). */
  | { readonly kind: "outside"; readonly source: number; readonly data: unknown }
  | { readonly kind: "act"; readonly action: Action };

/** A place between two turns of the machine. */
export interface TurnPlace {
  /** Virtual time in ns. */
  readonly at: number;
  /** Whether the machine's events of that time had happened. */
  readonly settled: boolean;
}

export interface RecordedInput extends TurnPlace {
  readonly input: Input;
}

/** The state at a place, cheaply. */
export interface Check {
  readonly instructions: number;
  /** Hexadecimal digest of all vCPU registers. */
  readonly registers: string;
}

/** The state at the end, whole. */
export interface EndState extends Check {
  /**
   * Whether the machine or its plan ended the run: then a replay ends by itself. Otherwise a user
   * ended it, between two turns.
   */
  readonly own: boolean;
  readonly code: number;
  readonly message: string;
  readonly memory: string;
  readonly console: string;
}

/** Marks of a run. */
export const MARKS_MAX = 1024;

/** Adds a mark instead of an earlier one with its name. Returns why not: there are too many. */
export function addMark(marks: Map<string, Mark>, mark: Mark): string | undefined {
  if (marks.size >= MARKS_MAX && !marks.has(mark.name)) return `a run has at most ${MARKS_MAX} marks`;
  marks.set(mark.name, mark);
  return undefined;
}

/** Texts of source files, by the names that debug information has for them. */
export type Sources = Readonly<Record<string, string>>;

export interface RecordedRun {
  readonly inputs: readonly RecordedInput[];
  /** Of each name one, in the order in which the names were first given. */
  readonly marks?: readonly Mark[];
  readonly checks: readonly { readonly at: number; readonly check: Check }[];
  /** Undefined if the recording was cut off: its program was killed. */
  readonly end: { readonly at: number; readonly end: EndState } | undefined;
}
