// Random numbers for guests: a deterministic generator, seeded when the machine starts, and
// prng_get_entropy with its rate limit (docs/spec/hypervisor.md §4.10).

import { ErrorCode } from "../../abi/errors.ts";
import type { Archive } from "../../machine/archive.ts";
import { hypercall, type HypercallDefinition } from "../capabilities/hypercall-definition.ts";
import type { Plain } from "../check/state-dump.ts";

/** Most bytes in one call, and bytes in a result register. */
const MAXIMUM_BYTES = 16;
const WORD_BYTES = 4;
/** Calls that a vCPU may make in a window of virtual time (ns). */
const CALLS_PER_WINDOW = 4;
const WINDOW = 33_000_000;

/**
 * sfc32: 128 bits of state, 32 bits a step. Not for secrets: a run can be repeated from its seed.
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
}

/** How often a vCPU has asked for entropy in the current window. */
export class EntropyBudget {
  #windowStart = -WINDOW;
  #calls = 0;

  /** The state as plain data. */
  dump(): Plain {
    return [this.#windowStart, this.#calls];
  }

  /** The state, saved or loaded. */
  archive(archive: Archive): void {
    this.#windowStart = archive.float("windowStart", this.#windowStart);
    this.#calls = archive.integer("calls", this.#calls, 0, CALLS_PER_WINDOW);
  }

  /** Counts a call at virtual time `now` (ns); false when there were too many. */
  take(now: number): boolean {
    if (now - this.#windowStart >= WINDOW) {
      this.#windowStart = now;
      this.#calls = 0;
    }
    if (this.#calls >= CALLS_PER_WINDOW) return false;
    this.#calls++;
    return true;
  }
}

export const calls: readonly HypercallDefinition[] = [
  hypercall("prng_get_entropy", {
    handler(call, { num_bytes }) {
      if (num_bytes === 0 || num_bytes > MAXIMUM_BYTES) {
        return call.refuse(ErrorCode.ARGUMENT_SIZE, "1 to 16 bytes in one call", { num_bytes });
      }
      if (num_bytes % WORD_BYTES !== 0) return call.refuse(ErrorCode.ARGUMENT_ALIGNMENT, "whole words only", { num_bytes });
      const { hypervisor, caller } = call;
      if (!caller.entropy.take(hypervisor.now)) {
        return call.refuse(ErrorCode.BUSY, "at most 4 calls in 33 ms on a vCPU", { now: hypervisor.now });
      }
      const words = [0, 1, 2, 3].map((index) => index * WORD_BYTES < num_bytes ? hypervisor.random.next() : 0);
      return { data0: words[0], data1: words[1], data2: words[2], data3: words[3] };
    },
  }),
];
