// docs/reference/configuration.md: the keys of a configuration with their types and defaults, read
// from the schema that checks them. docs/configuration.md says more about each.

import * as v from "valibot";
import { Schema } from "../../src/app/configuration/schema.ts";
import { STEPS } from "../../src/app/scenarios/scenario.ts";

/** The used part of a valibot schema. */
interface SchemaNode {
  readonly type: string;
  readonly default?: unknown;
  readonly wrapped?: SchemaNode;
  readonly entries?: Readonly<Record<string, SchemaNode>>;
  readonly options?: readonly (SchemaNode | string)[];
  readonly literal?: unknown;
  readonly value?: SchemaNode;
  readonly item?: SchemaNode;
  readonly pipe?: readonly { readonly type: string; readonly requirement?: unknown }[];
}

/** The page. */
export function configurationReference(): string {
  const root = node(Schema);
  const lines = [
    "# Configuration keys",
    "",
    "Generated from the schema that checks a file (`src/app/configuration/keys/`). [configuration.md](../configuration.md) says more about each key.",
    "",
  ];
  for (const [name, entry] of Object.entries(root.entries!)) {
    const table = unwrapped(entry);
    if (table.entries) lines.push(...section(`[${name}]`, table.entries), ...lists(name, table.entries));
    else if (table.value && unwrapped(table.value).entries) lines.push(...section(`[${name}.NAME]`, unwrapped(table.value).entries!));
    else if (table.value) lines.push(...variants(name, unwrapped(table.value)));
  }
  lines.push(...lists(undefined, root.entries!));
  lines.push("# Scenario steps", "", "Of the files that `el2 test` runs; [scenarios.md](../scenarios.md) says what each does.", "");
  for (const [kind, schema] of Object.entries(STEPS)) lines.push(...section(kind, node(schema).entries!));
  return lines.join("\n");
}

/** Lists of tables: of the root, and of a table. */
function lists(table: string | undefined, entries: Readonly<Record<string, SchemaNode>>): string[] {
  return Object.entries(entries).flatMap(([name, entry]) => {
    const { item } = unwrapped(entry), inner = item && unwrapped(item).entries;
    return inner ? section(`[[${table === undefined ? name : `${table}.${name}`}]]`, inner) : [];
  });
}

/** The variants of a table whose `kind` says what else it has. */
function variants(name: string, { options = [] }: SchemaNode): string[] {
  return options.flatMap((option) =>
    typeof option === "string" ? [] : section(`[${name}] ${textOf(option.entries!.kind)}`, option.entries!)
  );
}

function section(title: string, entries: Readonly<Record<string, SchemaNode>>): string[] {
  const rows = Object.entries(entries).map(([key, entry]) =>
    `| \`${key}\` | ${textOf(unwrapped(entry))} | ${defaultOf(entry)} | ${v.getDescription(entry as unknown as v.GenericSchema)} |`
  );
  return [`## ${title}`, "", "| Key | Value | Default | Meaning |", "|---|---|---|---|", ...rows, ""];
}

/** A schema without what makes it optional. */
function unwrapped(entry: SchemaNode): SchemaNode {
  return entry.wrapped ? unwrapped(entry.wrapped) : entry;
}

function defaultOf(entry: SchemaNode): string {
  if (entry.type !== "optional") return "required";
  return entry.default === undefined ? "none" : `\`${JSON.stringify(entry.default)}\``;
}

function textOf({ type, options, literal, item, value, pipe = [] }: SchemaNode): string {
  switch (type) {
    case "picklist":
    case "union":
      return (options ?? []).map((option) => typeof option === "string" ? `\`${option}\`` : textOf(option)).join(", ");
    case "literal":
      return `\`${JSON.stringify(literal)}\``;
    case "number": {
      const bound = (of: string) => pipe.find((action) => action.type === of)?.requirement;
      const [low, high] = [bound("min_value"), bound("max_value")];
      return low === undefined ? "number" : high === undefined ? `number from ${low}` : `number, ${low}..${high}`;
    }
    case "unknown":
      return "a number and a unit, as text";
    case "string":
      return "text";
    case "boolean":
      return "true or false";
    case "array":
      return item ? `list of ${textOf(unwrapped(item))}` : "list";
    case "record":
      return `table of ${textOf(unwrapped(value!))}`;
    default:
      return "table";
  }
}

/** Valibot's types say more than this page needs. */
function node(schema: unknown): SchemaNode {
  return schema as SchemaNode;
}
