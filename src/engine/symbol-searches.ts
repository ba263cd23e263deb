// Searches for the symbols of kernels, which a guest can make long: they are done between slices,
// and the answers that need them come afterwards.

import type { SymbolSearch } from "../symbols/vm-symbols.ts";
import { type EnginePort, inPieces } from "./loop.ts";

/** The searches of one session that are under way. */
export class SymbolSearches {
  readonly #waiting = new Map<SymbolSearch, (() => void)[]>();

  constructor(readonly port: EnginePort) {}

  /** Does something once a search is done, which begins unless it is under way. */
  after(search: SymbolSearch, act: () => void): void {
    const waiting = this.#waiting.get(search);
    if (waiting) return void waiting.push(act);
    this.#waiting.set(search, [act]);
    inPieces(this.port, () => {
      if (!this.#piece(search)) return false;
      const acts = this.#waiting.get(search) ?? [];
      this.#waiting.delete(search);
      for (const act of acts) act();
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
