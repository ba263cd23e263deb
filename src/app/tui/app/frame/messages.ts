// The message row: the newest toast about an event, or the answer to the last key
// (docs/design/look.md §4).

import type { Hint } from "./hints.ts";

/** Kind of a message. `bad`: a problem; `refused`: the machine refused. */
export type MessageKind = "text" | "ok" | "accent" | "warn" | "bad" | "refused" | "failed";

/** A message as it is shown. */
export interface Message {
  readonly text: string;
  readonly kind: MessageKind;
  /** Keys that help. */
  readonly keys: readonly Hint[];
  /** Toasts that are still there below it. */
  readonly more: number;
}

/** How long (ms) a toast stays. */
const TOAST_TIME = 8000;

const DISMISS: Hint = { key: "Esc", word: "dismiss" };
/** Toasts that stay until a key is pressed. */
const STAYS: ReadonlySet<MessageKind> = new Set(["refused", "failed"]);

interface Toast {
  readonly text: string;
  readonly kind: MessageKind;
  readonly keys: readonly Hint[];
  readonly until: number;
  readonly topic: string;
}

/** The messages of an application. */
export class Messages {
  #answer = "";
  #toasts: readonly Toast[] = [];

  /**
   * @param clock wall time in ms
   * @param later requests a frame after a delay in ms
   */
  constructor(readonly clock: () => number, readonly later: (ms: number) => void) {}

  /**
   * Shows a message; `keys` answer it, and a press of one dismisses it. A newer message about a
   * topic replaces the one before.
   */
  say(said: string, kind: MessageKind = "text", keys: readonly Hint[] = [], topic = said): void {
    const text = inOneLine(said);
    if (kind === "text") {
      this.#answer = text;
      return;
    }
    const until = STAYS.has(kind) ? Infinity : this.clock() + TOAST_TIME;
    this.#toasts = [...this.#live.filter((toast) => toast.topic !== topic), { text, kind, keys, until, topic }];
    this.#answer = "";
    if (until < Infinity) this.later(TOAST_TIME);
  }

  /**
   * A key was pressed: removes the last answer, and toasts that the key answers.
   * @param command the key, if it is an action of the screens and not typed text
   */
  pressed(command: string | undefined): void {
    this.#answer = "";
    if (command === undefined) return;
    this.#toasts = this.#live.filter(({ keys }) => !keys.some(({ key }) => key === command));
  }

  /** Removes the newest toast; false without one. */
  dismiss(): boolean {
    const shown = this.#live;
    this.#toasts = shown.slice(0, -1);
    return shown.length > 0;
  }

  /** The present message of the row. */
  get current(): Message | undefined {
    // The answer to a key is newer than any toast, and goes with the next key.
    if (this.#answer) return { text: this.#answer, kind: "text", keys: [], more: 0 };
    const shown = this.#live, toast = shown.at(-1);
    return toast && { text: toast.text, kind: toast.kind, keys: [...toast.keys, DISMISS], more: shown.length - 1 };
  }

  get #live(): readonly Toast[] {
    const now = this.clock();
    return this.#toasts.filter(({ until }) => until > now);
  }
}

/** A text of several lines for the one row, without the line of a mark below a character. */
function inOneLine(text: string): string {
  return text.split(/\r?\n/).map((line) => line.trim()).filter((line) => line !== "" && line !== "^").join("  ");
}
