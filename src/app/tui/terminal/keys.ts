// Keys by name, such as `a`, `ctrl-c`, `Enter`, `S-Tab`, `PgUp`, with the bytes that a terminal
// sends for them. Follows the xterm control sequences (CSI, SS3, SGR mouse reports).

/** One key press, paste, mouse report or report of the terminal. */
export interface Key {
  readonly name: string;
  /** Bytes from the terminal, for a guest console. */
  readonly bytes: Uint8Array;
  /** For mouse reports: cell, from 0. */
  readonly x?: number;
  readonly y?: number;
  /** Why a paste has no bytes. */
  readonly refused?: string;
}

/**
 * Name of what is not a known key. It is longer than a character, so that no prompt takes it as
 * text, and no action is bound to it.
 */
export const UNKNOWN = "Unknown";

const CSI_FINAL: Record<string, string> = { A: "Up", B: "Down", C: "Right", D: "Left", H: "Home", F: "End", Z: "S-Tab" };
const CSI_TILDE: Record<string, string> = { 1: "Home", 2: "Insert", 3: "Delete", 4: "End", 5: "PgUp", 6: "PgDn", 7: "Home", 8: "End" };
const MODIFIERS: Record<string, string> = { 2: "S-", 3: "alt-", 5: "ctrl-" };
/** Keys of one byte that have a name. */
const NAMED_BYTES: Record<string, string> = { Enter: "\r", Tab: "\t", Backspace: "\x7f", Space: " ", Esc: "\x1b", "ctrl-]": "\x1d" };

const decoder = new TextDecoder("utf-8", { fatal: false });
const encoder = new TextEncoder();

/** A key of these bytes. */
export function key(name: string, bytes: readonly number[]): Key {
  return { name, bytes: Uint8Array.from(bytes) };
}

/** Name of the key that sends one byte below 0x80. */
export function nameOfByte(byte: number): string {
  if (byte === 0x0d || byte === 0x0a) return "Enter";
  if (byte === 0x09) return "Tab";
  if (byte === 0x7f || byte === 0x08) return "Backspace";
  if (byte === 0x20) return "Space";
  if (byte > 0 && byte < 0x1b) return `ctrl-${String.fromCharCode(byte + 0x60)}`;
  if (byte < 0x20) return `ctrl-${String.fromCharCode(byte + 0x40)}`;
  return String.fromCharCode(byte);
}

/** Name of the character that these bytes encode in UTF-8, if they are exactly one. */
export function nameOfCharacter(bytes: readonly number[]): string {
  const text = decoder.decode(Uint8Array.from(bytes));
  return [...text].length === 1 ? text : UNKNOWN;
}

/** The key of a whole control sequence: CSI or SS3. */
export function keyOfSequence(raw: readonly number[]): Key {
  const sequence = String.fromCharCode(...raw), body = sequence.slice(2, -1), final = sequence.slice(-1);
  if (sequence[1] === "O") return key(CSI_FINAL[final] ?? UNKNOWN, raw);
  if (body.startsWith("?") && (final === "y" || final === "n") || body === "" && (final === "I" || final === "O")) {
    return key("Report", raw);
  }
  if (body.startsWith("<") && (final === "M" || final === "m")) return mouse(body.slice(1), final, raw);
  if (!/^[\d;]*$/.test(body)) return key(UNKNOWN, raw);
  const [number, modifier] = body.split(";");
  const name = final === "~" ? CSI_TILDE[number] : CSI_FINAL[final];
  return key(name ? (MODIFIERS[modifier] ?? "") + name : UNKNOWN, raw);
}

function mouse(body: string, final: string, raw: readonly number[]): Key {
  const [button, column, row] = body.split(";").map(Number);
  // 32 is added while the mouse moves with its button down.
  const names: Record<number, string> = { 0: final === "M" ? "Click" : "Release", 32: "Drag", 64: "WheelUp", 65: "WheelDown" };
  return { ...key(names[button] ?? UNKNOWN, raw), x: column - 1, y: row - 1 };
}

/** The bytes that a terminal sends for a key of this name; undefined for a name that no key has. */
export function bytesOfKey(name: string): string | undefined {
  if (Object.hasOwn(NAMED_BYTES, name)) return NAMED_BYTES[name];
  const control = /^ctrl-([a-z])$/.exec(name);
  if (control) return String.fromCharCode(control[1].charCodeAt(0) - 0x60);
  const find = (table: Record<string, string>) => Object.entries(table).find(([, known]) => known === name)?.[0];
  const final = find(CSI_FINAL), tilde = find(CSI_TILDE);
  if (final !== undefined) return `\x1b[${final}`;
  if (tilde !== undefined) return `\x1b[${tilde}~`;
  return [...name].length === 1 ? name : undefined;
}

/** The text of a pasted or typed key. */
export function keyText(pressed: Key): string {
  return decoder.decode(pressed.bytes);
}

/** Bytes of a text typed into a guest. */
export function textBytes(text: string): Uint8Array {
  return encoder.encode(text);
}
