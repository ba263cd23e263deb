// Counters of the translator, for display and benches.

/** Counts since the start. */
export interface TranslatorCounters {
  /** How often the translator looked where a slice ended. */
  samples: number;
  regions: number;
  modules: number;
  instructions: number;
  wasmBytes: number;
  /** Regions that were taken back, and how many of these to make room. */
  dropped: number;
  evicted: number;
  /** Stores into code pages for which the translator was asked whether they change regions. */
  rewrites: number;
  /** Modules that were found in this process, and in the cache of others. */
  returned: number;
  cached: number;
  /** Modules that another thread made, and those whose code had changed before they came. */
  elsewhere: number;
  late: number;
  /** Regions that came back without a module, as their code was changed back. */
  restored: number;
  /** Searches for a region that was not worth making yet. */
  searched: number;
  /** Milliseconds of real time that the guest's thread compiled, these searches among them. */
  milliseconds: number;
  /**
   * Parts of these: finding the instructions of regions, making the bytes of their modules, and
   * V8's work on the bytes before it runs them.
   */
  discoveryMilliseconds: number;
  emissionMilliseconds: number;
  modulesMilliseconds: number;
  /** Of instructions and milliseconds those of the beginning, when the compiler itself is slow. */
  coldInstructions: number;
  coldMilliseconds: number;
}
