// The reference pages that follow from tables: commands, keys, rows of --json, hypercalls, ioctls,
// RPC messages, keys of configurations, events, faults, and the JSON Schemas of files.

import { hintForTable } from "../../src/model/commands/all.ts";
import { commandPages, ENVIRONMENT, EXIT_CODES, leaves, type ManualPage, usage } from "../../src/app/cli/commands/reference/man.ts";
import { schemaText } from "../../src/app/cli/commands/reference/schema.ts";
import { partsOfHelp } from "../../src/app/cli/common/command.ts";
import { type CommandNode, commandTree, commonOptions, ownAndCommon } from "../../src/app/cli/common/command-tree.ts";
import { configurationReference } from "./configuration.ts";
import { makeProgram } from "../../src/app/cli/main.ts";
import { hypercallReference } from "./hypercalls.ts";
import { ioctlReference } from "./ioctls.ts";
import { requirementReference } from "./requirements.ts";
import { rpcReference } from "./rpc.ts";
import { preflight } from "../launch/shell-checks.ts";
import { configurationSchema } from "../../src/app/configuration/config-schema.ts";
import { scenarioSchema } from "../../src/app/scenarios/scenario-schema.ts";
import { type Hint, hintText } from "../../src/kit/support/text/hint.ts";
import { usageOf } from "../../src/model/commands/words.ts";
import { TRACE_KIND_DOCS } from "../../src/machine/abi/trace.ts";
import { QUIET_KINDS } from "../../src/machine/abi/trace.ts";
import { FAULTS } from "../../src/model/queries/fault-rule.ts";
import { DOCUMENTS } from "../../src/model/queries/documents.ts";
import { type Column, schemaName, type Table } from "../../src/model/queries/table.ts";
import { EVENTS, TABLES } from "../../src/model/queries/tables.ts";
import { ACTIONS, type Context, CONTEXT_TITLES } from "../../src/app/tui/actions/actions.ts";
import { OBJECT_LINES } from "../../src/app/tui/app/doing/object-menus.ts";

/** The pages: file name in docs/reference, and what makes the text. */
export const REFERENCE_PAGES: readonly { readonly file: string; readonly text: () => string }[] = [
  { file: "commands.md", text: () => commandReference(commandTree(makeProgram(new URL(import.meta.url), () => {}))) },
  { file: "keys.md", text: keyReference },
  { file: "json.md", text: jsonReference },
  { file: "hypercalls.md", text: hypercallReference },
  { file: "ioctls.md", text: ioctlReference },
  { file: "rpc.md", text: rpcReference },
  { file: "configuration.md", text: configurationReference },
  { file: "events.md", text: eventReference },
  { file: "faults.md", text: faultReference },
  { file: "requirements.md", text: requirementReference },
  { file: "../../scripts/preflight.sh", text: preflight },
  { file: "config.schema.json", text: () => schemaText(configurationSchema()) },
  { file: "scenario.schema.json", text: () => schemaText(scenarioSchema()) },
];

/** The manual pages of el2 and of every command, as they are installed. */
export function manualPages(): ManualPage[] {
  return commandPages(commandTree(makeProgram(new URL(import.meta.url), () => {})));
}

const CONTEXTS: readonly Context[] = ["lists", "window", "everywhere", "console", "prefix", "menu", "text", "help"];

function keyReference(): string {
  const lines = ["# Keys", "", "Generated from the tables that dispatch them (`src/app/tui/actions/`).", ""];
  for (const context of CONTEXTS) {
    lines.push(`## ${CONTEXT_TITLES[context]}`, "", "| Keys | Does | Action |", "|---|---|---|");
    for (const { keys, help, name } of ACTIONS.filter((action) => action.context === context)) {
      lines.push(`| ${keys.map((key) => `\`${key}\``).join(" ")} | ${help} | \`${name}\` |`);
    }
    lines.push("");
  }
  lines.push("## Objects", "", "`a` shows the actions on an object; those with `!` change the machine and ask first.", "");
  lines.push("| Object | Key | Does | Command |", "|---|---|---|---|");
  for (const line of OBJECT_LINES) {
    const command = "outward" in line ? hintText(line.outward(`${line.on[0]}:X`).hint) : `el2 ${usageOf(line.command)}`;
    lines.push(`| ${line.on.join(", ")} | ${line.danger ? "`!` " : ""}\`${line.key}\` | ${line.label} | \`${command}\` |`);
  }
  return `${lines.join("\n")}\n`;
}

function eventReference(): string {
  const lines = [
    "# Events",
    "",
    "Generated from the kinds of events (`src/machine/abi/trace.ts`). Filters name them: `el2 events --filter 'kind=rpc name=VM_START'`.",
    "An operation (hvc, rpc, ioctl) is one event, recorded when it ends; events inside it name it as their `parent`.",
    `The fields of an event's row are those of [${schemaName(EVENTS)}](json.md).`,
    "",
    "| Kind | Recorded | Event |",
    "|---|---|---|",
  ];
  for (const [kind, doc] of Object.entries(TRACE_KIND_DOCS)) {
    lines.push(`| ${kind} | ${QUIET_KINDS.some((quiet) => quiet === kind) ? "always" : "on demand"} | ${doc} |`);
  }
  return `${lines.join("\n")}\n`;
}

