// How many lines of source code, and branches in them, were executed.

import type { ExecutedLine } from "../../inspection/execution/executed.ts";

/** Lines, or branches. */
export interface Covered {
  readonly valid: number;
  /** Those that were executed. */
  readonly covered: number;
}

export function coveredLines(lines: Iterable<ExecutedLine>): Covered {
  let valid = 0, covered = 0;
  for (const { executions } of lines) {
    valid++;
    covered += Number(executions > 0);
  }
  return { valid, covered };
}

/** A conditional branch instruction is two branches: taken and passed. */
export function coveredBranches(lines: Iterable<ExecutedLine>): Covered {
  let valid = 0, covered = 0;
  for (const { branches } of lines) {
    for (const { taken, passed } of branches.values()) {
      valid += 2;
      covered += Number(taken > 0) + Number(passed > 0);
    }
  }
  return { valid, covered };
}
