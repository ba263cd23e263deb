// Options of a program as a table: each has its names, the form of its argument, and what it
// becomes in a machine of el2: keys, or an absence with its reason. Without either it is about the
// program's own process, and a guest sees no difference.

import { UserError } from "../../../kit/support/problem.ts";
import { terminalWord } from "../../../kit/support/text/terminal-text.ts";
import { didYouMean } from "../../../kit/support/text/did-you-mean.ts";
import type { ForeignMachine } from "./foreign-machine.ts";

/**
 * An option; `spec` has its names, then the form of its argument, if it takes one: `--mem -m MIB`;
 * in brackets if it may be left out before another option.
 */
export interface ForeignOption {
  readonly spec: string;
  /** Puts its keys. @param option as it was written */
  readonly becomes?: (machine: ForeignMachine, value: string, option: string) => void;
  /** It has no equal: what follows for the guest. */
  readonly absent?: string;
}

/** How a program writes its options. */
export interface OptionStyle {
  readonly program: string;
  /** `-c2` and `--cpus=2` are options with a value. */
  readonly joined?: true;
  /** The table's name of an option, which may be written in another way. */
  readonly nameOf?: (word: string) => string;
}

/** Options of the table that have no equal for one reason. */
export const absent = (why: string, ...specs: string[]): ForeignOption[] => specs.map((spec) => ({ spec, absent: why }));
/** Options about the program's own process. */
export const ofProcess = (...specs: string[]): ForeignOption[] => specs.map((spec) => ({ spec }));

const isOption = (word: string): boolean => /^-\S/.test(word);

interface NamedOption extends ForeignOption {
  readonly argument: string | undefined;
}

/**
 * Applies the words of a command line to a machine.
 * @param positional what a word that is not an option becomes
 * @throws UserError for an option that the program does not have, or one without its argument
 */
export function applyOptions(
  machine: ForeignMachine,
  words: readonly string[],
  table: readonly ForeignOption[],
  style: OptionStyle,
  positional: (word: string) => void,
): void {
  const byName = named(table);
  for (let at = 0; at < words.length; at++) {
    const word = words[at];
    if (!isOption(word)) {
      positional(word);
      continue;
    }
    const { option, name, value: own } = found(word, byName, style);
    const isOptional = option.argument?.startsWith("["),
      takes = option.argument !== undefined && !(isOptional && isOption(words[at + 1] ?? "-x"));
    const value = own ?? (takes ? words[++at] : undefined);
    if (takes && value === undefined) throw new UserError(`${style.program}: ${name} needs ${option.argument}`);
    if (option.absent !== undefined) machine.absent(value === undefined ? name : `${name} ${value}`, option.absent);
    else option.becomes?.(machine, value ?? "", name);
  }
}

function named(table: readonly ForeignOption[]): ReadonlyMap<string, NamedOption> {
  return new Map(table.flatMap((option) => {
    const words = option.spec.split(" "), names = words.filter((word) => word.startsWith("-"));
    return names.map((name) => [name, { ...option, argument: words.find((word) => !word.startsWith("-")) }] as const);
  }));
}

function found(word: string, byName: ReadonlyMap<string, NamedOption>, { program, joined, nameOf = (name) => name }: OptionStyle) {
  const equals = joined ? word.indexOf("=") : -1;
  const name = nameOf(equals < 0 ? word : word.slice(0, equals)), option = byName.get(name);
  if (option) return { option, name, value: equals < 0 ? undefined : word.slice(equals + 1) };
  const short = joined && !word.startsWith("--") ? byName.get(word.slice(0, 2)) : undefined;
  if (short?.argument !== undefined) return { option: short, name: word.slice(0, 2), value: word.slice(2) };
  throw new UserError(`${program} has no option ${terminalWord(word)}`, didYouMean(name, [...byName.keys()]));
}
