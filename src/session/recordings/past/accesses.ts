// The latest accesses to memory, changes of a register or of an object of the hypervisor, or
// events, before a place of the run: the run is repeated from the last state that was kept, in
// another machine that stops at each of them, or listens. If there are too few, the search
// continues before that state.

import type { System } from "../../assembly/system/system.ts";
import type { RunUpTo } from "./back-to.ts";
import { isLater, type Milestone } from "./history.ts";
import type { Moment, Past } from "./past.ts";
import { listeningStart, Way } from "./rerun.ts";
import { lookAtCode } from "../looking/code.ts";
import { lookAtEvents } from "../looking/events.ts";
import { lookAtExpression } from "../looking/expression.ts";
import type { Looking, Noted, PastAccess, Value, Watched } from "../looking/looking.ts";
import { lookAtMemory } from "../looking/memory.ts";
import { lookAtObject } from "../looking/object.ts";
import { lookAtRegister } from "../looking/register.ts";
import type { IndexedPlace, WrittenObject } from "./written-index.ts";

/** An access with its number among those that count at the same place, from 0. */
export type NumberedAccess = PastAccess & { readonly order: number };

/** Accesses, the latest last. */
export interface Accesses {
  readonly accesses: readonly NumberedAccess[];
  /**
   * The place where the search ended, as there are no more accesses since: the value there,
   * instructions, and virtual time (ns).
   */
  readonly start?: { readonly value: Value; readonly at: number; readonly time: number };
}

/** Instructions of the first stretch in which a vCPU is single-stepped, and growth of the next. */
const STRETCH = 32_768, GROWTH = 32;
/** Parts of the run, from one state to the next, that one machine repeats at most. */
const PARTS = 16;
/**
 * Accesses of a stretch after which its end is searched first: a stop at each takes some
 * microseconds, and a loop may make millions.
 */
const BUSY = 2048;
/** A second of single steps, or of stops at the writes of an operand. */
const STEPPED_REACH = 1_000_000, OPERAND_REACH = 32_000_000;

/** A part of the run that is searched. */
interface Stretch {
  /** The state from which a machine goes there. */
  readonly from: Milestone | undefined;
  readonly past: Past;
  /** Whether it begins at that state: nothing in between remains to be searched. */
  readonly whole: boolean;
  /** Goes up to its beginning first; undefined: the machine is there. */
  readonly lead: ((milliseconds: number) => boolean) | undefined;
  /** Nothing in it is searched: its beginning is the place that is wanted. */
  readonly empty: boolean;
  /** Instructions at which it begins. */
  readonly begin: number;
  readonly end: IndexedPlace & { readonly moment: Moment };
}

/** Which accesses of a search count. */
export interface Counted {
  /** Whether an access counts; without it, each does. */
  readonly matches?: ((access: PastAccess) => boolean) | undefined;
  /** Only those before this one: its instructions, and its number at that place. */
  readonly before?: Pick<NumberedAccess, "at" | "order"> | undefined;
  /** Instructions before the end in which changes of a register are searched. */
  readonly reach?: number;
}

/** A search, made in slices. */
export class AccessSearch {
  #stretch: Stretch;
  /** Instructions of a stretch: all since the state before it, unless it is busy or stepped. */
  #length: number;
  /** The least that this is to become where stretches are busy. */
  #least = 1;
  /** Accesses of this stretch that count. */
  #noted = 0;
  /** They are so many that the stretch is to be shorter. */
  #isBusy = false;
  /** Parts of the run in a stretch: more after each in which too little was found. */
  #parts = 1;
  #looking: Looking | undefined;
  /** The machine has reached the stretch. */
  #isThere = false;
  /** Virtual time (ns) at which the stretch began. */
  #began = 0;
  #found: readonly PastAccess[] = [];

  /** Infinity: up to the start of the run. */
  readonly #reach: number;

