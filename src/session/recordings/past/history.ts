// Places of a run whose state is kept, so that going back starts from the nearest one and not from
// the beginning.

import { isMidTurn, isTime, type Moment } from "./past.ts";
import type { RunMemory } from "../../assembly/system/system.ts";
import type { SystemState } from "../../state/system-state.ts";
import type { PageFile } from "../../state/page-file.ts";
import { type Page, PageMap } from "../../state/page-map.ts";
import { DEFAULT_LIMITS } from "../../../model/plans/memory-budget.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import { node } from "../../../kit/support/node-modules.ts";

/** A place of a run, with a state from which a machine continues. */
export interface Milestone {
  /**
   * Virtual time (ns) of the last boundary between turns, and instructions that had been retired.
   */
  readonly at: number;
  readonly instructions: number;
  /** The same place for machines that repeat the run. */
  readonly moment: Moment;
  /** How many inputs had entered. */
  readonly inputs: number;
  readonly state: SystemState;
  /** The boundary of `WrittenIndex` there, if there is one. */
  readonly boundary?: number;
  /** The observations of the run, which a file may have; nothing at its start. */
  readonly memory?: () => RunMemory;
}

/**
 * Whether a milestone is after the first: the plan's start (undefined), or the state that the
 * session began with.
 */
export function isLater(milestone: Milestone | undefined): milestone is Milestone {
  return milestone !== undefined && milestone.instructions >= 0;
}

/**
 * A state whose fields are compressed, the quickest way: an eighth remains of 160 KiB. Others share
 * its pages.
 */
export class KeptState implements SystemState {
  constructor(
    readonly packed: Uint8Array,
    readonly pages: SystemState["pages"],
    readonly packedTlbs?: Uint8Array,
    readonly outside?: SystemState["outside"],
  ) {}

  static of(state: SystemState): KeptState {
    if (state instanceof KeptState) return state;
    const packed = (bytes: Uint8Array) => new Uint8Array(node.zlib.deflateRawSync(bytes, { level: 1 }));
    return new KeptState(packed(state.fields), state.pages, state.tlbs && packed(state.tlbs), state.outside);
  }

  get fields(): Uint8Array {
    return node.zlib.inflateRawSync(this.packed);
  }

  get tlbs(): Uint8Array | undefined {
    return this.packedTlbs && node.zlib.inflateRawSync(this.packedTlbs);
  }

  /** Bytes without the pages. */
  get size(): number {
    return this.packed.length + (this.packedTlbs?.length ?? 0);
  }
}

/** Nobody goes back to a state any more. */
export function release(state: SystemState): void {
  for (const part of state.outside ?? []) part.release();
}

/** A milestone that is kept. */
export interface KeptMilestone extends Milestone {
  readonly state: KeptState;
  /** Wall time (ms) that the run took up to it. */
  readonly spent: number;
}

interface Kept extends KeptMilestone {
  /** Bytes in memory, and in the file, that the one before it does not have. */
  own: number;
  stored: number;
}

const isInMemory = ({ own, state }: Kept) => own > state.size;

/** Virtual time (ns) before a place by a time at which no CPU has passed it: many turns. */
const TURN = 1e6;

/** Whether a place is reached from this one. */
export function isBefore({ at, instructions }: Pick<Milestone, "at" | "instructions">, moment: Moment): boolean {
  if (typeof moment === "number") return instructions < moment;
  // A CPU may be further than the boundary of its turn, by an exit or the step of a native guest.
  if (isTime(moment)) return at < moment.time - TURN;
  return at < (isMidTurn(moment) ? moment.turn : moment.at);
}

/** Progress at a boundary: nothing has happened, its events have, or a part of a turn. */
function progressAt(moment: Moment): number {
  if (typeof moment === "number" || isTime(moment)) return 0;
  return isMidTurn(moment) ? 2 : Number(moment.settled);
}

/** Whether a place is further in the run than another one with the same count of instructions. */
function isFurther(one: Milestone, other: Milestone): boolean {
  return one.at > other.at || one.at === other.at && progressAt(one.moment) > progressAt(other.moment);
}

/** Milestones that are kept. */
export const COUNT_LIMIT = 1024;
/** Milestones that are kept whatever they take, unless a budget says otherwise. */
const LEAST = 3;

