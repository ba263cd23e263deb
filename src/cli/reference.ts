// The reference pages that follow from tables: commands, keys, and the rows that --json prints.

import { commandTree } from "./command-tree.ts";
import { makeProgram } from "./main.ts";
import { commandReference } from "./man.ts";
import { ACTIONS, type Context, CONTEXT_TITLES } from "../tui/actions.ts";
import { OBJECT_ACTIONS } from "../tui/object-actions.ts";
import { schemaName, type Table } from "../workstation/inspect/table.ts";
import { TABLES } from "../workstation/inspect/tables.ts";

/** The pages: file name in docs/reference, and what makes the text. */
export const WORKSTATION_REFERENCES: readonly { readonly file: string; readonly text: () => string }[] = [
  { file: "commands.md", text: () => commandReference(commandTree(makeProgram(new URL(import.meta.url), () => {}))) },
  { file: "keys.md", text: keyReference },
  { file: "json.md", text: jsonReference },
];

const CONTEXTS: readonly Context[] = ["lists", "window", "everywhere", "console", "prefix", "menu", "text", "help"];

function keyReference(): string {
  const lines = ["# Keys", "", "Made from the table that dispatches them (`src/tui/actions.ts`).", ""];
  for (const context of CONTEXTS) {
    lines.push(`## ${CONTEXT_TITLES[context]}`, "", "| Keys | Does | Action |", "|---|---|---|");
    for (const { keys, help, name } of ACTIONS.filter((action) => action.context === context)) {
      lines.push(`| ${keys.map((key) => `\`${key}\``).join(" ")} | ${help} | \`${name}\` |`);
    }
    lines.push("");
  }
  lines.push("## Objects", "", "`a` shows what can be done with an object, `!` what changes the machine and asks first.", "");
  lines.push("| Object | Key | Does | Command |", "|---|---|---|---|");
  for (const { on, key, label, danger, command } of OBJECT_ACTIONS) {
    lines.push(`| ${on.join(", ")} | ${danger ? "`!` " : ""}\`${key}\` | ${label} | \`${command(`${on[0]}:X`)}\` |`);
  }
  return `${lines.join("\n")}\n`;
}

function jsonReference(): string {
  const lines = [
    "# JSON",
    "",
    "Made from the declarations of the rows (`src/workstation/inspect/tables.ts`); `el2 schema NAME` prints the JSON Schema.",
    "",
    "A query prints one document: `schema`, `session`, `at` (`ns` of virtual time, `insn` retired), `data` (the rows), `dropped`.",
    "A stream prints such a document a row. Names of fields are those of filters. Numbers of 64 bits are decimal strings, addresses `0x..`.",
    "",
  ];
  for (const table of Object.values(TABLES) as Table[]) {
    lines.push(`## ${schemaName(table)}`, "", `\`el2 ${table.command}\`: ${table.doc}.`, "", "| Field | Kind | Means |", "|---|---|---|");
    for (const [name, { kind, doc, optional, alias }] of Object.entries(table.columns)) {
      const names = [name, ...alias ?? []].map((one) => `\`${one}\``).join(", ");
      lines.push(`| ${names} | ${kind}${optional ? " or null" : ""} | ${doc} |`);
    }
    lines.push("");
  }
  return lines.join("\n");
}
