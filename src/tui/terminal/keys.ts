// Keys from the bytes that a terminal sends: names such as `a`, `ctrl-c`, `Enter`, `S-Tab`, `PgUp`,
// with the bytes they came from. Follows the xterm control sequences (CSI, SS3, SGR mouse reports,
// bracketed paste).

/** One key press, paste or mouse report. */
export interface Key {
  readonly name: string;
  /** Bytes from the terminal, for a guest console. */
  readonly bytes: Uint8Array;
  /** For mouse reports: cell, from 0. */
  readonly x?: number;
  readonly y?: number;
}

/** How long an Esc waits for the rest of a sequence, ms. */
const ESCAPE_WAIT = 25;

const CSI_FINAL: Record<string, string> = { A: "Up", B: "Down", C: "Right", D: "Left", H: "Home", F: "End", Z: "S-Tab" };
const CSI_TILDE: Record<string, string> = { 1: "Home", 2: "Insert", 3: "Delete", 4: "End", 5: "PgUp", 6: "PgDn", 7: "Home", 8: "End" };
/** Keys of one byte that have a name. */
const NAMED_BYTES: Record<string, string> = { Enter: "\r", Tab: "\t", Backspace: "\x7f", Space: " ", Esc: "\x1b", "ctrl-]": "\x1d" };
/** A longer sequence is not an answer of a terminal. */
const LONGEST_ANSWER = 256;
const PASTE_START = "\x1b[200~";
const PASTE_END = "\x1b[201~";

const decoder = new TextDecoder("utf-8", { fatal: false });
const encoder = new TextEncoder();

/**
 * Splits what arrives into keys. `flush` ends an unfinished sequence (a lone Esc) after
 * `ESCAPE_WAIT`.
 */
export class KeyParser {
  #pending: number[] = [];

  /** True while a sequence is unfinished. */
  get waiting(): boolean {
    return this.#pending.length > 0;
  }

