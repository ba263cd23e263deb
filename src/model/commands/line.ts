// Reads a command line that was typed into one line of text, as a shell and the program would.

import { ArgumentError, type Arguments, checkedValues, type Typed, type ValuesOf } from "./argument.ts";
import type { Command } from "./command.ts";
import { pathOf, wordsFor } from "./words.ts";
import { type Problem, UserError } from "../../kit/support/problem.ts";
import { type ShellWord, shellWords } from "../../kit/support/text/shell.ts";

/** A line that names a command and says more: its arguments, or what is wrong with them. */
export interface CommandLine {
  readonly command: Command;
  readonly typed: Typed;
  readonly values: ValuesOf<Arguments> | undefined;
  readonly problem: Problem | undefined;
}

/**
 * Reads a line; undefined where it begins with no command, or has nothing after it. `el2` may be
 * before it.
 */
export function readLine(line: string, commands: readonly Command[]): CommandLine | undefined {
  const words = shellWords(line);
  if (words[0]?.text === "el2") words.shift();
  const starts = (path: string) => path.split(" ").every((word, index) => words[index]?.text === word);
  // Of `record` and `record save` the longer one.
  const [command] = commands.filter((one) => starts(pathOf(one))).sort((a, b) => b.name.length - a.name.length);
  const given = command && words.slice(command.name.split(".").length);
  if (!given?.length) return undefined;
  let typed: Typed = {};
  try {
    typed = typedIn(command, given);
    return { command, typed, values: checkedValues(pathOf(command), command, typed), problem: undefined };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { command, typed, values: undefined, problem: error.problem };
  }
}

/** The option that a word names, and its value if it has one. */
const OPTION = /^(?:--([a-z][a-z-]*)(?:=([^]*))?|-([a-z]))$/;

/**
 * The texts of words for arguments.
 * @throws ArgumentError
 */
function typedIn({ name: command, args }: Command, given: readonly ShellWord[]): Typed {
  const typed: Record<string, string | true | string[]> = {};
  const words: ShellWord[] = [];
  const left = [...given];
  for (let next = left.shift(); next; next = left.shift()) {
    if (next.text === "--" && !next.quoted) {
      words.push(...left.splice(0));
      break;
    }
    const [, long, value, short] = OPTION.exec(next.text) ?? [];
    if (next.quoted || long === undefined && short === undefined) {
      words.push(next);
      continue;
    }
    const name = long ?? Object.keys(args).find((one) => args[one].short === short) ?? short;
    // A name that is not there is refused with the values.
    const option = Object.hasOwn(args, name) ? args[name] : undefined;
    if (!option || option.form === "flag") typed[name] = value ?? true;
    else {
      const text = value ?? left.shift()?.text;
      if (text === undefined) throw new ArgumentError(`--${name} needs a value`, option.doc);
      typed[name] = option.many ? [...[typed[name] ?? []].flat().map(String), text] : text;
    }
  }
  return { ...typed, ...typedWords({ name: command, args }, words) };
}

/** The texts of words in their order. */
function typedWords(command: Pick<Command, "name" | "args">, given: readonly ShellWord[]): Typed {
  const names = Object.keys(command.args).filter((name) => command.args[name].form === "word"), [only] = names;
  // `inject rpc nth=1 -> NOMEM`: one rule, though its blanks are not quoted.
  if (names.length === 1 && command.args[only].kind.phrase && !given.some(({ quoted }) => quoted)) {
    const phrase = given.map(({ text }) => text).join(" ");
    return given.length === 0 ? {} : { [only]: command.args[only].many ? [phrase] : phrase };
  }
  const { typed, left } = wordsFor(command, given.map(({ text }) => text));
  if (left.length > 0) throw new ArgumentError(`${pathOf(command)}: ${JSON.stringify(left[0])} is one word too many`);
  return typed;
}
