// Words of a list's rows that have changed a moment ago: the list marks them.

import type { RowOf, Table } from "../../../model/queries/table.ts";

/** How long (ms) a changed word is marked. */
const CHANGED = 1000;

export class WordChanges<T extends Table> {
  /** When a word of a row changed, by row and column (wall ms). */
  readonly #times = new Map<string, number>();
  /** When the oldest of the changes that were last drawn came. */
  #oldest = Infinity;

  constructor(readonly table: T) {}

  /** When the last mark that was drawn ends. */
  get marksUntil(): number {
    return this.#oldest + CHANGED;
  }

  /** Drawing begins. */
  begin(): void {
    this.#oldest = Infinity;
  }

  /** Whether a word is drawn with a mark. */
  isMarked(id: string, column: string, now: number): boolean {
    const since = this.table.columns[column]?.kind === "word" ? this.#times.get(`${id} ${column}`) : undefined;
    const isMarked = since !== undefined && now - since < CHANGED;
    if (isMarked) this.#oldest = Math.min(this.#oldest, since);
    return isMarked;
  }

  /** Notes which words of rows are others than before; a stream's rows never change. */
  note(before: readonly RowOf<T>[], rows: readonly RowOf<T>[]): void {
    const known = new Map(before.map((row) => [row.id, row])), now = performance.now();
    const words = Object.entries(this.table.columns).filter(([, column]) => column.kind === "word" && column.width !== undefined);
    for (const [key, time] of this.#times) if (now - time >= CHANGED) this.#times.delete(key);
    for (const row of rows) {
      const old = known.get(row.id);
      if (old) { for (const [name] of words) if (old[name] !== row[name]) this.#times.set(`${row.id} ${name}`, now); }
    }
  }
}
