// Documentation of the keys of a file, and the JSON Schema with which editors check it, from the
// declarations that check it when it is loaded.

import * as v from "valibot";

/**
 * The entries of a table, each with its description. The compiler asks for one of every key.
 */
export function described<const E extends v.ObjectEntries>(entries: E, texts: { readonly [K in keyof E]: string }): E {
  const pairs = Object.entries(entries).map(([key, entry]) => {
    const [schema, ...actions] = (entry as Partial<Pipe>).pipe ?? [entry];
    // An entry of another table has that table's description, which this one replaces.
    const others = actions.filter(({ type }) => type !== "description");
    // Ahead of what transforms the value: a schema of the file itself ends there.
    return [key, v.pipe(schema as v.GenericSchema, v.description(texts[key]), ...others as v.GenericPipeAction[])];
  });
  // A pipe of a schema and a description has all that the schema has.
  return Object.fromEntries(pairs) as unknown as E;
}

/**
 * The values that a check with code accepts, as keywords of JSON Schema; put it before the check.
 */
export function facts<T>(of: Readonly<Record<string, unknown>>): v.MetadataAction<T, Readonly<Record<string, unknown>>> {
  return v.metadata<T, Readonly<Record<string, unknown>>>(of);
}

/**
 * The type of the actions that declare what a path names (`app/configuration/keys/host-paths.ts`),
 * of which a JSON Schema knows nothing.
 */
export const HOST_PATH = "host_path";

/** The additional field of a schema with actions. */
interface Pipe {
  readonly pipe: readonly [v.GenericSchema, ...{ readonly type: string }[]];
}
