// Messages of the worker to its client: events that belong together go in one message.

import type { SessionEvent } from "../../model/protocol/protocol.ts";

/**
 * Messages that may be under way, and how long (ms) there may be any without a break. Deno serves
 * timers only where no message of a worker waits: on a busy computer, a guest that causes events
 * without end would keep `--timeout` from ending it, and fill the memory.
 */
const MOST_UNHEARD = 8, LONGEST_UNHEARD = 50;

/** The events on their way out. */
export class Outbox {
  #sent = 0;
  /** When the client was last known to have heard all; it lags until it has again. */
  #caughtUp = performance.now();
  #lags = false;
  /**
   * Events of one message: answers to the requests of one, a sample with the answers that go with
   * it.
   */
  #gathered: SessionEvent[] | undefined;

  /**
   * @param send sends a message
   * @param heard how many the client has heard, modulo 2^32; all of them without it
   */
  constructor(readonly send: (events: readonly SessionEvent[]) => void, readonly heard?: () => number) {}

  /** Whether the client lags behind: the machine has to wait until it has heard all. */
  get lags(): boolean {
    const unheard = this.heard === undefined ? 0 : this.#sent - this.heard() | 0, now = performance.now();
    if (unheard === 0) {
      this.#caughtUp = now;
      this.#lags = false;
    } else if (unheard > MOST_UNHEARD || now - this.#caughtUp > LONGEST_UNHEARD) this.#lags = true;
    return this.#lags;
  }

  /** Sends an event, with others where some are being gathered. */
  tell(event: SessionEvent): void {
    if (this.#gathered) this.#gathered.push(event);
    else this.#leave([event]);
  }

  /** Sends the events of `work` as one message. */
  together(work: () => void): void {
    if (this.#gathered) return work();
    const events: SessionEvent[] = this.#gathered = [];
    try {
      work();
    } finally {
      this.#gathered = undefined;
      if (events.length) this.#leave(events);
    }
  }

  #leave(message: readonly SessionEvent[]): void {
    this.#sent++;
    this.send(message);
  }
}
