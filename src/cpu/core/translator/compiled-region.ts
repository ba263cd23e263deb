// A region that was compiled, as its core knows it.

/** A region that is in use, or was until its code changed. */
export interface Region {
  /** Number of its handler, counted from FIRST_REGION_HANDLER. */
  readonly number: number;
  /** Address of the head's decoded instruction, and the handler that it had. */
  readonly head: number;
  readonly headHandler: number;
  /** Numbers of its instructions in each page, by the index of its decoded page. */
  readonly covers: ReadonlyMap<number, ReadonlySet<number>>;
  /** Addresses of all its decoded instructions, and their words. */
  readonly decoded: Int32Array;
  readonly words: Int32Array;
  /** Of its code. */
  readonly bytes: number;
  /** It has all of the loop around its head, or that is too large for one region. */
  readonly isLoop: boolean;
}