  push(bytes: Uint8Array): Key[] {
    this.#pending.push(...bytes);
    const keys: Key[] = [];
    for (let taken = 1; this.#pending.length && taken > 0;) {
      const result = parse(this.#pending);
      taken = result?.length ?? 0;
      if (result && taken) {
        keys.push(result.key);
        this.#pending.splice(0, taken);
      }
    }
    return keys;
  }

  flush(): Key[] {
    // The rest of a terminal's answer may follow; no user types this much of one.
    if (this.#pending.length > 2 && isAnswer(this.#pending) && this.#pending.length <= LONGEST_ANSWER) return [];
    const rest = this.#pending.splice(0);
    if (!rest.length) return [];
    // Not a sequence after all: Esc, and the rest as separate keys.
    const keys: Key[] = [key("Esc", rest.slice(0, 1))];
    for (const byte of rest.slice(1)) keys.push(single(byte));
    return keys;
  }
}

function key(name: string, bytes: readonly number[]): Key {
  return { name, bytes: Uint8Array.from(bytes) };
}

function single(byte: number): Key {
  if (byte === 0x0d || byte === 0x0a) return key("Enter", [byte]);
  if (byte === 0x09) return key("Tab", [byte]);
  if (byte === 0x7f || byte === 0x08) return key("Backspace", [byte]);
  if (byte === 0x20) return key("Space", [byte]);
  if (byte === 0x1d) return key("ctrl-]", [byte]);
  if (byte > 0 && byte < 0x1b) return key(`ctrl-${String.fromCharCode(byte + 0x60)}`, [byte]);
  if (byte < 0x20) return key(`ctrl-${String.fromCharCode(byte + 0x40)}`, [byte]);
  return key(String.fromCharCode(byte), [byte]);
}

/** The first key of `bytes` and its length, or undefined if more bytes are needed. */
function parse(bytes: readonly number[]): { key: Key; length: number } | undefined {
  const first = bytes[0];
  if (first === 0x1b) return parseEscape(bytes);
  if (first < 0x80) return { key: single(first), length: 1 };
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc0 ? 2 : 1;
  if (bytes.length < length) return undefined;
  const part = bytes.slice(0, length);
  return { key: key(decoder.decode(Uint8Array.from(part)), part), length };
}

/** Whether bytes begin an operating system command: an answer to OSC 11. */
function isAnswer([first, second]: readonly number[]): boolean {
  return first === 0x1b && second === 0x5d;
}

/** An answer ends with BEL or a string terminator. */
function parseAnswer(bytes: readonly number[]): { key: Key; length: number } | undefined {
  const end = bytes.findIndex((byte, at) => byte === 0x07 || byte === 0x5c && bytes[at - 1] === 0x1b);
  if (end < 0) return undefined;
  return { key: key("Report", bytes.slice(0, end + 1)), length: end + 1 };
}

function parseEscape(bytes: readonly number[]): { key: Key; length: number } | undefined {
  if (bytes.length === 1) return undefined;
  const second = bytes[1];
  if (second === 0x5b) return parseCsi(bytes);
  if (isAnswer(bytes)) return parseAnswer(bytes);
  if (second === 0x4f) {
    if (bytes.length < 3) return undefined;
    const name = CSI_FINAL[String.fromCharCode(bytes[2])];
    return { key: key(name ?? "?", bytes.slice(0, 3)), length: 3 };
  }
  if (second === 0x1b) return { key: key("Esc", [first(bytes)]), length: 1 };
  const inner = single(second);
  return { key: key(`alt-${inner.name}`, bytes.slice(0, 2)), length: 2 };
}

function first(bytes: readonly number[]): number {
  return bytes[0];
}

function parseCsi(bytes: readonly number[]): { key: Key; length: number } | undefined {
  let end = 2;
  while (end < bytes.length && (bytes[end] < 0x40 || bytes[end] > 0x7e)) end++;
  if (end >= bytes.length) return undefined;
  const sequence = String.fromCharCode(...bytes.slice(0, end + 1));
  if (sequence === PASTE_START) return parsePaste(bytes);
  const raw = bytes.slice(0, end + 1), length = end + 1;
  const final = sequence.at(-1)!, body = sequence.slice(2, -1);
  if (body.startsWith("?") && final === "y") return { key: key("Report", raw), length };
  if (body.startsWith("<") && (final === "M" || final === "m")) return { key: mouse(body.slice(1), final, raw), length };
  const [number, modifier] = body.split(";");
  const name = final === "~" ? CSI_TILDE[number] : CSI_FINAL[final];
  const prefix = modifier === "5" ? "ctrl-" : modifier === "2" ? "S-" : modifier === "3" ? "alt-" : "";
  return { key: key(name ? prefix + name : "?", raw), length };
}

function parsePaste(bytes: readonly number[]): { key: Key; length: number } | undefined {
  const text = String.fromCharCode(...bytes);
  const end = text.indexOf(PASTE_END);
  if (end < 0) return undefined;
  return { key: key("Paste", bytes.slice(PASTE_START.length, end)), length: end + PASTE_END.length };
}

function mouse(body: string, final: string, raw: readonly number[]): Key {
  const [button, column, row] = body.split(";").map(Number);
  // 32 is added while the mouse moves with its button down.
  const names: Record<number, string> = { 0: final === "M" ? "Click" : "Release", 32: "Drag", 64: "WheelUp", 65: "WheelDown" };
  return { ...key(names[button] ?? "?", raw), x: column - 1, y: row - 1 };
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

/** Hands over each key of an input; ends with it. */
export async function readKeys(input: AsyncIterable<Uint8Array>, take: (key: Key) => void): Promise<void> {
  const parser = new KeyParser();
  let timer: ReturnType<typeof setTimeout> | undefined;
  for await (const bytes of input) {
    clearTimeout(timer);
    for (const key of parser.push(bytes)) take(key);
    // A lone Esc is one once nothing follows.
    if (parser.waiting) timer = setTimeout(() => parser.flush().forEach(take), ESCAPE_WAIT);
  }
}
