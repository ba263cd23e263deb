// Ranks causes by the signs of the files: a cause has the points of its evidence that is there.

import type { Cause, Evidence, Wanted } from "./cause.ts";
import { CAUSES } from "./causes.ts";
import type { Explained, SignValue } from "./forms/sign.ts";

export interface Ranked {
  readonly cause: Cause;
  readonly points: number;
  /** Lines that speak for it, and against it. */
  readonly lines: readonly Explained[];
  readonly against: readonly Explained[];
}

/** A cause with fewer points is not named. */
const POINTS_MIN = 5;

/** The causes that the lines speak for, the likeliest first. */
export function rank(lines: readonly Explained[], causes: readonly Cause[] = CAUSES): Ranked[] {
  return causes.flatMap((cause) => {
    const ranked = weighed(cause, lines);
    return ranked && ranked.points >= POINTS_MIN ? [ranked] : [];
  }).sort((a, b) => b.points - a.points);
}

/** The evidence for one cause; undefined without what it needs. */
function weighed(cause: Cause, lines: readonly Explained[]): Ranked | undefined {
  const kept: Explained[] = [], against: Explained[] = [];
  let points = 0, hasNeeded = false;
  for (const evidence of cause.evidence) {
    const found = lines.filter((line) => isEvidence(evidence, line));
    if (found.length === 0) continue;
    // A line in words that no form has counts half.
    points += found.every(({ sign: { values } }) => values.guess === "yes") ? Math.trunc(evidence.points / 2) : evidence.points;
    hasNeeded ||= evidence.must === true;
    for (const one of found) {
      const side = evidence.points > 0 ? kept : against;
      if (!side.includes(one)) side.push(one);
    }
  }
  return hasNeeded ? { cause, points, lines: kept, against } : undefined;
}

function isEvidence({ of, where = {} }: Evidence, { sign: { kind, values } }: Explained): boolean {
  return kind === of && Object.entries(where).every(([name, wanted]) => isWanted(wanted, values[name]));
}

function isWanted(wanted: Wanted, value: SignValue | undefined): boolean {
  if (value === undefined) return false;
  if (wanted === "any") return true;
  if (typeof wanted !== "object") return value === wanted;
  if (!("from" in wanted)) return wanted.includes(value);
  return typeof value === "number" && value >= wanted.from && value <= (wanted.to ?? Infinity);
}
