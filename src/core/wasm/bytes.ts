// A buffer of bytes that grows: what the assembler writes to.

const INITIAL_SIZE = 64;

const encoder = new TextEncoder();

/** Bytes, appended one after the other. */
export class Bytes {
  #data = new Uint8Array(INITIAL_SIZE);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** What has been written; valid until the next write. */
  get view(): Uint8Array {
    return this.#data.subarray(0, this.#length);
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
    this.#data.set(source.#data.subarray(from, to), this.#length);
    this.#length += to - from;
  }

  append(bytes: Bytes): void {
    this.copy(bytes, 0, bytes.#length);
  }

  /** Appends bytes behind their number. */
  sized(bytes: Bytes): void {
    this.unsigned(bytes.#length);
    this.append(bytes);
  }

  /** Appends a name behind its length. */
  text(text: string): this {
    const bytes = encoder.encode(text);
    this.unsigned(bytes.length);
    this.pushAll(bytes);
    return this;
  }

  clear(): void {
    this.#length = 0;
  }

  /** Appends unsigned LEB128 of an integer below 2^53. */
  unsigned(value: number): void {
    for (; value >= 128; value = Math.floor(value / 128)) this.push(value % 128 | 128);
    this.push(value);
  }

  /** Appends signed LEB128 of an int32. */
  signed(value: number): void {
    for (; value < -64 || value > 63; value >>= 7) this.push(value & 127 | 128);
    this.push(value & 127);
  }

  #grow(more: number): void {
    const data = new Uint8Array(Math.max(2 * this.#data.length, this.#length + more));
    data.set(this.view);
    this.#data = data;
  }
}
