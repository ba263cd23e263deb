// The core of a machine with the default CPU, as a file that is built with a program that has no
// cache: a page's. Machines of other CPUs, or with more RAM, generate theirs.

import { equipCores } from "../../cpu/core/boot.ts";
import { MiB } from "../../kit/support/values/sizes.ts";
import { prepare } from "./assemble.ts";
import { decodeBlueprint, encodeBlueprint } from "./code/blueprint-file.ts";

/** All machines with at most 1 GiB have one layout. */
const MEMORY = 512 * MiB;

/** The core's key in a store of blueprints, and its file. */
export interface BuiltCore {
  readonly key: string;
  readonly file: Uint8Array<ArrayBuffer>;
}

/**
 * Generates it: for a browser's WebAssembly if this thread's V8 has no options.
 * @throws Error if this thread has made such a machine
 */
export function buildCore(): BuiltCore {
  const built: BuiltCore[] = [];
  equipCores({
    blueprints: { load: () => undefined, keep: (key, blueprint) => void built.push({ key, file: encodeBlueprint(blueprint) }) },
  });
  prepare({ memory: MEMORY }, false);
  if (built.length !== 1) throw new Error("this thread has a core");
  return built[0];
}

/** From now on this thread's machines have it. False if the file is damaged. */
export function useBuiltCore({ key, file }: BuiltCore): boolean {
  const blueprint = decodeBlueprint(file);
  if (blueprint) equipCores({ blueprints: { load: (asked) => asked === key ? blueprint : undefined, keep() {} } });
  return blueprint !== undefined;
}
