// `el2 man`: the manual page in roff, and the reference of commands in Markdown, both made from the
// commands themselves.

import type { Command } from "@commander-js/extra-typings";
import { type CommandNode, commandTree } from "../common/command-tree.ts";
import { examplesText } from "../common/command.ts";
import { output } from "../common/print.ts";
import { VERSION } from "../../support/version.ts";

/** Adds the command. */
export function registerMan(program: Command): void {
  program.command("man")
    .description("the manual page: el2 man | man -l -")
    .option("--markdown", "the reference of commands for docs/reference/commands.md instead")
    .addHelpText("after", examplesText(["man", "man --markdown"]))
    .action(({ markdown }) => output(markdown ? commandReference(commandTree(program)) : manualPage(commandTree(program))));
}

const EXIT_CODES: readonly (readonly [number, string])[] = [
  [0, "done; run: --for or --until was reached, or each VM ended by its own will"],
  [1, "it failed: a VM crashed, a test failed, no such object"],
  [2, "usage or configuration; nothing was started"],
  [3, "no session, or one of another version"],
  [4, "--timeout (wall time) passed, or --for (virtual time) before --until"],
  [5, "--read-only forbids it"],
  [130, "interrupted: the first ctrl-C stops in order, the second at once"],
];

const ENVIRONMENT: readonly (readonly [string, string])[] = [
  ["EL2_SOCKET", "the session that commands talk to: its name, or the path of its socket"],
  ["EL2_THEME", "colors of the screens: auto, terminal, dark, light, high-contrast, solarized, gruvbox, nord, deuteranopia"],
  ["EL2_CACHE", "cache folder: fetched guests (in its folder guests), prompts of --instant, what the core need not make again"],
  ["XDG_RUNTIME_DIR", "folder under which sockets, logs of sessions and of their consoles are"],
  ["NO_COLOR", "no color: marks and words say everything"],
];

/** Every command that does something, with its path. */
function* leaves(tree: CommandNode, path: readonly string[] = []): Generator<{ path: string; command: CommandNode }> {
  for (const command of tree.commands) {
    const here = [...path, command.name];
    // A command with arguments does something itself, such as `test`, even with others below it.
    if (command.commands.length === 0 || command.arguments.length > 0) yield { path: here.join(" "), command };
    yield* leaves(command, here);
  }
}

function usage(path: string, { arguments: args }: CommandNode): string {
  return ["el2", path, ...args.map(({ name, required }) => required ? `<${name}>` : `[${name}]`)].join(" ");
}

/** The page as roff (man macros). */
export function manualPage(tree: CommandNode): string {
  const lines = [
    `.TH EL2 1 "" "el2 ${VERSION}" "User Commands"`,
    ".SH NAME",
    "el2 \\- a Gunyah workstation in a terminal",
    ".SH SYNOPSIS",
    ".B el2",
    "[COMMAND] [OPTIONS]",
    ".SH DESCRIPTION",
    roff(tree.help),
    ".SH OPTIONS",
    "Of el2 without a command:",
    ...tree.options.flatMap(({ flags, help }) => [".TP", `.B ${roff(flags)}`, roff(help)]),
    ".SH COMMANDS",
  ];
  for (const { path, command } of leaves(tree)) {
    lines.push(".TP", `.B ${roff(usage(path, command))}`, roff(command.help));
    for (const { name, help } of command.arguments) lines.push(".RS", ".TP", `.I ${roff(name)}`, roff(help), ".RE");
    for (const { flags, help } of command.options) lines.push(".RS", ".TP", `.B ${roff(flags)}`, roff(help), ".RE");
  }
  lines.push(".SH EXIT STATUS");
  for (const [code, help] of EXIT_CODES) lines.push(".TP", `.B ${code}`, roff(help));
  lines.push(".SH ENVIRONMENT");
  for (const [name, help] of ENVIRONMENT) lines.push(".TP", `.B ${name}`, roff(help));
  return lines.map((line) => `${line}\n`).join("");
}

function roff(text: string): string {
  // A list of words with commas may be broken behind each.
  return text.replaceAll("\\", "\\e").replaceAll("-", "\\-").replaceAll(/,(?=\S)/g, ",\\:").replaceAll("\n", " ").replace(/^[.']/, "\\&$&");
}

/** The reference as Markdown. */
export function commandReference(tree: CommandNode): string {
  const lines = ["# Commands", "", "Made from the commands themselves by `el2 man --markdown`.", "", "## el2", "", "```", "el2", "```", ""];
  lines.push("The screens on ./el2.toml, else on the demo; without a terminal, 5 s of it as text.", "");
  lines.push(...tree.options.map(({ flags, help }) => `- \`${flags}\`: ${help}`), "");
  for (const { path, command } of leaves(tree)) {
    lines.push(`## ${path}`, "", "```", usage(path, command), "```", "", `${command.help}.`, "");
    for (const { name, help } of command.arguments) lines.push(`- \`${name}\`: ${help}`);
    for (const { flags, help } of command.options) lines.push(`- \`${flags}\`: ${help}`);
    if (command.arguments.length || command.options.length) lines.push("");
  }
  lines.push("## Exit codes", "", "| Code | Means |", "|---|---|", ...EXIT_CODES.map(([code, help]) => `| ${code} | ${help} |`), "");
  lines.push("## Environment", "", "| Name | Means |", "|---|---|", ...ENVIRONMENT.map(([name, help]) => `| \`${name}\` | ${help} |`), "");
  return lines.join("\n");
}
