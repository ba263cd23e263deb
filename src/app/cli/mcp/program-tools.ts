// Tools of `el2 mcp` that start machines and read or write files: commands of the program, whose
// words are those of its help.

import { SESSION, type Tool, tool } from "./tool.ts";
import type { CommandNode } from "../common/command-tree.ts";
import { type Argument, type Arguments, flag, maybe, option, options, word, words } from "../../../model/commands/argument.ts";
import { file, text, whole } from "../../../model/commands/kinds.ts";
import { hint, hintArguments, hintText } from "../../../kit/support/text/hint.ts";

/** Which arguments of a command agents may give, and how it is run for them. */
interface ProgramTool {
  readonly path: string;
  readonly changes?: true;
  /** Arguments and options that are files. */
  readonly files?: readonly string[];
  readonly options?: readonly string[];
  /** Options that may be given several times. */
  readonly many?: readonly string[];
  /** Options that are always given, or where the client gives no other value. */
  readonly fixed?: Readonly<Record<string, string | true>>;
  /** It may use files outside of the working folder that the server allows. */
  readonly host?: true;
  /** It prints rows, a line of JSON each, which are answered by pages. */
  readonly pages?: true;
  /** Text for its stdin. */
  readonly types?: string;
  /** How to see what was left out. */
  readonly see?: string;
}

const MACHINES: readonly ProgramTool[] = [
  { path: "ls", fixed: { json: true } },
  {
    path: "up",
    changes: true,
    files: ["what"],
    options: ["name", "inject", "turbo"],
    many: ["inject"],
    fixed: { by: hintText(hint("mcp")) },
    host: true,
  },
  { path: "down", changes: true },
  {
    path: "run",
    changes: true,
    files: ["what", "record"],
    options: ["for", "until", "inject", "record"],
    many: ["inject"],
    fixed: { headless: true, turbo: true, timeout: "240s", for: "10s" },
    host: true,
    see: 'run for less virtual time with "for"',
  },
  {
    path: "boot",
    changes: true,
    files: ["image", "initrd", "record"],
    options: ["initrd", "append", "memory", "record", "timeout"],
    fixed: { stdio: true, turbo: true, timeout: "240s" },
    types: "text to type into the console from the start; lines end with a newline",
  },
];

const RUNS: readonly ProgramTool[] = [
  { path: "record", changes: true, files: ["file"], options: ["session"] },
  { path: "snapshot save", changes: true, files: ["file"], options: ["session"] },
  { path: "replay", files: ["file"], options: ["verify", "to"], fixed: { timeout: "240s" }, host: true, see: 'stop earlier with "to"' },
  { path: "diff", files: ["a", "b"], host: true },
  { path: "test", changes: true, files: ["file", "junit"], options: ["junit"], host: true },
  { path: "trace export", changes: true, files: ["file", "recording"], options: ["recording", "session", "kinds", "filter"], host: true },
  {
    path: "profile",
    files: ["recordings"],
    options: ["by", "vm", "session"],
    fixed: { json: true, limit: "1000000" },
    host: true,
    pages: true,
  },
  { path: "coverage", files: ["recordings"], options: ["vm", "session"], fixed: { json: true }, host: true, pages: true },
];

const BOOKS: readonly ProgramTool[] = [
  { path: "reference spec", see: "ask for a subsection" },
  { path: "rpc decode" },
  { path: "reference ioctl" },
  { path: "vm lint", files: ["dtb"] },
];

/** Rows of a page. */
const PAGE = 50;

const PAGES = {
  after: option(whole(0, Number.MAX_SAFE_INTEGER), "the next of an answer: the rows after those (default: 0)"),
  limit: option(whole(1, 1000), `at most this many rows (default: ${PAGE})`, { common: true }),
};

/** The tools, by the program's commands. */
export function programTools(tree: CommandNode): readonly Tool[] {
  return [...MACHINES, ...RUNS, ...BOOKS].map((one) => programTool(one, nodeAt(tree, one.path)));
}

function nodeAt(tree: CommandNode, path: string): CommandNode {
  return path.split(" ").reduce((node, name) => {
    const next = node.commands.find((one) => one.name === name);
    if (!next) throw new Error(`the program has no command ${path}`);
    return next;
  }, tree);
}

function programTool(one: ProgramTool, node: CommandNode): Tool {
  const typed = one.types === undefined ? undefined : option(text, one.types);
  const own = node.arguments.map(({ name }) => name);
  return tool({
    name: one.path.replaceAll(" ", "_"),
    doc: node.help,
    args: { ...argumentsOf(one, node), ...one.pages && PAGES, ...typed && { type: typed } },
    changes: one.changes ?? false,
    run: async ({ after = 0, limit = PAGE, type = "", ...values }, { el2, host }) => {
      const given = { ...one.fixed, ...values as Readonly<Record<string, string | true | readonly string[] | undefined>> };
      const named = own.flatMap((name) => given[name] ?? []).map(String);
      const chosen = Object.fromEntries(Object.entries(given).filter(([name]) => !own.includes(name)));
      const options = { ...chosen, ...one.host && { "allow-host": host } };
      const args = hintArguments({ ...hint(one.path, options), words: named });
      const page = one.pages ? { after: Number(after), limit: Number(limit) } : undefined;
      return await el2(args, { hint: one.see, page, stdin: typed && String(type) });
    },
  });
}

function argumentsOf({ files = [], options: names = [], many = [] }: ProgramTool, node: CommandNode): Arguments {
  const kindOf = (name: string) => files.includes(name) ? file : text;
  const wordOf = ({ name, help, required, variadic }: CommandNode["arguments"][number]): Argument<unknown> => {
    if (name === "session") return { ...SESSION, form: "word" };
    const make = variadic ? words : required ? word : maybe;
    return { ...make(kindOf(name), help), required };
  };
  const optionOf = (name: string): Argument<unknown> => {
    if (name === "session") return SESSION;
    const found = node.options.find(({ long }) => long === `--${name}`);
    if (!found) throw new Error(`${node.name} has no option --${name}`);
    const { help, value } = found;
    return many.includes(name) ? options(kindOf(name), help) : value ? option(kindOf(name), help) : flag(help);
  };
  return Object.fromEntries([
    ...node.arguments.map((one) => [one.name, wordOf(one)]),
    ...names.map((name) => [name, optionOf(name)]),
  ]);
}
