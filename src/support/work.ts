// Work on bytes that anybody may have written, counted instead of timed: a bound that holds on a
// busy computer too, and that tests can read.

/** The steps that one piece of reading may take. A step is a byte, a word or an entry. */
export class Work {
  static #spent = 0;
  #left: number;

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
    Work.#spent += steps;
    this.#left -= steps;
    if (this.#left < 0) throw this.refusal();
  }
}
