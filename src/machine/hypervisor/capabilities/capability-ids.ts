// Capability ids of one cspace: slot numbers, plain or scrambled so that a guest cannot guess them
// (docs/spec/hypervisor.md §3.3).

import type { Archive } from "../../hardware/archive.ts";
import type { Behaviour } from "../services/behaviour.ts";
import type { RandomGenerator } from "../random/random-generator.ts";

/** Slot numbers and multipliers have 16 bits; what their product can be, 32. */
const SLOT_END = 1n << 16n;
const PRODUCT_END = 1n << 32n;
/** Ids whose upper word is this or more are never issued. */
const UPPER_END = 0xffff_ff00;

/** id = (slot * multiplier) XOR base. */
export class CapabilityIds {
  /** Plain ids, which need no arithmetic. */
  readonly plain: boolean;
  #multiplier: bigint;
  #base: bigint;

  /** Draws multiplier and base where ids are random; plain ones are the slots themselves. */
  constructor(kind: Behaviour["capIds"], random: RandomGenerator) {
    this.plain = kind === "plain";
    if (this.plain) {
      this.#multiplier = 1n;
      this.#base = 0n;
      return;
    }
    let multiplier = 0, upper = UPPER_END;
    while (multiplier === 0) multiplier = random.next() & 0xffff;
    while (upper >= UPPER_END) upper = random.next();
    this.#multiplier = BigInt(multiplier);
    this.#base = BigInt(upper) << 32n | BigInt(random.next());
  }

  /** Multiplier and base, saved or loaded. */
  archive(archive: Archive): void {
    this.#multiplier = archive.word("multiplier", this.#multiplier, SLOT_END - 1n);
    this.#base = archive.word("base", this.#base);
    archive.check(
      this.#multiplier !== 0n && this.plain === (this.#multiplier === 1n && this.#base === 0n),
      "ids are plain as the machine's are",
    );
  }

  /** The id of a slot, 64 bits. */
  encode(slot: number): bigint {
    return BigInt(slot) * this.#multiplier ^ this.#base;
  }

  /**
   * The slot that an id names, whether there is such a slot or not; undefined if it names none.
   */
  decode(id: bigint): number | undefined {
    if (this.plain) return id < SLOT_END ? Number(id) : undefined;
    const product = id ^ this.#base;
    if (product >= PRODUCT_END || product % this.#multiplier !== 0n) return undefined;
    const slot = product / this.#multiplier;
    return slot < SLOT_END ? Number(slot) : undefined;
  }
}
