// Work on bytes that anybody may have written, counted instead of timed: a bound that holds on a
// busy computer too, and that tests can read. Long work is in pieces, so that a session answers in
// between.

/** Work that is done in pieces, and its result. */
export type InPieces<T> = Generator<void, T, void>;

/** Does all pieces at once. */
export function whole<T>(pieces: InPieces<T>): T {
  for (;;) {
    const { done, value } = pieces.next();
    if (done) return value;
  }
}

/** Steps of a piece: some milliseconds. */
export const PIECE_STEPS = 1 << 18;

/** Steps after which a piece of work on many things ends. */
const THING_STEPS = PIECE_STEPS >> 2;

/** Results of work on each of many things, with pauses between those that have taken long. */
export function* mapInPieces<T, R>(things: readonly T[], work: (thing: T) => R): InPieces<R[]> {
  const results: R[] = [];
  let before = Work.spent;
  for (const thing of things) {
    results.push(work(thing));
    if (Work.spent - before < THING_STEPS || results.length === things.length) continue;
    yield;
    // Others have worked meanwhile.
    before = Work.spent;
  }
  return results;
}

/** The steps that one piece of reading may take. A step is a byte, a word or an entry. */
export class Work {
  static #spent = 0;
  #left: number;
  #sincePause = 0;

  /** Steps that were taken in this thread so far. */
  static get spent(): number {
    return Work.#spent;
  }

  /**
   * @param steps how many are allowed
   * @param refusal the error of the reader for input that needs more
   */
  constructor(steps: number, readonly refusal: () => Error) {
    this.#left = steps;
  }

  /**
   * Counts steps, before they are taken.
   * @throws what `refusal` makes, when none are left
   */
  spend(steps = 1): void {
    this.owe(steps);
    if (this.#left < 0) throw this.refusal();
  }

  /** Counts steps that have been taken already, however many are left. */
  owe(steps: number): void {
    Work.#spent += steps;
    this.#sincePause += steps;
    this.#left -= steps;
  }

  /** Whether none are left: all that follows would be refused. */
  get isSpent(): boolean {
    return this.#left <= 0;
  }

  /** Other work begins, for which so many steps are allowed. */
  renew(steps: number): void {
    this.#left = steps;
  }

  /** Whether a piece of this work is done, which readers that work in pieces ask as they go. */
  get pauses(): boolean {
    if (this.#sincePause < PIECE_STEPS) return false;
    this.#sincePause = 0;
    return true;
  }
}
