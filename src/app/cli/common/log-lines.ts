// Output of several consoles as lines, each with its time and the name of its VM. Text of guests
// cannot move the cursor or take another VM's name: control characters are shown as text.

import { terminalText, terminalWord } from "../../../kit/support/text/terminal-text.ts";

/** Codes of the colors of names: those of a terminal's own palette, without red, which warns. */
const COLORS = [36, 33, 32, 35, 34, 96, 93, 92, 95, 94];
const RESET = "\x1b[0m", DIM = "\x1b[2m";
/** Characters after which a line is broken: a guest need not write any line feed. */
const LINE_MAX = 4096;
/** As long as a time of day with milliseconds. */
const NO_TIME = "-".padEnd("00:00:00.000".length);

interface ConsoleLine {
  readonly decoder: TextDecoder;
  readonly color: number;
  text: string;
  /** When the line's first byte came. */
  began: Date | undefined;
}

/** Makes lines. */
export class LogLines {
  readonly #consoles = new Map<string, ConsoleLine>();
  #width = 0;

  constructor(readonly colored: boolean) {}

  /** Makes names as wide as the longest of these. */
  align(names: readonly string[]): void {
    this.#width = Math.max(this.#width, ...names.map((name) => terminalWord(name).length));
  }

  /** The lines that these bytes complete. @param now when they came, if that is known */
  add(console: string, bytes: Uint8Array, now: Date | undefined): string {
    const line = this.#lineOf(console);
    let whole = "";
    for (const character of line.decoder.decode(bytes, { stream: true })) {
      if (character === "\r") continue;
      if (line.text === "") line.began = now;
      if (character === "\n" || line.text.length >= LINE_MAX) whole += this.#finish(console, line, now);
      if (character !== "\n") line.text += character;
    }
    return whole;
  }

  /** An unfinished line of a console; nothing if there is none. */
  rest(console: string): string {
    const line = this.#lineOf(console);
    return line.text === "" ? "" : this.#finish(console, line, line.began);
  }

  /** The lines that began before a time and are not finished, such as prompts. */
  unfinished(before: Date): string {
    return [...this.#consoles].filter(([, { text, began }]) => text !== "" && began && began <= before)
      .map(([console]) => this.rest(console)).join("");
  }

  #lineOf(console: string): ConsoleLine {
    let line = this.#consoles.get(console);
    if (!line) {
      const color = COLORS[this.#consoles.size % COLORS.length];
      this.#consoles.set(console, line = { decoder: new TextDecoder(), color, text: "", began: undefined });
      this.align([console]);
    }
    return line;
  }

  #finish(console: string, line: ConsoleLine, now: Date | undefined): string {
    const time = line.began?.toISOString().slice("2026-01-01T".length, -1) ?? NO_TIME;
    const name = terminalWord(console).padEnd(this.#width);
    const text = terminalText(line.text);
    line.text = "";
    line.began = now;
    return this.colored ? `${DIM}${time}${RESET} \x1b[${line.color}m${name}${RESET} ${text}\n` : `${time} ${name} ${text}\n`;
  }
}
