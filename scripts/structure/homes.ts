// Homes of a thing: the files of src/ in which it is written. Where a thing has more of them than
// it needs, they have to agree by hand.

/** A thing, and the paths of its homes below src/. */
export interface Homes {
  readonly name: string;
  readonly files: readonly string[];
}

/** The greatest number of homes, their mean with one digit, and the things that have the most. */
export function summaryOf(all: readonly Homes[]): { greatest: number; mean: number; worst: Homes[] } {
  const counts = all.map(({ files }) => files.length);
  const greatest = Math.max(0, ...counts);
  const mean = all.length ? counts.reduce((sum, count) => sum + count, 0) / all.length : 0;
  return { greatest, mean: Math.round(10 * mean) / 10, worst: all.filter(({ files }) => files.length === greatest) };
}
