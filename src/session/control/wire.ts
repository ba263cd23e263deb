// Frames on a session's socket: four bytes of length (little-endian), then JSON, in which bytes and
// 64-bit numbers are marked. The kind comes first, so that a long frame can be refused before it
// has arrived.

import { decodePlain, encodePlain, NestedTooDeep } from "../../kit/support/values/plain-json.ts";

/** The data received is not a message; the reason is for its sender. */
export class BadFrame extends Error {}

/** Limit on any frame, in bytes; an answer with 100,000 rows stays far below. */
const LONGEST = 256 * 1024 * 1024;
/** Frames up to this length are read whole before their kind is known. */
const SHORT = 4096;
const HEADER = 4;
/** Limit on nested objects and arrays: rows with details have six. */
const DEEPEST = 32;
/** The start of a frame, and the bytes that it takes at most. */
const KIND = /^\{"kind":"([a-z-]{1,32})"/;
const KIND_BYTES = 48;

/** Limit on the characters of a reason that are not el2's. */
const SHOWN = 200;

export function encodeMessage(message: unknown): Uint8Array<ArrayBuffer> {
  const body = new TextEncoder().encode(encodePlain(message));
  const bytes = new Uint8Array(HEADER + body.length);
  new DataView(bytes.buffer).setUint32(0, body.length, true);
  bytes.set(body, HEADER);
  return bytes;
}

/** Cuts what arrives into messages, in time that is linear in the bytes. */
export class MessageReader {
  /** Bytes received of an incomplete message. */
  #chunks: Uint8Array[] = [];
  #size = 0;
  /** Length of the arriving frame, and whether its kind allows that length, once known. */
  #length: number | undefined;
  #allowed = false;

  /** Bytes kept of an incomplete message. */
  get held(): number {
    return this.#size;
  }

  /** @param largest longest frame of a kind; undefined for an unknown kind */
  constructor(readonly largest: (kind: string) => number | undefined = () => LONGEST) {}

  /**
   * The messages that `chunk` completes, as the bytes are read: those before a bad one are given
   * first.
   * @throws BadFrame
   */
  *push(chunk: Uint8Array): Generator<unknown, void, undefined> {
    // The connection's reader reuses the buffer.
    if (chunk.length) this.#chunks.push(chunk.slice());
    this.#size += chunk.length;
    for (;;) {
      if (this.#length === undefined) {
        if (this.#size < HEADER) return;
        const header = this.#take(HEADER);
        this.#length = new DataView(header.buffer, header.byteOffset).getUint32(0, true);
        this.#allowed = this.#length <= SHORT;
        if (this.#length > LONGEST) throw new BadFrame(`a frame of ${this.#length} bytes; at most ${LONGEST} are possible`);
      }
      if (!this.#allowed) {
        if (this.#size < KIND_BYTES) return;
        this.#checkKind(this.#length);
      }
      if (this.#size < this.#length) return;
      const body = this.#take(this.#length);
      this.#length = undefined;
      yield decodeBody(body);
    }
  }

  /** Checks the kind of a long frame before keeping it. */
  #checkKind(length: number): void {
    const start = new Uint8Array(KIND_BYTES);
    let at = 0;
    for (const chunk of this.#chunks) {
      start.set(chunk.subarray(0, KIND_BYTES - at), at);
      at += chunk.length;
      if (at >= KIND_BYTES) break;
    }
    const kind = KIND.exec(new TextDecoder().decode(start))?.[1];
    if (kind === undefined) throw new BadFrame('a long message begins with {"kind":"..');
    const most = this.largest(kind);
    if (most === undefined) throw new BadFrame(`no such kind of message: ${kind}`);
    if (length > most) throw new BadFrame(`${kind}: a frame of ${length} bytes; at most ${most} are possible`);
    this.#allowed = true;
  }

  /** Takes bytes from the front: a view of one chunk, or a copy of several. */
  #take(count: number): Uint8Array {
    this.#size -= count;
    const [first] = this.#chunks;
    if (first && first.length > count) {
      this.#chunks[0] = first.subarray(count);
      return first.subarray(0, count);
    }
    const taken = new Uint8Array(count);
    let at = 0, used = 0;
    while (at < count) {
      const chunk = this.#chunks[used], part = chunk.subarray(0, count - at);
      taken.set(part, at);
      at += part.length;
      if (part.length < chunk.length) this.#chunks[used] = chunk.subarray(part.length);
      else used++;
    }
    this.#chunks.splice(0, used);
    return taken;
  }
}

/** @throws BadFrame */
function decodeBody(body: Uint8Array): unknown {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(body);
    const value = decodePlain(text, DEEPEST);
    // A second kind would escape the limit of the first.
    if (body.length > SHORT && KIND.exec(text.slice(0, KIND_BYTES))?.[1] !== kindOf(value)) throw new BadFrame("a message has two kinds");
    return value;
  } catch (error) {
    if (error instanceof BadFrame || !(error instanceof Error)) throw error;
    if (error instanceof NestedTooDeep) throw new BadFrame(`a message is ${error.message}`);
    // A SyntaxError or TypeError of UTF-8, JSON, BigInt or base64.
    throw new BadFrame(`a message is not JSON as expected: ${error.message.slice(0, SHOWN)}`);
  }
}

function kindOf(value: unknown): unknown {
  return typeof value === "object" && value !== null && "kind" in value ? value.kind : undefined;
}
