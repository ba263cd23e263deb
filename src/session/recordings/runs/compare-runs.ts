// Good runs and bad runs of one plan: the events and functions that occur in all of one kind and in
// none of the other.

import type { RunFeature, RunFeatures } from "./run-features.ts";

/** A feature, and the runs that have it. */
export interface DistinctFeature extends RunFeature {
  /** How many of the bad and of the good runs have it. */
  readonly bad: number;
  readonly good: number;
}

/** An answer: the features that tell the runs apart, the likeliest cause first. */
export interface RunComparison {
  /** Whether each of them is in all bad runs and in no good one, or the other way round. */
  readonly exact: boolean;
  readonly features: readonly DistinctFeature[];
}

/** The least difference of the shares of runs that have a feature, if none is exact. */
const LEAST_DIFFERENCE = 0.5;

/**
 * Compares runs. A cause comes before its effects: features are ranked by when they occur first.
 * Orders of events count only where events and functions do not tell the runs apart: one event that
 * is new makes a new order, too. A run says nothing about the time after its end: a feature counts
 * only if a run of the other kind came as far.
 */
export function compareRuns(good: readonly RunFeatures[], bad: readonly RunFeatures[]): RunComparison {
  const found = new Map<string, { feature: RunFeature; times: number[]; good: number; bad: number }>();
  for (const [kind, runs] of [["good", good], ["bad", bad]] as const) {
    for (const { features } of runs) {
      for (const feature of features) {
        const key = `${feature.kind} ${feature.vm} ${feature.text}`;
        const known = found.get(key) ?? { feature, times: [], good: 0, bad: 0 };
        known[kind]++;
        known.times.push(feature.time);
        found.set(key, known);
      }
    }
  }
  const ends = { good: Math.max(...good.map(({ end }) => end)), bad: Math.max(...bad.map(({ end }) => end)) };
  const all = [...found.values()].map(({ feature, times, ...runs }): DistinctFeature => ({ ...feature, time: median(times), ...runs }))
    .filter(({ time, good, bad }) => (good > 0 || time <= ends.good) && (bad > 0 || time <= ends.bad));
  const apart = (one: DistinctFeature) => Math.abs(one.bad / bad.length - one.good / good.length);
  const plain = all.filter(({ kind }) => kind !== "order"), exact = (one: DistinctFeature) => apart(one) === 1;
  // At one time, an event of the bad runs is the cause of what they lack.
  const byTime = (one: DistinctFeature, other: DistinctFeature) =>
    one.time - other.time || Number(one.bad < other.bad) - Number(one.bad > other.bad) ||
    RANKS.indexOf(one.kind) - RANKS.indexOf(other.kind);
  for (const features of [plain.filter(exact), all.filter(exact)]) {
    if (features.length > 0) return { exact: true, features: features.sort(byTime) };
  }
  const near = plain.filter((one) => apart(one) >= LEAST_DIFFERENCE);
  return { exact: false, features: near.sort((one, other) => apart(other) - apart(one) || byTime(one, other)) };
}

const RANKS: readonly RunFeature["kind"][] = ["event", "function", "order"];

function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[values.length >> 1];
}
