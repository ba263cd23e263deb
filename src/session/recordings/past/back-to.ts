// Travel back to an event: the run is repeated from an earlier state, in another machine that
// counts the matching events, and then once more up to the last of them. Without a match, the
// search continues from the state before that one. Events that are only counted do not stop it,
// except in the last turn: only a stop tells which of them are before the end.

import type { DebugControl } from "../../../machine/hypervisor/interface.ts";
import { isLater, type Milestone } from "./history.ts";
import { vmId } from "../../../model/queries/ids.ts";
import { isTemporal, kindsForFilter } from "../../../model/queries/filters/temporal-filter.ts";
import type { BreakPlace } from "../../../model/queries/stop-rule.ts";
import { isMidTurn, type Moment, momentOf, type Past } from "./past.ts";
import { listeningStart, type Rerun } from "./rerun.ts";
import { SearchedPart } from "./searched-part.ts";
import { oneVm } from "../../../model/queries/debugged-vms.ts";
import { hex } from "../../../kit/support/text/number-text.ts";

/** The target of the search. */
export type Sought = { readonly kind: "event"; readonly filter: string } | SoughtPlace;

interface SoughtPlace {
  readonly kind: "place";
  /** Its text. */
  readonly at: string;
  /** Where that was when the search began. */
  readonly place: BreakPlace;
}

/** A place at which a search ends. */
interface End {
  readonly moment: Moment;
  /** Instructions that had been retired. */
  readonly instructions: number;
  /** Virtual time (ns) of the last boundary between turns. */
  readonly at: number;
}

/** The run up to the present place. */
export interface RunUpTo extends End {
  readonly rerun: Rerun;
}

/** A place where it happened. */
export interface Reached {
  readonly past: Past;
  /** The event, in words. */
  readonly text: string;
  /**
   * Number of its occurrences since this state, this one included: an earlier one is found without
   * another search.
   */
  readonly count: number;
  readonly from: Milestone | undefined;
  /** The place after that state from which they were counted. */
  readonly since: End | undefined;
  /** The state from which events were listened to: from a later one, calls in progress differ. */
  readonly start: Milestone | undefined;
  readonly sought: Sought;
}

/** A move back, made in slices. */
export class BackTo {
  #past: Past;
  #from: Milestone | undefined;
  #start: Milestone | undefined;
  readonly #part = new SearchedPart();
  /** The beginning of that part, if it is not the milestone. */
  #since: End | undefined;
  /** End of the search; not used where a count is wanted. */
  #end: End;
  /** Place up to which it only listens; undefined: it is there. */
  #lead: Moment | undefined;
  /** Matches that do not stop the machine. */
  #passing = 0;
  /** It has reached the last boundary before the end. */
  #inLastTurn = false;
  /** It has reached the turn in whose middle the end is. */
  #inTurn = false;
  #wanted: number | undefined;
  #count = 0;
  #reached: Reached | undefined;

  /**
   * @param before the place to go back from, if an earlier search reached it
   * @throws FilterError
   */
  constructor(readonly run: RunUpTo, readonly sought: Sought, before?: Reached) {
    this.#end = run;
    if (before && isSame(before.sought, sought)) {
      this.#from = before.from;
      this.#start = before.start;
      const end = before.since ?? this.#from;
      if (before.count > 1) {
        this.#wanted = before.count - 1;
        this.#since = before.since;
      } else if (end) this.#end = end;
      else this.#wanted = 0;
    }
    if (this.#wanted === undefined) this.#searchBefore(this.#end.moment);
    this.#past = this.#begin();
  }

  /** A filter over time counts from the start: what it waits for may be before any state. */
  #searchBefore(moment: Moment): void {
    const { sought, run: { rerun } } = this, isEvent = sought.kind === "event";
    this.#from = rerun.milestone(isEvent && isTemporal(sought.filter) ? 0 : moment);
    this.#start = isEvent ? listeningStart(rerun, this.#from, kindsForFilter(sought.filter)) : this.#from;
  }

  /** How far it has come: instructions that are retired, of those at the end of the search. */
  get instructions(): number {
    return this.#past.system.instructions();
  }

  get end(): number {
    return this.#end.instructions;
  }

