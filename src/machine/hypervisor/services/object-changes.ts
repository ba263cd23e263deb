// Events in a part of a run by which objects may have changed: the hypercalls that were made, and
// the interrupts that were set. The machine does not read them.

/** Hypercalls with a bit for each; all others, and calls of GenieZone, are the last bit. */
const CALLS = 128;
const WORD_BITS = 32;

/** The bit of every call that is not a numbered hypercall. */
export const OTHER_CALLS = 1n << BigInt(CALLS - 1);

export interface ObjectChanges {
  /** The hypercalls that were made: a bit for each number. */
  readonly calls: bigint;
  /** The interrupts, by `irqKey`. */
  readonly irqs: ReadonlySet<string>;
}

/** The bits of some hypercalls. */
export function callBits(numbers: Iterable<number>): bigint {
  let bits = 0n;
  for (const number of numbers) bits |= 1n << BigInt(number);
  return bits;
}

/**
 * The name of an interrupt of a VIC with this serial number.
 * @param cpu index of the vCPU that has it for itself
 */
export function irqKey(vic: number, cpu: number | undefined, intid: number): string {
  return `${vic}/${cpu ?? ""}/${intid}`;
}

/** The hypercalls that were made since this was cleared. */
export class MadeCalls {
  readonly #words = new Uint32Array(CALLS / WORD_BITS);

  add(number: number): void {
    const bit = Math.min(number, CALLS - 1);
    this.#words[bit >>> 5] |= 1 << (bit & 31);
  }

  addOther(): void {
    this.add(CALLS - 1);
  }

  get bits(): bigint {
    return this.#words.reduceRight((bits, word) => bits << BigInt(WORD_BITS) | BigInt(word), 0n);
  }

  clear(): void {
    this.#words.fill(0);
  }
}
