// The verdicts of `el2 diagnose`.

/** Verdicts that give no reason to look further. */
const HEALTHY_VERDICTS = ["runs", "waits", "starts", "off", "stopped"] as const;

/**
 * Verdicts on VMs that make no progress, have failed or left something behind; `broken` is the
 * machine's: one of its invariants does not hold.
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

export const VERDICTS = [...HEALTHY_VERDICTS, ...UNHEALTHY_VERDICTS] as const;
export type VerdictWord = typeof VERDICTS[number];

/** Whether it gives no reason to look further. */
export function isHealthy(verdict: VerdictWord): boolean {
  return (HEALTHY_VERDICTS as readonly string[]).includes(verdict);
}
