// Modules of Node, each loaded at its first use. Loading the first one takes 20 ms; with all that a
// machine's worker may need, it takes 50 ms, before the worker can do anything else.

const NAMES = ["buffer", "crypto", "dgram", "fs", "net", "path", "timers", "v8", "worker_threads", "zlib"] as const;

/** The modules by their names without `node:`. */
type NodeModules = { readonly [Name in typeof NAMES[number]]: ReturnType<typeof process.getBuiltinModule<`node:${Name}`>> };

/** Gives a module by its name without `node:`. */
export type ModuleSource = (name: typeof NAMES[number]) => unknown;

let source: ModuleSource = (name) => globalThis.process.getBuiltinModule(`node:${name}`);

/** From now on modules come from there: a page of a browser has none of Node's. */
export function useModules(others: ModuleSource): void {
  source = others;
}

/** Node's modules. Reading one loads it. */
export const node = Object.defineProperties(
  {},
  Object.fromEntries(NAMES.map((name) => {
    let loaded: unknown;
    return [name, { get: () => loaded ??= source(name) }];
  })),
) as NodeModules;
