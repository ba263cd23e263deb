// Messages on a session's socket: four bytes of length (little-endian), then JSON, in which bytes
// and 64-bit numbers are marked.

import { decodePlain, encodePlain } from "../support/plain-json.ts";
import { MiB } from "../support/sizes.ts";

/** Version of what is said; clients and sessions of different versions do not talk. */
export const PROTOCOL_VERSION = 4;

/** Longest message, in bytes: an answer with 100,000 rows stays far below. */
const LONGEST = 256 * MiB;
const HEADER = 4;

/** The bytes of a message. */
export function encodeMessage(message: unknown): Uint8Array<ArrayBuffer> {
  const body = new TextEncoder().encode(encodePlain(message));
  const bytes = new Uint8Array(HEADER + body.length);
  new DataView(bytes.buffer).setUint32(0, body.length, true);
  bytes.set(body, HEADER);
  return bytes;
}

/** Cuts what arrives into messages. */
export class MessageReader {
  #pending: Uint8Array = new Uint8Array(0);

  /** The messages that `chunk` completes. @throws Error at what is no message. */
  push(chunk: Uint8Array): unknown[] {
    const all = new Uint8Array(this.#pending.length + chunk.length);
    all.set(this.#pending);
    all.set(chunk, this.#pending.length);
    const messages: unknown[] = [];
    let at = 0;
    while (all.length - at >= HEADER) {
      const length = new DataView(all.buffer, at).getUint32(0, true);
      if (length > LONGEST) throw new Error(`a message of ${length} bytes`);
      if (all.length - at - HEADER < length) break;
      messages.push(decodePlain(new TextDecoder().decode(all.subarray(at + HEADER, at + HEADER + length))));
      at += HEADER + length;
    }
    this.#pending = all.subarray(at);
    return messages;
  }
}
