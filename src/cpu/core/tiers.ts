// How instructions are executed: by the interpreter alone, or by regions of the translator as well.
// Guests see no difference.

/**
 * The interpreter alone; regions as soon as a place was executed; regions where the guest spends
 * much time.
 */
export const TIERS = ["interp", "jit", "auto"] as const;

/** One of `TIERS`. */
export type Tier = typeof TIERS[number];

/** The tier if none is chosen. */
export const DEFAULT_TIER: Tier = "auto";
