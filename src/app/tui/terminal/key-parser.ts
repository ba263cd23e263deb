// Splits the bytes that a terminal sends into keys: a state machine over bytes, so that it makes no
// difference in which pieces they arrive. Follows the xterm control sequences and ECMA-48.

import { type Key, key, keyOfSequence, nameOfByte, nameOfCharacter, UNKNOWN } from "./keys.ts";
import { PastedText } from "./pasted-text.ts";

/** The owner of the next byte. `st`: a string has had an Esc, which may begin its end. */
export type InputState = "ground" | "esc" | "csi" | "ss3" | "string" | "st" | "utf8" | "paste";

const ESC = 0x1b, BEL = 0x07, BACKSLASH = 0x5c, BRACKET = 0x5b;
/** The byte after an Esc decides: CSI, SS3; OSC, DCS, APC, PM and SOS have strings. */
const INTRODUCERS: Readonly<Record<number, InputState>> = {
  [BRACKET]: "csi",
  0x4f: "ss3",
  0x5d: "string",
  0x50: "string",
  0x5f: "string",
  0x5e: "string",
  0x58: "string",
};
/** Length of an introducer: without more it was a key with Alt. */
const INTRODUCER = 2;
/** Bytes of a sequence that are kept; a longer one is not known. */
const LONGEST_SEQUENCE = 1024;
const PASTE_START = "\x1b[200~";

export class KeyParser {
  #state: InputState = "ground";
  /** Bytes of the unfinished sequence or character. */
  #held: number[] = [];
  /** Bytes that the character still needs. */
  #missing = 0;
  #paste = new PastedText();

  /** `ground`: nothing is unfinished. */
  get state(): InputState {
    return this.#state;
  }

  /** Takes bytes; returns the keys that they complete. */
  push(bytes: Uint8Array): Key[] {
    const keys: Key[] = [];
    for (let at = 0; at < bytes.length;) {
      if (this.#state === "paste") {
        at = this.#paste.read(bytes, at);
        if (this.#paste.ended) keys.push(this.#endPaste());
      } else this.#parse(bytes[at++], keys);
    }
    return keys;
  }

  /**
   * Ends what is unfinished: a lone Esc is a key, a paste has the text that has come, and the rest
   * is unknown.
   */
  flush(): Key[] {
    const keys: Key[] = [];
    if (this.#state === "esc") this.#finish(key("Esc", this.#held), keys);
    else if (this.#state === "paste") keys.push(this.#endPaste());
    else if (this.#state !== "ground") this.#drop(keys);
    return keys;
  }

  #parse(byte: number, keys: Key[]): void {
    switch (this.#state) {
      case "esc":
        return this.#afterEsc(byte, keys);
      case "csi":
      case "ss3":
        return this.#sequence(byte, keys);
      case "string":
      case "st":
        return this.#string(byte, keys);
      case "utf8":
        return this.#character(byte, keys);
      default:
        if (byte === ESC) this.#begin("esc", byte);
        else if (byte < 0x80) keys.push(key(nameOfByte(byte), [byte]));
        else this.#lead(byte, keys);
    }
  }

  #afterEsc(byte: number, keys: Key[]): void {
    if (byte === ESC) {
      keys.push(key("Esc", [byte]));
    } else if (byte >= 0x80) {
      this.#lead(byte, keys);
    } else if (INTRODUCERS[byte]) {
      this.#begin(INTRODUCERS[byte], byte);
    } else {
      this.#finish(key(`alt-${nameOfByte(byte)}`, [...this.#held, byte]), keys);
    }
  }

  #sequence(byte: number, keys: Key[]): void {
    if (byte < 0x20 || byte > 0x7e) return this.#dropAt(byte, keys);
    this.#hold(byte);
    // The console of Linux sends a second bracket for its first function keys.
    const second = byte === BRACKET && this.#state === "csi" && this.#held.length === INTRODUCER + 1;
    if (byte < 0x40 || second) return;
    if (this.#held.length >= LONGEST_SEQUENCE) return this.#drop(keys);
    if (String.fromCharCode(...this.#held) !== PASTE_START) return this.#finish(keyOfSequence(this.#held), keys);
    this.#reset();
    this.#state = "paste";
  }

  #string(byte: number, keys: Key[]): void {
    const ends = this.#state === "st" ? byte === BACKSLASH : byte === BEL;
    if (this.#state === "st" && !ends) {
      // The Esc begins something else.
      this.#held.pop();
      this.#drop(keys);
      this.#begin("esc", ESC);
      return this.#parse(byte, keys);
    }
    if (byte < 0x20 && byte !== ESC && !ends) return this.#dropAt(byte, keys);
    this.#hold(byte);
    if (byte === ESC) this.#state = "st";
    else if (ends && this.#held.length >= LONGEST_SEQUENCE) this.#drop(keys);
    else if (ends) this.#finish(key("Report", this.#held), keys);
  }

  /** The first byte of a character of UTF-8, perhaps after an Esc. */
  #lead(byte: number, keys: Key[]): void {
    this.#begin("utf8", byte);
    this.#missing = byte >= 0xf8 || byte < 0xc0 ? 0 : byte >= 0xf0 ? 3 : byte >= 0xe0 ? 2 : 1;
    if (this.#missing === 0) this.#drop(keys);
  }

  #character(byte: number, keys: Key[]): void {
    if (byte < 0x80 || byte >= 0xc0) return this.#dropAt(byte, keys);
    this.#hold(byte);
    if (--this.#missing > 0) return;
    const [first, ...rest] = this.#held;
    const name = first === ESC ? `alt-${nameOfCharacter(rest)}` : nameOfCharacter(this.#held);
    this.#finish(key(name, this.#held), keys);
  }

  #begin(state: InputState, byte: number): void {
    this.#state = state;
    this.#held.push(byte);
  }

  #hold(byte: number): void {
    if (this.#held.length < LONGEST_SEQUENCE) this.#held.push(byte);
  }

  #finish(done: Key, keys: Key[]): void {
    keys.push(done);
    this.#reset();
  }

  /**
   * Ends what is unfinished as one unknown key. A guest gets the bytes of a key with Alt, and of
   * another encoding than UTF-8; not the start of a sequence, whose rest it would not get.
   */
  #drop(keys: Key[]): void {
    const typed = this.#state === "utf8" || this.#held.length === INTRODUCER;
    this.#finish(key(UNKNOWN, typed ? this.#held : []), keys);
  }

  /** The same where a byte cannot continue it: that begins something new. */
  #dropAt(byte: number, keys: Key[]): void {
    this.#drop(keys);
    this.#parse(byte, keys);
  }

  #endPaste(): Key {
    const { key } = this.#paste;
    this.#paste = new PastedText();
    this.#reset();
    return key;
  }

  #reset(): void {
    this.#state = "ground";
    this.#held = [];
    this.#missing = 0;
  }
}
