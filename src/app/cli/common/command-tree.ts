// The commands as data: what completion, the man page and the reference follow, walked from the
// program itself.

import type { Argument, CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import type { Offers as KindOffers } from "../../../model/commands/argument.ts";

/** A word that may come next. */
export interface Offer {
  readonly word: string;
  readonly help?: string;
}

/** The line that is completed. */
export interface CompletedLine {
  /** The program. */
  readonly tree: CommandNode;
  /** Earlier arguments of the command. */
  readonly given: readonly string[];
  /** The word that is completed, as far as it is there. */
  readonly last: string;
}

/** Words that completion offers for an argument or the value of an option. */
export type Offering = KindOffers | ((line: CompletedLine) => readonly Offer[] | Promise<readonly Offer[]>);

/** An argument or option for which completion offers words. */
export function offering<T extends Argument | Option>(one: T, ...offers: readonly Offering[]): T {
  return Object.assign(one, { offers });
}

export interface OptionNode {
  /** `--filter <filter>`. */
  readonly flags: string;
  readonly help: string;
  /** `--filter`; undefined for what has a short form only. */
  readonly long: string | undefined;
  /** `-o`; undefined for what has a long form only. */
  readonly short: string | undefined;
  /** The long form that it had, which is still accepted. */
  readonly before: string | undefined;
  /** It takes a value. */
  readonly value: boolean;
  readonly choices: readonly string[];
  readonly offers: readonly Offering[];
  /** Many commands have it, and help explains it once for all. */
  readonly common: boolean;
}

export interface ArgumentNode {
  readonly name: string;
  readonly help: string;
  readonly required: boolean;
  /** It takes all arguments that follow. */
  readonly variadic: boolean;
  readonly choices: readonly string[];
  readonly offers: readonly Offering[];
}

/** Exit codes whose meaning a command says itself. */
export interface Exits {
  /** For codes that are not its own: `that of the recorded run`. */
  readonly remark?: string;
  readonly codes: Readonly<Record<number, string>>;
}

/** A command with its own exit codes. */
export function withExits<T extends object>(command: T, exits: Exits): T {
  return Object.assign(command, { exits });
}

/** The exit codes in the help of a command. */
export function exitsText({ remark, codes }: Exits): string {
  const meanings = Object.entries(codes).map(([code, meaning]) => `${code} ${meaning}`);
  return `Exit codes: ${[...remark === undefined ? [] : [remark], ...meanings].join("; ")}.`;
}

/** A command and those below it. */
export interface CommandNode {
  readonly name: string;
  readonly help: string;
  readonly arguments: readonly ArgumentNode[];
  readonly options: readonly OptionNode[];
  readonly commands: readonly CommandNode[];
  /** Text below the options in its help: notes and examples. */
  readonly after: string;
  readonly exits?: Exits;
}

/**
 * Whether it does something itself: one with arguments does, such as `test`, even with others below
 * it.
 */
export function isRunnable(command: CommandNode): boolean {
  return command.commands.length === 0 || command.arguments.length > 0;
}

/** The common options that a command or one below it has, each once. */
export function commonOptions(tree: CommandNode): readonly OptionNode[] {
  const all = (node: CommandNode): OptionNode[] => [...node.options.filter(({ common }) => common), ...node.commands.flatMap(all)];
  return [...new Map(all(tree).map((option) => [option.flags, option])).values()];
}

/** A command's options by who explains them: its own help, or the page of the common ones. */
export function ownAndCommon({ options }: CommandNode): { readonly own: readonly OptionNode[]; readonly common: readonly string[] } {
  return {
    own: options.filter(({ common }) => !common),
    common: options.filter(({ common }) => common).map(({ short, long }) => short ?? long ?? ""),
  };
}

/** A program or command, and the commands below it. Hidden ones are not in it. */
export function commandTree(command: CommandUnknownOpts): CommandNode {
  return node(command as unknown as Walked);
}

/** The used part of a command, whatever its types. */
interface Walked {
  name(): string;
  description(): string;
  emit(event: "afterHelp", context: { error: boolean; write(text: string): void }): boolean;
  readonly registeredArguments: readonly {
    name(): string;
    readonly description: string;
    readonly required: boolean;
    readonly variadic: boolean;
    readonly argChoices?: readonly string[];
    readonly offers?: readonly Offering[];
  }[];
  readonly options: readonly {
    readonly flags: string;
    readonly description: string;
    readonly long?: string;
    readonly short?: string;
    readonly before?: string;
    readonly required: boolean;
    readonly optional: boolean;
    readonly hidden: boolean;
    readonly common?: true;
    readonly argChoices?: readonly string[];
    readonly offers?: readonly Offering[];
  }[];
  readonly commands: readonly (Walked & { readonly _hidden?: boolean })[];
  readonly exits?: Exits;
}

function node(command: Walked): CommandNode {
  return {
    name: command.name(),
    help: command.description(),
    arguments: command.registeredArguments.map((one) => ({
      name: one.name(),
      help: one.description,
      required: one.required,
      variadic: one.variadic,
      choices: one.argChoices ?? [],
      offers: one.offers ?? [],
    })),
    options: command.options.filter(({ hidden, common }) => !hidden || common).map((option) => ({
      flags: option.flags,
      help: option.description,
      long: option.long,
      short: option.short,
      before: option.before,
      value: option.required || option.optional,
      choices: option.argChoices ?? [],
      offers: option.offers ?? [],
      common: option.common ?? false,
    })),
    commands: command.commands.filter((child) => !child._hidden).map(node),
    after: textAfter(command),
    exits: command.exits,
  };
}

/** The texts of `addHelpText("after", …)`, which commander keeps as listeners of an event. */
function textAfter(command: Walked): string {
  let after = "";
  command.emit("afterHelp", { error: false, write: (text) => after += text });
  return after;
}

/** The commands of the program that runs, for what is below them, such as the palette. */
let of: (() => CommandNode) | undefined, tree: CommandNode | undefined;
let ofAll: (() => Promise<CommandNode>) | undefined, allOfIt: Promise<CommandNode> | undefined;

/**
 * The program that runs has these commands.
 * @param all of the whole program, of which a command that is loaded alone is a part
 */
export function setProgramTree(commands: () => CommandNode, all: () => Promise<CommandNode>): void {
  of = commands;
  tree = undefined;
  ofAll = all;
  allOfIt = undefined;
}

/** The commands of the whole program, which may have to be loaded. */
export async function wholeTree(): Promise<CommandNode> {
  if (!ofAll) throw new Error("no program runs");
  return await (allOfIt ??= ofAll());
}

/** The commands of the program that runs. */
export function programTree(): CommandNode {
  if (!of) throw new Error("no program runs");
  return tree ??= of();
}
