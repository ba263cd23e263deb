// The arguments of a command, declared once: parser, help, completion, JSON Schema and spelling
// follow from the kind of each.

import type { Json } from "../queries/table.ts";
import type { TableName } from "../queries/tables.ts";
import { didYouMean } from "../../kit/support/text/did-you-mean.ts";
import { type Problem, UserError, within } from "../../kit/support/problem.ts";

/** Where the words of a kind come from, for completion. */
export type Offers =
  /** Ids of a table's rows, with the column that describes each; `bare`: without their kind. */
  | { readonly table: TableName; readonly about: string; readonly bare?: true }
  /** Words; `listed`: several, with commas between. */
  | { readonly words: () => readonly string[]; readonly listed?: true }
  | "files"
  | "sessions";

/** A kind of values: what may be typed for one, and how it is written. */
export interface Kind<T> {
  /** @throws ArgumentError */
  parse(text: string): T;
  /** The word for which `parse` gives the value again. */
  spell(value: T): string;
  /** JSON Schema of what a program gives: a text or a number as it would be typed. */
  readonly schema: { readonly [name: string]: Json };
  readonly offers?: Offers;
  /** All words there are. */
  readonly choices?: readonly string[];
  /** It may have blanks: alone in a line, it need not be quoted. */
  readonly phrase?: true;
}

/** An argument that is not what it should be. */
export class ArgumentError extends UserError {}

/** An argument of a command. `T`: its value, with `undefined` where it may be left out. */
export interface Argument<T> {
  readonly kind: Kind<unknown>;
  readonly doc: string;
  /** A word in its order, `--NAME VALUE`, or `--NAME` alone. */
  readonly form: "word" | "option" | "flag";
  readonly required: boolean;
  /** It may be given several times. */
  readonly many: boolean;
  /** The word in `--NAME <word>`; by default its name. */
  readonly value?: string;
  /** One letter for the option. */
  readonly short?: string;
  /** Another name that the option had, still accepted. */
  readonly before?: string;
  /** With it, a command that only looks changes the machine, or writes a file. */
  readonly changes?: true;
  /** Many commands have it, and help explains it once for all. */
  readonly common?: true;
  /** With it, a command lasts until it is interrupted. */
  readonly lasting?: true;
  /** Only the command line takes it: it waits, counts over a time, or is about files or lines. */
  readonly lineOnly?: true;
  /** Its value where it is left out, which help shows. */
  readonly otherwise?: T;
  /** Holds the type alone. */
  readonly held?: T;
}

/** Any declaration of arguments. */
export type Arguments = Readonly<Record<string, Argument<unknown>>>;

/** The values of declared arguments. */
export type ValuesOf<A extends Arguments> = { readonly [N in keyof A]: A[N] extends Argument<infer T> ? T : never };

/** An argument that has a value where it is left out. */
export type Defaulted<T> = Argument<T> & { readonly otherwise: T };

/** Names of arguments that may be left out. */
type Optional<A extends Arguments> = {
  [N in keyof A]: undefined extends ValuesOf<A>[N] ? N : A[N] extends { readonly otherwise: unknown } ? N : never;
}[keyof A];

/** The values that have to be named; others may be left out. */
export type GivenOf<A extends Arguments> =
  & { readonly [N in Exclude<keyof A, Optional<A>>]: ValuesOf<A>[N] }
  & { readonly [N in Optional<A>]?: ValuesOf<A>[N] };

/** The form of an option, beside its kind and its help. */
type OptionForm = Pick<Argument<unknown>, "value" | "short" | "before" | "changes" | "lasting" | "lineOnly" | "common">;

/** A word that must be given. */
export const word = <T>(kind: Kind<T>, doc: string): Argument<T> => ({
  kind,
  doc,
  form: "word",
  required: true,
  many: false,
});

/** A word that may be left out. */
export const maybe = <T>(kind: Kind<T>, doc: string): Argument<T | undefined> => ({
  kind,
  doc,
  form: "word",
  required: false,
  many: false,
});

/** A word with a value where it is left out. */
export const wordOr = <T>(kind: Kind<T>, doc: string, otherwise: T): Defaulted<T> => ({
  kind,
  doc,
  form: "word",
  required: false,
  many: false,
  otherwise,
});

/** All words from here on. */
export const words = <T>(kind: Kind<T>, doc: string, form: OptionForm = {}): Defaulted<readonly T[]> => ({
  kind,
  doc,
  form: "word",
  required: false,
  many: true,
  otherwise: [],
  ...form,
});

/** `--NAME VALUE`. */
export const option = <T>(kind: Kind<T>, doc: string, form: OptionForm = {}): Argument<T | undefined> => ({
  kind,
  doc,
  form: "option",
  required: false,
  many: false,
  ...form,
});

/** `--NAME VALUE` that has a value where it is left out. */
export const optionOr = <T>(kind: Kind<T>, doc: string, otherwise: T, form: OptionForm = {}): Defaulted<T> => ({
  kind,
  doc,
  form: "option",
  required: false,
  many: false,
  otherwise,
  ...form,
});

