// A line of text that the user types: the emacs keys of shells, and a history.

import type { ActionsOf, OverlayAction } from "../../actions/actions.ts";
import { type Key, keyText } from "../../terminal/keys.ts";

/** Actions on the text. The prompt around it has those that accept, cancel and recall. */
type Edit = Exclude<ActionsOf["text"]["name"], "text.accept" | "text.leave" | "text.older" | "text.newer">;

/** A line, and the position of its cursor. */
export class LineEditor {
  #text: string;
  #at: number;
  /** Which line of the history is shown. */
  #shown: number;

  constructor(text = "", readonly history: string[] = []) {
    this.#text = text;
    this.#at = text.length;
    this.#shown = history.length;
  }

  get text(): string {
    return this.#text;
  }

  /** Characters before the cursor. */
  get at(): number {
    return this.#at;
  }

  /**
   * Takes a key; says whether the text is another one, or undefined if the key is for others.
   */
  key(key: Key, action: OverlayAction | undefined): boolean | undefined {
    if (action?.context === "text") {
      const { name } = action;
      if (name === "text.accept" || name === "text.leave" || name === "text.older" || name === "text.newer") return undefined;
      return this.#edits[name](this.#before, this.#after);
    }
    if (action !== undefined || key.name !== "Space" && key.name !== "Paste" && [...key.name].length !== 1) return undefined;
    return this.set(this.#before + keyText(key).replaceAll(/[\x00-\x1f\x7f]/g, ""), this.#after);
  }

  /** Effect of each action on the text before and after the cursor. */
  readonly #edits: Readonly<Record<Edit, (before: string, after: string) => boolean>> = {
    "text.erase": (before, after) => this.set(before.slice(0, -1), after),
    "text.erase-word": (before, after) => this.set(before.replace(/\S*\s*$/, ""), after),
    "text.erase-line": (_before, after) => this.set("", after),
    "text.start": () => this.#move(0),
    "text.end": () => this.#move(this.#text.length),
    "text.left": () => this.#move(Math.max(this.#at - 1, 0)),
    "text.right": () => this.#move(Math.min(this.#at + 1, this.#text.length)),
  };

  get #before(): string {
    return this.#text.slice(0, this.#at);
  }

  get #after(): string {
    return this.#text.slice(this.#at);
  }

  /** Replaces the text; the cursor is then between its parts. */
  set(before: string, after = ""): true {
    this.#text = before + after;
    this.#at = before.length;
    return true;
  }

  /** The previous or next text of the history; false at its end. */
  recall(by: number): boolean {
    const { history } = this;
    if (!history.length) return false;
    this.#shown = Math.min(Math.max(this.#shown + by, 0), history.length);
    return this.set(history[this.#shown] ?? "");
  }

  /** Keeps the text for the next time. */
  keep(): void {
    if (this.#text && this.history.at(-1) !== this.#text) this.history.push(this.#text);
  }

  #move(to: number): false {
    this.#at = to;
    return false;
  }
}
