// The times at which a machine runs: slices of a few milliseconds with requests let in between
// them, sleeps while all wait, and pauses. docs/design/decisions.md §3: busy phases are not
// throttled; idle ones last as long as their virtual time unless `turbo`.

import type { EnginePort } from "./loop.ts";
import type { Output } from "./output.ts";
import { Pace } from "./pace.ts";
import type { Sampler } from "./sampler.ts";
import type { Shown } from "./shown.ts";

/**
 * Wall time (ms) after which a slice ends: where a console has something to show or a connection
 * may bring something in, and where neither is so. The end of a slice takes a quarter of a
 * millisecond, as its code is cold by then.
 */
const SLICE = 5, SILENT_SLICE = 20;
/** Wall time (ms) between two checks of a client that lags. */
const LAG = 1;

/** The engine's part in a slice. */
interface Sliced {
  /** Whether something besides a pause keeps the machine from running. */
  held(): boolean;
  /** Runs the machine for some turns; false when it cannot continue without input. */
  run(): boolean;
  /** A slice that took so long (ms) is over. */
  over(took: number): void;
}

export class Slices {
  readonly #channel = new MessageChannel();
  readonly #pace = new Pace();
  readonly #onPause: (() => void)[] = [];
  #sleep: { timer: ReturnType<typeof setTimeout>; since: number; until: number } | undefined;
  #isScheduled = false;
  #isPaused = false;
  #isDone = false;

  /** @param hurries whether owed time is not slept, whatever the machine does; else it depends */
  constructor(
    readonly port: EnginePort,
    readonly shown: Shown,
    readonly output: Output,
    readonly sampler: Sampler,
    readonly hurries: { readonly replays: boolean; readonly turbo: boolean },
    readonly sliced: Sliced,
  ) {
    this.#channel.port1.onmessage = () => port.guarded(() => this.#scheduled());
  }

  /** Whether the machine has ended. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /** Whether the machine runs: it neither sleeps nor is paused. */
  get isScheduled(): boolean {
    return this.#isScheduled;
  }

  /** Adds who acts before the machine is paused, or continues. */
  onPause(act: () => void): void {
    this.#onPause.push(act);
  }

  /** Pauses or continues the machine, and shows the present. */
  pause(paused: boolean): void {
    if (this.#isDone || paused === this.#isPaused) return;
    const { present } = this.shown;
    this.wake();
    for (const act of this.#onPause) act();
    present.stopAt(Infinity);
    this.#isPaused = paused;
    if (!paused) present.stops.goOn();
    this.output.flush();
    this.sampler.sample();
    this.port.post({ kind: "paused", paused });
    this.schedule();
  }

  /** Continues the machine at the next opportunity. */
  schedule(): void {
    if (this.#isDone || this.#isScheduled || this.#sleep || this.output.full) return;
    this.#isScheduled = true;
    // Messages between ports overtake the worker's own; a timer lets those in, and costs more.
    const lags = this.port.lags();
    if (lags || this.port.requested()) setTimeout(() => this.port.guarded(() => this.#scheduled()), lags ? LAG : 0);
    else this.#channel.port2.postMessage(null);
  }

  /** Nothing runs any more. */
  halt(): void {
    this.#isDone = true;
    this.#channel.port1.close();
    if (this.#sleep) clearTimeout(this.#sleep.timer);
  }

  #scheduled(): void {
    this.#isScheduled = false;
    this.#slice();
  }

  #slice(): void {
    if (this.#isDone || this.#isPaused || this.sliced.held()) return;
    if (this.port.lags()) return this.schedule();
    const began = performance.now();
    while (!this.#isDone && !this.#sleep && !this.output.full && this.#lasts(performance.now() - began) && !this.port.requested()) {
      if (!this.sliced.run()) {
        this.output.flush();
        return;
      }
    }
    const took = performance.now() - began;
    this.port.together(() => {
      this.output.flush();
      this.sampler.sampleWhenDue();
    });
    this.sliced.over(took);
    this.schedule();
  }

  /** Whether a slice that has taken this long (ms) continues. */
  #lasts(took: number): boolean {
    const { consoles, outside } = this.shown.system;
    return took < (consoles.waiting || outside.busy ? SLICE : SILENT_SLICE);
  }

  /** Owed time is not slept. */
  get #hurries(): boolean {
    return this.hurries.replays || this.hurries.turbo && !this.shown.system.outside.busy;
  }

  /** The machine has run for `passed` ns of virtual time. */
  ran(passed: number): void {
    const { sparedInstructions: spared } = this.shown.system.core.counters;
    if (this.#hurries) this.#pace.hurried(spared);
    else this.#pace.ran(spared, passed, performance.now());
  }

  /** All wait until a virtual time (ns): sleeps until then, or is there at once. */
  idle(until: number): void {
    const { machine } = this.shown.system;
    if (!this.#hurries) this.#pace.idle(until - machine.time);
    if (!this.sleepOwed(until)) machine.skipTo(until);
  }

  /** Sleeps the owed time if that is worth it, after which virtual time is `until` (ns). */
  sleepOwed(until: number): boolean {
    const owed = this.#hurries ? 0 : this.#pace.nextSleep();
    if (!owed) return false;
    // Time owed from before has passed in virtual time already: sleep it too, but only the rest
    // counts when input wakes us.
    const wait = owed / 1e6, since = performance.now();
    const timer = setTimeout(() => this.port.guarded(() => this.wake()), wait);
    this.#sleep = { timer, since: since + wait - (until - this.shown.system.machine.time) / 1e6, until };
    return true;
  }

  /**
   * Ends a sleep: as much virtual time has passed as wall time, at most until the event that was
   * waited for.
   */
  wake(): void {
    const sleep = this.#sleep;
    if (!sleep) return;
    this.#sleep = undefined;
    clearTimeout(sleep.timer);
    const { machine } = this.shown.system;
    const passed = Math.max(0, performance.now() - sleep.since) * 1e6;
    machine.skipTo(Math.min(sleep.until, Math.floor(machine.time + passed)));
    this.sampler.sampleWhenDue();
    this.schedule();
  }
}
