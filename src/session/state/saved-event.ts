// An event that a device of the platform waits for. The device saves that it waits; the code that
// attached it saves the time.

import { ArchiveError } from "../../machine/hardware/archive.ts";
import type { EventOrder, EventQueue, Scheduled } from "../../machine/hardware/events.ts";

/** The event that a device waits for. It has at most one pending at a time. */
export class SavedEvent {
  #event: Scheduled | undefined;
  #loaded: EventOrder | undefined;

  constructor(readonly events: EventQueue) {}

  /** Its place in the order of events, if there ever was one. */
  get place(): EventOrder | undefined {
    return this.#event && { at: this.#event.at, order: this.#event.order };
  }

  /**
   * Calls `action` at virtual time `at` (ns); while a device is loaded, at the place that was
   * saved.
   */
  schedule(at: number, action: () => void): void {
    this.#event = this.#loaded ? this.events.put(this.#loaded, action) : this.events.schedule(at, action);
  }

  /** Removes the event that is pending. */
  cancel(): void {
    this.#event?.cancel();
  }

  /**
   * Loads a device that may be waiting.
   * @throws ArchiveError if the device and the saved place disagree.
   */
  load(place: EventOrder | undefined, waits: boolean, restore: () => void): void {
    if (waits !== (place !== undefined)) throw new ArchiveError("a device that waits has an event");
    this.#loaded = place;
    restore();
    this.#loaded = undefined;
  }
}
