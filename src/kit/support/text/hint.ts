// A command of el2 and its arguments as values, for ways out and hints; this is the only file that
// spells `el2 ..`.

import { shellQuoted } from "./shell.ts";

/** Options of a command by their long names; several values repeat the option. */
export type HintOptions = Readonly<Record<string, string | number | true | readonly string[] | undefined>>;

/** A command line as values. */
export interface Hint {
  /** Its path: `irq clear`. */
  readonly command: string;
  readonly words: readonly string[];
  readonly options: HintOptions;
}

/** A hint; the last argument may be the options. */
export function hint(command: string, ...args: readonly (string | number | HintOptions)[]): Hint {
  const last = args.at(-1), options = typeof last === "object" ? last : {};
  return { command, words: args.filter((one) => typeof one !== "object").map(String), options };
}

/** A hint as plain data, for rows. */
export type HintValues = {
  readonly command: string;
  readonly words: readonly string[];
  readonly options: Readonly<Record<string, string | number | true | readonly string[]>>;
};

export function hintValues({ command, words, options }: Hint): HintValues {
  const given = Object.entries(options).flatMap(([name, value]) => value === undefined ? [] : [[name, value] as const]);
  return { command, words, options: Object.fromEntries(given) };
}

/** The words of its command line, without `el2`. A word that could be an option follows `--`. */
export function hintWords({ command, words, options }: Hint): string[] {
  const given = Object.entries(options).flatMap(([name, value]) =>
    [value].flat().flatMap((one) => one === undefined ? [] : one === true ? [`--${name}`] : [`--${name}`, String(one)])
  );
  return [...command.split(" "), ...given.some(isOption) || words.some(isOption) ? [...given, "--", ...words] : [...words, ...given]];
}

/** The same words for a program that starts el2: no value can be taken for an option. */
export function hintArguments({ command, words, options }: Hint): string[] {
  const given = Object.entries(options).flatMap(([name, value]) =>
    [value].flat().flatMap((one) => one === undefined ? [] : one === true ? [`--${name}`] : [`--${name}=${one}`])
  );
  return [...command.split(" "), ...given, ...words.length ? ["--", ...words] : []];
}

/** `el2 irq clear irq:ping/27`, as a shell takes it. */
export function hintText(hint: Hint): string {
  return ["el2", ...hintWords(hint)].map(shellWord).join(" ");
}

const isOption = (word: string) => /^-./.test(word) && !word.startsWith("--");

/** A word that a shell leaves as it is. */
function shellWord(word: string): string {
  return /^[\w:/.,=@%+-]+$/.test(word) ? word : shellQuoted(word);
}