function faultReference(): string {
  const lines = ["# Faults", "", "Generated from the table that reads rules (`src/model/queries/fault-rule.ts`).", ""];
  lines.push("A rule is `KIND FIELD=VALUE … -> EFFECT`; [fault-injection.md](../fault-injection.md) says how to use it.", "");
  for (const [kind, { doc, fields, words, errors, effects }] of Object.entries(FAULTS)) {
    lines.push(`## ${kind}`, "", `${doc[0].toUpperCase()}${doc.slice(1)}.`, "", "| Field | Is |", "|---|---|");
    for (const [field, what] of Object.entries(fields)) {
      const few = words[field] !== undefined && words[field].length <= 4 ? `: ${words[field].join(", ")}` : "";
      lines.push(`| \`${field}\` | ${what}${what.includes(words[field]?.[0] ?? " ") ? "" : few} |`);
    }
    lines.push("", "| Effect | The operation |", "|---|---|");
    for (const [effect, what] of Object.entries(effects)) lines.push(`| \`${effect}${effect === "delay" ? " TIME" : ""}\` | ${what} |`);
    if (Object.keys(errors).length) {
      lines.push(`| ${Object.keys(errors).map((name) => `\`${name}\``).join(" ")} | is refused with this error |`);
    }
    lines.push("");
  }
  return lines.join("\n");
}

function jsonSection(
  { name, version, doc }: Pick<Table, "name" | "version" | "doc">,
  command: string,
  fields: Readonly<Record<string, Column>>,
): string[] {
  const lines = [`## ${schemaName({ name, version })}`, "", `\`${command}\`: ${doc}.`, "", "| Field | Kind | Means |", "|---|---|---|"];
  for (const [name, { kind, doc, optional, alias }] of Object.entries(fields)) {
    const names = [name, ...alias ?? []].map((one) => `\`${one}\``).join(", ");
    lines.push(`| ${names} | ${kind}${optional ? " or null" : ""} | ${doc} |`);
  }
  return [...lines, ""];
}

function jsonReference(): string {
  const lines = [
    "# JSON",
    "",
    "Generated from the declarations of rows and documents (`tables.ts` and `documents.ts` in `src/model/queries`); `el2 reference schema NAME` prints",
    "the JSON Schema.",
    "",
    "A query prints one document: `schema`, `session`, `at` (`ns` of virtual time, `insn` retired), `data` (the rows), `dropped`.",
    "A stream prints one such document per row. Filters use the same field names. 64-bit numbers are decimal strings; addresses are `0x…`.",
    "",
  ];
  for (const table of Object.values(TABLES) as Table[]) {
    lines.push(...jsonSection(table, hintText(hintForTable(table.name)), table.columns));
  }
  lines.push("Other documents have `schema` and these fields, without rows.", "");
  for (const document of DOCUMENTS) {
    const lineOf = (one: Hint) => hintText({ ...one, options: { ...one.options, json: true } });
    lines.push(...jsonSection(document, document.commands.map(lineOf).join(", ") || "any command --json", document.fields));
  }
  return lines.join("\n");
}

function commandReference(tree: CommandNode): string {
  const lines = ["# Commands", "", "Generated from the commands.", "", "## el2", "", "```", "el2", "```", ""];
  lines.push("Runs ./el2.toml, or the demo if there is none, with the screens; without a terminal, for 5 s as text.", "");
  lines.push(...tree.options.map(({ flags, help }) => `- \`${flags}\`: ${help}`), "");
  lines.push("## Common options", "", "Many commands have these; their sections name them.", "");
  lines.push(...commonOptions(tree).map(({ flags, help }) => `- \`${flags}\`: ${help}`), "");
  for (const { path, command } of leaves(tree)) {
    const { own, common } = ownAndCommon(command);
    lines.push(`## ${path}`, "", "```", usage(path, command), "```", "", `${command.help}.`, "");
    for (const { name, help } of command.arguments) lines.push(`- \`${name}\`: ${help}`);
    for (const { flags, help } of own) lines.push(`- \`${flags}\`: ${help}`);
    if (common.length) lines.push(`- [Common options](#common-options): ${common.map((name) => `\`${name}\``).join(", ")}`);
    if (command.arguments.length || command.options.length) lines.push("");
    const { examples } = partsOfHelp(command.after);
    if (examples.length) lines.push("```sh", ...examples.map(({ line, remark }) => remark ? `${line}   # ${remark}` : line), "```", "");
  }
  lines.push("## Exit codes", "", "| Code | Means |", "|---|---|", ...EXIT_CODES.map(([code, help]) => `| ${code} | ${help} |`), "");
  lines.push("## Environment", "", "| Name | Means |", "|---|---|", ...ENVIRONMENT.map(([name, help]) => `| \`${name}\` | ${help} |`), "");
  return lines.join("\n");
}
