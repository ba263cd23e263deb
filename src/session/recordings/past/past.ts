// The past of a session: the same plan in a second machine, which gets the inputs of the first up
// to a place. Going back is running again; as runs repeat to the instruction, the place is exactly
// what it was.

import type { DebugStop } from "../../../machine/hypervisor/interface.ts";
import type { PlainPlace } from "../../../model/queries/move.ts";
import type { StopHit } from "../../../model/queries/stop-rule.ts";
import type { RunningSystem, System } from "../../assembly/system/system.ts";
import { letIn } from "./input.ts";
import type { RecordedInput, TurnPlace } from "../../../model/plans/recorded-run.ts";

/** Turns between two checks of the clock. */
const TURNS = 64;
/** The part of the way to a virtual time that is gone at once. */
const APPROACH = 8;

/**
 * The place of a machine in its run: between two turns, or in the middle of one. A count of retired
 * instructions means the first place that has it; many have the same, as native guests retire none.
 */
export type Moment = number | TurnPlace | MidTurn | TimeReached;

/**
 * A place at which the machine has come to a virtual time (ns), the first or one some exits later.
 * Turns end where they did in the run: one that ended at this time would change the order of
 * several CPUs' instructions.
 */
export interface TimeReached {
  readonly time: number;
}

/** A place in the middle of a turn, where the machine has retired this many instructions. */
interface MidTurn {
  /** Virtual time (ns) of the boundary at which the turn began. */
  readonly turn: number;
  readonly instructions: number;
}

/** Where a machine is now. */
export function momentOf(system: Pick<RunningSystem, "machine" | "instructions">): TurnPlace | MidTurn {
  const { machine } = system;
  const { boundary } = machine;
  return machine.inTurn ? { turn: boundary, instructions: system.instructions() } : { at: boundary, settled: machine.settled };
}

/** The moment of a place. */
export function momentAt(place: PlainPlace): number | TimeReached {
  return place.kind === "time" ? { time: place.at } : place.count;
}

/**
 * Where a machine stops next on its way to a virtual time (ns), and the turns that lead no further.
 * Counts of instructions, each at least a nanosecond, and fewer the nearer it is: an exit takes
 * time, too. Where no CPU retires any, turns come one by one.
 */
export function approach(system: Pick<RunningSystem, "machine" | "instructions">, time: number): { instructions: number; turns: number } {
  const { machine } = system, missing = time - machine.time;
  return {
    instructions: system.instructions() + Math.ceil(missing / APPROACH),
    turns: Math.max(1, Math.floor(missing / machine.quantum)),
  };
}

/** Whether a moment is given by a virtual time. */
export function isTime(moment: Moment): moment is TimeReached {
  return typeof moment === "object" && "time" in moment;
}

/** Whether a moment is in the middle of a turn. */
export function isMidTurn(moment: Moment): moment is MidTurn {
  return typeof moment === "object" && "turn" in moment;
}

/** A machine on its way to a place in the past, and there. */
export class Past {
  #next: number;
  /** Called when the machine stops for a debugger; true: `advance` ends there. */
  onStop: (stop: DebugStop) => boolean = () => false;
  /** Called before the machine continues for some turns. */
  onTurns: () => void = () => {};
  /** Called when a stop rule has stopped the machine; true: `advance` ends there. */
  onHit: (hit: StopHit) => boolean = () => false;

  /**
   * @param system a machine at its start, or at a milestone
   * @param inputs of the session until now, in order
   * @param end virtual time (ns) at which it ended, if it did
   * @param entered how many of the inputs had entered at the milestone
   * @param last instructions that were retired at the end: in the turn that began then, if at its
   * beginning they are fewer
   * @param until a place before the end where it stays, whatever moment it is to go to
   */
  constructor(
    readonly system: System,
    readonly inputs: readonly RecordedInput[],
    readonly end: number = Infinity,
    entered = 0,
    readonly last: number = 0,
    readonly until: number | TimeReached = Infinity,
  ) {
    this.#next = entered;
  }

