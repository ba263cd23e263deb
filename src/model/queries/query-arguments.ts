// Arguments of queries: the form of each. Every table takes a filter and a limit; which others it
// takes, its declaration says.

import * as v from "valibot";
import { amount, count, name, text, unsigned } from "./fields.ts";
import { runPlace } from "./move.ts";

export const QUERY_ARGUMENTS = {
  /** Only rows that this filter lets through. */
  filter: text(),
  /** Limit on the rows; for events, the newest. */
  limit: count(),
  /** Only what has happened since an answer with this `cursor`. */
  after: name,
  /** Only events that ended at this virtual time (ns) or later. */
  since: amount,
  /** Kinds of events, with commas. */
  kinds: name,
  /** `vm:NAME`. */
  vm: name,
  /** `vcpu:VM/INDEX`. */
  vcpu: name,
  /** `mq:NUMBER`. */
  queue: name,
  /** Number of a call frame, 0 for the innermost. */
  frame: count(),
  /**
   * `pa:ADDRESS` or `ipa:VM/ADDRESS`; of code `VM:ADDRESS`, `VM:SYMBOL`, `VM:FILE:LINE` or
   * `VM/INDEX:pc`; of variables an expression.
   */
  at: text(),
  /**
   * Of a question about accesses: which ones; `event`: events that `filter` lets through; `print`:
   * changes of an expression's value.
   */
  access: v.picklist(["write", "read", "exec", "owner", "event", "print"]),
  /** Only accesses after which the memory or the register has this value. */
  value: unsigned(64),
  /** Only what was before this place of the run; of an expression, its value there. */
  before: runPlace,
  /** Accesses alone: no row for the place where the search has ended. */
  hits: v.literal(true),
  /** Follows a value to its origin, through at most so many places; absent: one access. */
  back: count(),
  /** Bytes, or instructions. */
  size: count(),
  /** A process or thread of Linux: its number, or a name that no other has. */
  pid: v.union([count(), name]),
  /** Threads of Linux instead of processes. */
  threads: v.boolean(),
  /** Processes of Linux in the order of a tree. */
  tree: v.boolean(),
} as const;

export type ArgumentName = keyof typeof QUERY_ARGUMENTS;
export type QueryArgument<N extends ArgumentName> = v.InferOutput<typeof QUERY_ARGUMENTS[N]>;

/** Arguments that queries of every table take. */
const COMMON = { filter: "optional", limit: "optional" } as const;

/** Arguments that queries of a table take beside the common ones. */
export type TakenArguments = { readonly [N in Exclude<ArgumentName, keyof typeof COMMON>]?: "required" | "optional" };

/** The arguments of a query whose table takes these. */
export type QueryArguments<A extends TakenArguments> =
  & { readonly [N in keyof typeof COMMON]?: QueryArgument<N> }
  & { readonly [N in keyof A & ArgumentName as A[N] extends "required" ? N : never]: QueryArgument<N> }
  & { readonly [N in keyof A & ArgumentName as A[N] extends "required" ? never : N]?: QueryArgument<N> };

/** Those of a table that takes only the common ones. */
export type NoArguments = Record<never, never>;

/** Any arguments, as they come from outside. */
export const anyArguments = v.partial(v.strictObject(QUERY_ARGUMENTS));
export type AnyArguments = Readonly<v.InferOutput<typeof anyArguments>>;

/** Why a table that takes some arguments has no answer to others; undefined: it has one. */
export function argumentsIssue(taken: TakenArguments = {}, given: AnyArguments): string | undefined {
  const all: Readonly<Record<string, "required" | "optional">> = { ...COMMON, ...taken };
  const missing = Object.keys(all).find((name) => all[name] === "required" && Reflect.get(given, name) === undefined);
  if (missing !== undefined) return `this query needs ${missing}`;
  const useless = Object.entries(given).find(([name, value]) => value !== undefined && !Object.hasOwn(all, name));
  return useless && `this query takes no ${useless[0]}`;
}
