// Homes of keys. A file is a home of a key of el2.toml if it declares or renames it on its way from
// a file to a plan:
//
//   its entry             cap_ids: { type: …, doc: … }      in configuration/keys/
//   a field of its name   readonly capIds: …                in a type of a plan
//   a copy or a new name  capIds: machine.cap_ids           { cap_ids: capIds }
//   its path              "machine.cap_ids"
//
// A name of several words is searched in all of src/, as nothing else has it; a single word, such
// as `memory`, in the files through which keys of its table pass. A machine that reads the field of
// its plan does not count, and neither does a rule that reads the value of a key.

import type { Homes } from "./homes.ts";
import type { Source } from "./sources.ts";

/** The types of the plan to which the keys of a table go, by the table. */
const PLANS: Readonly<Record<string, readonly string[]>> = {
  machine: ["model/plans/plan.ts", "hypervisor/services/behaviour.ts"],
  host: ["model/plans/plan.ts", "host/plan.ts"],
  rm: ["model/plans/plan.ts", "hypervisor/services/behaviour.ts"],
  vm: ["vm-plan.ts"],
  devices: ["virtio/plan.ts"],
  link: ["vm-plan.ts", "host/plan.ts"],
  history: ["model/plans/plan.ts"],
  ui: [],
};
/** Files through which keys of every table pass. */
const WAY = /^app\/configuration\/|^model\/plans\/saved-plan\.ts$/;
/** Names of a table of a file, from which a value is copied. */
const TABLE = "(?:file|machine|host|rm|vm|link|device|card|history|ui|table)";
const ENTRIES = "app/configuration/keys/";
/** Parts of the machine, which read their plan; its types are above. */
const READERS = /^(?:cpu|machine|inside)\/|^session\/(?:assembly|inspection|engine|outside)\//;

/** The files that are homes of each key, which is named as `TABLE.KEY`. */
export function keyHomes(keys: readonly string[], sources: readonly Source[]): Homes[] {
  return keys.map((name) => ({ name, files: sources.filter((source) => isHome(name, source)).map(({ path }) => path).sort() }));
}

function isHome(path: string, source: Source): boolean {
  const parts = path.split("."), key = parts.at(-1) ?? "", table = parts.findLast((part) => part in PLANS && part !== key) ?? parts[0];
  const camel = key.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase()), own = camel !== key;
  const isPlan = (PLANS[table] ?? []).some((end) => source.path.endsWith(end));
  if (source.path.startsWith(ENTRIES)) return entryOf(key, source) && isOfTable(table, source.path);
  if (!isPlan && (own ? READERS.test(source.path) : !WAY.test(source.path))) return false;
  // Values of phones have their own names, some of which are also paths.
  if (!WAY.test(source.path) && source.literals.some(({ text }) => text === `${table}.${key}`)) return true;
  // A type of a plan has a field of its name; other files copy it, or give it another name.
  const declared = isPlan || own ? String.raw`\breadonly (?:${key}|${camel})\??:` : "(?!)";
  const copied = String.raw`\b(?:${key}|${camel}): (?:\w+\.)*${TABLE}\.(?:${key}|${camel})\b`;
  const renamed = own ? String.raw`\b(?:${key}: ${camel}|${camel}: (?:\w+\.)*${key})\b` : "(?!)";
  return new RegExp(`${declared}|${copied}|${renamed}`, "m").test(source.text);
}

/** Whether a file of entries declares a key: on a line, with its type. */
function entryOf(key: string, { text }: Source): boolean {
  return new RegExp(String.raw`^  ${key}(?:: \{(?:$| type:)|,$)`, "m").test(text);
}

/** Entries of a table are in the file of its name. */
function isOfTable(table: string, path: string): boolean {
  const file = { rm: "machine", history: "ui", link: "links" }[table] ?? table;
  return path === `${ENTRIES}${file}.ts`;
}
