// The verdicts of `el2 diagnose`.

/** Verdicts that are no reason to look further. */
export const HEALTHY_VERDICTS = ["runs", "waits", "starts", "off", "stopped"] as const;

/**
 * Verdicts on what makes no progress, has come to a bad end or left something behind; `broken` is
 * the machine's: one of its invariants does not hold.
 */
const UNHEALTHY_VERDICTS = [
  "failed",
  "panicked",
  "spins",
  "stuck",
  "deadlocked",
  "lost",
  "starved",
  "storm",
  "leaked",
  "broken",
] as const;

/** All of them. */
export const VERDICTS = [...HEALTHY_VERDICTS, ...UNHEALTHY_VERDICTS] as const;
export type VerdictWord = typeof VERDICTS[number];

/** Whether there is no reason to look further. */
export function isHealthy(verdict: VerdictWord): boolean {
  return (HEALTHY_VERDICTS as readonly string[]).includes(verdict);
}