/** The milestones of a session, in the order of the run. */
export class History {
  readonly #milestones: Kept[] = [];
  /** Milestones that are never dropped: the origin. */
  readonly #first: number;

  /**
   * @param origin the state that the session began with, unless that is its plan's start; it is
   * kept for good
   * @param limit bytes in memory; with one, a milestone that is larger is not kept at all
   * @param file for pages of states that have no room in memory
   */
  constructor(origin?: SystemState, readonly limit?: number, readonly file?: PageFile) {
    this.#first = Number(origin !== undefined);
    if (!origin) return;
    const state = KeptState.of(origin);
    this.#milestones.push({ at: -1, instructions: -1, moment: -1, inputs: 0, state, boundary: 0, spent: 0, own: 0, stored: 0 });
  }

  get length(): number {
    return this.#milestones.length;
  }

  /** Those after the origin, in the order of the run. */
  get milestones(): readonly KeptMilestone[] {
    return this.#milestones.slice(this.#first);
  }

  /** Bytes of memory that states take, without the origin. */
  get bytes(): number {
    return this.#milestones.reduce((sum, { own }) => sum + own, 0);
  }

  /** Bytes of the file that states take. */
  get stored(): number {
    return this.#milestones.reduce((sum, { stored }) => sum + stored, 0);
  }

  /** Milestones that made room for others. */
  dropped = 0;
  /** Bytes of the last milestone, if it alone was larger than the limit. */
  unfit: number | undefined;
  /** Bytes of the limit that other states take: those of ended VMs. */
  reserved = 0;

  /** Bytes that disks take of the same memory and file. */
  disks?: { readonly inMemory: number; readonly stored: number };

  /** Drops the milestone that is missed least; false: there is none but the last. */
  dropOne(): boolean {
    return this.#milestones.length > this.#first && this.#thin();
  }

  /** Forgets all milestones but the origin. */
  clear(): void {
    while (this.#milestones.length > this.#first) this.#drop(this.#milestones.length - 1);
  }

  /** The latest one up to an instruction count: a state that is saved there can share its pages. */
  upTo(instructions: number): Milestone | undefined {
    return this.#milestones.findLast((one) => one.instructions <= instructions);
  }

  /**
   * Keeps one; of two with the same count of instructions, the further one, so that the end of a
   * run is kept although it was reached by waiting. If there is no room, pages of the earliest go
   * into the file; if that is full, the milestones that are missed least are dropped.
   * @param spent wall time (ms) that the run took up to it, if known
   */
  add(milestone: Milestone, spent?: number): void {
    const found = this.#milestones.findIndex(({ instructions }) => instructions >= milestone.instructions),
      same = this.#milestones[found]?.instructions === milestone.instructions ? this.#milestones[found] : undefined;
    if (same && !isFurther(milestone, same)) return release(milestone.state);
    if (same) {
      this.#milestones.splice(found, 1);
      release(same.state);
    }
    const index = found < 0 ? this.#milestones.length : found, state = KeptState.of(milestone.state);
    this.#milestones.splice(index, 0, {
      ...milestone,
      state,
      spent: spent ?? this.#spentAt(milestone.instructions, index),
      own: 0,
      stored: 0,
    });
    this.#measure(index);
    this.#measure(index + 1);
    const least = this.limit === undefined ? LEAST : this.#first + 1,
      limit = (this.limit ?? DEFAULT_LIMITS.history) - this.reserved - (this.disks?.inMemory ?? 0);
    while (this.#milestones.length > COUNT_LIMIT || this.bytes > limit) if (!this.#makeRoom(least)) break;
    this.unfit = this.limit !== undefined && this.bytes > limit ? this.bytes : undefined;
    if (this.unfit !== undefined) this.clear();
  }

