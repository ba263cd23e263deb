// Searches for the symbols of kernels, and answers about kernels, which a guest can make long: they
// are done in pieces, with requests let in between, while the machine waits. The answers that need
// searches come afterwards.

import type { InPieces } from "../../kit/support/values/work.ts";
import { type Searching, SymbolSearch, type VmSymbols } from "../../inside/symbols/vm-symbols.ts";
import { type EnginePort, inPieces } from "./loop.ts";

/** Searches for one piece of work: of each VM, and of a guest that hides its kernel. */
const SEARCHES_MAX = 8;

const searchingAfter = (done: number): Searching => done < SEARCHES_MAX ? "by the caller" : "never";

/** Does work that needs symbols, after the searches for them, while the machine runs on. */
export function* searched<T>(symbols: VmSymbols, work: () => T): InPieces<T> {
  for (let done = 0;; done++) {
    try {
      return symbols.asked(searchingAfter(done), work);
    } catch (error) {
      if (!(error instanceof SymbolSearch)) throw error;
      yield* error.pieces;
    }
  }
}

/** The searches of one session that are under way. */
export class SymbolSearches {
  readonly #waiting = new Map<SymbolSearch, (() => void)[]>();
  /** Answers that have begun. */
  #answering = 0;

  /** @param over called when the machine may continue */
  constructor(readonly port: EnginePort, readonly over: () => void) {}

  /**
   * Whether some are under way. A machine that ran on would be far past the place of the question.
   */
  get busy(): boolean {
    return this.#waiting.size > 0 || this.#answering > 0;
  }

  /**
   * Does work that may need searches, which are done before: it begins anew after each of them.
   * @param work throws SymbolSearch where it needs one
   * @param done searches that have been done for it
   */
  before(work: (searching: Searching) => void, done = 0): void {
    try {
      work(searchingAfter(done));
    } catch (error) {
      if (!(error instanceof SymbolSearch)) throw error;
      this.#after(error, () => this.before(work, done + 1));
    }
  }

  /** Makes an answer in pieces, likewise. */
  answer(work: (searching: Searching) => InPieces<void>, done = 0): void {
    const pieces = work(searchingAfter(done));
    let waits = false;
    inPieces(this.port, () => {
      try {
        if (!pieces.next().done) {
          if (!waits) this.#answering++;
          waits = true;
          return false;
        }
      } catch (error) {
        if (!(error instanceof SymbolSearch)) throw error;
        this.#after(error, () => this.answer(work, done + 1));
      }
      if (waits) this.#answering--;
      if (waits && !this.busy) this.over();
      return true;
    });
  }

  /** Does something once a search is done, which begins unless it is under way. */
  #after(search: SymbolSearch, act: () => void): void {
    const waiting = this.#waiting.get(search);
    if (waiting) return void waiting.push(act);
    this.#waiting.set(search, [act]);
    inPieces(this.port, () => {
      if (!this.#piece(search)) return false;
      const acts = this.#waiting.get(search) ?? [];
      this.#waiting.delete(search);
      for (const act of acts) act();
      if (!this.busy) this.over();
      return true;
    });
  }

  /** True when the search is done; a bug of el2 ends it. */
  #piece({ pieces }: SymbolSearch): boolean {
    try {
      return pieces.next().done === true;
    } catch (error) {
      this.port.contained({ where: "the symbols of a kernel", error });
      return true;
    }
  }
}
