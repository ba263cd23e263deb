// Messages of the worker to its client: events that belong together go in one message.

import type { SessionEvent } from "../protocol/protocol.ts";

/** The events on their way out. */
export class Outbox {
  /**
   * Events of one message: answers to the requests of one, a sample with the answers that go with
   * it.
   */
  #gathered: SessionEvent[] | undefined;

  /** @param send sends a message */
  constructor(readonly send: (events: readonly SessionEvent[]) => void) {}

  /** Sends an event, with others where some are being gathered. */
  tell(event: SessionEvent): void {
    if (this.#gathered) this.#gathered.push(event);
    else this.send([event]);
  }

  /** Sends the events of `work` as one message. */
  together(work: () => void): void {
    if (this.#gathered) return work();
    const events: SessionEvent[] = this.#gathered = [];
    try {
      work();
    } finally {
      this.#gathered = undefined;
      if (events.length) this.send(events);
    }
  }
}
