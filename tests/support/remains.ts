// The objects that code in a thread finds without any right: its globals, Deno's services, the
// modules of Node and packages, each by every way to it. Load it before the thread gives anything
// up.

import { builtinModules } from "node:module";
import { constants, Script } from "node:vm";

/** Modules that are not the program's: each asks something elsewhere, or brings its own code. */
const FOREIGN = [
  "npm:el2-any-data@1.0.0",
  "jsr:@el2/any-data@1.0.0",
  "https://el2.invalid/any-data.js",
  "data:text/javascript,export default 1",
  "blob:null/0",
];

export interface Remains {
  readonly globals: readonly string[];
  readonly deno: readonly string[];
  readonly modules: readonly string[];
  /** Modules that are not the program's and did not meet a refusal. */
  readonly foreign: readonly string[];
  /** Ways to what should be gone. */
  readonly ways: readonly string[];
}

const names = (object: object) => Reflect.ownKeys(object).filter((key) => typeof key === "string").sort();

/** Whether work ends otherwise than with a refusal. */
async function isDone(work: () => unknown): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    // A loader's refusal is in the text of its error.
    return !/NotCapable|Cannot redefine/.test(String(error));
  }
}

/** Whether work ends well. */
const loads = async (work: () => unknown) => await (async () => await work())().then(() => true, () => false);

export async function remains(): Promise<Remains> {
  const modules = new Set<string>(), foreign: string[] = [], ways: string[] = [];
  for (const builtin of builtinModules) {
    const name = builtin.replace("node:", "");
    for (const spelled of [name, `node:${name}`]) {
      const ways = [() => import(spelled), () => globalThis.process.getBuiltinModule(spelled as "node:fs")];
      for (const way of ways) if (await loads(way)) modules.add(name);
    }
  }
  for (const name of FOREIGN) {
    const ways = [
      () => import(name),
      () => (0, eval)(`import(${JSON.stringify(name)})`),
      () => new Function(`return import(${JSON.stringify(name)})`)(),
      () =>
        new Script(`import(${JSON.stringify(name)})`, { importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER })
          .runInThisContext(),
    ];
    for (const way of ways) if (await isDone(way)) foreign.push(name);
  }
  if (Object.getOwnPropertySymbols(Deno).length > 0) ways.push("Deno's internals");
  if (await isDone(() => Object.defineProperty(globalThis.process, "getBuiltinModule", { value: 1 }))) ways.push("getBuiltinModule");
  return { globals: names(globalThis) as string[], deno: names(Deno) as string[], modules: [...modules].sort(), foreign, ways };
}