  /** @param wanted accesses that are enough */
  constructor(readonly run: RunUpTo, readonly watched: Watched, readonly wanted: number, readonly counted: Counted = {}) {
    this.#reach = this.#isFrequent ? counted.reach ?? (this.#isStepped ? STEPPED_REACH : OPERAND_REACH) : Infinity;
    this.#length = this.#isFrequent ? STRETCH : Infinity;
    this.#stretch = this.#before(run);
  }

  #before(last: Stretch["end"]): Stretch {
    const { rerun } = this.run;
    const isFromStart = this.watched.kind === "event" && this.watched.isTemporal;
    let end = last, from = rerun.milestone(isFromStart ? 0 : end.moment), empty = this.#isUnwritten(from, end);
    while (empty && isLater(from)) {
      end = from;
      from = rerun.milestone(end.moment);
      empty = this.#isUnwritten(from, end);
    }
    if (this.watched.kind === "event" && isLater(from)) {
      const past = rerun.pastAt(listeningStart(rerun, from, this.watched.kinds));
      const { moment, instructions: begin } = from;
      return { from, past, whole: true, lead: (milliseconds) => past.advance(moment, milliseconds), empty, begin, end };
    }
    if (!empty && this.#isJoined) from = this.#earlier(from);
    const past = rerun.pastAt(from), first = past.system.instructions();
    // Single steps and stops take long: the access is probably near.
    const begin = Math.max(first, end.instructions - this.#length, this.run.instructions - this.#reach);
    if (begin === first) return { from, past, whole: true, lead: undefined, empty, begin, end };
    const way = new Way(rerun, past, begin, begin);
    return { from, past, whole: false, lead: (milliseconds) => way.advance(milliseconds), empty, begin, end };
  }

  /** Whether a machine goes through several parts: to begin with another state takes long. */
  get #isJoined(): boolean {
    return this.#length === Infinity && this.watched.kind !== "event" && this.watched.kind !== "object";
  }

  /** The state at the beginning of so many parts that may all have an access. */
  #earlier(from: Milestone | undefined): Milestone | undefined {
    for (let parts = 1; parts < this.#parts && isLater(from); parts++) {
      const earlier = this.run.rerun.milestone(from.moment);
      if (this.#isUnwritten(earlier, from)) break;
      from = earlier;
    }
    return from;
  }