  /**
   * The longest way between two neighbors, in wall time (ms) of the run: so far a machine may have
   * to run again to come to a place.
   * @param now wall time (ms) that the run has taken
   */
  farthest(now: number): number {
    let last = 0, longest = 0;
    for (const spent of [...this.#milestones.slice(this.#first).map(({ spent }) => spent), now]) {
      longest = Math.max(longest, spent - last);
      last = spent;
    }
    return longest;
  }

  /**
   * Bytes in memory and in the file with which no way would be longer than this (ms), about: for
   * twice as many milestones, as their distances differ by that much, of the size that they have.
   * Undefined: more than are ever kept.
   */
  roomFor(way: number, now: number): number | undefined {
    const wanted = 2 * now / way, kept = this.#milestones.slice(this.#first);
    if (wanted > COUNT_LIMIT) return undefined;
    // Without an origin the first one has all pages; others have what has changed.
    const [whole = 0, ...changes] = [...this.#first ? [0] : [], ...kept.map(({ own, stored }) => own + stored)];
    return whole + wanted * changes.reduce((sum, bytes) => sum + bytes, 0) / Math.max(1, changes.length);
  }

  /** Wall time of the run up to a place before the milestone with this index, probably. */
  #spentAt(instructions: number, index: number): number {
    const before = this.#milestones[index - 1] ?? { instructions: 0, spent: 0 }, after = this.#milestones[index];
    if (!after) return before.spent;
    const first = Math.max(0, before.instructions);
    return before.spent + (after.spent - before.spent) * (instructions - first) / (after.instructions - first);
  }

  /** Counts the bytes of one again, after the one before it has changed. */
  #measure(index: number): void {
    const one = this.#milestones.at(index);
    if (!one || index < this.#first) return;
    let inMemory = 0, inFile = 0;
    for (const { content, store } of this.#ownPages(index)) {
      if (content) inMemory++;
      else if (store === this.file) inFile++;
    }
    one.own = one.state.size + inMemory * PAGE_SIZE;
    one.stored = inFile * PAGE_SIZE;
  }

  /** The pages of one that the one before it does not have. */
  #ownPages(index: number): Iterable<Page> {
    return this.#milestones[index].state.pages.apartFrom(this.#milestones[index - 1]?.state.pages ?? PageMap.EMPTY);
  }

  /**
   * The last one from which a place can be reached. One with the same count may be after the place,
   * as native guests retire nothing.
   */
  before(moment: Moment): Milestone | undefined {
    return this.#milestones.findLast((one) => isBefore(one, moment));
  }

  /** Drops one that no machine can continue from; the one before it, if there is any. */
  forget(milestone: Milestone): Milestone | undefined {
    const index = this.#milestones.findIndex(({ state }) => state === milestone.state);
    if (index < 0) return this.before(milestone.moment);
    this.#drop(index);
    return this.#milestones[index - 1];
  }

  /** Whether there is one in a range of instruction counts. */
  hasBetween(first: number, end: number): boolean {
    return this.#milestones.some(({ instructions }) => instructions >= first && instructions < end);
  }

  /** Moves pages of one into the file, or drops one; false: nothing is left for that. */
  #makeRoom(least: number): boolean {
    const index = this.#milestones.findIndex((one, index) => index >= this.#first && isInMemory(one)), { file } = this;
    const isPossible = this.#milestones.length > least;
    if (!file || index < 0 || this.#milestones.length > COUNT_LIMIT) return isPossible && this.#thin();
    if (this.stored + (this.disks?.stored ?? 0) + this.#milestones[index].own > file.room) return isPossible && this.#thin();
    const isMoved = file.store([...this.#ownPages(index)].filter(({ content }) => content));
    if (!isMoved) return isPossible && this.#thin(isInMemory);
    this.#measure(index);
    return true;
  }

  /**
   * Drops the one whose absence leaves the shortest way between two others. The last one stays: the
   * next state shares its pages.
   */
  #thin(among: (milestone: Kept) => boolean = () => true): boolean {
    let least: number | undefined, shortest = Infinity;
    for (let index = this.#first; index < this.#milestones.length - 1; index++) {
      const way = this.#milestones[index + 1].spent - (this.#milestones[index - 1]?.spent ?? 0);
      if (way < shortest && among(this.#milestones[index])) [least, shortest] = [index, way];
    }
    if (least === undefined) return false;
    this.#drop(least);
    return true;
  }

  #drop(index: number): void {
    const [{ state }] = this.#milestones.splice(index, 1);
    release(state);
    this.dropped++;
    this.#measure(index);
  }
}
