// Modules of node, each loaded when it is first used: the first one costs a thread 20 ms of its
// start, and all that a machine's worker may need another 30, before it runs a line.

/** The modules by their names without `node:`. */
interface NodeModules {
  readonly buffer: typeof import("node:buffer");
  readonly crypto: typeof import("node:crypto");
  readonly dgram: typeof import("node:dgram");
  readonly fs: typeof import("node:fs");
  readonly net: typeof import("node:net");
  readonly path: typeof import("node:path");
  readonly v8: typeof import("node:v8");
  readonly zlib: typeof import("node:zlib");
}

const NAMES = ["buffer", "crypto", "dgram", "fs", "net", "path", "v8", "zlib"] as const satisfies readonly (keyof NodeModules)[];

/** A module of node. To read `globalThis.process` loads what all of them need. */
const builtin = (name: string): unknown => globalThis.process.getBuiltinModule(`node:${name}`);

/** node's modules: one that is read here is loaded. */
export const node: NodeModules = Object.create(
  null,
  Object.fromEntries(NAMES.map((name) => {
    let loaded: unknown;
    return [name, { get: () => loaded ??= builtin(name), enumerable: true }];
  })),
);