/** `--NAME VALUE`, which may be repeated. */
export const options = <T>(kind: Kind<T>, doc: string, form: OptionForm = {}): Argument<readonly T[] | undefined> => ({
  kind,
  doc,
  form: "option",
  required: false,
  many: true,
  ...form,
});

const ON: Kind<true> = {
  parse: () => true,
  spell: () => "",
  schema: { type: "boolean" },
};

/** `--NAME`. */
export const flag = (doc: string, form: OptionForm = {}): Argument<true | undefined> => ({
  kind: ON,
  doc,
  form: "flag",
  required: false,
  many: false,
  ...form,
});

/** Texts that a person or a program gave for arguments, by name; `true` for a flag. */
export type Typed = Readonly<Record<string, string | true | readonly string[] | undefined>>;

/**
 * The values of what was typed.
 * @param command for errors: its path, such as `queue send`
 * @throws ArgumentError that names the argument, what was given and what is right
 */
export function valuesOf<A extends Arguments>(command: string, declared: A, typed: Typed): ValuesOf<A> {
  const names = Object.keys(declared), unknown = Object.keys(typed).find((name) => !names.includes(name));
  if (unknown !== undefined) {
    const wayOut = names.length === 0 ? "it takes none" : didYouMean(unknown, names, `its arguments are ${names.join(", ")}`);
    throw new ArgumentError(`${command} has no argument ${JSON.stringify(unknown)}`, wayOut);
  }
  const values: Record<string, unknown> = {};
  for (const [name, one] of Object.entries(declared)) {
    const given = typed[name], where = placeOf(command, name, one);
    if (given === undefined || Array.isArray(given) && given.length === 0) {
      if (one.required) throw new ArgumentError(within(where, { what: `${JSON.stringify(name)} is missing`, wayOut: one.doc }));
      values[name] = one.otherwise;
    } else if (given === true !== (one.form === "flag")) {
      throw new ArgumentError(`${where}: ${JSON.stringify(name)} takes ${given === true ? "a value" : "no value"}`);
    } else if (Array.isArray(given) && !one.many) {
      throw new ArgumentError(`${where}: ${JSON.stringify(name)} takes one value, and ${given.length} were given`);
    } else if (one.many) values[name] = [given].flat().map((text) => parsed(where, one.kind, String(text)));
    else values[name] = given === true ? true : parsed(where, one.kind, String(given));
  }
  return values as ValuesOf<A>;
}

/** The place of an argument, for an error: `--size`, or the command for a word. */
function placeOf(command: string, name: string, { form }: Argument<unknown>): string {
  return form === "word" ? command : `--${name}`;
}

function parsed<T>(where: string, { parse }: Kind<T>, text: string): T {
  try {
    return parse(text);
  } catch (error) {
    if (!(error instanceof ArgumentError)) throw error;
    throw new ArgumentError(within(where, error.problem));
  }
}

/** All values of a command: those that were named, and the defaults of the others. */
export function completed<A extends Arguments>(declared: A, given: GivenOf<A>): ValuesOf<A> {
  const values: Record<string, unknown> = { ...given };
  for (const [name, { otherwise }] of Object.entries(declared)) values[name] ??= otherwise;
  return values as ValuesOf<A>;
}

/** Groups of arguments of which one at most may be given. */
export type Exclusions<A extends Arguments> = readonly (readonly (keyof A & string)[])[];
/** Arguments that need another one. */
export type Needs<A extends Arguments> = readonly (readonly [keyof A & string, keyof A & string])[];

/** Arguments and the rules between them. */
interface Declared<A extends Arguments> {
  readonly args: A;
  readonly excludes?: readonly (readonly string[])[];
  readonly needs?: readonly (readonly [string, string])[];
}

/**
 * The values of what was typed, which keeps the rules between arguments.
 * @param command for errors: its path
 * @throws ArgumentError
 */
export function checkedValues<A extends Arguments>(command: string, { args, excludes, needs }: Declared<A>, typed: Typed): ValuesOf<A> {
  const conflict = conflictIn(command, args, typed, excludes, needs);
  if (conflict) throw new ArgumentError(conflict);
  return valuesOf(command, args, typed);
}

/** The first two arguments that conflict; undefined if none do. */
function conflictIn(
  command: string,
  declared: Arguments,
  given: Readonly<Record<string, unknown>>,
  excludes: readonly (readonly string[])[] = [],
  needs: readonly (readonly [string, string])[] = [],
): Problem | undefined {
  const isGiven = (name: string) => Array.isArray(given[name]) ? given[name].length > 0 : given[name] !== undefined;
  const shown = (name: string) => declared[name].form === "word" ? name : `--${name}`;
  for (const group of excludes) {
    if (group.filter(isGiven).length < 2) continue;
    const names = group.map(shown);
    return { what: `${command}: ${names.slice(0, -1).join(", ")} and ${names.at(-1)} are mutually exclusive`, wayOut: "give one" };
  }
  for (const [name, other] of needs) {
    if (isGiven(name) && !isGiven(other)) return { what: `${command}: ${shown(name)} needs ${shown(other)}` };
  }
  return undefined;
}
