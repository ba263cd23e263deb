// Places of a run whose state is kept, so that going back starts from the nearest one and not from
// the beginning.

import { isMidTurn, type Moment } from "./past.ts";
import type { RunMemory } from "../assembly/system/system.ts";
import type { SystemState } from "../state/system-state.ts";
import { DEFAULT_LIMITS } from "../plans/memory-budget.ts";
import { PAGE_SIZE } from "../support/sizes.ts";
import { node } from "../support/node-modules.ts";

/** A place of a run, with the state from which a machine continues there. */
export interface Milestone {
  /**
   * Virtual time (ns) of the last boundary between turns, and instructions that had been retired.
   */
  readonly at: number;
  readonly instructions: number;
  /** The same as a machine that is run again goes there. */
  readonly moment: Moment;
  /** How many inputs had entered. */
  readonly inputs: number;
  readonly state: SystemState;
  /** Number of the boundary of `WrittenIndex` that it is at. */
  readonly boundary?: number;
  /** The observations of the run; nothing at its start. */
  readonly memory?: RunMemory;
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
  readonly #packed: Uint8Array<ArrayBuffer>;
  readonly pages: SystemState["pages"];

  constructor({ fields, pages }: SystemState) {
    this.#packed = new Uint8Array(node.zlib.deflateRawSync(fields, { level: 1 }));
    this.pages = pages;
  }

  get fields(): Uint8Array {
    return node.zlib.inflateRawSync(this.#packed);
  }

  /** Bytes without the pages. */
  get size(): number {
    return this.#packed.length;
  }
}

interface Kept extends Milestone {
  readonly state: KeptState;
}

/** Milestones that are kept. */
const COUNT_LIMIT = 48;
/** Milestones that are kept whatever they take, unless a budget says otherwise. */
const LEAST = 3;

/** The milestones of a session, in the order of the run. */
export class History {
  readonly #origin?: KeptState;
  #milestones: Kept[] = [];
  #bytes = 0;

  /**
   * @param origin the state that the session began with, unless that is its plan's start; it is
   * kept for good
   * @param limit bytes; with one, a milestone that is larger is not kept at all
   */
  constructor(origin?: SystemState, readonly limit?: number) {
    if (!origin) return;
    this.#origin = new KeptState(origin);
    this.#milestones.push({ at: -1, instructions: -1, moment: -1, inputs: 0, state: this.#origin, boundary: 0 });
  }

  get length(): number {
    return this.#milestones.length;
  }

  /** Bytes of the states that are kept, without the origin. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Milestones that made room for others. */
  dropped = 0;
  /** Bytes of the limit that other states take: those of ended VMs. */
  reserved = 0;

  /** Forgets all milestones but the origin. */
  clear(): void {
    this.dropped += this.#milestones.length - this.#first;
    this.#milestones.length = this.#first;
    this.#bytes = 0;
  }

  /** The latest one at a place or before it: a state that is saved there can share its pages. */
  upTo(instructions: number): Milestone | undefined {
    return this.#milestones.findLast((one) => one.instructions <= instructions);
  }

  /** Keeps one; when there are too many, drops every second one. */
  add(milestone: Milestone): void {
    const next = this.#milestones.findIndex(({ instructions }) => instructions >= milestone.instructions);
    if (this.#milestones[next]?.instructions === milestone.instructions) return;
    const state = new KeptState(milestone.state);
    this.#milestones.splice(next < 0 ? this.#milestones.length : next, 0, { ...milestone, state });
    this.#bytes += state.size;
    const before = this.upTo(milestone.instructions - 1)?.state.pages;
    for (const [page, bytes] of state.pages) if (before?.get(page) !== bytes) this.#bytes += PAGE_SIZE;
    const least = this.limit === undefined ? LEAST : this.#first + 1, limit = (this.limit ?? DEFAULT_LIMITS.history) - this.reserved;
    while (this.#milestones.length > least && (this.#milestones.length > COUNT_LIMIT || this.#bytes > limit)) this.#thin();
    if (this.limit !== undefined && this.#bytes > limit) this.clear();
  }

  /**
   * The last one from which a place can be reached. One with the same count may be after the place,
   * as native guests retire nothing.
   */
  before(moment: Moment): Milestone | undefined {
    if (typeof moment === "number") return this.#milestones.findLast((one) => one.instructions < moment);
    const at = isMidTurn(moment) ? moment.turn : moment.at;
    return this.#milestones.findLast((one) => one.at < at);
  }

  /** Drops one that no machine can continue from; the one before it, if there is any. */
  forget(milestone: Milestone): Milestone | undefined {
    const index = this.#milestones.findIndex(({ state }) => state === milestone.state);
    this.dropped++;
    this.#keep((_, at) => at !== index);
    return this.#milestones[index - 1];
  }

  /** Whether there is one in a range of instruction counts. */
  hasBetween(first: number, end: number): boolean {
    return this.#milestones.some(({ instructions }) => instructions >= first && instructions < end);
  }

  /** Milestones that are never dropped: the origin. */
  get #first(): number {
    return this.#origin ? 1 : 0;
  }

  #thin(): void {
    const count = this.#milestones.length;
    // The first may be the origin, which every search needs.
    this.#keep((_, index) => index % 2 === 0);
    this.dropped += count - this.#milestones.length;
  }

  #keep(kept: (milestone: Kept, index: number) => boolean): void {
    this.#milestones = this.#milestones.filter(kept);
    const pages = new Set<Uint8Array>(), origin = new Set(this.#origin?.pages.values());
    for (const { state } of this.#milestones) for (const page of state.pages.values()) if (!origin.has(page)) pages.add(page);
    const fields = this.#milestones.slice(this.#first).reduce((sum, { state }) => sum + state.size, 0);
    this.#bytes = fields + pages.size * PAGE_SIZE;
  }
}
