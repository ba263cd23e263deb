// From a row to the objects that it names, and from an id to the screen that shows it.

import { isExactly } from "../../queries/filter.ts";
import type { Query } from "../../queries/query.ts";
import type { Json, Row, Table } from "../../queries/table.ts";
import type { TableName } from "../../queries/tables.ts";

/** Where an object is shown: screen key and pane, and the id there. */
export interface Place {
  readonly screen: string;
  readonly pane: string;
  readonly id: string;
}

/** Where ids of a kind are shown, and the table with the row of an object. */
const PLACES: Readonly<Record<string, readonly [screen: string, pane: string, table?: TableName]>> = {
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
};

/** The kind of an id: the text before its colon. */
export function kindOf(id: string): string {
  return id.slice(0, id.indexOf(":"));
}

/** Where an id is shown; undefined for what no screen shows. */
export function placeOf(id: string): Place | undefined {
  const place = PLACES[kindOf(id)];
  return place && { screen: place[0], pane: place[1], id: id.split(" ")[0] };
}

/** The question for the row of an object; undefined for what no table has. */
export function queryOf(id: string): Query | undefined {
  const table = PLACES[kindOf(id)]?.[2];
  if (table === undefined) return undefined;
  return { table, args: table === "mem.owner" ? { at: id } : { filter: isExactly("id", id) } };
}

/** The VM that an id belongs to, by its name. */
export function vmOf(id: string): string | undefined {
  const match = /^(?:vm|vcpu|cap|irq|con|dev|ipa):([^/ ]+)/.exec(id);
  return match?.[1];
}

/** The VM of a vCPU's id, and the rest of the id: `debian` and `/0`. */
export function vcpuOf(id: unknown): { readonly vm: string; readonly vmDetail: string } | undefined {
  const match = /^vcpu:([^/]+)(\/\d+)$/.exec(String(id));
  return match ? { vm: match[1], vmDetail: match[2] } : undefined;
}

/** Ids that a row names other than its own, each once, in the order of its columns. */
export function linksOf(table: Table, row: Row): string[] {
  const found = new Set<string>();
  const look = (value: Json) => {
    if (typeof value === "string") {
      for (const word of value.split(" ")) if (/^[a-z]+:[^ ]+$/.test(word) && placeOf(word)) found.add(word);
    } else if (Array.isArray(value)) value.forEach(look);
    else if (value !== null && typeof value === "object") Object.values(value).forEach(look);
  };
  for (const name of Object.keys(table.columns)) if (name !== "id") look(row[name]);
  found.delete(row.id);
  return [...found];
}

/** Whether a VM is a guest of interest: not the host, and not the Resource Manager. */
export function isGuest(vm: unknown): boolean {
  return typeof vm === "string" && !/^(vm:)?(host|rm)$/.test(vm);
}
