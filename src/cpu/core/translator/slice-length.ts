// How long the next slice is: short while the translator looks for hot code, long once all time is
// in regions.

/**
 * Where samples are in regions there is nothing to find. Each slice then costs more than it is
 * worth: no region is left or entered in the middle of a path. After `SETTLED` such samples slices
 * are `STRETCH` times as long. A sample elsewhere counts for `STRAY` of them, up to
 * `SETTLED_MOST`, and after a slice that waited for the counter there must be `WAITED` more:
 * instructions of waits are spared where a slice ends.
 */
const STRETCH = 20, SETTLED = 32, SETTLED_MOST = 64, STRAY = 8, WAITED = 1000;

export class SliceLength {
  /** Samples in regions, less `STRAY` for each of the others. */
  #settled = 0;

  /** The length of the next slice, in slices of `Hotness`. */
  get stretch(): number {
    return this.#settled < SETTLED ? 1 : STRETCH;
  }

  /** The guest waits for the counter: slices are short for a while. */
  waited(): void {
    this.#settled = -WAITED;
  }

  /** A sample was in a region, or not. */
  count(isRegion: boolean): void {
    if (isRegion) this.#settled = Math.min(this.#settled + 1, SETTLED_MOST);
    else if (this.#settled > 0) this.#settled = Math.max(0, this.#settled - STRAY);
  }
}
