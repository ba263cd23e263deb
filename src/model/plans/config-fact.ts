// Errors of configurations and similar files (scenarios, the user's own file) as facts. An error
// that only one place finds has the code "rule", and brings its words.

import { Facts } from "../queries/facts/fact.ts";
import { didYouMean } from "../../kit/support/text/did-you-mean.ts";
import { type Problem, within } from "../../kit/support/problem.ts";
import type { WayOut } from "../../kit/support/text/way-out.ts";

/** The error of a key's value. */
export type ValueFact =
  /** Another type or form; an example of a right one. */
  | { readonly code: "not-a"; readonly a: string; readonly example?: string }
  | { readonly code: "not-known"; readonly words: readonly string[] }
  /** `range`: `1..8`; `note`: why it ends there. */
  | { readonly code: "outside"; readonly range: string; readonly note?: string }
  | { readonly code: "rule"; readonly what: string; readonly wayOut?: WayOut };

/** `"a", "b" or "c"`. */
const choice = (words: readonly string[]) => words.map((word) => JSON.stringify(word)).join(", ").replace(/, ([^,]*)$/, " or $1");

export const VALUE_FACTS = new Facts<ValueFact>({
  "not-a": ({ a }) => `is not ${a}`,
  "not-known": () => "is not known",
  "outside": ({ range, note }) => `is outside ${range}${note === undefined ? "" : ` (${note})`}`,
  "rule": ({ what }) => what,
}, {
  "not-a": ({ example }) => example === undefined ? undefined : `use for example ${example}`,
  "not-known": ({ words }) => `use ${choice(words)}`,
  "rule": ({ wayOut }) => wayOut,
});

/** A fact as the message of a schema: valibot has texts only, so it travels as JSON. */
export function told(fact: ValueFact): string {
  return JSON.stringify(fact);
}

/** The fact in a message; other messages are facts of themselves. */
export function factIn(message: string): ValueFact {
  return message.startsWith("{") ? JSON.parse(message) as ValueFact : { code: "rule", what: message };
}

/** The message of one rule. */
export function wrong(what: string, wayOut: WayOut): string {
  return told({ code: "rule", what, wayOut });
}

export type ConfigFact =
  /** `where`: ` in [vm.rt]`; `instead`: where such keys belong, or which there are. */
  | {
    readonly code: "unknown-key";
    readonly key: string;
    readonly where: string;
    readonly known: readonly string[];
    readonly instead?: string;
  }
  | { readonly code: "missing"; readonly key: string; readonly where: string }
  /** `key`: none for an entry of a list; `shown`: the value, if a message can show it. */
  | { readonly code: "value"; readonly key: string | undefined; readonly shown: string; readonly fact: ValueFact }
  /** The key, or a value of it, has a meaning only with others. */
  | { readonly code: "needs"; readonly what: string; readonly needs: string; readonly wayOut?: WayOut }
  /** A key of the other kind of a table; `why`: what the kind has instead. */
  | { readonly code: "belongs"; readonly key: string; readonly kind: string; readonly why?: string }
  | { readonly code: "no-vm"; readonly vm: string; readonly known: readonly string[] }
  /** A name does not have the form of its kind. */
  | { readonly code: "name"; readonly of: "vm" | "theme"; readonly name: string }
  /** More CPUs than the machine has. */
  | { readonly code: "over"; readonly key: string; readonly count: number; readonly cpus: number }
  | { readonly code: "rule"; readonly what: string; readonly wayOut?: WayOut };

export const CONFIG_FACTS = new Facts<ConfigFact>({
  "unknown-key": ({ key, where }) => `unknown key ${JSON.stringify(key)}${where}`,
  "missing": ({ key, where }) => `${key} is missing${where}`,
  "value": ({ key, shown, fact }) => [key ?? "", shown, VALUE_FACTS.text(fact)].filter((part) => part !== "").join(" "),
  "needs": ({ what, needs }) => `${what} needs ${needs}`,
  "belongs": ({ key, kind, why }) => `${key} belongs to kind = "${kind}"${why === undefined ? "" : `: ${why}`}`,
  "no-vm": ({ vm }) => `no VM ${JSON.stringify(vm)}`,
  "name": ({ of, name }) => `${of} name ${JSON.stringify(name)} is not of the form [a-z][a-z0-9-]*`,
  "over": ({ key, count, cpus }) => `${key} ${count} is over the ${cpus} physical CPUs of [machine]`,
  "rule": ({ what }) => what,
}, {
  "unknown-key": ({ key, known, instead }) => didYouMean(key, known, instead),
  "value": ({ fact }) => VALUE_FACTS.wayOut(fact),
  "needs": ({ wayOut }) => wayOut,
  "no-vm": ({ vm, known }) =>
    didYouMean(vm, known) ?? (known.length > 0 ? `there ${known.length === 1 ? "is" : "are"} ${known.join(", ")}` : undefined),
  "over": ({ cpus }) => `use 1..${cpus}`,
  "rule": ({ wayOut }) => wayOut,
});

/** The error of one rule. */
export function ruled(what: string, wayOut?: WayOut): ConfigFact {
  return { code: "rule", what, wayOut };
}

/** A wrong key or value of a file, and its place there; line and column are 0 where it has none. */
export interface ConfigError {
  readonly line: number;
  readonly column: number;
  readonly fact: ConfigFact;
  /** The path of the key, `vm.rt.memory`. */
  readonly key?: string;
}

/** The error for the user, who has the file. @param file undefined for generated text */
export function configProblem(file: string | undefined, { line, column, fact, key }: ConfigError): Problem {
  // A value that was typed instead of the file's is named by its whole key.
  const isTyped = line === 0 && fact.code === "value" && key !== undefined;
  return {
    ...CONFIG_FACTS.problem(isTyped ? { ...fact, key } : fact),
    ...file !== undefined && line > 0 && { at: { file, line, column } },
  };
}

/** The error in a text that the user cannot see, such as that of the demo. */
export function hiddenProblem(text: string, error: ConfigError): Problem {
  const hasPlace = error.line > 0 && error.key !== undefined;
  return within(hasPlace ? `${error.key} of ${text}` : undefined, configProblem(undefined, error));
}
