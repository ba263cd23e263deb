// Where the program's checkout is: the sources and builds of `deno task prepare` are in one.

const ROOT = /^file:.*\/(?=src\/support\/checkout\.ts$|\.prepared\/[0-9a-f]+\/)/.exec(import.meta.url)?.[0];

/** The checkout that this program runs from; undefined for an installed one. */
export const CHECKOUT: URL | undefined = ROOT === undefined ? undefined : new URL(ROOT);
