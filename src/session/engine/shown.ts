// The view of a session: the machine as it is, or a place in its past.

import type { Reached } from "../recordings/past/back-to.ts";
import type { Past } from "../recordings/past/past.ts";
import type { System } from "../assembly/system/system.ts";

/** Work in pieces. */
interface Looker {
  readonly busy: boolean;
}

/** The present, and a past in front of it. */
export class Shown {
  /** The past that is shown; undefined: the present is. */
  past: Past | undefined;
  #reached: Reached | undefined;

  readonly #lookers: Looker[] = [];

  constructor(readonly present: System) {}

  /** Adds who may look at a past in pieces of work. */
  addLooker(looker: Looker): void {
    this.#lookers.push(looker);
  }

  /** Whether work in pieces may look at a past that is not shown any more: its machine stays. */
  get isLookedAt(): boolean {
    return this.#lookers.some(({ busy }) => busy);
  }

  /** The machine that is shown. */
  get system(): System {
    return this.past?.system ?? this.present;
  }

  /** How the place that is shown was reached, after travel back. */
  get reached(): Reached | undefined {
    return this.#reached?.past === this.past ? this.#reached : undefined;
  }

  /** Shows a place that was gone back to. */
  show(reached: Reached): void {
    this.#reached = reached;
    this.past = reached.past;
  }

  /** How the place was reached no longer counts: going back looks from there. */
  forgetWay(): void {
    this.#reached = undefined;
  }
}
