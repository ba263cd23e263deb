// A line of text that a person types: the emacs keys that shells have, and what was typed before.

import type { Action } from "./actions.ts";
import { type Key, keyText } from "./keys.ts";

/** A line, and where its cursor stands. */
export class LineEditor {
  #text: string;
  #at: number;
  /** Which of the lines typed before is shown. */
  #before: number;

  constructor(text = "", readonly history: string[] = []) {
    this.#text = text;
    this.#at = text.length;
    this.#before = history.length;
  }

  get text(): string {
    return this.#text;
  }

  /** Characters before the cursor. */
  get at(): number {
    return this.#at;
  }

  /**
   * Takes a key; says whether the text is another one, or undefined where the key is for others.
   */
  key(key: Key, action: Action | undefined): boolean | undefined {
    const before = this.#text.slice(0, this.#at), after = this.#text.slice(this.#at);
    switch (action?.name) {
      case "text.erase":
        return this.set(before.slice(0, -1), after);
      case "text.erase-word":
        return this.set(before.replace(/\S*\s*$/, ""), after);
      case "text.erase-line":
        return this.set("", after);
      case "text.start":
        return this.#move(0);
      case "text.end":
        return this.#move(this.#text.length);
      case "text.left":
        return this.#move(Math.max(this.#at - 1, 0));
      case "text.right":
        return this.#move(Math.min(this.#at + 1, this.#text.length));
    }
    if (action !== undefined || key.name !== "Space" && key.name !== "Paste" && [...key.name].length !== 1) return undefined;
    return this.set(before + keyText(key).replaceAll(/[\x00-\x1f\x7f]/g, ""), after);
  }

  /** Another text; the cursor stands between its parts. */
  set(before: string, after = ""): true {
    this.#text = before + after;
    this.#at = before.length;
    return true;
  }

  /** What was typed before, or after that; false where there is nothing. */
  recall(by: number): boolean {
    const { history } = this;
    if (!history.length) return false;
    this.#before = Math.min(Math.max(this.#before + by, 0), history.length);
    return this.set(history[this.#before] ?? "");
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
