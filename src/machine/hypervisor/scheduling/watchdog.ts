// The watchdog of a VM, which its guest serves by SMCs (docs/spec/phones.md §D3). Time is virtual.

import type { Scheduled } from "../../hardware/events.ts";
import type { Machine } from "../../hardware/machine.ts";
import type { ObjectArchive } from "../archive/archive.ts";

/** Milliseconds that a bark or a bite may be away. */
export const WATCHDOG_LONGEST = 0x8000;
const NS_PER_MS = 1e6;

/** A watchdog. It is off until the guest turns it on. */
export class Watchdog {
  #on = false;
  /** Milliseconds. Nothing is done at the bark: no interrupt is known for it. */
  #bark = WATCHDOG_LONGEST;
  #bite = WATCHDOG_LONGEST;
  /** Virtual time (ns) of the last ping, or of the start. */
  #pinged = 0;
  #event: Scheduled | undefined;

  /** @param onBite the guest has not pinged it in time; it is off again */
  constructor(readonly machine: () => Machine, readonly onBite: () => void) {}

  get isOn(): boolean {
    return this.#on;
  }

  /** Milliseconds until it bites after a ping. */
  get bite(): number {
    return this.#bite;
  }

  /** Milliseconds since the last ping; 0 while it is off. */
  get sincePing(): number {
    return this.#on ? Math.floor((this.machine().time - this.#pinged) / NS_PER_MS) : 0;
  }

  /** Turns it on; its time begins. */
  enable(): void {
    this.#on = true;
    this.ping();
  }

  disable(): void {
    this.#on = false;
    this.#schedule();
  }

  /** @param bark ms @param bite ms */
  setTime(bark: number, bite: number): void {
    this.#bark = bark;
    this.#bite = bite;
    this.#schedule();
  }

  ping(): void {
    this.#pinged = this.machine().time;
    this.#schedule();
  }

  /** The state, saved or loaded. */
  archive(archive: ObjectArchive): void {
    this.#on = archive.bool("on", this.#on);
    this.#bark = archive.integer("bark", this.#bark, 0, WATCHDOG_LONGEST);
    this.#bite = archive.integer("bite", this.#bite, 0, WATCHDOG_LONGEST);
    this.#pinged = archive.float("pinged", this.#pinged);
    archive.check(this.#pinged >= 0 && this.#pinged <= this.machine().time, "the last ping was in the past");
    this.#event = this.machine().events.archiveEvent("event", archive, this.#event, () => this.#due());
    archive.check(this.#on === (this.#event !== undefined), "a watchdog that is on has its event");
  }

  /** Its VM is gone. */
  release(): void {
    this.#event?.cancel();
    this.#event = undefined;
  }

  #schedule(): void {
    this.release();
    if (!this.#on) return;
    const { events, time } = this.machine();
    this.#event = events.schedule(Math.max(time, this.#pinged + this.#bite * NS_PER_MS), () => this.#due());
  }

  #due(): void {
    this.#event = undefined;
    this.#on = false;
    this.onBite();
  }
}
