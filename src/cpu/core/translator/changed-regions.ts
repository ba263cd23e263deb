// Regions whose code has changed: code that patches itself often goes back to what it was
// (alternatives, tracing, breakpoints of a guest's debugger). Such a region comes back as soon as
// the instruction that changed is decoded again with all others as they were.

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

/** Most regions that wait; beyond that, the oldest is released. */
export const MOST_CHANGED = 256;
/**
 * Most regions that wait for one instruction: code that never returns must not slow down others.
 */
const MOST_FOR_ONE = 4;

/** Regions that are not in use, but keep their numbers. */
export class ChangedRegions {
  /** With the addresses of the decoded instructions that changed; the oldest first. */
  readonly #waiting = new Map<Region, readonly number[]>();
  /** By these addresses. */
  readonly #byInstruction = new Map<number, Region[]>();

  /**
   * @param release is called for those that no longer wait
   * @param awaited is called with the decoded instructions that regions begin to wait for (1), and
   * with those that none waits for any more (-1)
   */
  constructor(readonly release: (region: Region) => void, readonly awaited: (decoded: number, change: 1 | -1) => void) {}

  /** A region waits for a change of these decoded instructions. */
  add(region: Region, decoded: readonly number[]): void {
    this.#waiting.set(region, decoded);
    for (const at of decoded) {
      const list = this.#byInstruction.get(at);
      if (!list) {
        this.#byInstruction.set(at, [region]);
        this.awaited(at, 1);
      } else {
        list.push(region);
        if (list.length > MOST_FOR_ONE) this.#forget(list[0]);
      }
    }
    for (const oldest of this.#waiting.keys()) {
      if (this.#waiting.size <= MOST_CHANGED) break;
      this.#forget(oldest);
    }
  }

  /** A region that waits for this decoded instruction and is right. */
  find(decoded: number, isRight: (region: Region) => boolean): Region | undefined {
    return this.#byInstruction.get(decoded)?.find(isRight);
  }

  /** A region no longer waits, as it is in use. */
  remove(region: Region): void {
    const decoded = this.#waiting.get(region);
    if (!decoded) return;
    this.#waiting.delete(region);
    for (const at of decoded) {
      const rest = this.#byInstruction.get(at)?.filter((other) => other !== region) ?? [];
      if (rest.length) this.#byInstruction.set(at, rest);
      else {
        this.#byInstruction.delete(at);
        this.awaited(at, -1);
      }
    }
  }

  /** The decoded page with this index is released: no region with code there can return. */
  forget(page: number): void {
    for (const region of [...this.#waiting.keys()]) if (region.covers.has(page)) this.#forget(region);
  }

  #forget(region: Region): void {
    this.remove(region);
    this.release(region);
  }
}
