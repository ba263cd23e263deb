// The text of a bracketed paste, which may arrive in many reads: collected until its end, in time
// that is linear in its length.

import type { Key } from "./keys.ts";

/** Bytes of the longest paste that is taken. */
export const LONGEST_PASTE = 1 << 20;

const KIB = 1024;
const ESC = 0x1b;
const END = new TextEncoder().encode("\x1b[201~");

export class PastedText {
  #bytes = new Uint8Array(4 * KIB);
  /** Bytes that have come, also those beyond the longest paste, which are not kept. */
  #length = 0;
  /** How many bytes of the end have come. */
  #matched = 0;

  /** The end has come. */
  get ended(): boolean {
    return this.#matched === END.length;
  }

  /** Takes bytes from `from` on; returns the index of the first one after the paste. */
  read(bytes: Uint8Array, from: number): number {
    let at = from;
    while (at < bytes.length && !this.ended) {
      if (this.#matched === 0) {
        const next = bytes.indexOf(ESC, at);
        at = next < 0 ? bytes.length : next;
        if (next < 0) break;
      }
      // Only its first byte is an Esc, so a mismatch can begin the end anew but not continue it.
      const byte = bytes[at++];
      this.#matched = byte === END[this.#matched] ? this.#matched + 1 : byte === ESC ? 1 : 0;
    }
    this.#append(bytes.subarray(from, at));
    return at;
  }

  /** The paste as a key, without its end. */
  get key(): Key {
    const length = this.#length - this.#matched;
    if (length <= LONGEST_PASTE) return { name: "Paste", bytes: this.#bytes.slice(0, length) };
    const refused = `pasted text of ${Math.ceil(length / KIB)} KiB was refused: the limit is ${LONGEST_PASTE / KIB} KiB`;
    return { name: "Paste", bytes: new Uint8Array(0), refused };
  }

  #append(part: Uint8Array): void {
    const kept = part.subarray(0, Math.max(0, LONGEST_PASTE + END.length - this.#length));
    const room = this.#length + kept.length;
    if (kept.length && room > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(room, 2 * this.#bytes.length));
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    if (kept.length) this.#bytes.set(kept, this.#length);
    this.#length += part.length;
  }
}
