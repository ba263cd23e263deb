// To other places of the run: steps of a paused machine, counts of instructions, events and places
// of code, back and on.

import { FilterError } from "../../model/queries/filters/filter.ts";
import { callFilter } from "../../model/queries/stop-rule.ts";
import { QueryError } from "../inspection/readers/inspected.ts";
import type { Move } from "../../model/queries/move.ts";
import { BackTo, type Sought } from "../recordings/past/back-to.ts";
import { OnTo } from "../recordings/past/on-to.ts";
import { type Moment, momentOf, type TimeReached } from "../recordings/past/past.ts";
import type { Debugging } from "./debugging.ts";
import { inPieces, MOVE_SLICE, PROGRESS_INTERVAL } from "./loop.ts";
import type { EngineParts } from "./parts.ts";
import { Way } from "../recordings/past/rerun.ts";
import { asProblem, type Said } from "../../kit/support/problem.ts";

/** Turns of the physical CPUs between two checks for the end of a step. */
const TURNS = 8;
/** Outcome of travel that stopped elsewhere. */
const ELSEWHERE = "stopped before it got there";

/** Called when travel has ended, with an error or the place reached. */
type Told = (error?: Said, text?: string) => void;

/** The moves of one session. */
export class Travel {
  /**
   * Where steps forward began, and how many instructions had been retired there: a step back ends
   * exactly there.
   */
  #trail: { readonly moment: Moment; readonly instructions: number }[] = [];
  /** Number of the current or last move to another place, and of its request. */
  #way = 0;
  #id = 0;
  /** The past on its way to an event. */
  #onTo: OnTo | undefined;
  /** The rule by which the machine stops at an awaited event, and the callback for that. */
  #awaited: { readonly rule: string; readonly tell: Told } | undefined;

  constructor(readonly parts: EngineParts, readonly debugging: Debugging) {
    parts.slices.onPause(() => this.#leave());
  }

  /** Goes to another place of the run. */
  move(id: number, to: Move): void {
    const { parts, parts: { shown, port } } = this;
    const moved: Told = (said, text) => {
      const { system } = shown;
      port.post({ kind: "moved", id, error: asProblem(said), instructions: system.instructions(), time: system.machine.time, text });
    };
    this.#id = id;
    const isForward = to.kind === "next-event" || to.kind === "step" && to.by > 0;
    // A machine that has ended can show its past and its end.
    if (parts.slices.isDone && !shown.past && isForward) return moved("the machine has ended: there is nothing after this");
    const { lost } = parts.run;
    if (lost !== undefined && to.kind !== "now" && to.kind !== "here") {
      if (!isForward && !(to.kind === "instructions" && to.count >= shown.present.instructions())) return moved(lost);
    }
    if (this.debugging.held) return moved("a machine that a debugger has stopped cannot go back");
    let moment: number | TimeReached = 0;
    try {
      if (to.kind === "instructions" || to.kind === "time" || to.kind === "mark") {
        moment = parts.run.momentAt(to, shown.system.instructions());
      }
    } catch (error) {
      if (!(error instanceof QueryError)) throw error;
      return moved(error.problem);
    }
    parts.slices.pause(true);
    this.#way++;
    this.#leaveWayOn(ELSEWHERE);
    switch (to.kind) {
      case "here":
        return this.#arrive(moved);
      case "event":
      case "place":
        return this.#backTo(to, moved);
      case "next-event":
        return this.#onToNext(to.filter, moved);
      case "now":
        return this.#toCount(shown.present.instructions(), to, moved);
      case "step":
        return this.#toCount(shown.system.instructions() + to.by, to, moved);
      case "instructions":
      case "time":
      case "mark":
        return typeof moment === "number" ? this.#toCount(moment, to, moved) : this.#toTime(moment, moved);
    }
  }

  /** The machine continues, or was paused: ends all travel, and the present is shown. */
  #leave(): void {
    this.#trail = [];
    this.#leavePast();
    this.#way++;
    this.#leaveWayOn("paused before such an event");
  }

  /** The machine has ended, with these words. */
  end(message: string): void {
    this.#leaveWayOn(`no such event: ${message}`);
  }

