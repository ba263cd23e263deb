// Characters typed at a serial port that its guest has not taken yet, oldest first.

/** Characters that may wait before more are refused; the last ones typed may exceed it. */
const LIMIT = 4 << 20;
const FIRST_CAPACITY = 64;
const BYTE_MAX = 0xff;

/** Characters: bytes, and a break as the port has it, all of 16 bits. */
export class TypedAhead {
  #characters = new Uint16Array(FIRST_CAPACITY);
  #start = 0;
  #end = 0;

  /** Characters that wait. */
  get length(): number {
    return this.#end - this.#start;
  }

  /** Why no more are taken; undefined if they are. */
  get closed(): string | undefined {
    return this.length < LIMIT ? undefined : "4 MiB of input are waiting for the guest, which does not read them";
  }

  push(characters: ArrayLike<number>): void {
    if (this.#end + characters.length > this.#characters.length) this.#makeRoom(characters.length);
    this.#characters.set(characters, this.#end);
    this.#end += characters.length;
  }

  /** Gives them to `receive`, which returns how many it took. */
  feed(receive: (characters: Uint16Array) => number): void {
    if (this.length > 0) this.#start += receive(this.#characters.subarray(this.#start, this.#end));
    if (this.length === 0) this.#start = this.#end = 0;
  }

  /** Takes at most so many bytes; breaks among them are lost. */
  take(limit: number): Uint8Array {
    const taken: number[] = [];
    while (this.#start < this.#end && taken.length < limit) {
      const character = this.#characters[this.#start++];
      if (character <= BYTE_MAX) taken.push(character);
    }
    if (this.length === 0) this.#start = this.#end = 0;
    return Uint8Array.from(taken);
  }

  /** Two bytes per character, little endian. */
  save(): Uint8Array {
    return new Uint8Array(this.#characters.slice(this.#start, this.#end).buffer);
  }

  /** @param saved by `save` */
  restore(saved: Uint8Array): void {
    this.#characters = new Uint16Array(Math.max(FIRST_CAPACITY, saved.length / 2));
    new Uint8Array(this.#characters.buffer).set(saved);
    [this.#start, this.#end] = [0, saved.length / 2];
  }

  #makeRoom(more: number): void {
    const waiting = this.#characters.subarray(this.#start, this.#end);
    const characters = new Uint16Array(Math.max(2 * waiting.length, waiting.length + more, FIRST_CAPACITY));
    characters.set(waiting);
    this.#characters = characters;
    [this.#start, this.#end] = [0, waiting.length];
  }
}
