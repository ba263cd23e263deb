// From a row to the objects that it names, and from an id to the screen that shows it.

import { whereShown } from "../actions/screen-table.ts";
import { kindOf, nameOf } from "../../../model/queries/ids.ts";
import { isExactly } from "../../../model/queries/filters/filter.ts";
import { listQuery, type Query } from "../../../model/queries/query.ts";
import type { Json, Selected } from "../../../model/queries/table.ts";

/** Where an object is shown: screen key and pane, and the id there. */
export interface ScreenPlace {
  readonly screen: string;
  readonly pane: string;
  readonly id: string;
}

/** Where an id is shown; undefined for what no screen shows. */
export function placeOf(id: string): ScreenPlace | undefined {
  const kind = kindOf(id), shown = kind && whereShown(kind);
  return shown && { screen: shown.screen.key, pane: shown.pane, id: id.split(" ")[0] };
}

/** The question for the row of an object; undefined for what no table has. */
export function queryOf(id: string): Query | undefined {
  const kind = kindOf(id), table = kind && whereShown(kind)?.table;
  if (table === undefined) return undefined;
  return table === "mem.owner" ? { table, args: { at: id } } : listQuery(table, { filter: isExactly("id", id) });
}

/** Ids that a row names other than its own, each once, in the order of its columns. */
export function linksOf({ table, row }: Selected): string[] {
  const found = new Set<string>();
  const look = (value: Json) => {
    if (typeof value === "string") {
      for (const word of value.split(" ")) if (placeOf(word) && nameOf(word)) found.add(word);
    } else if (Array.isArray(value)) value.forEach(look);
    else if (value !== null && typeof value === "object") Object.values(value).forEach(look);
  };
  for (const name of Object.keys(table.columns)) if (name !== "id") look(row[name]);
  found.delete(row.id);
  return [...found];
}
