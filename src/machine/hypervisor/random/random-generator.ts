// Random numbers: a deterministic generator, seeded when the machine starts
// (docs/spec/hypervisor.md §4.10).

import type { Archive } from "../../hardware/archive.ts";

/**
 * sfc32: 128 bits of state, 32 bits per step. Not for secrets: a run can be repeated from its seed.
 */
export class RandomGenerator {
  readonly #state: Uint32Array;

  /** @param seed any 32-bit number */
  constructor(seed: number) {
    this.#state = Uint32Array.of(seed, 0x9e37_79b9, 0x243f_6a88, 1);
    for (let i = 0; i < 12; i++) this.next();
  }

  /** The state as plain data: four words. */
  dump(): readonly number[] {
    return [...this.#state];
  }

  /** Puts a state back. */
  restore(words: readonly number[]): void {
    this.#state.set(words);
  }

  /** From now on it gives the numbers of another seed. */
  reseed(seed: number): void {
    this.restore(new RandomGenerator(seed).dump());
  }

  /** The state, saved or loaded. */
  archive(archive: Archive): void {
    archive.fill("state", this.#state);
  }

  /** The next 32 bits, unsigned. */
  next(): number {
    const s = this.#state;
    const result = s[0] + s[1] + s[3] >>> 0;
    s[3]++;
    s[0] = s[1] ^ s[1] >>> 9;
    s[1] = s[2] + (s[2] << 3);
    s[2] = (s[2] << 21 | s[2] >>> 11) + result;
    return result;
  }

  /** The next 64 bits. */
  next64(): bigint {
    return BigInt(this.next()) << 32n | BigInt(this.next());
  }
}