  /**
   * Continues for at most `milliseconds` of wall time. Returns the place reached; undefined: call
   * again; `"none"`: nothing like it is before.
   */
  advance(milliseconds: number): Reached | "none" | undefined {
    if (this.#wanted === 0) return "none";
    const there = this.#arrived(milliseconds);
    if (this.#reached) return this.#reached;
    if (this.#isBusy) {
      this.#part.shrink();
      this.#beginAgain();
      return undefined;
    }
    if (!there) return undefined;
    if (this.#wanted !== undefined) throw new Error("an event of the run did not occur in its replay");
    if (this.#count > 0) this.#wanted = this.#count;
    else {
      const end = this.#since ?? (isLater(this.#from) ? this.#from : undefined);
      if (!end) return "none";
      if (this.#since) this.#part.grow();
      this.#end = end;
      this.#since = undefined;
      this.#searchBefore(end.moment);
    }
    this.#beginAgain();
    return undefined;
  }

  /** Whether there are too many places to pass them all. */
  get #isBusy(): boolean {
    return this.sought.kind === "place" && this.#wanted === undefined && this.#part.isBusy(this.#count);
  }

  #beginAgain(): void {
    this.run.rerun.leave?.(this.#past);
    this.#past = this.#begin();
  }

  /**
   * Continues to the end. An end in the middle of a turn is an instruction count, and native guests
   * retire none on the way to that turn.
   */
  #arrived(milliseconds: number): boolean {
    const { moment, at } = this.#end, { stops, machine } = this.#past.system;
    if (this.#lead !== undefined) {
      if (!this.#past.advance(this.#lead, milliseconds)) return false;
      this.#lead = undefined;
      if (this.sought.kind === "event") stops.pass(this.#passing);
      else {
        this.#since ??= { moment: momentOf(this.#past.system), instructions: this.#past.system.instructions(), at: machine.boundary };
        this.#breakAt(this.#past, this.sought);
      }
    }
    if (!this.#inLastTurn) {
      if (machine.boundary < at && !this.#past.advance({ at, settled: false }, milliseconds)) return false;
      if (this.#reached || this.#isBusy) return true;
      this.#inLastTurn = true;
      if (this.#wanted === undefined) {
        this.#count += stops.passed;
        stops.pass(0);
      }
    }
    if (isMidTurn(moment) && !this.#inTurn) {
      const isInTurn = machine.inTurn && machine.boundary >= at;
      if (!isInTurn && !this.#past.advance({ at, settled: true }, milliseconds)) return false;
      this.#inTurn = true;
    }
    return this.#reached !== undefined || this.#past.advance(this.#goal(moment), milliseconds);
  }

  /**
   * The wanted event is before the end, but may have its instruction count: many places have it,
   * and the way to the end stops at their first.
   */
  #goal(moment: Moment): Moment {
    return this.#wanted !== undefined && isMidTurn(moment) ? { ...moment, instructions: Infinity } : moment;
  }

  #begin(): Past {
    this.#count = 0;
    this.#inLastTurn = this.#inTurn = false;
    const { sought } = this, from = this.#from;
    const past = this.run.rerun.pastAt(this.#start);
    this.#lead = this.#start === from ? undefined : from?.moment;
    if (sought.kind === "event") {
      const { stops } = past.system;
      this.#passing = this.#wanted === undefined ? Infinity : this.#wanted - 1;
      stops.change(sought);
      stops.pass(this.#lead === undefined ? this.#passing : Infinity);
      if (this.#passing < Infinity) this.#count = this.#passing;
      past.onHit = ({ text }) => this.#happened(past, text, () => past.system.stops.change({ kind: "remove", rule: "all" }));
    } else {
      const first = past.system.instructions(), begin = this.#part.begin(first, this.#end.instructions);
      this.#lead = this.#since?.moment ?? (begin > first ? begin : undefined);
      if (this.#lead === undefined) this.#breakAt(past, sought);
    }
    return past;
  }

  #breakAt(past: Past, sought: SoughtPlace): void {
    const { vm, addresses } = sought.place, control = past.system.debugger.give(oneVm(vm), false);
    for (const address of addresses) control.insertAhead(address);
    const followed = sought.place.modules && past.system.stops.follow(sought.at, sought.place, control);
    if (followed) past.onTurns = () => followed.turns();
    past.onStop = ({ cause, vcpu }) => {
      const text = `${vmId(vm)} at ${hex(vcpu.registers.pc, 16)}`;
      if (cause === "step") control.goOn(undefined);
      else if (followed && !followed.isAt(vcpu.registers.pc)) return false;
      else if (this.#happened(past, text, () => release(past, control))) return true;
      else control.goOn(vcpu);
      return false;
    };
  }

  /** In the middle of a turn, the events of the last instruction belong to the place. */
  #isAtEnd({ system }: Past): boolean {
    const { instructions, moment } = this.#end;
    const here = system.instructions();
    return here > instructions || here === instructions && isMidTurn(moment) && this.#inTurn;
  }

  /** It happened: whether this is the time that was wanted. */
  #happened(past: Past, text: string, disarm: () => void): boolean {
    // The end bounds the search that counts. A count from it says more than the end's instruction:
    // in a turn of a native guest all events have the same one.
    if (this.#wanted === undefined && this.#isAtEnd(past)) return false;
    this.#count++;
    if (this.#count !== this.#wanted) return this.#isBusy;
    past.onHit = past.onStop = () => false;
    past.onTurns = () => {};
    disarm();
    this.#reached = { past, text, count: this.#count, from: this.#from, since: this.#since, start: this.#start, sought: this.sought };
    return true;
  }
}

function isSame(a: Sought, b: Sought): boolean {
  if (a.kind === "event") return b.kind === "event" && a.filter === b.filter;
  if (b.kind === "event" || a.place.vm !== b.place.vm) return false;
  return a.place.modules ? a.at === b.at : a.place.addresses.join() === b.place.addresses.join();
}

function release(past: Past, control: DebugControl): void {
  control.clear();
  past.system.debugger.release();
}
