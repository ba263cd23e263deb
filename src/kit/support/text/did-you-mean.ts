// Suggests the name that the user may have meant: the nearest by edit distance, if it is near
// enough.

/**
 * Insertions, deletions, replacements and swaps of neighbors between two words (optimal string
 * alignment).
 */
function distance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, column) => column)];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      row[j] = Math.min(rows[i - 1][j] + 1, row[j - 1] + 1, rows[i - 1][j - 1] + (same ? 0 : 1));
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) row[j] = Math.min(row[j], rows[i - 2][j - 2] + 1);
    }
    rows.push(row);
  }
  return rows[a.length][b.length];
}

/** The name that is probably meant by a misspelled word. */
export function nearest(word: string, names: readonly string[]): string | undefined {
  const limit = Math.max(1, Math.floor(word.length / 3));
  const near = names.map((name) => ({ name, far: distance(word, name) })).filter(({ far }) => far <= limit);
  return near.sort((a, b) => a.far - b.far)[0]?.name;
}

/**
 * The way out of a misspelled word: `did you mean "NAME"?` with the nearest of `names`, if one is
 * near. A hint, such as `use one of NAME, …`, follows in either case.
 */
export function didYouMean(word: string, names: readonly string[], hint: string): string;
export function didYouMean(word: string, names: readonly string[], hint?: string): string | undefined;
export function didYouMean(word: string, names: readonly string[], hint?: string): string | undefined {
  const near = nearest(word, names);
  if (near === undefined) return hint;
  const question = `did you mean ${JSON.stringify(near)}?`;
  return hint === undefined ? question : withHint(question, hint);
}

/** The way out of a word that should be one of these names: the nearest, and which there are. */
export const didYouMeanOneOf = (word: string, names: readonly string[]): string =>
  didYouMean(word, names, `use ${names.length === 1 ? "" : "one of "}${names.join(", ")}`);

/** A message and what is to know or to do about it: a new sentence after a question. */
export function withHint(message: string, hint: string): string {
  return message.endsWith("?") ? `${message} ${hint[0].toUpperCase()}${hint.slice(1)}` : `${message}; ${hint}`;
}
