// Values in order: the middle one, the first one for which something is true, and the first answer.

/** The middle value; between the two middle ones where their count is even. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** The first index of a list for which something is true that is true for all after it. */
export function firstIndex(length: number, isTrue: (index: number) => boolean): number {
  let low = 0, high = length;
  while (low < high) {
    const middle = low + high >> 1;
    if (isTrue(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The first answer that one of them has. */
export function firstOf<V, T>(values: readonly V[], ask: (value: V) => T | undefined): T | undefined {
  for (const value of values) {
    const answer = ask(value);
    if (answer !== undefined) return answer;
  }
  return undefined;
}
