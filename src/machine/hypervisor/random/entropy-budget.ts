// How often a vCPU may ask for entropy (docs/spec/hypervisor.md §4.10).

import type { Archive } from "../../hardware/archive.ts";

/** Calls that a vCPU may make in a window of virtual time (ns). */
const CALLS_PER_WINDOW = 4;
const WINDOW = 33_000_000;

/** How often a vCPU has asked for entropy in the current window. */
export class EntropyBudget {
  #windowStart = -WINDOW;
  #calls = 0;

  /** The state, saved or loaded. */
  archive(archive: Archive): void {
    this.#windowStart = archive.float("windowStart", this.#windowStart);
    this.#calls = archive.integer("calls", this.#calls, 0, CALLS_PER_WINDOW);
  }

  /** Counts a call at virtual time `now` (ns); false when there were too many. */
  spend(now: number): boolean {
    if (now - this.#windowStart >= WINDOW) {
      this.#windowStart = now;
      this.#calls = 0;
    }
    if (this.#calls >= CALLS_PER_WINDOW) return false;
    this.#calls++;
    return true;
  }
}
