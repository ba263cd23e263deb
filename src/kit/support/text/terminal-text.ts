// The one way for text that guests and files may have chosen to a terminal: whatever could move its
// cursor, set its title or reorder what is read is shown as text.

/**
 * C0 without newline, tab and carriage return, DEL, C1; and characters without width or that
 * reverse the direction of text.
 */
const HOSTILE = /[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ufff9-\ufffb]/g;
/** The same, and what would end a line or a column. */
const HOSTILE_IN_LINE = new RegExp(`${HOSTILE.source}|[\\t\\n\\r]`, "g");

const C0_END = 0x20;
const DEL = 0x7f;
const CARET = 0x40;

/** `^[` for ESC as `cat -v` has it, `<U+202E>` for what is beyond ASCII. */
function mark(character: string): string {
  const code = character.charCodeAt(0);
  if (code < C0_END || code === DEL) return `^${String.fromCharCode(code ^ CARET)}`;
  return `<U+${code.toString(16).toUpperCase().padStart(4, "0")}>`;
}

/** Text for a terminal; lines and tabs stay. */
export function terminalText(text: string): string {
  return text.replaceAll(HOSTILE, mark);
}

/** The same for a word or cell, which stays in its line. */
export function terminalWord(text: string): string {
  return text.replaceAll(HOSTILE_IN_LINE, mark);
}

/** Between the soft hyphen and this nothing lacks a width or turns text round. */
const FIRST_LETTER = 0xae, FIRST_ARABIC = 0x600;
/** Joins the parts of one emoji. */
const JOINER = "\u200d";

/**
 * One grapheme cluster for one cell of a screen: without characters that have no width or reverse
 * the direction of text; `?` where nothing else is left, and for control characters.
 */
export function terminalCluster(cluster: string): string {
  const code = cluster.charCodeAt(0);
  if (cluster.length === 1 && code >= C0_END && code < DEL) return cluster;
  if (cluster.length === 1 && code >= FIRST_LETTER && code < FIRST_ARABIC) return cluster;
  const shown = cluster.replaceAll(HOSTILE_IN_LINE, (character) => character === JOINER ? character : "");
  return shown === "" || shown.startsWith(JOINER) ? "?" : shown;
}

/** Bytes of one console for a terminal, as they come: a character may come in pieces. */
export class TerminalBytes {
  readonly #decoder = new TextDecoder();
  readonly #encoder = new TextEncoder();

  /** The bytes for the terminal. */
  shown(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
    return this.#encoder.encode(terminalText(this.#decoder.decode(bytes, { stream: true })));
  }
}
