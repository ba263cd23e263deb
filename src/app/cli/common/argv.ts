// The commands of a session (src/model/commands) on the command line: their options, help and
// arguments follow from their entries.

import { Argument as Word, type Command as Program, Option } from "@commander-js/extra-typings";
import type { Argument, Typed } from "../../../model/commands/argument.ts";
import { type Arguments, checkedValues, type Kind, type ValuesOf } from "../../../model/commands/argument.ts";
import { COMMANDS, GROUPS } from "../../../model/commands/all.ts";
import type { Command } from "../../../model/commands/command.ts";
import { pathOf } from "../../../model/commands/words.ts";
import { coreOption } from "./core-session.ts";
import { common, RenamedOption } from "./common-options.ts";
import { offering } from "./command-tree.ts";
import { type CommandContext, examplesText, type Register } from "./command.ts";
import { type ListOptions, withListOptions } from "./list-options.ts";
import { runCommand, type RunOptions } from "./run-command.ts";
import { withSessionOptions } from "./session.ts";

/** The command line's own way to run a command with its values. */
export interface Runner<A extends Arguments = Arguments> {
  run(values: ValuesOf<A>, options: RunOptions, context: CommandContext): Promise<number>;
  /** Its options beside those of the entry, instead of those of all commands. */
  readonly options?: (command: Program) => void;
}

/** A runner for a command's entry. */
export const runner = <A extends Arguments>(command: Command<A>, one: Runner<A>): readonly [name: string, Runner] => [command.name, one];

/** Adds the commands of a group, or the one with this name and those below it; then `more`. */
export function sessionCommands(name: string, runners: ReadonlyMap<string, Runner>, more?: Register): Register {
  return (program, context) => {
    const group = GROUPS.find((one) => one.name === name);
    const parent = group
      ? program.command(group.name).description(group.doc) as unknown as Program
      : addCommand(program, context, commandNamed(name), runners);
    for (const one of COMMANDS.filter((one) => one.name.startsWith(`${name}.`))) addCommand(parent, context, one, runners);
    more?.(parent, context);
  };
}

function commandNamed(name: string): Command {
  const found = COMMANDS.find((one) => one.name === name);
  if (!found) throw new Error(`no command of a session is called ${name}`);
  return found;
}

function addCommand(parent: Program, context: CommandContext, one: Command, runners: ReadonlyMap<string, Runner>): Program {
  const own = runners.get(one.name);
  const doc = one.right === "changes" ? `${one.doc}; changes the machine` : one.doc;
  const command = parent.command(one.name.split(".").at(-1) ?? one.name).description(doc) as unknown as Program;
  if (own?.options) own.options(command);
  else withSessionOptions(command);
  if (one.right === "looks") command.addOption(coreOption(context.entry));
  for (const [name, argument] of Object.entries(one.args)) {
    if (argument.form === "word") command.addArgument(wordOf(name, argument));
    else command.addOption(optionOf(name, argument));
  }
  if (one.printed?.({}).follows) {
    command.addOption(common(new Option("--follow", "also print new rows as they come, until interrupted")));
  }
  if (one.lists) withListOptions(command);
  command.addHelpText("after", `${one.notes === undefined ? "" : `\n${one.notes}\n`}${examplesText(one.examples)}`);
  command.action(async (...given: unknown[]) => {
    const options = command.opts() as RunOptions & ListOptions & Record<string, unknown>;
    const values = valuesIn(one, given, options);
    context.exit(await (own ? own.run(values, options, context) : runCommand(one, values, options)));
  });
  return command;
}

/**
 * The values of what commander found.
 * @throws ArgumentError
 */
function valuesIn(one: Command, given: readonly unknown[], options: Readonly<Record<string, unknown>>): ValuesOf<Arguments> {
  const typed: Record<string, Typed[string]> = {};
  Object.entries(one.args).filter(([, { form }]) => form === "word").forEach(([name], index) =>
    typed[name] = given[index] as Typed[string]
  );
  for (const [name, { form }] of Object.entries(one.args)) if (form !== "word") typed[name] = options[name] as Typed[string];
  return checkedValues(pathOf(one), one, typed);
}

function wordOf(name: string, { kind, doc, required, many, otherwise }: Argument<unknown>): Word {
  const shown = many ? `${name}...` : name;
  const word = new Word(required ? `<${shown}>` : `[${shown}]`, doc);
  if (kind.choices) word.argChoices = [...kind.choices];
  if (otherwise !== undefined && !many) word.default(kind.spell(otherwise), JSON.stringify(otherwise));
  return withOffers(word, kind);
}

const withOffers = <T extends Word | Option>(one: T, { offers }: Kind<unknown>): T => offers === undefined ? one : offering(one, offers);

function optionOf(
  name: string,
  { kind, doc, form, many, value = name, short, before, otherwise, common: isCommon }: Argument<unknown>,
): Option {
  const flags = `${short === undefined ? "" : `-${short}, `}--${name}${form === "flag" ? "" : ` <${value}>`}`;
  const option = before === undefined ? new Option(flags, doc) : new RenamedOption(flags, doc, before);
  if (kind.choices) option.argChoices = [...kind.choices];
  if (many) option.argParser((text: string, all: string[] = []) => [...all, text]);
  if (otherwise !== undefined) option.default(kind.spell(otherwise), JSON.stringify(otherwise));
  const offered = withOffers(option, kind);
  return isCommon ? common(offered) : offered;
}
