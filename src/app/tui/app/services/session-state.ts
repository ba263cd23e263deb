// The state of the session: its last sample and speed, whether its machine continues, which place
// of the run is shown, and how it ended.

import type { LostState, StateWord } from "../frame/frame-state.ts";
import { timeText } from "../../../../kit/support/text/number-text.ts";
import type { MessageKind } from "../frame/messages.ts";
import type { MachineSample, SessionEnd, SessionEvent } from "../../../../model/protocol/protocol.ts";
import { problemText } from "../../../../kit/support/problem.ts";

/** Between two tries to reach a lost session, ms. */
export const RETRY = 3000;

export class SessionState {
  #sample: MachineSample | undefined;
  #sampledAt = 0;
  #now = 0;
  #instructions = 0;
  #speed: number | undefined;
  #dropped = 0;
  #paused = false;
  #past = false;
  /** Moves to other places that are in progress. */
  #moving = 0;
  #end: SessionEnd | undefined;
  #failed = false;
  #snapshot: string | undefined;
  #lost: { readonly message: string; readonly since: number } | undefined;

  /**
   * @param clock wall time in ms
   * @param say shows a message
   */
  constructor(readonly clock: () => number, readonly say: (text: string, kind?: MessageKind) => void) {}

  get sample(): MachineSample | undefined {
    return this.#sample;
  }

  /** Virtual time over wall time; undefined while the machine is paused, and once it has ended. */
  get speed(): number | undefined {
    return this.#speed;
  }

  /** Events that were lost on their way. */
  get dropped(): number {
    return this.#dropped;
  }

  /** The newest virtual time (ns) of the run. */
  get now(): number {
    return this.#now;
  }

  /** Instructions of all guests at the present, as far as it was seen. */
  get instructions(): number {
    return this.#instructions;
  }

  get paused(): boolean {
    return this.#paused;
  }

  /** The machine runs by itself. */
  get moves(): boolean {
    return !this.#paused && !this.#end;
  }

  /** The screen shows an earlier place of the run. */
  get past(): boolean {
    return this.#past;
  }

  /** Whether a move to another place is in progress. */
  get moving(): boolean {
    return this.#moving > 0;
  }

  /** How the session ended, once it did. */
  get end(): SessionEnd | undefined {
    return this.#end;
  }

  /** File of the last snapshot that was saved of this session. */
  get snapshot(): string | undefined {
    return this.#snapshot;
  }

  /**
   * Whether the session answers. The machine may be gone by a bug of el2; one that has ended in
   * order can still be inspected.
   */
  get answers(): boolean {
    return !this.#failed && !this.#lost;
  }

  /** The lost connection: attempts to restore it follow at equal intervals. */
  get lost(): LostState | undefined {
    if (!this.#lost) return undefined;
    const gone = this.clock() - this.#lost.since;
    const tried = Math.floor(gone / RETRY);
    return {
      message: this.#lost.message,
      seconds: Math.floor(gone / 1000),
      next: { number: tried + 1, seconds: Math.ceil(((tried + 1) * RETRY - gone) / 1000) },
    };
  }

  /** The state in a word; `replay`: a recording is run again. */
  word(replay: boolean): StateWord {
    if (this.#lost) return "LOST";
    if (this.#past) return "PAST";
    if (this.#end) return "ENDED";
    if (this.#paused) return "PAUSED";
    return replay ? "REPLAY" : "LIVE";
  }

  /** The connection to the session is gone. */
  lose(message: string): void {
    this.#lost = { message, since: this.clock() };
  }

  /** The connection is restored. */
  find(): void {
    this.#lost = undefined;
  }

  /** A move to another place begins. */
  beginMove(): void {
    this.#moving++;
  }

  /** Takes an event of the session; false if it changes nothing that is shown at once. */
  apply(event: SessionEvent): boolean {
    switch (event.kind) {
      case "sample":
        this.#takeSample(event.sample);
        return true;
      case "events":
        this.#dropped += event.dropped;
        return false;
      case "paused":
        this.#paused = event.paused;
        this.#past = event.past ?? false;
        // Steps and moves have no speed; a running machine has one from its second sample on.
        this.#speed = undefined;
        return true;
      case "saved":
        this.#snapshot = event.path;
        return false;
      case "stopped":
        this.say(`${event.rule} stopped the machine: ${event.text}`, "warn");
        return true;
      case "moved":
        this.#moving = Math.max(0, this.#moving - 1);
        if (event.error === undefined) {
          const at = event.time === undefined ? "" : `t=${timeText(event.time)}, `;
          this.say(`at ${at}instruction ${event.instructions}${event.text ? `: ${event.text}` : ""}`);
        } else this.say(problemText(event.error), "bad");
        return true;
      case "undone":
        this.say(problemText(event.problem), "bad");
        return true;
      case "loading":
        this.say(`reading the snapshot: ${Math.floor(100 * event.done / Math.max(event.total, 1))} %`);
        return true;
      case "moving":
        this.say(`replaying: ${event.end > 0 ? Math.min(100, Math.floor(100 * event.instructions / event.end)) : 0} %; Ctrl-C cancels`);
        return true;
      case "ended":
        this.#end ??= event.end;
        this.#speed = undefined;
        this.say(`ended: ${event.end.message}; q quits`, event.end.code ? "failed" : "text");
        return true;
      case "failed":
        this.#failed = true;
        this.#end ??= { code: 1, message: event.message };
        this.say(`the machine failed: ${event.message.split("\n", 1)[0]}`, "failed");
        return true;
      default:
        return false;
    }
  }

  #takeSample(sample: MachineSample): void {
    const now = sample.wall ?? this.clock();
    if (this.#sample && now > this.#sampledAt && !this.#paused) {
      this.#speed = (sample.time - this.#sample.time) / 1e6 / (now - this.#sampledAt);
    }
    this.#sample = sample;
    this.#sampledAt = now;
    if (!this.#past) {
      this.#now = sample.time;
      this.#instructions = sample.instructions;
    }
  }
}