  /** How many inputs have entered. */
  get entered(): number {
    return this.#next;
  }

  /**
   * Continues to a moment, for at most `milliseconds` of wall time. True at the moment, or at the
   * end of the inputs; false if it has to be called again.
   */
  advance(to: Moment, milliseconds: number): boolean {
    if (!isMidTurn(to)) return this.#advance(to, milliseconds);
    const { machine } = this.system;
    if (machine.boundary < to.turn) {
      if (!this.#advance({ at: to.turn, settled: false }, milliseconds)) return false;
      // The run ended before it reached the place.
      if (machine.boundary < to.turn) return true;
    }
    return this.#advance(to, milliseconds);
  }

  #advance(to: Moment, milliseconds: number): boolean {
    const { system, until } = this;
    const { machine } = system;
    const limit = performance.now() + milliseconds;
    const place = typeof to === "number" || isMidTurn(to) || isTime(to) ? undefined : to;
    const count = typeof to === "number" ? to : isMidTurn(to) ? to.instructions : Infinity;
    const last = Math.min(count, isTime(until) ? Infinity : until);
    const time = Math.min(isTime(to) ? to.time : Infinity, isTime(until) ? until.time : Infinity);
    system.stopAt(last);
    system.kernelEvents.follow();
    const there = isTime(to)
      ? () => machine.time >= to.time
      : place
      ? () => !machine.inTurn && machine.boundary >= place.at
      : isMidTurn(to)
      ? () => machine.boundary > to.turn || machine.inTurn && system.instructions() >= count
      : () => system.instructions() >= count;
    while (!there() && performance.now() < limit) {
      if (this.#isStaying) return true;
      this.onTurns();
      if (!machine.inTurn) this.#enter();
      if (this.#suspended()) return true;
      if (this.#isAtEnd) return true;
      const end = machine.boundary < this.end ? this.end : Infinity;
      const upTo = Math.min(this.inputs[this.#next]?.at ?? Infinity, end, place?.at ?? Infinity);
      const nearer = time === Infinity ? undefined : approach(system, time);
      if (nearer) system.stopAt(Math.min(nearer.instructions, last));
      const result = machine.run(upTo, Math.min(TURNS, nearer?.turns ?? TURNS));
      // Output of the past has been shown before.
      system.consoles.drain();
      system.events.drain();
      if (this.#suspended() || result.kind === "stopped") return true;
      if (result.kind !== "idle") continue;
      const next = Math.min(result.next, upTo, time);
      if (next === Infinity) return true;
      machine.skipTo(next);
    }
    if (!there()) return false;
    if (place) this.#enter();
    if (place?.settled && !this.#suspended()) machine.settle();
    this.#suspended();
    return true;
  }

  /** Whether it has come to the place where it stays. */
  get #isStaying(): boolean {
    const { system, until } = this;
    return isTime(until) ? system.machine.time >= until.time : system.instructions() >= until;
  }

  get #isAtEnd(): boolean {
    const { system: { machine }, end, last } = this;
    return !machine.inTurn && (machine.boundary > end || machine.boundary === end && this.system.instructions() >= last);
  }

  /**
   * Whether what has suspended the machine ends the way. Inputs suspend it too, and events of a
   * boundary at which all wait: the next `run` would forget that, or be elsewhere.
   */
  #suspended(): boolean {
    if (!this.system.machine.suspended) return false;
    const hit = this.system.stops.take();
    if (hit && hit !== "passed") return this.onHit(hit);
    const stop = this.system.debugger.control?.takeStop();
    return stop !== undefined && this.onStop(stop);
  }

  #enter(): void {
    const { machine } = this.system;
    for (let next = this.inputs[this.#next]; next && next.at <= machine.boundary; next = this.inputs[this.#next]) {
      this.#next++;
      if (next.settled) machine.settle();
      letIn(this.system, next.input);
    }
  }
}
