// A ring of words in memory that two threads share: one writes messages, the other reads them, and
// neither waits unless it wants to.

/** Words before the data: how many were written, and how many were read. They wrap around. */
const WRITTEN = 0, READ = 1, HEAD = 2;

export class WordRing {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #capacity: number;

  /** @param buffer of `WordRing.bufferFor`, which the other thread has too */
  constructor(readonly buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer);
    this.#capacity = this.#words.length - HEAD;
  }

  /** Memory for this many words, a power of two, of messages and their lengths. */
  static bufferFor(capacity: number): SharedArrayBuffer {
    return new SharedArrayBuffer((HEAD + capacity) * Int32Array.BYTES_PER_ELEMENT);
  }

  /** Whether a message of this many words has room in an empty ring. */
  holds(length: number): boolean {
    return length < this.#capacity;
  }

  /** Adds a message. False, if there is no room for it now. */
  write(message: Int32Array): boolean {
    const words = this.#words, at = words[WRITTEN], next = at + 1 + message.length | 0;
    if ((next - Atomics.load(words, READ) | 0) > this.#capacity) return false;
    words[this.#place(at)] = message.length;
    const start = this.#place(at + 1), first = this.#capacity + HEAD - start;
    words.set(message.subarray(0, first), start);
    words.set(message.subarray(first), HEAD);
    Atomics.store(words, WRITTEN, next);
    Atomics.notify(words, WRITTEN);
    return true;
  }

  /** The next message; undefined, if there is none yet. */
  read(): Int32Array<ArrayBuffer> | undefined {
    const words = this.#words, at = words[READ];
    if (at === Atomics.load(words, WRITTEN)) return undefined;
    const message = new Int32Array(words[this.#place(at)]), start = this.#place(at + 1);
    const first = words.subarray(start, Math.min(start + message.length, this.#capacity + HEAD));
    message.set(first);
    message.set(words.subarray(HEAD, HEAD + message.length - first.length), first.length);
    Atomics.store(words, READ, at + 1 + message.length | 0);
    Atomics.notify(words, READ);
    return message;
  }

  /** Waits until there is a message. False, if there was none for so many milliseconds. */
  waitForMessage(milliseconds: number): boolean {
    const at = this.#words[READ];
    return Atomics.wait(this.#words, WRITTEN, at, milliseconds) !== "timed-out";
  }

  /** Adds a message, after the other thread has made room for it. */
  writeWaiting(message: Int32Array): void {
    if (!this.holds(message.length)) throw new RangeError(`a message of ${message.length} words is longer than the ring`);
    for (let read = Atomics.load(this.#words, READ); !this.write(message); read = Atomics.load(this.#words, READ)) {
      Atomics.wait(this.#words, READ, read);
    }
  }

  /** Messages were read up to where the other thread is now, as a place among all words. */
  get readTo(): number {
    return Atomics.load(this.#words, READ);
  }

  #place(at: number): number {
    return HEAD + (at & this.#capacity - 1);
  }
}
