// Which pairs of handlers have a handler for both (interpreter/fusion.ts makes these).

import type { FusedHandler } from "./handlers.ts";

/** The handlers for pairs. */
export class FusedHandlers {
  readonly #handlers = new Map<number, Map<number, number>>();
  /** For each fused handler, the one that executes its first instruction alone. */
  readonly #first: number[] = [];

  constructor(readonly pairs: readonly FusedHandler[]) {
    for (const [first, second, fused] of pairs) this.#add(first, second, fused);
  }

  /** Whether any pair begins with this handler. */
  startsPair(handler: number): boolean {
    return this.#handlers.has(handler);
  }

  /** The handler for two handlers in a row, or undefined. */
  get(first: number, second: number): number | undefined {
    return this.#handlers.get(first)?.get(second);
  }

  /** The handler that executes the first instruction of this handler alone. */
  firstOf(handler: number): number {
    return this.#first[handler] ?? handler;
  }

  #add(first: number, second: number, fused: number): void {
    let seconds = this.#handlers.get(first);
    if (!seconds) this.#handlers.set(first, seconds = new Map());
    seconds.set(second, fused);
    this.#first[fused] = first;
  }
}
