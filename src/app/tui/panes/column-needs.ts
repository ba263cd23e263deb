// Widths of columns whose texts have no usual length: what their rows need, where there is room.

import type { CellContext, ListColumn } from "../look/list.ts";
import { piecesWidth } from "../look/pieces.ts";

/** The needs of one list's columns. They do not shrink: columns would move with each answer. */
export class ColumnNeeds<R> {
  /** By column: the widest so far, and the rows that were measured last. */
  readonly #needs = new Map<string, { readonly rows: readonly R[]; readonly need: number }>();

  /** The columns, from the left, grown to their needs as far as a width has room. */
  grown(columns: readonly ListColumn<R>[], rows: readonly R[], context: Omit<CellContext, "width">, width: number): ListColumn<R>[] {
    let spare = width - columns.reduce((sum, column) => sum + column.width + 1, -1);
    return columns.map((column) => {
      if (column.most === undefined) return column;
      const need = this.#measure(column, rows, { ...context, width: column.most });
      const more = Math.max(Math.min(Math.min(need, column.most) - column.width, spare), 0);
      spare -= more;
      return { ...column, width: column.width + more };
    });
  }

  #measure({ name, pieces }: ListColumn<R>, rows: readonly R[], context: CellContext): number {
    const known = this.#needs.get(name);
    if (known?.rows === rows) return known.need;
    const need = rows.reduce((most, row) => Math.max(most, piecesWidth(pieces(row, context))), known?.need ?? 0);
    this.#needs.set(name, { rows, need });
    return need;
  }
}
