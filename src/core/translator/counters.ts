// What the translator counts, for people and benches.

/** What the translator has done so far. */
export interface TranslatorCounters {
  regions: number;
  modules: number;
  instructions: number;
  wasmBytes: number;
  /** Regions that were taken back, and how many of these to make room. */
  dropped: number;
  evicted: number;
  /** Milliseconds of host time in compilation. */
  milliseconds: number;
}
