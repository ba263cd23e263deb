// Groups of commands that look into a session or change something there: `el2 vm ls`,
// `el2 irq raise`. The commands of a group are rows, which help, completion and tests follow.

import type { Command } from "@commander-js/extra-typings";
import { answer } from "./answer.ts";
import { type CommandContext, examplesText } from "./command.ts";
import { checkAnswered, ExitCode, failed, Failure } from "./failure.ts";
import { type ListOptions, withListOptions } from "./list-options.ts";
import { output, report, RowStream } from "./print.ts";
import { type OpenSession, openSession, withSessionOptions } from "./session.ts";
import { checkedFilter, parseWhole } from "./values.ts";
import { withoutKind } from "../../../model/queries/ids.ts";
import type { Action } from "../../../model/queries/action.ts";
import { isExactly } from "../../../model/queries/filters/filter.ts";
import { allOfEvents } from "../../../model/queries/filters/temporal-filter.ts";
import { type ListTable, type Query, queryOf, type TableArguments } from "../../../model/queries/query.ts";
import type { Row } from "../../../model/queries/table.ts";
import { type TableName, TABLES } from "../../../model/queries/tables.ts";
import { argumentsIn } from "./bad-argument.ts";

/** The column in which rows rise, and that of the time of each. */
export interface Followed {
  readonly column: string;
  readonly time: string;
}

/** A command that prints the rows of a query. */
export type QueryCommand = { [N in TableName]: TableCommand<N> }[TableName];

/** One that prints the rows of a table. */
interface TableCommand<N extends TableName> {
  /** Its name in the group. */
  readonly name: string;
  readonly help: string;
  readonly table: N;
  /** Options that add to the query. */
  readonly flags?: readonly { readonly name: string; readonly help: string; readonly query: Partial<TableArguments<N>> }[];
  /**
   * Rows rise in a column: `--follow` prints those that come. One with another time than before
   * is that of another life of its VM, whose rows begin again.
   */
  readonly follows?: Followed;
  /** The text of a row, unless columns or a form are chosen. */
  readonly text?: (row: Row) => string;
  /** Its argument; in brackets where it is optional. */
  readonly argument?: { readonly name: string; readonly help: string; readonly optional?: true };
  /** The query that the argument makes. */
  readonly query?: (argument: string | undefined) => TableArguments<N>;
  /** The argument is a VM: without rows, an unknown VM is an error. */
  readonly ofVm?: true;
  /**
   * Text without rows and without a filter; by default that of the table, or that no rows match.
   */
  readonly none?: string;
  /** The command of the group that lists its objects, if not `ls`. */
  readonly list?: string;
  /** Each row in full, not as a list, unless columns or a form are chosen. */
  readonly full?: true;
  /** Exit code 1 when there are rows (`mem check`). */
  readonly failsOnRows?: true;
  /** Exit code 1 without rows: the named object does not exist. */
  readonly failsOnNone?: true;
  /** For its help, without `el2`. */
  readonly examples: readonly string[];
}

/** A command that changes something. */
export interface ActionCommand {
  /** Its name in the group. */
  readonly name: string;
  readonly help: string;
  readonly arguments: readonly { readonly name: string; readonly help: string }[];
  readonly action: (...values: string[]) => Action;
  readonly done: (...values: string[]) => string;
  /** For its help, without `el2`. */
  readonly examples: readonly string[];
}

/** A command with commands below it that ask a session, or change something there. */
export interface Group {
  readonly name: string;
  /** Its description. */
  readonly help: string;
  readonly queries: readonly QueryCommand[];
  readonly actions: readonly ActionCommand[];
  /** Commands of the group that are not rows. */
  readonly more?: (group: Command, context: CommandContext) => void;
}

const ofVm = (name: string | undefined): TableArguments<ListTable> =>
  name === undefined ? {} : { filter: isExactly("vm", withoutKind("vm", name)) };

/** A list of all rows, or of those of one VM. */
export const VM_FILTER = { argument: { name: "vm", help: "only rows of this VM", optional: true }, query: ofVm, ofVm: true } as const;
/** A VM that has to be named. */
export const VM_ARGUMENT = { name: "vm", help: "vm:NAME or NAME" } as const;
/** Everything about one object, by its id. */
export const BY_ID = {
  query: (id: string | undefined): TableArguments<ListTable> => ({ filter: isExactly("id", id!) }),
  full: true,
  failsOnNone: true,
} as const;

/** Adds a group with its commands. */
export function registerGroup(program: Command, context: CommandContext, group: Group): void {
  const parent = program.command(group.name).description(group.help) as unknown as Command;
  for (const query of group.queries) addQuery(parent, context, query);
  for (const action of group.actions) addAction(parent, action);
  group.more?.(parent, context);
}

