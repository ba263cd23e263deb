// Keys of a configuration that name files, folders and sockets of this computer. Each is declared
// as such by its type (`schema.ts`), so that a configuration's uses of the computer follow from its
// values alone.

import type * as v from "valibot";
import { HOST_PATH } from "../../../kit/support/values/described.ts";

/** How the object at a path is used. */
interface HostPathUse {
  /** The noun of messages, such as `log`. */
  readonly kind: string;
  /** Whether it is written; `mode`: if the key `mode` of the same table is `rw`. */
  readonly written: boolean | "mode";
  /** A text that names nothing. */
  readonly none?: string;
}

/** Declares that a text is the path of an object of this computer; it checks nothing. */
export function hostPath(
  kind: string,
  written: HostPathUse["written"] = false,
  none?: string,
): v.MetadataAction<string, Record<string, never>> {
  const action = { kind: "metadata", type: HOST_PATH, use: { kind, written, none } };
  return action as unknown as v.MetadataAction<string, Record<string, never>>;
}

/**
 * The parts of a valibot schema, and of the action above, that lead to the schemas of its values.
 */
interface AnySchema {
  readonly type: string;
  readonly pipe?: readonly AnySchema[];
  readonly use?: HostPathUse;
  readonly wrapped?: AnySchema;
  readonly entries?: Readonly<Record<string, AnySchema>>;
  /** Of a record; of a rest too. */
  readonly value?: AnySchema;
  readonly item?: AnySchema;
  readonly options?: readonly AnySchema[];
  readonly key?: unknown;
  readonly literal?: unknown;
}

/** A text of a configuration, or one that it can have. */
export interface FoundText {
  readonly keys: readonly (string | number)[];
  readonly use: HostPathUse | undefined;
  readonly value: unknown;
  /** The table that has the key. */
  readonly table: Readonly<Record<string, unknown>>;
}

/** Instead of a value: every value that a schema allows. */
export const EVERY = Symbol("every value");

/** The texts in a value of a schema. */
export function* textsOf(
  schema: unknown,
  value: unknown,
  keys: FoundText["keys"] = [],
  table: FoundText["table"] = {},
): Generator<FoundText> {
  const { type, use, inner } = unwrapped(schema as AnySchema);
  const has = (part: unknown): part is Record<string, unknown> => typeof part === "object" && part !== null;
  if (value === undefined) return;
  if (type === "string") return yield { keys, use, value, table };
  if (type === "array") {
    const parts = value === EVERY ? [EVERY] : Array.isArray(value) ? value : [];
    for (const [index, part] of parts.entries()) yield* textsOf(inner.item, part, [...keys, index], table);
  } else if (type === "record") {
    const parts = value === EVERY ? [["*", EVERY]] as const : has(value) ? Object.entries(value) : [];
    for (const [key, part] of parts) yield* textsOf(inner.value, part, [...keys, key], table);
  } else if (type === "variant") {
    for (const option of inner.options ?? []) {
      const { entries = {} } = unwrapped(option).inner, name = String(inner.key);
      if (value === EVERY || has(value) && unwrapped(entries[name]).inner.literal === value[name]) {
        yield* textsOf(option, value, keys, table);
      }
    }
  } else {
    for (const [key, entry] of Object.entries(inner.entries ?? {})) {
      if (value === EVERY) yield* textsOf(entry, EVERY, [...keys, key]);
      else if (has(value)) yield* textsOf(entry, value[key], [...keys, key], value);
    }
  }
}

/** A schema without what makes it optional or adds actions to it, and what these declare. */
function unwrapped(schema: AnySchema): { readonly type: string; readonly inner: AnySchema; readonly use?: HostPathUse } {
  let inner = schema, use: HostPathUse | undefined;
  for (;;) {
    use ??= inner.pipe?.find((part) => part.type === HOST_PATH)?.use;
    const next = inner.pipe && inner.pipe[0] !== inner ? inner.pipe[0] : inner.wrapped;
    if (next === undefined) return { type: inner.type, inner, ...use && { use } };
    inner = next;
  }
}
