// Homes of verbs. A verb is what one can ask of a session, or do to it: each command that takes
// `--session`, and each action. A file is a home of it if it spells
//
//   its name           "queue.flush", "queue flush", ["queue", "flush"]
//   its command line   "… el2 queue flush …", "who --back 3"
//   an entry of it     command("who"); name: "flush" in the file of the group; an agents' tool
//
// Names of tables are not verbs: `table: "vm.ls"` is a question, which the compiler checks. Nor are
// names of keys in the screens: "console.break" is what the key b does, its handler is checked
// against the table of keys and runs the command by its entry, and a table of keys that imports the
// entry for its name would load the commands before the first frame. Nor is an import of a verb, or
// a hint at one (`hint("queue flush", id)`), which a test holds to be a command. In the room of
// commands only the entry counts: its help may name others.

import { type CommandNode, isRunnable } from "../../src/app/cli/common/command-tree.ts";
import { anyAction } from "../../src/model/commands/actions.ts";
import { ACTION_ROWS } from "../../src/app/tui/actions/action-table.ts";
import { TABLE_NAMES } from "../../src/model/queries/tables.ts";
import type { Homes } from "./homes.ts";
import { roomOf } from "./rooms.ts";
import type { Source } from "./sources.ts";

/** The names of all verbs: "queue flush", "who", and actions whose names no command has. */
export function verbsOf(tree: CommandNode): string[] {
  const commands = [...commandsBelow(tree, [])].filter(({ command }) => command.options.some(({ long }) => long === "--session"));
  const names = commands.filter(({ command }) => isRunnable(command)).map(({ path }) => path.join(" "));
  const actions = anyAction.options.map((option) => option.entries.kind.literal.replace(".", " "));
  return [...new Set([...names, ...actions])];
}

function* commandsBelow(tree: CommandNode, path: readonly string[]): Generator<{ path: readonly string[]; command: CommandNode }> {
  for (const command of tree.commands) {
    const here = [...path, command.name];
    yield { path: here, command };
    yield* commandsBelow(command, here);
  }
}

/** The files that spell each verb. */
export function verbHomes(verbs: readonly string[], sources: readonly Source[]): Homes[] {
  const known = new Set(verbs), homes = new Map(verbs.map((verb) => [verb, new Set<string>()]));
  for (const source of sources) {
    for (const verb of spelledIn(source, known)) homes.get(verb)!.add(source.path);
  }
  return [...homes].map(([name, files]) => ({ name, files: [...files].sort() }));
}

const TABLES: ReadonlySet<string> = new Set(TABLE_NAMES);
/** Names of what keys of the screens do. */
const KEYS: ReadonlySet<string> = new Set(ACTION_ROWS.map(({ name }) => name));
/** A command of the first level: of the program, or beside a table. */
const OF_COMMAND = /\bprogram\.command\($|\bcommand: $/;
/** The value is the first one of a call. */
const IN_CALL = /\b[a-z]\w*\($/i;
const COMMAND_LINE = /(?<![\w-])el2 ([a-z][a-z-]*)(?: ([a-z][a-z-]*))?/g;
/** A text that begins with a command of one word: an option or a placeholder follows. */
const BEGINS = /^([a-z][a-z-]*)(?= (?:--|[A-Z]{2}))/;

/** The verbs that a file spells. */
export function spelledIn(source: Source, verbs: ReadonlySet<string>): Set<string> {
  const found = new Set<string>();
  const add = (verb: string) => verbs.has(verb) && found.add(verb);
  const group = /(?:^|\/)commands\/(?:[a-z-]+\/)*([a-z]+)(?:-[a-z-]+)?\.ts$/.exec(source.path)?.[1];
  for (const { text, from, to } of source.literals) {
    const before = source.before(from), after = source.after(to);
    if (roomOf(source.path) === "commands") {
      if (/\bcommand\($/.test(before) || text.includes(".") && IN_CALL.test(before)) add(text.replace(".", " "));
      else if (group !== undefined && IN_CALL.test(before)) add(`${group} ${text}`);
      continue;
    }
    if (/\bhint\($/.test(before)) continue;
    for (const [, first, second] of text.matchAll(COMMAND_LINE)) verbs.has(`${first} ${second}`) ? add(`${first} ${second}`) : add(first);
    const [, pair] = /^([a-z]+ [a-z-]+)(?= |$)/.exec(text) ?? [];
    if (pair !== undefined) add(pair);
    const [, one] = BEGINS.exec(text) ?? [];
    if (one !== undefined) add(one);
    if (/^[a-z]+\.[a-z-]+$/.test(text)) {
      const isKey = source.path.startsWith("app/tui/") && KEYS.has(text);
      if (!TABLES.has(text) && !isKey) add(text.replace(".", " "));
    } else if (/^[a-z][a-z-]*$/.test(text)) {
      const [, next] = /^,\s*"([^"]*)"/.exec(after) ?? [];
      if (next !== undefined) add(`${text} ${next}`);
      if (next?.startsWith("--") && /\[\s*$/.test(before)) add(text);
      if (OF_COMMAND.test(before) || /\btool\(\{\s*name: $/.test(before)) add(text);
      if (group !== undefined && (/\bname: $/.test(before) || /\bcommand\($/.test(before))) add(`${group} ${text}`);
    }
  }
  return found;
}
