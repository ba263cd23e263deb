// What executes instructions: the interpreter alone, or regions of the translator as well. Guests
// see no difference.

/** The interpreter alone; regions as soon as a place was seen; regions where much time goes. */
export const TIERS = ["interp", "jit", "auto"] as const;

/** One of `TIERS`. */
export type Tier = typeof TIERS[number];

/** What executes where nobody says. */
export const DEFAULT_TIER: Tier = "auto";
