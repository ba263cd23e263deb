// The descriptors of chains that a device has taken and not given back, as the device walked them:
// a driver owns a descriptor again when the device has given back its chain (virtio 1.2 section
// 2.7.14).

import { demand, type Form, inForm, list, ofBits } from "../../kit/support/values/forms.ts";

/** Each descriptor with what follows it. */
const SAVED: Form<readonly number[]> = list(ofBits(32));
const INDEX_BITS = 16;

export class HeldDescriptors {
  /** By descriptor: 1 + the next one of its chain, `LAST` at the end; 0 if the driver owns it. */
  readonly #next: Uint16Array;
  readonly #last: number;
  #end = 0;

  /** @param size the most descriptors of a queue */
  constructor(size: number) {
    this.#next = new Uint16Array(size);
    this.#last = size + 1;
  }

  /**
   * The device takes the next descriptor of a chain; whether it still had it.
   * @param step 0 for the first one
   */
  take(descriptor: number, step: number): boolean {
    if (step > 0) this.#next[this.#end] = descriptor + 1;
    const wasHeld = this.#next[descriptor] !== 0;
    this.#next[descriptor] = this.#last;
    this.#end = descriptor;
    return wasHeld;
  }

  /** Whether the device has a descriptor. */
  has(descriptor: number): boolean {
    return descriptor < this.#next.length && this.#next[descriptor] !== 0;
  }

  /** The device gives a chain back. */
  giveBack(head: number): void {
    const next = this.#next;
    for (let at = head; next[at];) {
      const after = next[at] - 1;
      next[at] = 0;
      at = after;
    }
  }

  clear(): void {
    this.#next.fill(0);
  }

  /** Plain data; undefined if there are none. */
  save(): readonly number[] | undefined {
    const saved = [...this.#next].flatMap((next, descriptor) => next ? [next * 2 ** INDEX_BITS + descriptor] : []);
    return saved.length ? saved : undefined;
  }

  /** @throws Error if the state is not one of such a queue */
  restore(state: readonly number[] | undefined): void {
    this.clear();
    for (const one of state ? inForm(SAVED, state) : []) {
      const descriptor = one % 2 ** INDEX_BITS, next = Math.floor(one / 2 ** INDEX_BITS);
      demand(descriptor < this.#next.length && next > 0 && next <= this.#last, "held", "each is a descriptor of the queue");
      this.#next[descriptor] = next;
    }
  }
}
