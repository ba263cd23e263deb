// Values that follow from instruction words, kept for the words that are met most.

/** Spreads the bits of a word that differ over the high ones: 2^32 / the golden ratio. */
const SPREAD = 0x9e3779b1 | 0;

/**
 * Values by instruction word. Each word has two places, shared with others; a third word replaces
 * the one computed first. A `Map` takes ten times as long: V8 boxes integers of more than
 * 31 bits.
 */
export class WordTable<Value extends object | string | number | null> {
  readonly #words: Int32Array;
  readonly #values: (Value | undefined)[];

  /**
   * @param compute the value of a word
   * @param shift log2 of the pairs of places
   */
  constructor(readonly compute: (word: number) => Value, readonly shift: number) {
    this.#words = new Int32Array(2 << shift);
    this.#values = new Array(2 << shift).fill(undefined);
  }

  /** The value of `word`, 32 bits, signed. */
  of(word: number): Value {
    const words = this.#words, values = this.#values;
    const first = Math.imul(word, SPREAD) >>> 32 - this.shift << 1;
    let value = values[first];
    if (value !== undefined && words[first] === word) return value;
    const other = values[first + 1], otherWord = words[first + 1];
    words[first + 1] = words[first];
    values[first + 1] = value;
    value = other !== undefined && otherWord === word ? other : this.compute(word);
    words[first] = word;
    values[first] = value;
    return value;
  }
}
