// Virtual time that has passed faster than it does for people, and has to be slept: all waited, or
// waits for the counter were left out (core/waits).

/** Time (ns) that is worth a sleep; less is owed until it adds up. */
const SHORTEST_SLEEP = 2e6;
/** How far (ns) a wait may be behind: sleeps that last too long are made up for. */
const LATEST = 20e6;

/** What one session owes. */
export class Pace {
  /** Idle time (ns). */
  #idle = 0;
  /** How far (ns) waits that were left out are ahead of the host's clock. */
  #ahead = 0;
  #isWaiting = false;
  /** Instructions that the core had left out before the latest run, and when (ms) that ended. */
  #spared = 0;
  #seen = 0;

  /** `passed` ns are owed, in which all wait. */
  idle(passed: number): void {
    this.#idle += passed;
  }

  /**
   * The machine has run: `passed` ns of virtual time until `now` (ms) on the host. `spared` are the
   * instructions that were left out since it began, each of which is waited for as long as it would
   * have taken.
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

  /** The machine has run for somebody who does not want to wait. */
  hurried(spared: number): void {
    this.#spared = spared;
    this.#ahead = 0;
  }

  /** How long to sleep (ns), where that is worth it; else 0. */
  take(): number {
    const owed = this.#idle + Math.max(0, this.#ahead);
    if (owed < SHORTEST_SLEEP) return 0;
    this.#idle = 0;
    return owed;
  }
}
