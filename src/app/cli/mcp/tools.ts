// The tools of `el2 mcp`. Those about a session follow from its commands (src/model/commands): a
// table of rows by `table`, a change without more by `act`, every other command by its own name.

import { rowsText, type ToolAnswer, toolAnswer } from "./answers.ts";
import { withSession } from "./live.ts";
import { programTools } from "./program-tools.ts";
import { SESSION, type Tool, tool, type ToolContext } from "./tool.ts";
import type { CommandNode } from "../common/command-tree.ts";
import { Failure } from "../common/failure.ts";
import { COMMANDS } from "../../../model/commands/all.ts";
import {
  type Arguments,
  checkedValues,
  completed,
  flag,
  type Kind,
  option,
  options,
  type ValuesOf,
  valuesOf,
  word,
  words,
} from "../../../model/commands/argument.ts";
import type { Command } from "../../../model/commands/command.ts";
import { choice, idOf, place, PLACES_IN_MEMORY, text, whole } from "../../../model/commands/kinds.ts";
import { LINK } from "../../../model/commands/link.ts";
import { listArguments, narrowed, ONE_VM } from "../../../model/commands/lists.ts";
import { hintFor, pathOf } from "../../../model/commands/words.ts";
import { type Query, readQuery } from "../../../model/queries/query.ts";
import type { TakenArguments } from "../../../model/queries/query-arguments.ts";
import type { Table } from "../../../model/queries/table.ts";
import { TABLE_NAMES, TABLES } from "../../../model/queries/tables.ts";
import { didYouMean } from "../../../kit/support/text/did-you-mean.ts";
import { hintArguments } from "../../../kit/support/text/hint.ts";

const DEFAULT_ROWS = 50;
/** Rows that are asked for in order to count those that are left out. */
const COUNTED = 5_000;

const ROWS = {
  limit: option(whole(1, 1000), `at most this many rows (default: ${DEFAULT_ROWS})`, { common: true }),
  columns: options(text, "only these columns", { common: true }),
};

