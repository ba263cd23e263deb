// `el2 man`: manual pages in roff, made from the commands themselves.

import { Argument, type Command } from "@commander-js/extra-typings";
import {
  type CommandNode,
  commandTree,
  commonOptions,
  type CompletedLine,
  type Exits,
  exitsText,
  isRunnable,
  type Offer,
  offering,
  type OptionNode,
  ownAndCommon,
} from "../../common/command-tree.ts";
import { type Example, examplesText, partsOfHelp } from "../../common/command.ts";
import { Failure } from "../../common/failure.ts";
import { output } from "../../common/print.ts";
import { didYouMean } from "../../../../kit/support/text/did-you-mean.ts";
import { RELEASED, VERSION } from "../../../../kit/support/version.ts";

export function registerMan(program: Command): void {
  program.command("man")
    .description("print the manual page of el2, or of one command: el2 man vm ls | man -l -")
    .addArgument(offering(new Argument("[command...]", "a command, such as vm or vm ls"), commandOffers))
    .addHelpText("after", examplesText(["man", "man vm ls"]))
    .action((path) => {
      const tree = commandTree(program);
      output(path.length ? commandPage(path, commandAt(tree, path)) : manualPage(tree));
    });
}

/** The commands below those that were given. */
function commandOffers({ tree, given }: CompletedLine): Offer[] {
  let node: CommandNode | undefined = tree;
  for (const word of given) node = node?.commands.find(({ name }) => name === word);
  return node?.commands.map(({ name, help }) => ({ word: name, help })) ?? [];
}

export const EXIT_CODES: readonly (readonly [number, string])[] = [
  [0, "done; run: --for or --until was reached, or every VM shut itself down"],
  [1, "failed: a VM crashed or hung, a test failed, or an object does not exist"],
  [2, "wrong usage or configuration, or a file that cannot be read or written"],
  [3, "no session, or a session of another version"],
  [4, "--timeout (wall time) passed, or --for (virtual time) before --until"],
  [5, "refused because of --read-only"],
  [129, "the terminal went away, or SIGHUP came"],
  [130, "interrupted: the first ctrl-C ends the run in order, the second at once"],
  [131, "ended by SIGQUIT"],
  [143, "ended by SIGTERM; a session on a terminal that another command ends"],
];

export const ENVIRONMENT: readonly (readonly [string, string])[] = [
  ["EL2_SESSION", "session that commands use: its name, or the path of its socket"],
  ["EL2_THEME", "colors of the screens: auto, terminal, dark, light, high-contrast, solarized, gruvbox, nord, deuteranopia"],
  ["EL2_CACHE", "cache folder: fetched guests (in its folder guests), snapshots of first prompts, generated code"],
  ["EL2_NO_CODE_CACHE", "set: translate all code anew, and keep none of it in the cache folder"],
  ["EL2_RUNTIME", "folder into which the one file unpacks itself (default: ~/.cache/el2/runtime)"],
  ["XDG_RUNTIME_DIR", "folder of the sockets and logs of sessions, and of their consoles' logs"],
  ["ESCDELAY", "how long an Esc waits for the rest of a key's sequence, ms (default: 50; 150 over ssh)"],
  ["NO_COLOR", "do not use color; marks and words show the same"],
];

/** Every command that does something, with its path. */
export function* leaves(tree: CommandNode, path: readonly string[] = []): Generator<{ path: string; command: CommandNode }> {
  for (const command of tree.commands) {
    const here = [...path, command.name];
    if (isRunnable(command)) yield { path: here.join(" "), command };
    yield* leaves(command, here);
  }
}

export function usage(path: string, { arguments: args }: CommandNode): string {
  return ["el2", path, ...args.map(({ name, required }) => required ? `<${name}>` : `[${name}]`)].join(" ");
}

function heading(title: string): string {
  // Words and lists stay as they are: no hyphenation, no justification.
  return `.TH ${title} 1 "${RELEASED}" "el2 ${VERSION}" "User Commands"\n.nh\n.ad l`;
}

/** A manual page: the name that `man` finds it by, and its roff. */
export interface ManualPage {
  readonly name: string;
  readonly text: string;
}

/** The pages of el2 and of every command, groups included. */
export function commandPages(tree: CommandNode): ManualPage[] {
  const below = (node: CommandNode, path: readonly string[]): ManualPage[] =>
    node.commands.flatMap((command) => {
      const here = [...path, command.name];
      return [{ name: ["el2", ...here].join("-"), text: commandPage(here, command) }, ...below(command, here)];
    });
  return [{ name: "el2", text: manualPage(tree) }, ...below(tree, [])];
}

/** The page of one command as roff, with the commands below it. */
export function commandPage(path: readonly string[], node: CommandNode): string {
  const name = `el2 ${path.join(" ")}`;
  const below = [...leaves(node)], own = isRunnable(node);
  const lines = [
    heading(["EL2", ...path].join("-").toUpperCase()),
    ".SH NAME",
    `${roff(name.replaceAll(" ", "-"))} \\- ${roff(node.help)}`,
    ".SH SYNOPSIS",
  ];
  const commands = [...own ? [{ path: "", command: node }] : [], ...below];
  const { notes } = partsOfHelp(node.after), { exits } = node, ends = exits && exitsText(exits);
  for (const [index, { path: rest, command }] of commands.entries()) {
    if (index) lines.push(".br");
    lines.push(`.B ${roff(usage([...path, ...rest ? [rest] : []].join(" "), command))}`, "[OPTIONS]");
  }
  const about = notes.filter((note) => note !== ends);
  if (about.length) lines.push(".SH DESCRIPTION", ...paragraphs(about));
  if (own && node.arguments.length + node.options.length) lines.push(".SH OPTIONS", ...details(node));
  if (below.length) lines.push(".SH COMMANDS");
  for (const { path: rest, command } of below) {
    const { notes } = partsOfHelp(command.after);
    const told = paragraphs([`${command.help}.`, ...notes]);
    lines.push(".SS " + roff([...path, rest].join(" ")), ...told, ...details(command));
  }
  lines.push(...exitStatus(exits), ...examples(commands.map(({ command }) => command)), ".SH SEE ALSO", ".BR el2 (1)");
  return lines.map((line) => `${line}\n`).join("");
}

