// The inputs of a recording on their way into a machine again, and the comparison with what was.

import { alone, PlanError, type ReplayPlan } from "../../../model/plans/plan.ts";
import type { Check, EndState, Input } from "../../../model/plans/recorded-run.ts";
import { beginSystem } from "../../snapshots/begin.ts";
import { momentAt, Past } from "../past/past.ts";
import type { Recording } from "../file/recording.ts";

/** A difference between a run and its recording. */
export interface Divergence {
  /** Virtual time in ns. */
  readonly at: number;
  /** Instructions that have been retired now. */
  readonly instructions: number;
  /** The difference: `instructions`, `registers`, … */
  readonly what: string;
  readonly recorded: string;
  readonly now: string;
}

/** The compared part of an end. */
type ComparedEnd = Check & Partial<EndState>;

/** Virtual time (ns) after which a machine that has not come to its end has another one. */
const OVERDUE = 1e9;

/** The position of a replay. */
export class Replay {
  #nextInput: number;
  #nextCheck: number;
  #compared = 0;
  #endCompared = false;
  /** Virtual time (ns) of the end, or of the last line of a recording that was cut off. */
  readonly #last: number;

  /**
   * @param entered how many inputs have entered already
   * @param from virtual time (ns) at which it begins
   */
  constructor(readonly plan: ReplayPlan, entered = 0, from = 0) {
    const { inputs, checks, end } = plan.recording, next = checks.findIndex(({ at }) => at >= from);
    this.#nextInput = entered;
    this.#nextCheck = next < 0 ? checks.length : next;
    this.#last = end?.at ?? Math.max(inputs.at(-1)?.at ?? 0, checks.at(-1)?.at ?? 0);
  }

  /** Number of places at which the run was compared with its recording. */
  get compared(): number {
    return this.#compared + Number(this.#endCompared);
  }

  /**
   * Virtual time (ns) up to which the machine may run before the next input; Infinity after the
   * last.
   */
  get next(): number {
    const { inputs, checks, end } = this.plan.recording;
    return Math.min(
      inputs[this.#nextInput]?.at ?? Infinity,
      checks[this.#nextCheck]?.at ?? Infinity,
      end?.end.own ? end.at + OVERDUE : this.#last,
    );
  }

  /** The next input, where its time has come. */
  takeInput(now: number): { readonly settled: boolean; readonly input: Input } | undefined {
    const next = this.plan.recording.inputs[this.#nextInput];
    if (next === undefined || next.at > now) return undefined;
    this.#nextInput++;
    return next;
  }

  /** Whether nothing recorded is left at this time or later. */
  finished(now: number): boolean {
    const { inputs, end } = this.plan.recording;
    if (end?.end.own) return now >= end.at + OVERDUE;
    return this.#nextInput === inputs.length && now >= this.#last;
  }

  /** Compares what is due; the first difference. */
  compare(now: number, state: () => Check): Divergence | undefined {
    const next = this.plan.recording.checks[this.#nextCheck];
    if (next === undefined || next.at > now) return undefined;
    this.#nextCheck++;
    this.#compared++;
    return difference<Check>(now, next.check, state());
  }

  /** @param state what is compared of it */
  compareEnd(now: number, state: ComparedEnd): Divergence | undefined {
    const { end } = this.plan.recording;
    // A recording of a bug has no hashes.
    if (end === undefined || end.end.registers === "" || this.plan.to !== undefined && now < end.at) return undefined;
    this.#endCompared = true;
    if (end.at !== now) {
      return { at: now, instructions: state.instructions, what: "time of the end", recorded: `${end.at} ns`, now: `${now} ns` };
    }
    return difference<ComparedEnd>(now, end.end, state);
  }
}

/** The first value of the state now that is another one. */
function difference<T extends Check>(at: number, recorded: T, now: T): Divergence | undefined {
  for (const what of Object.keys(now) as (keyof T & string)[]) {
    if (recorded[what] !== now[what]) {
      return { at, instructions: now.instructions, what, recorded: String(recorded[what]), now: String(now[what]) };
    }
  }
}

/** `t:12.481306, instruction 20000000: registers were 1a2b.., are 3c4d..` */
export function describeDivergence({ at, instructions, what, recorded, now }: Divergence): string {
  return `t:${(at / 1e9).toFixed(6)}, instruction ${instructions}: ${what} were ${recorded}, are ${now}`;
}

/**
 * A machine at the start of a recorded run, which ends as the recording does, or where it is to;
 * one that was cut off ends with its last line.
 * @param counts whether its core counts how often each instruction is executed
 * @throws PlanError if a file of its plan cannot be used
 */
export function beginAgain({ plan, inputs, checks, end, until }: Recording, counts = false): Past {
  const begun = beginSystem(alone(plan), counts);
  if ("refused" in begun) throw new PlanError(begun.refused);
  const last = end ?? [...inputs, ...checks].sort((a, b) => a.at - b.at).at(-1);
  return new Past(begun.system, inputs, last?.at ?? 0, 0, end?.end.instructions, until && momentAt(until));
}
