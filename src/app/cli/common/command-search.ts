// `el2 help WORD..`: the commands whose help has words, as `man -k` finds pages.

import type { CommandNode } from "./command-tree.ts";

/** A command that was found. */
export interface FoundCommand {
  /** `vcpu stack`. */
  readonly path: string;
  readonly help: string;
  /**
   * The options and arguments that have the words, if its name and its first sentence do not, each
   * with the document that it names.
   */
  readonly by: readonly string[];
}

/** The name of a document in a help. */
const DOCUMENT = /docs\/[a-z-]+\.md/;

/** The node of a command; undefined if there is none of this path. */
export function commandAt(tree: CommandNode, path: readonly string[]): CommandNode | undefined {
  return path.reduce<CommandNode | undefined>((node, name) => node?.commands.find((one) => one.name === name), tree);
}

/**
 * The commands that all words are about, in any case of letters: first those that have them in name
 * or description, then those that have them in an option, an argument or elsewhere in their help.
 */
export function commandsAbout(tree: CommandNode, words: readonly string[]): FoundCommand[] {
  const wanted = words.map((word) => word.toLowerCase());
  const has = (...texts: readonly string[]) => wanted.every((word) => texts.join("\n").toLowerCase().includes(word));
  const named: FoundCommand[] = [], told: FoundCommand[] = [];
  const visit = (node: CommandNode, path: string) => {
    const options = node.options.filter(({ common }) => !common).map(({ flags, help }) => ({ name: flags, help }));
    const parts = [...node.arguments.map(({ name, help }) => ({ name, help })), ...options];
    if (path !== "" && has(path, node.help)) named.push({ path, help: node.help, by: [] });
    else if (path !== "" && has(path, node.help, node.after, ...parts.flatMap(({ name, help }) => [name, help]))) {
      const by = parts.filter(({ name, help }) => has(name, help)).flatMap(({ name, help }) => [name, ...help.match(DOCUMENT) ?? []]);
      told.push({ path, help: node.help, by });
    }
    for (const below of node.commands) visit(below, `${path} ${below.name}`.trim());
  };
  visit(tree, "");
  return [...named, ...told];
}

/** A line for each command. */
export function foundText(found: readonly FoundCommand[]): string {
  const width = Math.max(...found.map(({ path }) => path.length));
  return found.map(({ path, help, by }) => `${path.padEnd(width)}  ${help}${by.length ? ` (${by.join(", ")})` : ""}\n`).join("");
}
