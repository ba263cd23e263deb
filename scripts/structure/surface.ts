// The surface of the program: how many commands, options and keys of the configuration there are to
// choose from, counted in the program itself.

import { type CommandNode, commonOptions, isRunnable } from "../../src/app/cli/common/command-tree.ts";

/** The counts. */
export interface Surface {
  /** Commands of the first level. */
  readonly commands: number;
  /** Commands that do something, those below others too. */
  readonly runnable: number;
  /** Options by their long form. */
  readonly options: number;
  /** Lines of options in the help of all commands: common ones are one line, explained once. */
  readonly optionLines: number;
  readonly boot: number;
  readonly run: number;
}

/** Counts a program. */
export function surfaceOf(tree: CommandNode): Surface {
  const all = [...below(tree)], taken = all.flatMap(({ options }) => options), own = taken.filter(({ common }) => !common);
  const lines = own.length + all.filter(({ options }) => options.some(({ common }) => common)).length + commonOptions(tree).length;
  const optionsOf = (name: string) => tree.commands.find((command) => command.name === name)?.options.length ?? 0;
  return {
    commands: tree.commands.length,
    runnable: all.filter((command) => command !== tree && isRunnable(command)).length,
    options: new Set(taken.map(({ long, short }) => long ?? short)).size,
    optionLines: lines,
    boot: optionsOf("boot"),
    run: optionsOf("run"),
  };
}

function* below(command: CommandNode): Generator<CommandNode> {
  yield command;
  for (const child of command.commands) yield* below(child);
}

/** The used part of a valibot schema. */
interface SchemaNode {
  readonly wrapped?: SchemaNode;
  readonly entries?: Readonly<Record<string, SchemaNode>>;
  readonly options?: readonly (SchemaNode | string)[];
  readonly value?: SchemaNode;
  readonly item?: SchemaNode;
}

/**
 * The keys of a file's tables, as `TABLE.KEY`. A table that several have counts once, and so does a
 * key of several kinds of a table, such as `kind`.
 */
export function keysOf(schema: unknown): string[] {
  const seen = new Set<SchemaNode["entries"]>();
  const below = (table: string, node: SchemaNode): string[] => {
    const { entries, variants } = tablesIn(node);
    const own = entries && !seen.has(entries) ? Object.entries(entries) : [];
    seen.add(entries);
    return [
      ...own.flatMap(([key, entry]) => [`${table}.${key}`, ...below(`${table}.${key}`, entry)]),
      ...variants.flatMap((variant) => below(table, variant)),
    ];
  };
  const tables = tablesIn(schema as SchemaNode).entries ?? {};
  return [...new Set(Object.entries(tables).flatMap(([name, entry]) => below(name, entry)))];
}

/** The table that a schema is, or that it is a list or a record of; the variants of one. */
function tablesIn(node: SchemaNode): { entries?: SchemaNode["entries"]; variants: readonly SchemaNode[] } {
  if (node.entries) return { entries: node.entries, variants: [] };
  const inner = node.wrapped ?? node.item ?? node.value;
  if (inner) return tablesIn(inner);
  return { variants: (node.options ?? []).filter((option) => typeof option !== "string").filter(({ entries }) => entries !== undefined) };
}