/** Arguments and options, a paragraph each; of common options their names. */
function details(node: CommandNode): string[] {
  const { own, common } = ownAndCommon(node);
  return [
    ...node.arguments.flatMap(({ name, help }) => [".TP", `.I ${roff(name)}`, roff(help)]),
    ...optionLines(own),
    ...common.length ? [".TP", ".I Common options", roff(`${common.join(", ")}: see el2(1)`)] : [],
  ];
}

const optionLines = (options: readonly OptionNode[]) => options.flatMap(({ flags, help }) => [".TP", `.B ${roff(flags)}`, roff(help)]);

/** The exit codes; a meaning of the command replaces the general one. */
function exitStatus({ remark, codes }: Exits = { codes: {} }): string[] {
  const meanings = new Map([...EXIT_CODES, ...Object.entries(codes).map(([code, text]) => [Number(code), text] as const)]);
  const list = [...meanings].sort(([a], [b]) => a - b).flatMap(([code, help]) => [".TP", `.B ${code}`, roff(help)]);
  return [".SH EXIT STATUS", ...remark === undefined ? [] : paragraphs([`${remark[0].toUpperCase()}${remark.slice(1)}.`]), ...list];
}

/** Paragraphs of text; their indented lines stay as they are. */
function paragraphs(texts: readonly string[]): string[] {
  return texts.flatMap((text, index) => {
    const parts = text.match(/^(?: .*|[^ ].*(?:\n[^ ].*)*)$/gm) ?? [];
    return [...index ? [".PP"] : [], ...parts.flatMap((part) => part.startsWith(" ") ? verbatim(part.trim()) : [roff(part)])];
  });
}

/** An indented line that is never broken. */
function verbatim(line: string): string[] {
  return [".RS 4", ".nf", roff(line), ".fi", ".RE"];
}

/** The examples in the help of commands. */
function examples(commands: readonly CommandNode[]): string[] {
  const all = commands.flatMap(({ after }) => partsOfHelp(after).examples);
  if (all.length === 0) return [];
  return [".SH EXAMPLES", ...all.flatMap((one, index) => [...index ? [".PP"] : [], ...exampleText(one)])];
}

/** An example: its line, which is never broken, and the remark below it. */
function exampleText({ line, remark }: Example): string[] {
  return [".nf", `.B ${roff(line)}`, ".fi", ...remark ? [".RS 4", roff(remark), ".RE"] : []];
}

/**
 * The command that words name.
 * @throws Failure if there is none
 */
function commandAt(tree: CommandNode, path: readonly string[]): CommandNode {
  let node = tree;
  for (const word of path) {
    const next = node.commands.find(({ name }) => name === word);
    if (!next) {
      const names = node.commands.map(({ name }) => name);
      throw new Failure(`there is no command "${path.join(" ")}"`, didYouMean(word, names, "list them with el2 --help"));
    }
    node = next;
  }
  return node;
}

/** The page as roff (man macros). */
export function manualPage(tree: CommandNode): string {
  const lines = [
    heading("EL2"),
    ".SH NAME",
    "el2 \\- a Gunyah workstation in a terminal",
    ".SH SYNOPSIS",
    ".B el2",
    "[COMMAND] [OPTIONS]",
    ".SH DESCRIPTION",
    roff(tree.help),
    ".SH OPTIONS",
    "Of el2 without a command:",
    ...optionLines(tree.options),
    ".SH COMMON OPTIONS",
    "Many commands have these; the list of commands has those of each.",
    ...optionLines(commonOptions(tree)),
    ".SH COMMANDS",
  ];
  for (const { path, command } of leaves(tree)) {
    lines.push(".TP", `.B ${roff(usage(path, command))}`, roff(command.help));
    for (const { name, help } of command.arguments) lines.push(".RS", ".TP", `.I ${roff(name)}`, roff(help), ".RE");
    const { own, common } = ownAndCommon(command);
    for (const line of own) lines.push(".RS", ...optionLines([line]), ".RE");
    if (common.length) lines.push(".RS", roff(`Common options: ${common.join(", ")}`), ".RE");
  }
  lines.push(...exitStatus());
  lines.push(".SH ENVIRONMENT");
  for (const [name, help] of ENVIRONMENT) lines.push(".TP", `.B ${name}`, roff(help));
  lines.push(...examples([tree]));
  return lines.map((line) => `${line}\n`).join("");
}

/** Characters that roff would show as others, or read as marks. */
const ROFF: Readonly<Record<string, string>> = {
  "\\": "\\e",
  "-": "\\-",
  '"': "\\(dq",
  "'": "\\(aq",
  "`": "\\(ga",
  "^": "\\(ha",
  "~": "\\(ti",
};

/** Text of one line, in which each character is shown as it is. */
function roff(text: string): string {
  const shown = text.replaceAll(/[-\\"'`^~]/g, (character) => ROFF[character]);
  // A list of words with commas may be broken after each.
  return shown.replaceAll(/,(?=\S)/g, ",\\:").replaceAll("\n", " ").replace(/^\./, "\\&$&");
}