function addQuery(parent: Command, { exit }: CommandContext, query: QueryCommand): void {
  const command = withSessionOptions(parent.command(query.name).description(query.help))
    .option("--filter <filter>", "only matching rows, such as state=blocked or size>1M")
    .option("--limit <rows>", "at most this many rows", parseWhole(1, 1_000_000))
    .addHelpText("after", examplesText(query.examples));
  if (query.follows !== undefined) command.option("--follow", "also print new rows as they come, until interrupted");
  for (const { name, help } of query.flags ?? []) command.option(`--${name}`, help);
  withListOptions(command);
  if (query.argument) {
    command.argument(query.argument.optional ? `[${query.argument.name}]` : `<${query.argument.name}>`, query.argument.help);
  }
  command.action(async (...args: unknown[]) => {
    const argument = query.argument ? args[0] as string | undefined : undefined;
    exit(await runQuery(parent.name(), query, argument, command.opts()));
  });
}

function addAction(parent: Command, one: ActionCommand): void {
  const command = withSessionOptions(parent.command(one.name).description(`${one.help}; changes the machine`))
    .addHelpText("after", examplesText(one.examples));
  for (const argument of one.arguments) command.argument(`<${argument.name}>`, argument.help);
  command.action(async (...args: unknown[]) => {
    const values = args.slice(0, one.arguments.length) as string[];
    const action = argumentsIn(`${parent.name()} ${one.name}`, () => one.action(...values));
    using open = await openSession(command.opts());
    const error = await open.asker.act(action);
    if (error !== undefined) throw failed(error);
    report(`el2: ${one.done(...values)}`);
  });
}

interface QueryOptions extends ListOptions {
  readonly json?: boolean;
  readonly session?: string;
  readonly readOnly?: boolean;
  readonly filter?: string;
  readonly limit?: number;
  readonly follow?: boolean;
}

/** Time (ms) between two questions that follow. */
const FOLLOWED = 200;

const pause = () => new Promise((resolve) => setTimeout(resolve, FOLLOWED));

async function runQuery(group: string, command: QueryCommand, argument: string | undefined, options: QueryOptions): Promise<number> {
  const flags = (command.flags ?? []).filter(({ name }) => Reflect.get(options, name) === true).map((flag) => flag.query);
  const args: Query["args"] = Object.assign({}, command.query?.(argument), ...flags);
  if (options.filter !== undefined) checkedFilter("--filter", options.filter, TABLES[command.table]);
  const filter = allOfEvents([args.filter, options.filter]);
  using open = await openSession(options);
  const query = queryOf(command.table, { ...args, filter: filter || undefined, limit: options.limit });
  const none = options.filter === undefined ? command.none : undefined;
  const vm = command.ofVm && argument;
  if (options.follow && command.follows !== undefined) return await follow(open, query, command.follows, command.text, options);
  const rows = await answer(open, query, options.json ?? false, { full: command.full, text: command.text, none, vm, list: options });
  if (rows === 0 && command.failsOnNone) {
    throw failed(`no object called "${argument}"`, `list them with el2 ${group} ${command.list ?? "ls"}`);
  }
  return rows > 0 && command.failsOnRows ? ExitCode.Failed : ExitCode.Done;
}

/**
 * The rows after the last one that was printed; undefined if they have begun again.
 * @param rows from that one on
 */
export function rowsAfter(rows: readonly Row[], last: Row, { column, time }: Followed): readonly Row[] | undefined {
  const [first] = rows;
  if (!first) return undefined;
  // The last one may have been dropped meanwhile.
  if (first[column] !== last[column]) return rows;
  return first[time] === last[time] ? rows.slice(1) : undefined;
}

/** Prints rows, and then those after them in a column, until it is interrupted. */
async function follow(
  { asker, session }: OpenSession,
  { table, args }: Query,
  followed: Followed,
  text: QueryCommand["text"],
  options: QueryOptions,
): Promise<number> {
  if (options.watch) throw new Failure("--follow prints new rows, --watch all of them every second", "give one");
  const json = options.json ?? false, isText = text !== undefined && !json && options.output === undefined;
  const stream = isText ? undefined : new RowStream(TABLES[table], options, json);
  let last: Row | undefined;
  for (;; await pause()) {
    const from = last && `${followed.column}>${Number(last[followed.column]) - 1}`;
    const found = await asker.ask(queryOf(table, { ...args, filter: allOfEvents([args.filter, from]) || undefined }));
    checkAnswered(found);
    const fresh = last ? rowsAfter(found.rows, last, followed) : found.rows;
    if (!fresh) {
      last = undefined;
      continue;
    }
    if (new Set(found.rows.map((row) => row.vm)).size > 1) throw new Failure("several VMs have such rows", "name one to follow");
    for (const row of fresh) {
      if (stream) stream.print(session.info.name, found, row);
      else if (text) output(text(row));
    }
    last = fresh.at(-1) ?? last;
  }
}
