// A verdict on a VM, as its rows have it before they know whose they are.

/** What a VM does or waits for, and what that follows from. */
export interface Verdict {
  readonly verdict: VerdictWord;
  readonly text: string;
  readonly evidence?: readonly string[];
  /** The command that shows more. */
  readonly next?: string;
}

/** Verdicts that are no reason to look further. */
export const HEALTHY_VERDICTS = ["runs", "waits", "starts", "off", "stopped"] as const;
/** Verdicts on what makes no progress, or has come to a bad end. */
export const UNHEALTHY_VERDICTS = [
  "failed",
  "panicked",
  "spins",
  "stuck",
  "deadlocked",
  "lost",
  "starved",
  "storm",
  "leaked",
] as const;

export type VerdictWord = typeof HEALTHY_VERDICTS[number] | typeof UNHEALTHY_VERDICTS[number];

/** Whether there is no reason to look further. */
export function isHealthy(verdict: VerdictWord): boolean {
  return (HEALTHY_VERDICTS as readonly string[]).includes(verdict);
}