  /** A stop rule has stopped the machine: whether that was the awaited event. */
  arrives(rule: string, text: string): boolean {
    const awaited = this.#awaited;
    if (awaited?.rule !== rule) return false;
    this.#awaited = undefined;
    this.parts.shown.present.stops.change({ kind: "remove", rule });
    this.parts.slices.pause(true);
    awaited.tell(undefined, text);
    return true;
  }

  /** Goes to an instruction count. A step back over steps forward leads to where those began. */
  #toCount(target: number, to: Move, moved: Told): void {
    const { shown, run } = this.parts;
    const here = shown.system.instructions(), now = shown.present.instructions();
    shown.forgetWay();
    if (target < run.first) return moved(`that is before ${run.start}`);
    const from = this.#trail.at(-1);
    let moment: Moment = target;
    if (to.kind === "step" && to.by > 0) this.#trail.push({ moment: momentOf(shown.system), instructions: here });
    else if (to.kind === "step" && from?.instructions === target) moment = this.#trail.pop()!.moment;
    else this.#trail = [];
    if (target < now) return this.#toPast(target, moment, moved);
    this.#leavePast();
    if (target > now && !this.parts.slices.isDone) this.#stepOn(target, moved);
    else this.#arrive(moved);
  }

  /** Goes to a virtual time of the past. */
  #toTime(moment: TimeReached, moved: Told): void {
    const { shown, run } = this.parts;
    shown.forgetWay();
    this.#trail = [];
    this.#leavePast();
    const past = shown.past = run.pastAt(run.milestone(moment)), end = shown.present.instructions();
    this.#piecewise(
      moved,
      () => past.advance(moment, MOVE_SLICE) ? () => this.#arrive(moved) : undefined,
      () => ({ instructions: past.system.instructions(), end }),
    );
  }

  /**
   * Runs again up to a moment of the past: on from the place that is shown, or from the nearest
   * state that was kept.
   */
  #toPast(target: number, moment: Moment, moved: Told): void {
    const { shown, run } = this.parts;
    const here = shown.system.instructions();
    const milestone = run.milestone(moment);
    const nearer = milestone !== undefined && milestone.instructions > here;
    if (target <= here || nearer) this.#leavePast();
    const past = shown.past ??= run.pastAt(milestone);
    const way = new Way(run, past, moment, target);
    this.#piecewise(
      moved,
      () => way.advance(MOVE_SLICE) ? () => this.#arrive(moved) : undefined,
      () => ({ instructions: past.system.instructions(), end: target }),
    );
  }

  /** The past that is shown is not looked at any more. */
  #leavePast(): void {
    const { shown, run } = this.parts, { past } = shown;
    shown.past = undefined;
    if (past && !shown.isLookedAt) run.leave(past);
  }

  /** Goes back to where something happened. */
  #backTo(to: Extract<Move, { kind: "event" | "place" }>, moved: Told): void {
    const { shown, run } = this.parts;
    let way: BackTo;
    try {
      way = new BackTo(run.upTo(shown.system), this.#sought(to), shown.reached);
    } catch (error) {
      if (!(error instanceof QueryError || error instanceof FilterError)) throw error;
      return moved(error instanceof FilterError ? error.marked : error.problem);
    }
    this.#piecewise(moved, () => {
      const reached = way.advance(MOVE_SLICE);
      if (reached === undefined) return undefined;
      if (reached === "none") return () => moved(`no such event or instruction between ${run.start} and here`);
      this.#trail = [];
      shown.show(reached);
      return () => this.#arrive(() => moved(undefined, reached.text));
    }, () => way);
  }

  /** @throws QueryError for an unknown place */
  #sought(to: Extract<Move, { kind: "event" | "place" }>): Sought {
    if (to.kind === "event") return to;
    const filter = callFilter(to.at);
    return filter === undefined
      ? { kind: "place", at: to.at, place: this.parts.shown.present.stops.system.placeOf(to.at) }
      : { kind: "event", filter };
  }

  /**
   * Continues to where a matching event occurs: in the past that is shown, else by running the
   * machine.
   */
  #onToNext(filter: string, moved: Told): void {
    const { shown } = this.parts;
    const { past } = shown;
    shown.forgetWay();
    this.#trail = [];
    let way: OnTo;
    try {
      if (!past) return this.#await(filter, moved);
      way = new OnTo(past, filter, momentOf(shown.present));
    } catch (error) {
      if (!(error instanceof FilterError)) throw error;
      return moved(error.marked);
    }
    this.#onTo = way;
    this.#piecewise(moved, () => {
      const reached = way.advance(MOVE_SLICE);
      if (reached === undefined) return undefined;
      this.#onTo = undefined;
      if (reached === "none") this.#leavePast();
      const text = reached === "none" ? "now; no such event since" : reached.text;
      return () => this.#arrive(() => moved(undefined, text));
    }, () => ({ instructions: past.system.instructions(), end: shown.present.instructions() }));
  }

  /**
   * Runs the machine until a matching event occurs.
   * @throws FilterError
   */
  #await(filter: string, tell: Told): void {
    const { stops } = this.parts.shown.present;
    stops.change({ kind: "event", filter });
    this.parts.slices.pause(false);
    this.#awaited = { rule: stops.rules.at(-1)!.id, tell };
  }

  /** Ends the wait for an event. */
  #leaveWayOn(why: string): void {
    this.#onTo?.leave();
    this.#onTo = undefined;
    const awaited = this.#awaited;
    if (!awaited) return;
    this.#awaited = undefined;
    this.parts.shown.present.stops.change({ kind: "remove", rule: awaited.rule });
    awaited.tell(why);
  }

  /**
   * Travels piece by piece until a piece reaches the end and returns the next action, or other
   * travel begins. Reports progress to the waiting client.
   */
  #piecewise(moved: Told, piece: () => (() => void) | undefined, far: () => { instructions: number; end: number }): void {
    const way = this.#way, id = this.#id;
    let told = performance.now();
    inPieces(this.parts.port, () => {
      if (performance.now() - told >= PROGRESS_INTERVAL) {
        told = performance.now();
        const { instructions, end } = far();
        this.parts.port.post({ kind: "moving", id, instructions, end });
      }
      if (this.#way !== way) {
        moved(ELSEWHERE);
        return true;
      }
      const arrived = piece();
      arrived?.();
      return arrived !== undefined;
    });
  }

  /** Another place is shown. */
  #arrive(moved: () => void): void {
    const { shown, port, run, sampler } = this.parts;
    if (shown.past) run.arrive(shown.past);
    sampler.sample();
    const consoles = shown.past?.system.consoles.save();
    port.post({ kind: "paused", paused: true, past: shown.past !== undefined, ...consoles && { consoles } });
    moved();
  }

  /**
   * Runs the paused machine until this many instructions have retired, or it waits for input from
   * outside. That may be never: an idle machine can have a timer that only programs without
   * instructions handle.
   */
  #stepOn(target: number, moved: Told): void {
    const { present } = this.parts.shown;
    this.#piecewise(moved, () => {
      const end = performance.now() + MOVE_SLICE;
      let goes = true;
      present.stopAt(target);
      present.stops.muted(() => {
        do goes = present.instructions() < target && !this.parts.slices.isDone && this.#stepped(target); while (
          goes && performance.now() < end
        );
      });
      present.stopAt(Infinity);
      this.parts.output.flush();
      return goes ? undefined : () => this.#arrive(moved);
    }, () => ({ instructions: present.instructions(), end: target }));
  }

  /** Runs the paused machine for a slice; false if it cannot. */
  #stepped(target: number): boolean {
    const { machine, debugger: { control } } = this.parts.shown.present;
    const result = this.parts.runPresent(TURNS, target);
    if (result.kind === "idle" && result.next !== Infinity) machine.skipTo(result.next);
    const stop = result.kind === "suspended" ? control?.takeStop() : undefined;
    if (control && stop) this.debugging.stopped(stop, control);
    return !stop && result.kind !== "stopped" && !(result.kind === "idle" && result.next === Infinity);
  }
}
