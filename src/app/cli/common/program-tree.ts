// The commands of this program, for what runs below them: the palette of the screens offers them.

import type { CommandNode } from "./command-tree.ts";

let of: (() => CommandNode) | undefined, tree: CommandNode | undefined;

/** The program that runs has these commands. */
export function setProgramTree(commands: () => CommandNode): void {
  of = commands;
  tree = undefined;
}

/** The commands of the program that runs. */
export function programTree(): CommandNode {
  if (!of) throw new Error("no program runs");
  return tree ??= of();
}
