// Virtual time that passed faster than host time and has to be slept: idle time, and waits for the
// counter that the core skipped (core/waits).

/** Time (ns) that is worth a sleep; less is owed until it adds up. */
const SHORTEST_SLEEP = 2e6;
/** How far (ns) a wait may fall behind: later sleeps make up for one that took too long. */
const LATEST = 20e6;

/** The sleep that one session owes. */
export class Pace {
  /** Idle time (ns). */
  #idle = 0;
  /** How far (ns) skipped waits are ahead of the host's clock. */
  #ahead = 0;
  #isWaiting = false;
  /** Instructions skipped by the end of the latest run, and when (ms) that run ended. */
  #spared = 0;
  #seen = 0;

  /** All vCPUs waited for `passed` ns. */
  idle(passed: number): void {
    this.#idle += passed;
  }

  /**
   * The machine ran for `passed` ns of virtual time, until `now` (ms) on the host. `spared` counts
   * the instructions skipped since it started; each of them owes the time that it would have taken.
   */
  ran(spared: number, passed: number, now: number): void {
    const more = spared - this.#spared, isWaiting = more > 0;
    const earliest = isWaiting && this.#isWaiting ? -LATEST : 0;
    this.#ahead = Math.max(earliest, this.#ahead - (now - this.#seen) * 1e6);
    if (isWaiting) this.#ahead += Math.min(more, passed);
    this.#isWaiting = isWaiting;
    this.#spared = spared;
    this.#seen = now;
  }

  /** The machine ran with `--turbo`: it owes nothing. */
  hurried(spared: number): void {
    this.#spared = spared;
    this.#ahead = 0;
  }

  /** The length of the next sleep (ns), or 0 if it is not worth one yet. */
  nextSleep(): number {
    const owed = this.#idle + Math.max(0, this.#ahead);
    if (owed < SHORTEST_SLEEP) return 0;
    this.#idle = 0;
    return owed;
  }
}
