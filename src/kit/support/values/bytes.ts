// A buffer of bytes that grows as it is written; bytes joined and compared.

/** Bytes that a buffer holds before it grows. */
const CAPACITY = 64;

/** Bytes that a loop copies sooner than a call. */
const SHORT = 96;

const encoder = new TextEncoder();

/** Bytes, appended one after the other. */
export class Bytes {
  #data: Uint8Array<ArrayBuffer>;
  #fields: DataView<ArrayBuffer> | undefined;
  #length = 0;

  /** @param capacity bytes that it holds before it grows */
  constructor(capacity = CAPACITY) {
    this.#data = new Uint8Array(capacity);
  }

  get length(): number {
    return this.#length;
  }

  /** The bytes written so far; valid until the next write. */
  get view(): Uint8Array<ArrayBuffer> {
    return this.#data.subarray(0, this.#length);
  }

  /** The whole buffer, written or not; valid until the next write. */
  get buffer(): Uint8Array<ArrayBuffer> {
    return this.#data;
  }

  /**
   * The whole buffer, for fields of a fixed width at places that `room` gave; valid as `buffer` is.
   */
  get fields(): DataView<ArrayBuffer> {
    return this.#fields ??= new DataView(this.#data.buffer);
  }

  /** Appends `size` bytes that the caller fills in: where they begin. */
  room(size: number): number {
    const at = this.#length;
    if (at + size > this.#data.length) this.#grow(size);
    this.#length = at + size;
    return at;
  }

  push(byte: number): void {
    if (this.#length === this.#data.length) this.#grow(1);
    this.#data[this.#length++] = byte;
  }

  pushAll(bytes: ArrayLike<number>): void {
    const { length } = bytes;
    if (this.#length + length > this.#data.length) this.#grow(length);
    const data = this.#data;
    let at = this.#length;
    for (let i = 0; i < length; i++) data[at++] = bytes[i];
    this.#length = at;
  }

  /** Appends bytes [from, to) of another buffer. */
  copy(source: Bytes, from: number, to: number): void {
    if (this.#length + to - from > this.#data.length) this.#grow(to - from);
    const data = this.#data, bytes = source.#data;
    let at = this.#length;
    if (to - from > SHORT) data.set(bytes.subarray(from, to), at);
    else for (let i = from; i < to; i++) data[at++] = bytes[i];
    this.#length += to - from;
  }

  append(bytes: Bytes): void {
    this.copy(bytes, 0, bytes.#length);
  }

  /** Appends bytes after their number. */
  sized(bytes: Bytes): void {
    this.unsigned(bytes.#length);
    this.append(bytes);
  }

  /** Appends a name after its length. */
  text(text: string): this {
    const { length } = text;
    // Nearly all names are short and of ASCII, where a loop is faster than the encoder.
    for (let i = 0; i < length; i++) if (text.charCodeAt(i) > 0x7f) return this.#encoded(text);
    this.unsigned(length);
    for (let i = 0; i < length; i++) this.push(text.charCodeAt(i));
    return this;
  }

  clear(): void {
    this.#length = 0;
  }

  /** Appends unsigned LEB128 of an integer below 2^53. */
  unsigned(value: number): void {
    if (value < 0x4000) {
      if (value >= 128) this.push(value & 127 | 128);
      return this.push(value >= 128 ? value >> 7 : value);
    }
    for (; value >= 128; value = Math.floor(value / 128)) this.push(value % 128 | 128);
    this.push(value);
  }

  /** Appends signed LEB128 of an int32. */
  signed(value: number): void {
    for (; value < -64 || value > 63; value >>= 7) this.push(value & 127 | 128);
    this.push(value & 127);
  }

  #encoded(text: string): this {
    const bytes = encoder.encode(text);
    this.unsigned(bytes.length);
    this.pushAll(bytes);
    return this;
  }

  #grow(more: number): void {
    const data = new Uint8Array(Math.max(2 * this.#data.length, this.#length + more));
    data.set(this.view);
    this.#data = data;
    this.#fields = undefined;
  }
}

/** The bytes of all parts, one after the other. */
export function joined(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** The unsigned number that bytes are, the lowest first. */
export function fromLittleEndian(bytes: ArrayLike<number>): bigint {
  let value = 0n;
  for (let end = bytes.length; end > 0;) {
    const start = end - 1 & -4;
    let word = 0;
    for (let index = end - 1; index >= start; index--) word = 0x100 * word + bytes[index];
    value = value << 32n | BigInt(word);
    end = start;
  }
  return value;
}

/** Whether two sequences have the same bytes. */
export function sameBytes(a: ArrayLike<number>, b: ArrayLike<number>): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
