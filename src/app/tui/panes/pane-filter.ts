// The filter of a pane, as the user types it: a bad one leaves the last good one in force.

import { type Filter, FilterError, parseFilter } from "../../../model/queries/filters/filter.ts";
import { checkFilter, isTemporal } from "../../../model/queries/filters/temporal-filter.ts";
import { isStream, type RowOf, type Table } from "../../../model/queries/table.ts";

export class PaneFilter<T extends Table> {
  #filter: Filter | undefined;
  #text = "";
  #error: FilterError | undefined;

  constructor(readonly table: T) {}

  /** The filter in force; empty: all rows match. */
  get text(): string {
    return this.#text;
  }

  /** The error in the last text. */
  get error(): FilterError | undefined {
    return this.#error;
  }

  /** Takes another filter, if it is a right one. */
  set(text: string): void {
    this.#error = undefined;
    try {
      // A stream's rows over time are chosen where all events are.
      if (isStream(this.table) && isTemporal(text)) {
        checkFilter(text, this.table);
        this.#filter = undefined;
      } else this.#filter = text.trim() === "" ? undefined : parseFilter(text, this.table);
      this.#text = text.trim();
    } catch (error) {
      if (!(error instanceof FilterError)) throw error;
      this.#error = error;
    }
  }

  /** Whether it lets a row through. */
  passes(row: RowOf<T>): boolean {
    return this.#filter?.matches(row) ?? true;
  }
}
