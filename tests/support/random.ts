// Random numbers for tests: fast, seeded, the same on every machine (xoshiro128**, Blackman and
// Vigna).

export class Random {
  readonly #state: Uint32Array;

  constructor(seed: number) {
    // SplitMix32 spreads the seed over the state.
    let value = seed >>> 0;
    this.#state = Uint32Array.from({ length: 4 }, () => {
      value = (value + 0x9e3779b9) >>> 0;
      let mixed = Math.imul(value ^ value >>> 16, 0x85ebca6b);
      mixed = Math.imul(mixed ^ mixed >>> 13, 0xc2b2ae35);
      return mixed ^ mixed >>> 16;
    });
  }

  /** 32 random bits, unsigned. */
  word(): number {
    const s = this.#state;
    const scrambled = Math.imul(s[1], 5);
    const result = Math.imul(scrambled << 7 | scrambled >>> 25, 9) >>> 0;
    const shifted = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = s[3] << 11 | s[3] >>> 21;
    return result;
  }

  /** A whole number from 0 to `limit` - 1. */
  below(limit: number): number {
    return this.word() % limit;
  }

  /** `count` random bytes. */
  bytes(count: number): Uint8Array {
    return Uint8Array.from({ length: count }, () => this.word());
  }

  /** 64 random bits. */
  wide(): bigint {
    return BigInt(this.word()) << 32n | BigInt(this.word());
  }

  /** One of the elements. */
  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)];
  }
}
