// The part of a run that a search backward looks at.

/**
 * How many places a search may reach. After more, only the last instructions are searched, without
 * stops on the way there: a loop may reach a place more often than there is time for.
 */
const BUSY = 2000;
/** Instructions of the first such part, and the factor by which the next one is larger. */
const LAST_PART = 100_000, GROWTH = 16;

/** The instructions before the end of a search: all from a milestone on, or the last of them. */
export class SearchedPart {
  #instructions = Infinity;

  /** Whether so many places are too many to pass them all. */
  isBusy(places: number): boolean {
    return this.#instructions === Infinity && places > BUSY;
  }

  /** From now on the last instructions are searched. */
  shrink(): void {
    this.#instructions = LAST_PART;
  }

  /** Nothing was in this part: the one before it is larger. */
  grow(): void {
    this.#instructions *= GROWTH;
  }

  /** Where it begins. @param first the milestone's instructions @param end where it ends */
  begin(first: number, end: number): number {
    return Math.max(first, end - this.#instructions);
  }
}
