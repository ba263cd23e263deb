// Figures over repeated measurements.

import { median } from "../src/kit/support/values/in-order.ts";

export { median };

/** The value below which a share of the values lies. */
export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}

/** The geometric mean. */
export function geometricMean(values: readonly number[]): number {
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

/** "0.31 (0.29-0.33)": median, least and greatest. */
export function withSpread(values: readonly number[], digits = 2): string {
  const [least, greatest] = [Math.min(...values), Math.max(...values)];
  return `${median(values).toFixed(digits)} (${least.toFixed(digits)}-${greatest.toFixed(digits)})`;
}

/** Ways of dealing values out that are tried one by one; beyond, as many at random. */
const PERMUTATIONS = 20_000;

/**
 * The chance that two samples of one distribution have means as far apart as these: the share of
 * all ways to deal the values out to two samples of these sizes. A fixed sequence of random numbers
 * where there are too many ways.
 */
export function permutationTest(a: readonly number[], b: readonly number[]): number {
  const values = [...a, ...b], total = values.reduce((sum, value) => sum + value, 0);
  const apart = (sum: number) => Math.abs(sum / a.length - (total - sum) / b.length);
  const observed = apart(a.reduce((sum, value) => sum + value, 0)) * (1 - 1e-9);
  let as = 0, tried = 0;
  const deal = (from: number, left: number, sum: number): boolean => {
    if (left === 0) {
      if (apart(sum) >= observed) as++;
      return ++tried <= PERMUTATIONS;
    }
    for (let i = from; i <= values.length - left; i++) if (!deal(i + 1, left - 1, sum + values[i])) return false;
    return true;
  };
  if (deal(0, a.length, 0)) return as / tried;
  as = 0;
  let state = 1;
  for (let i = 0; i < PERMUTATIONS; i++) {
    const shuffled = [...values];
    let sum = 0;
    for (let k = 0; k < a.length; k++) {
      state = Math.imul(state, 1664525) + 1013904223 >>> 0;
      const pick = k + state % (shuffled.length - k);
      [shuffled[k], shuffled[pick]] = [shuffled[pick], shuffled[k]];
      sum += shuffled[k];
    }
    if (apart(sum) >= observed) as++;
  }
  return as / PERMUTATIONS;
}
