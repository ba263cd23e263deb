// From a row to the objects that it names, and from an id to the screen that shows it.

import { type IdKind, kindOf, nameOf } from "../../queries/ids.ts";
import { isExactly } from "../../queries/filter.ts";
import type { Query } from "../../queries/query.ts";
import type { Json, Selected } from "../../queries/table.ts";
import type { TableName } from "../../queries/tables.ts";

/** Where an object is shown: screen key and pane, and the id there. */
export interface Place {
  readonly screen: string;
  readonly pane: string;
  readonly id: string;
}

/** Where ids of a kind are shown, and the table with the row of an object. */
const PLACES: Readonly<Partial<Record<IdKind, readonly [screen: string, pane: string, table?: TableName]>>> = {
  vm: ["1", "tree", "vm.ls"],
  vcpu: ["2", "vcpus", "vcpu.ls"],
  irq: ["3", "irqs", "irq.ls"],
  parcel: ["4", "parcels", "mem.parcels"],
  pa: ["4", "map", "mem.owner"],
  ipa: ["4", "map", "mem.owner"],
  limit: ["4", "limits", "mem.limits"],
  cap: ["5", "caps", "caps.ls"],
  obj: ["5", "objects", "obj.ls"],
  mq: ["6", "queues", "queue.ls"],
  db: ["6", "queues", "queue.ls"],
  rpc: ["7", "rpcs"],
  pcpu: ["8", "lanes"],
  ev: ["9", "events"],
  why: ["0", "reasons"],
  con: ["1", "console"],
  task: ["L", "processes", "linux.ps"],
};

/** Where an id is shown; undefined for what no screen shows. */
export function placeOf(id: string): Place | undefined {
  const kind = kindOf(id), place = kind && PLACES[kind];
  return place && { screen: place[0], pane: place[1], id: id.split(" ")[0] };
}

/** The question for the row of an object; undefined for what no table has. */
export function queryOf(id: string): Query | undefined {
  const kind = kindOf(id), table = kind && PLACES[kind]?.[2];
  if (table === undefined) return undefined;
  return { table, args: table === "mem.owner" ? { at: id } : { filter: isExactly("id", id) } };
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