/** The beginning of a description, for lists of many. */
const inBrief = (doc: string) => doc.split(/[:;,] | \(/, 1)[0];

/** One of the words that a tool's description lists. */
const listed = <W extends string>(...names: readonly W[]): Kind<W> => ({ ...choice(...names), schema: { type: "string" } });

/** How an answer's rows are chosen. */
interface Chosen {
  readonly session?: string;
  readonly limit?: number;
  readonly columns?: readonly string[];
}

/** The rows of a query, bounded. */
async function rows(
  query: Query,
  { session, limit = DEFAULT_ROWS, columns }: Chosen,
  { signal }: ToolContext,
): Promise<ToolAnswer> {
  const table: Table = TABLES[query.table];
  const wrong = columns?.find((column) => !Object.hasOwn(table.columns, column));
  if (wrong !== undefined) {
    const names = Object.keys(table.columns);
    throw new Failure(`${query.table} has no column "${wrong}"`, didYouMean(wrong, names, `its columns are ${names.join(", ")}`));
  }
  return await withSession(session, signal, async (live) => {
    const all = table.searches ? query : narrowed(query, { limit: COUNTED });
    const answer = await live.ask(all), atLeast = answer.rows.length === COUNTED;
    return toolAnswer(rowsText(live.session.info.name, answer, { limit, columns, atLeast }));
  });
}

/** The tables that take an argument, for its description. */
function tablesWith(argument: keyof TakenArguments): string {
  const tables: readonly Table[] = TABLE_NAMES.map((name) => TABLES[name]);
  return tables.filter(({ args }) => args?.[argument] !== undefined).map(({ name }) => name).join(", ");
}

/** Whether `table` answers the same: the command has the name of a table, and takes no more. */
function isTable({ name, args, ask, steps }: Command): boolean {
  const found = TABLE_NAMES.find((one) => one === name);
  if (found === undefined || !ask || steps) return false;
  const table: Table = TABLES[found], takes = ["filter", "limit", ...Object.keys(table.args ?? {})];
  return Object.entries(args).every(([argument, one]) => one === ONE_VM || takes.includes(argument));
}
/** Whether a command only changes something, and says so. */
const isChange = ({ right, steps, done: said, ask }: Command) => right === "changes" && steps !== undefined && said !== undefined && !ask;

/** Commands that are tools by their own names. Tools take links, and make none. */
const OWN: readonly Command[] = COMMANDS.filter((command) => !isTable(command) && !isChange(command) && command.name !== LINK.name);

/** The end of a table's description that the group in its name says, too. */
const OF_GROUP = / of (?:Linux|a vCPU|a VM|a session|the hypervisor|the Resource Manager)(?: by use)?$/;

/** A table with what it has, unless a tool of its name says that, or the table before it. */
function namedTable(name: typeof TABLE_NAMES[number], index: number): string {
  const { doc } = TABLES[name], before = TABLE_NAMES[index - 1];
  if (OWN.some((one) => one.name === name) || before !== undefined && TABLES[before].doc === doc) return name;
  return `${name} (${inBrief(doc).replace(OF_GROUP, "")})`;
}

const TABLE_TOOLS: readonly Tool[] = [
  tool({
    name: "table",
    doc: `Rows of a session's tables, as JSON: ${TABLE_NAMES.map(namedTable).join("; ")}. The tool columns describes columns.`,
    args: {
      table: word(listed(...TABLE_NAMES), "one of those"),
      filter: option(
        text,
        'only matching rows: words, field=value, !=, <, >, ~regex; a space means "and", | means "or"; for example state=blocked or size>1M',
        { common: true },
      ),
      ...ROWS,
      vm: option(idOf("vm"), "for vm.devices, symbols, linux.*: vm:NAME"),
      pid: option(whole(0, 0x7fff_ffff), `for ${tablesWith("pid")}: the process or thread`),
      threads: flag(`for ${tablesWith("threads")}: threads instead of processes`),
      tree: flag(`for ${tablesWith("tree")}: each below its parent`),
      vcpu: option(idOf("vcpu"), `for ${tablesWith("vcpu")}: vcpu:VM/INDEX`),
      queue: option(idOf("mq"), `for ${tablesWith("queue")}: mq:NUMBER`),
      at: option(place, `for mem.owner, mem.read: ${PLACES_IN_MEMORY}; for code: VM:ADDRESS, VM:SYMBOL or VM/INDEX:pc`),
      size: option(whole(1, 65536), "for mem.read: bytes; for code: instructions"),
      session: SESSION,
    },
    changes: false,
    run: async ({ session, table, limit, columns, filter, ...args }, context) => {
      const checked = valuesOf("table", listArguments(table), { filter });
      const query = readQuery(table, { ...args, filter: checked.filter });
      if ("issue" in query) throw new Failure(`${table}: ${query.issue}`);
      return await rows(query, { session, limit, columns }, context);
    },
  }),
  tool({
    name: "columns",
    doc: "The columns of a table: what each holds, for filters and for choosing columns.",
    args: { table: word(listed(...TABLE_NAMES), "as for the tool table") },
    changes: false,
    run: ({ table }) => {
      const { doc, columns }: Table = TABLES[table];
      const described = Object.entries(columns).map(([name, { kind, doc, words }]) => ({ name, kind, doc, ...words && { words } }));
      return Promise.resolve(toolAnswer(JSON.stringify({ table, doc, columns: described })));
    },
  }),
];

/** Arguments for agents: none lasts until an interrupt, and none changes something unasked. */
function argumentsFor({ args }: Command, allowChange: boolean): Arguments {
  return Object.fromEntries(
    Object.entries(args).filter(([, one]) => !one.lasting && (allowChange || !one.changes)),
  );
}

/** A command by its own name. */
function commandTool(command: Command, allowChange: boolean): Tool {
  const { name, doc, right, excludes, needs } = command, args = argumentsFor(command, allowChange);
  const asks = command.ask !== undefined && !command.steps, isText = command.printed?.(completed(command.args, {})).text !== undefined;
  return tool({
    name: name.replaceAll(/[.-]/g, "_"),
    path: pathOf(command),
    doc: right === "looks" || command.notes === undefined ? doc : `${doc}. ${command.notes}`,
    args: { ...asks && !isText ? ROWS : {}, ...args, session: SESSION },
    changes: right !== "looks",
    excludes,
    needs,
    run: async ({ session, columns, ...values }: ValuesOf<Arguments>, context: ToolContext) => {
      const isChange = Object.entries(args).some(([name, one]) => one.changes && values[name] !== undefined);
      const query = asks && !isText && !isChange ? command.ask?.(values) : undefined;
      if (query) {
        return await rows(narrowed(query, { filter: values.filter }), { session, columns, limit: values.limit } as Chosen, context);
      }
      return await ran(command, values, session as string | undefined, context);
    },
  });
}

/** The answer of the command line. */
async function ran(command: Command, values: ValuesOf<Arguments>, session: string | undefined, { el2 }: ToolContext): Promise<ToolAnswer> {
  const hint = hintFor(command, values), options = { ...hint.options, session };
  return await el2(hintArguments({ ...hint, options }), { hint: "narrow the question" });
}

/** Every command that only changes something. */
function actTool(commands: readonly Command[]): Tool {
  const usage = ({ args }: Command) => Object.entries(args).map(([name, { required }]) => required ? ` <${name}>` : ` [${name}]`).join("");
  const described = commands.map((command) => `${pathOf(command)}${usage(command)} (${inBrief(command.doc)})`);
  return tool({
    name: "act",
    doc: `Changes a session by one of these commands: ${described.join("; ")}.`,
    args: {
      command: word(listed(...commands.map(pathOf)), "one of those"),
      arguments: words(text, "its arguments, in order"),
      session: SESSION,
    },
    changes: true,
    run: async ({ command: path, arguments: given, session }, context) => {
      const command = commands.find((one) => pathOf(one) === path)!, names = Object.keys(command.args);
      if (given.length > names.length) throw new Failure(`${path} has no argument "${given[names.length]}"`, usage(command).trim());
      const typed = Object.fromEntries(given.map((value, index) => [names[index], value]));
      return await ran(command, checkedValues(path, command, typed), session, context);
    },
  });
}

/**
 * The tools; without `allowChange` those that only look.
 * @param tree the program
 */
export function toolsOf(tree: CommandNode, allowChange: boolean): readonly Tool[] {
  const own = OWN.map((command) => commandTool(command, allowChange));
  const all = [...TABLE_TOOLS, ...own, ...programTools(tree), actTool(COMMANDS.filter(isChange))];
  return allowChange ? all : all.filter(({ changes }) => !changes);
}
