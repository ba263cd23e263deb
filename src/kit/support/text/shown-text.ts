// The visible part of a console's output: text without the sequences of ECMA-48 that move a
// terminal's cursor, color it or ask it something.

/** Characters of a sequence without an end after which it is text. */
const LONGEST = 4096;
/** Control sequences, strings such as titles, and escapes of a few characters. */
// deno-lint-ignore no-control-regex
const SEQUENCE = /\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)|[ -/]*[0-OQ-WYZ`-~])/g;
/** The beginning of one, at the end. */
// deno-lint-ignore no-control-regex
const BEGUN = /\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b]*\x1b?|[ -/]*)$/;

/** A whole text without such sequences. */
export const withoutSequences = (text: string): string => text.replaceAll(SEQUENCE, "");

/** The text of one console, which comes in pieces. */
export class ShownText {
  readonly #decoder = new TextDecoder();
  #begun = "";

  /** The visible text of these bytes, and of the end of those before. */
  of(bytes: Uint8Array): string {
    const text = withoutSequences(this.#begun + this.#decoder.decode(bytes, { stream: true }));
    const begun = BEGUN.exec(text)?.[0] ?? "";
    this.#begun = begun.length > LONGEST ? "" : begun;
    return text.slice(0, text.length - this.#begun.length);
  }
}
