// Histories: amounts of the last minute, one sample per second, by id. They are fed from samples
// that come anyway.

/** Samples that are kept. */
export const KEPT = 60;
/** Between two samples, ms. */
const STEP = 1000;

/** Rings of samples by id. */
export class Histories {
  readonly #rings = new Map<string, number[]>();
  /** The shown values while histories do not advance by themselves. */
  #still = new Map<string, readonly number[]>();
  readonly #sums = new Map<string, { sum: number; count: number }>();
  #from: number | undefined;
  #steps = 0;
  /** Samples that come at once: less often where a link is slow. */
  stride = 1;

  /** They advance now. */
  #moves: boolean;

  /** @param motion they advance by themselves; otherwise `refresh` shows new values */
  constructor(readonly motion = true) {
    this.#moves = motion;
  }

  /** Histories that rest do not advance by themselves. */
  rest(resting: boolean): void {
    this.#moves = this.motion && !resting;
    this.refresh();
  }

  /** Shows what has come, where histories do not advance by themselves. */
  refresh(): void {
    if (!this.#moves) this.#still = new Map([...this.#rings].map(([id, ring]) => [id, [...ring]]));
  }

  /** Takes amounts at a wall time (ms). Within one second they are averaged. */
  add(now: number, amounts: Iterable<readonly [id: string, amount: number]>): void {
    this.#from ??= now;
    const steps = Math.floor((now - this.#from) / STEP);
    if (steps > 0) {
      this.#close(Math.min(steps, KEPT));
      this.#from += steps * STEP;
      this.#steps += steps;
    }
    for (const [id, amount] of amounts) {
      const sum = this.#sums.get(id);
      if (sum) {
        sum.sum += amount;
        sum.count++;
      } else this.#sums.set(id, { sum: amount, count: 1 });
    }
    // New entries show at once.
    for (const [id, { sum, count }] of this.#sums) if (!this.#rings.has(id)) this.#rings.set(id, [sum / count]);
  }

  /** Samples of an id, the newest last. */
  of(id: string): readonly number[] {
    const ring = (this.#moves ? this.#rings : this.#still).get(id) ?? [], held = this.#moves ? this.#steps % this.stride : 0;
    return held && ring.length > held ? ring.slice(0, -held) : ring;
  }

  /** Forgets what is not among these. */
  keep(ids: ReadonlySet<string>): void {
    for (const id of this.#rings.keys()) if (!ids.has(id)) this.#rings.delete(id);
  }

  /** The second is over; seconds without samples repeat the last value. */
  #close(steps: number): void {
    for (const [id, { sum, count }] of this.#sums) {
      const ring = this.#rings.get(id) ?? [];
      for (let step = 0; step < steps; step++) ring.push(sum / count);
      this.#rings.set(id, ring.slice(-KEPT));
    }
    this.#sums.clear();
  }
}

/** Amounts as shares of the largest that is shown. */
export function scaled(values: readonly number[], peak = Math.max(...values, 0)): number[] {
  return values.map((value) => peak > 0 ? value / peak : 0);
}

/** Amounts on a logarithmic scale from `least` to `most`; less than that is just above zero. */
export function logarithmic(values: readonly number[], least: number, most: number): number[] {
  return values.map((value) => value > 0 ? Math.max(Math.log(value / least) / Math.log(most / least), Number.EPSILON) : 0);
}
