// The line that `deno test` prints at its end, read and written.

/** Counts of a summary line of `deno test`. */
export interface Summary {
  readonly passed: number;
  readonly steps: number;
  readonly failed: number;
  readonly ignored: number;
}

/** Reads `ok | 12 passed (3 steps) | 1 failed | 2 ignored (1s)`, the last one in a text. */
export function readSummary(output: string): Summary | undefined {
  const line = output.match(/^(?:ok|FAILED) \| .*$/gm)?.at(-1);
  if (line === undefined) return undefined;
  const count = (what: string) => Number(new RegExp(`(\\d+) ${what}`).exec(line)?.[1] ?? 0);
  return { passed: count("passed"), steps: count("steps?"), failed: count("failed"), ignored: count("ignored") };
}

/** The summary line of several runs together, as `deno test` would print it. */
export function summaryLine(summaries: readonly Summary[], succeeded: boolean, seconds: number): string {
  const sum = (name: keyof Summary) => summaries.reduce((total, summary) => total + summary[name], 0);
  const steps = sum("steps"), ignored = sum("ignored");
  const time = seconds < 60 ? `${Math.round(seconds)}s` : `${Math.floor(seconds / 60)}m${Math.round(seconds % 60)}s`;
  return `${succeeded ? "ok" : "FAILED"} | ${sum("passed")} passed${steps ? ` (${steps} steps)` : ""} | ${sum("failed")} failed` +
    `${ignored ? ` | ${ignored} ignored` : ""} (${time})`;
}