  /** Whether the vCPU is single-stepped. */
  get #isStepped(): boolean {
    return this.watched.kind === "register" && !this.watched.writes;
  }

  /** Whether it stops so often that the search reaches only so far. */
  get #isFrequent(): boolean {
    return this.#isStepped || this.watched.kind === "register" && this.watched.writes?.isOperand === true;
  }

  #isUnwritten(from: Milestone | undefined, end: Stretch["end"]): boolean {
    const object = writtenObject(this.watched);
    return object !== undefined && !this.run.rerun.mayBeWritten(from, end, object);
  }

  /**
   * Adds the accesses of the stretch that begins at `begin`. All of a place count together, so that
   * each has the same number whatever is wanted: of the first, some may be before the stretch.
   */
  #take(accesses: readonly PastAccess[], begin: number): { readonly accesses: NumberedAccess[]; readonly isEnough: boolean } {
    const { counted: { matches, before }, wanted } = this, all = [...matches ? accesses.filter(matches) : accesses, ...this.#found];
    const later = before ? all.filter(({ at }) => at >= before.at).length : 0;
    let cut = Math.max(0, all.length - wanted - later);
    while (cut > 0 && all[cut - 1].at === all[cut].at) cut--;
    this.#found = all.slice(cut);
    const found = numbered(this.#found).filter(({ at, order }) => !before || at < before.at || at === before.at && order < before.order);
    const latest = found.slice(-wanted), [first] = latest;
    const isEnough = latest.length === wanted && (first.at > begin || cut > 0 || first.at > found[0].at);
    return { accesses: latest, isEnough };
  }

  /** Notes accesses from now on. */
  #look(): Looking {
    const { past } = this.#stretch, looking = this.#looking ??= lookAt(past.system, this.watched, (access) => this.#note(access));
    past.onStop = (stop) => looking.stopped?.(stop) ?? false;
    past.onTurns = () => looking.turns?.();
    return looking;
  }

  /** The look at the stretch, once its machine has reached it. */
  #arrived(milliseconds: number): Looking | undefined {
    const { watched } = this, { past, lead } = this.#stretch;
    if (this.#isThere) return this.#looking;
    if (watched.kind === "event") this.#look();
    if (lead && !lead(milliseconds)) return undefined;
    this.#isThere = true;
    this.#noted = 0;
    this.#began = past.system.machine.time;
    const looking = this.#look();
    looking.begin?.();
    return looking;
  }

  /** Notes an access that counts; whether the search begins again, nearer to the end. */
  #note(access: PastAccess): boolean {
    if (this.counted.matches?.(access) === false) return false;
    const { begin, end, past } = this.#stretch, length = Math.max(this.#least, past.system.instructions() - begin);
    this.#isBusy = ++this.#noted >= Math.max(BUSY, 2 * this.wanted) && 2 * length < end.instructions - begin;
    if (this.#isBusy) this.#length = length;
    return this.#isBusy;
  }

  /** Instructions of the run that are searched so far, its end first. */
  get searched(): number {
    const { begin, end, past } = this.#stretch, here = this.#isThere ? past.system.instructions() - begin : 0;
    return Math.max(0, this.run.instructions - end.instructions + here);
  }

  /** Continues for at most `milliseconds` of wall time; undefined: call again. */
  advance(milliseconds: number): Accesses | undefined {
    const { from, past, whole, empty, begin, end } = this.#stretch, looking = this.#arrived(milliseconds);
    if (!looking || !empty && !past.advance(end.moment, milliseconds)) return undefined;
    const isBusy = this.#isBusy, { accesses, first } = looking.end();
    this.run.rerun.leave?.(past);
    if (isBusy) return this.#next(end);
    const { accesses: found, isEnough } = this.#take(accesses, begin);
    if (isEnough) return { accesses: found };
    const isFar = begin <= this.run.instructions - this.#reach;
    if (isFar || whole && !isLater(from)) {
      const start = { value: first, at: begin, time: this.#began };
      return found.length === this.wanted ? { accesses: found } : { accesses: found, start };
    }
    this.#length *= GROWTH;
    if (this.#length < Infinity) this.#least = this.#length;
    this.#parts = Math.min(2 * this.#parts, PARTS);
    return this.#next(whole && isLater(from) ? from : { moment: begin, instructions: begin });
  }

  /** Continues with what leads up to a place. */
  #next(end: Stretch["end"]): undefined {
    this.#looking = undefined;
    this.#isThere = this.#isBusy = false;
    this.#stretch = this.#before(end);
  }
}

/** Numbers the accesses of each place. */
function numbered(accesses: readonly PastAccess[]): NumberedAccess[] {
  let order = -1, last: number | undefined;
  return accesses.map((access) => {
    order = access.at === last ? order + 1 : 0;
    last = access.at;
    return { ...access, order };
  });
}

/** The object in the index of writes; undefined: it is not indexed. */
function writtenObject(watched: Watched): WrittenObject | undefined {
  if (watched.kind === "event" || watched.kind === "expression" || watched.kind === "code") return undefined;
  if (watched.kind === "object") return watched.mayChange && { mayChange: watched.mayChange };
  if (watched.kind === "memory") return watched.watch.kind === "write" ? watched.watch : undefined;
  return watched.writes?.bit === undefined ? undefined : { bit: watched.writes.bit };
}

function lookAt(system: System, watched: Watched, noted: Noted): Looking {
  switch (watched.kind) {
    case "memory":
      return lookAtMemory(system, watched.watch, noted);
    case "code":
      return lookAtCode(system, watched.at, watched.place, noted);
    case "expression":
      return lookAtExpression(system, watched.text, noted);
    case "register":
      return lookAtRegister(system, watched, noted);
    case "object":
      return lookAtObject(system, watched.id);
    case "event":
      return lookAtEvents(system, watched);
  }
}
