// A key of el2.toml is one entry of a table: its type with range and default, its meaning, the keys
// that it needs, and the field of the plan that has its value. Checks of a file, the JSON Schema,
// the reference page, the profiles of phones and the plan follow from the entries.

import type * as v from "valibot";
import { described } from "../../../kit/support/values/described.ts";
import { type Need, needsText } from "./needs.ts";

/** The parts of a plan that take values of keys as they are. */
type PlanPart = "session" | "behaviour" | "driver" | "quirks" | "boot" | "vm" | "schedule" | "policy" | "link";

/** Everything that is said about one key. */
interface Key {
  /** Type, range and default; a message is what follows `KEY VALUE` in the error. */
  readonly type: v.GenericSchema;
  /** Its meaning in a few words; docs/configuration.md has the details. */
  readonly doc: string;
  /** Keys of the same table with which alone it means something. */
  readonly needs?: readonly Need[];
  /** The part of the plan that has the value in the field of the key's name in camel case. */
  readonly plan?: PlanPart;
  /** That field, if it has another name. */
  readonly as?: string;
  /** The value of a phone that it is (`phones.ts`). */
  readonly phone?: string;
}

/** The keys of one table of a file, by their names. */
export type Keys = Readonly<Record<string, Key>>;

/** The keys of a kind of table; none for an unknown kind. */
export function ofKind(kinds: Readonly<Record<string, Keys>>, kind: unknown): Keys | undefined {
  return typeof kind === "string" && Object.hasOwn(kinds, kind) ? kinds[kind] : undefined;
}

/** Declares the keys of a table. */
export function keysOf<const K extends Keys>(keys: K): K {
  return keys;
}

/** The schemas of keys, each with its meaning. */
export function entriesOf<const K extends Keys>(keys: K): { [N in keyof K]: K[N]["type"] } {
  const names = Object.keys(keys);
  const types = Object.fromEntries(names.map((name) => [name, keys[name].type]));
  const texts = names.map((name) => [name, [keys[name].doc, ...needsText(keys[name].needs ?? [])].join("; ")]);
  return described(types, Object.fromEntries(texts)) as { [N in keyof K]: K[N]["type"] };
}

type Value<E extends Key> = v.InferOutput<E["type"]>;
/** `cap_ids` as a plan writes it: `capIds`. */
type Camel<N> = N extends `${infer First}_${infer Rest}` ? `${First}${Capitalize<Camel<Rest>>}` : N;
type PlanField<N, E extends Key> = E extends { readonly as: infer As extends string } ? As : Camel<N>;
/** The fields of a part of the plan, as keys give them. */
export type Planned<K extends Keys, P extends PlanPart> =
  & {
    readonly [
      N in keyof K as K[N] extends { readonly plan: P } ? undefined extends Value<K[N]> ? never : PlanField<N, K[N]> : never
    ]: Value<K[N]>;
  }
  & {
    readonly [
      N in keyof K as K[N] extends { readonly plan: P } ? undefined extends Value<K[N]> ? PlanField<N, K[N]> : never : never
    ]?: Exclude<Value<K[N]>, undefined>;
  };

/** The fields of a part of the plan that a table's values make: those that are given. */
export function planned<const K extends Keys, P extends PlanPart>(
  keys: K,
  part: P,
  values: { readonly [N in keyof K]?: unknown },
): Planned<K, P> {
  const fields = Object.entries(keys).flatMap(([name, { plan, as }]): [string, unknown][] => {
    const value = values[name];
    return plan !== part || value === undefined ? [] : [[as ?? camel(name), value]];
  });
  return Object.fromEntries(fields) as Planned<K, P>;
}

/** The needs of keys, in their order. */
export function needsOf(keys: Keys): readonly (readonly [key: string, need: Need])[] {
  return Object.entries(keys).flatMap(([name, { needs = [] }]) => needs.map((need) => [name, need] as const));
}

/** Names of keys that go into a part of the plan. */
export function keysIn(keys: Keys, part: PlanPart): readonly string[] {
  return Object.keys(keys).filter((name) => keys[name].plan === part);
}

function camel(name: string): string {
  return name.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase());
}
