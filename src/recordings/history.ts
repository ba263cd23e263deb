// Places of a run whose state is kept, so that going back starts from the nearest one and not from
// the beginning.

import { isMidTurn, type Moment } from "./past.ts";
import type { RunMemory } from "../assembly/system.ts";
import type { SystemState } from "../state/system-state.ts";
import { MiB, PAGE_SIZE } from "../support/sizes.ts";

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
  /** The observations of the run; nothing at its start. */
  readonly memory?: RunMemory;
}

/**
 * Whether a milestone is the first: the plan's start (undefined), or the state that the session
 * began with.
 */
export function isFirst(milestone: Milestone | undefined): boolean {
  return milestone === undefined || milestone.instructions < 0;
}

/** Milestones that are kept, and bytes of pages. */
const COUNT_LIMIT = 48;
const BYTES_LIMIT = 160 * MiB;

/** The milestones of a session, in the order of the run. */
export class History {
  #milestones: Milestone[] = [];
  #bytes = 0;

  /**
   * @param origin the state that the session began with, unless that is its plan's start; it is
   * kept for good
   */
  constructor(readonly origin?: SystemState) {
    if (origin) this.#milestones.push({ at: -1, instructions: -1, moment: -1, inputs: 0, state: origin });
  }

  get length(): number {
    return this.#milestones.length;
  }

  /** The latest state before a place, for pages to share. */
  stateBefore(instructions: number): SystemState | undefined {
    return this.#milestones.findLast((one) => one.instructions <= instructions)?.state;
  }

  /** Keeps one; when there are too many, drops every second one. */
  add(milestone: Milestone): void {
    const next = this.#milestones.findIndex(({ instructions }) => instructions >= milestone.instructions);
    if (this.#milestones[next]?.instructions === milestone.instructions) return;
    this.#milestones.splice(next < 0 ? this.#milestones.length : next, 0, milestone);
    const before = this.stateBefore(milestone.instructions - 1)?.pages;
    for (const [page, bytes] of milestone.state.pages) if (before?.get(page) !== bytes) this.#bytes += PAGE_SIZE;
    while (this.#milestones.length > 3 && (this.#milestones.length > COUNT_LIMIT || this.#bytes > BYTES_LIMIT)) this.#thin();
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

  /** Whether there is one in a range of instruction counts. */
  hasBetween(first: number, end: number): boolean {
    return this.#milestones.some(({ instructions }) => instructions >= first && instructions < end);
  }

  #thin(): void {
    // The first may be the origin, which every search needs.
    this.#milestones = this.#milestones.filter((_, index) => index % 2 === 0);
    const pages = new Set<Uint8Array>();
    for (const { state } of this.#milestones) for (const page of state.pages.values()) pages.add(page);
    this.#bytes = pages.size * PAGE_SIZE;
  }
}
