// The run of a session until now, as another machine can go through it again: what entered, states
// that were kept, symbols, places with names.

import { type Moment, momentOf, Past } from "../recordings/past.ts";
import type { Rerun } from "../recordings/rerun.ts";
import type { RunUpTo } from "../recordings/back-to.ts";
import type { Input, Place, RecordedInput } from "../plans/recorded-run.ts";
import type { RunPlace } from "../inspection/run-place.ts";
import { History, type Milestone } from "../recordings/history.ts";
import { UnsavableError } from "../state/parts.ts";
import type { SystemState } from "../state/system-state.ts";
import type { RememberingSystem, RunMemory, RunningSystem, SavableSystem, System, VisibleSystem } from "../assembly/system.ts";

/**
 * Wall time (ms) between two states that are kept, and how many times as long as keeping one takes.
 */
const MILESTONE_INTERVAL = 1000;
const MILESTONE_SHARE = 50;
/** Distance in instructions before a place at which a state is kept on the way there. */
const LANDING = 4_000_000;

/** The history of one run. */
export class SessionRun implements Rerun {
  readonly #inputs: RecordedInput[] = [];
  /** Symbols that were given since the start. */
  readonly #symbols: { readonly vm: string; readonly file: Uint8Array }[] = [];
  /** Snapshots that were written. */
  readonly #snapshots: RunPlace[] = [];
  readonly #history: History;
  /** The observations at the start of each past. */
  readonly #began = new WeakMap<Past, RunMemory | undefined>();
  /** Wall time (ms) before which no other state of the present is kept. */
  #nextMilestone = Infinity;
  /** Instructions that had been retired where the session began. */
  readonly first: number;
  /** Virtual time (ns) there. */
  readonly #firstTime: number;

  /**
   * @param again another machine of the same plan, at its start or in a state
   * @param origin the state that the session began with, unless that is its plan's start
   */
  constructor(
    readonly present: RunningSystem & SavableSystem & RememberingSystem & Pick<VisibleSystem, "symbols">,
    readonly again: (state?: SystemState) => System,
    readonly origin: SystemState | undefined,
  ) {
    this.#history = new History(origin);
    this.first = origin ? present.instructions() : 0;
    this.#firstTime = present.machine.time;
  }

  /** Everything that has entered until now, in order. */
  get inputs(): readonly RecordedInput[] {
    return this.#inputs;
  }

  /** Where it began, in words. */
  get start(): string {
    return this.origin ? "the snapshot with which the session began" : "the start";
  }

  /** Something has entered. */
  enter(place: Place, input: Input): void {
    this.#inputs.push({ ...place, input });
  }

  /**
   * Adds the symbols of an ELF file to a VM of the present, and of `past` if that is shown.
   * @throws Error that reports the defect of the file.
   */
  giveSymbols(vm: string, file: Uint8Array, past: Past | undefined): void {
    this.present.symbols.give(vm, file, "symbols");
    past?.system.symbols.give(vm, file, "symbols");
    this.#symbols.push({ vm, file });
  }

  /** A snapshot of this place was written. */
  written(place: RunPlace): void {
    this.#snapshots.push(place);
  }

  /** Places with names, in the order of their kinds. */
  places(past: Past | undefined): RunPlace[] {
    return [
      { kind: "start", instructions: this.first, time: this.#firstTime },
      ...this.#snapshots,
      ...past ? [placeOf("shown", past.system)] : [],
      placeOf("now", this.present),
    ];
  }

  /** The last place before a moment whose state was kept; undefined: the start. */
  milestone(moment: Moment): Milestone | undefined {
    return this.#history.before(moment);
  }

  /** Another machine at that place, with the same symbols. */
  pastAt(milestone: Milestone | undefined): Past {
    const system = this.again(milestone?.state);
    if (milestone?.memory) system.recall(milestone.memory);
    for (const { vm, file } of this.#symbols) system.symbols.give(vm, file, "symbols");
    const past = new Past(system, [...this.#inputs], Infinity, milestone?.inputs);
    this.#began.set(past, milestone?.memory);
    return past;
  }

  /** A past has come to a place: it has the events of when the machine was there. */
  arrive(past: Past): void {
    past.system.follow(this.present, this.#began.get(past));
  }

  /** The run up to where a machine stands: the present, or one of its past. */
  upTo(system: RunningSystem): RunUpTo {
    return { rerun: this, moment: momentOf(system), instructions: system.instructions(), at: system.machine.boundary };
  }

  /**
   * The instruction count before a place at which a state is kept on the way there: travel back is
   * often repeated.
   */
  landing(past: Past, target: number): number | undefined {
    const first = target - LANDING;
    const far = past.system.instructions() < first - LANDING;
    return far && !this.#history.hasBetween(first - LANDING, target) ? first : undefined;
  }

  /**
   * Keeps a state of the run, for going back. A machine that cannot be saved now keeps none: going
   * back takes longer then.
   */
  keep(system: RunningSystem & SavableSystem & RememberingSystem, inputs: number): void {
    const instructions = system.instructions();
    try {
      const state = system.save(this.#history.stateBefore(instructions));
      const memory = system.remember();
      this.#history.add({ at: system.machine.boundary, instructions, moment: momentOf(system), inputs, state, memory });
    } catch (error) {
      if (!(error instanceof UnsavableError)) throw error;
    }
  }

  /** From now on states of the present are kept. */
  keepStates(): void {
    this.#nextMilestone = performance.now() + MILESTONE_INTERVAL;
  }

  /** Keeps the present now and then: seldom enough that it costs a fiftieth of the time. */
  keepPresent(): void {
    const began = performance.now();
    if (began < this.#nextMilestone || this.present.ended()) return;
    // A machine that idles is near its last state anyway.
    const instructions = this.present.instructions();
    if (!this.#history.hasBetween(instructions - LANDING, instructions)) this.keep(this.present, this.#inputs.length);
    const took = performance.now() - began;
    this.#nextMilestone = began + Math.max(MILESTONE_INTERVAL, MILESTONE_SHARE * took);
  }
}

/** Where a machine stands; with `file`, the snapshot of that. */
export function placeOf(kind: RunPlace["kind"], system: RunningSystem, file?: string): RunPlace {
  return { kind, instructions: system.instructions(), time: system.machine.time, ...file !== undefined && { file } };
}
