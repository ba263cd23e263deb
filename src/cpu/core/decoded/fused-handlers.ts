// Which pairs of handlers have a handler for both (interpreter/fusion.ts makes these).

import { FIRST_HANDLERS, HANDLER_NUMBERS, PAIR_COLUMNS, PAIR_HANDLERS, PAIR_ROWS } from "../state/layout.ts";
import type { FusedHandler } from "./handlers.ts";

/** Rows and columns of the table of pairs. Row 0 and column 0 are for handlers that have none. */
const PLACES = 0x100;

export class FusedHandlers {
  /** For each fused handler, the one that executes its first instruction alone. */
  readonly #first: number[] = [];
  readonly #rows = new Map<number, number>();
  readonly #columns = new Map<number, number>();

  constructor(readonly pairs: readonly FusedHandler[]) {
    for (const [first, second, fused] of pairs) {
      this.#first[fused] = first;
      for (const [places, handler] of [[this.#rows, first], [this.#columns, second]] as const) {
        if (!places.has(handler)) places.set(handler, places.size + 1);
      }
    }
    if (Math.max(this.#rows.size, this.#columns.size) >= PLACES) throw new Error("more handlers in pairs than there is room for");
  }

  /** The handler that executes the first instruction of this handler alone. */
  firstOf(handler: number): number {
    return this.#first[handler] ?? handler;
  }

  /** Writes the tables that the decoder reads into a memory in which they are zero. */
  write(memory: WebAssembly.Memory): void {
    const bytes = new Uint8Array(memory.buffer), halves = new Uint16Array(memory.buffer);
    for (const [handler, row] of this.#rows) bytes[PAIR_ROWS + handler] = row;
    for (const [handler, column] of this.#columns) bytes[PAIR_COLUMNS + handler] = column;
    const firsts = halves.subarray(FIRST_HANDLERS >> 1, (FIRST_HANDLERS >> 1) + HANDLER_NUMBERS);
    for (const [first, second, fused] of this.pairs) {
      firsts[fused] = first ^ fused;
      halves[(PAIR_HANDLERS >> 1) + PLACES * this.#rows.get(first)! + this.#columns.get(second)!] = fused;
    }
  }
}
