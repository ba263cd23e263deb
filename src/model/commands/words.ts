// A command and its arguments as a hint, whose words are its command line, and back again.

import type { Argument, Arguments, GivenOf, Typed, ValuesOf } from "./argument.ts";
import type { Command } from "./command.ts";
import { type Hint, type HintOptions, hintText } from "../../kit/support/text/hint.ts";

/** `queue flush`. */
export const pathOf = ({ name }: Pick<Command, "name">): string => name.replaceAll(".", " ");

/** Its path and its words: `queue flush <queue>`. */
export function usageOf({ name, args }: Pick<Command, "name" | "args">): string {
  const words = Object.entries(args).filter(([, { form }]) => form === "word").map(([name, { required, many }]) => {
    const shown = many ? `${name}...` : name;
    return required ? `<${shown}>` : `[${shown}]`;
  });
  return [pathOf({ name }), ...words].join(" ");
}

/** A hint at a command with these arguments. */
export function hintFor<A extends Arguments>(command: Command<A>, given: GivenOf<A>): Hint {
  const values = given as Readonly<Record<string, unknown>>;
  const words: string[] = [];
  const options: Record<string, HintOptions[string]> = {};
  for (const [name, one] of Object.entries<Argument<unknown>>(command.args)) {
    const value = values[name];
    if (value === undefined || value === one.otherwise) continue;
    const spelled = Array.isArray(value) && one.many ? value.map((each) => one.kind.spell(each)) : one.kind.spell(value);
    if (one.form === "word") words.push(...[spelled].flat());
    else options[name] = one.form === "flag" ? true : spelled;
  }
  return { command: pathOf(command), words, options };
}

/** The command line: `el2 queue flush mq:289`. */
export const lineFor = <A extends Arguments>(command: Command<A>, given: GivenOf<A>): string => hintText(hintFor(command, given));

/** The arguments that a hint gives a command, as they would be typed. */
export function typedOf(command: Pick<Command, "args">, { words, options }: Hint): Typed {
  const typed: Record<string, string | true | readonly string[] | undefined> = {};
  for (const [name, value] of Object.entries(options)) {
    if (value !== undefined) typed[name] = Array.isArray(value) ? value : value === true ? true : String(value);
  }
  return { ...typed, ...wordsFor(command, words).typed };
}

/** The words that a command takes, in their order, and those that are left. */
export function wordsFor({ args }: Pick<Command, "args">, words: readonly string[]): { readonly typed: Typed; readonly left: string[] } {
  const typed: Record<string, string | string[] | undefined> = {}, left = [...words];
  for (const [name, { form, many }] of Object.entries(args)) {
    if (form !== "word") continue;
    if (many) typed[name] = left.splice(0);
    else if (left.length > 0) typed[name] = left.shift();
  }
  return { typed, left };
}

/** That the steps of a command are done, and what may follow. */
export function doneText(command: Command, values: ValuesOf<Arguments>): string {
  const next = command.next?.(values);
  return `${command.done?.(values) ?? `${pathOf(command)}: done`}${next ? `; ${hintText(next.hint)} ${next.does}` : ""}`;
}
