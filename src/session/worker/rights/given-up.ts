// The end of a confined worker's rights, before its machine begins, and of services that need none.

import { node } from "../../../kit/support/node-modules.ts";
import { DENO, GLOBALS, NODE_MODULES } from "./remaining.ts";
import { ALL_FILES } from "./worker-rights.ts";

/** Whether this thread is a worker that has its own rights. Every process may read variables. */
export function isConfined(): boolean {
  return Deno.permissions.querySync({ name: "env" }).state !== "granted";
}

/**
 * This thread, a confined worker, opens no files from now on but el2's own code and cache, and
 * loads no libraries, packages or modules of Node that its machine does not need.
 * @throws Error if it still has more rights
 */
export function giveUpRights(): void {
  const rights = [{ name: "write" }, { name: "read", path: ALL_FILES }, { name: "ffi" }] as const;
  for (const right of rights) {
    if (Deno.permissions.revokeSync(right).state === "granted") {
      throw new Error(`the worker of guests keeps its right to ${right.name}`);
    }
  }
  giveUpModules();
}

/**
 * From now on this thread's code finds no services of Deno that need no right and are not listed:
 * the cache API writes to the disk, another worker would have it again, WebGPU loads libraries.
 */
export function giveUpServices(): void {
  for (const name of Object.getOwnPropertyNames(globalThis)) if (!GLOBALS.has(name)) Reflect.deleteProperty(globalThis, name);
  // Symbols are Deno's own way to the functions of its runtime.
  for (const key of Reflect.ownKeys(Deno)) if (typeof key === "symbol" || !DENO.includes(key)) Reflect.deleteProperty(Deno, key);
  // Loading them takes a while: this thread waits for its plan meanwhile, if that is not here.
  setTimeout(() => done || void [node.worker_threads, moduleOfModules()], 0);
}

const moduleOfModules = () => globalThis.process.getBuiltinModule("node:module");

/** The parent class of Node's workers: a constructor calls that of its parent first. */
class NoWorker {
  constructor() {
    throw new Deno.errors.NotCapable("the worker of guests starts no other");
  }
}

let done = false;

/**
 * Node's modules need no right, and have workers and files too; packages are fetched without one.
 * The class of workers remains, for whoever imports it later, but its parent refuses, and cannot be
 * changed any more. Nothing here calls what code in this thread could replace.
 */
function giveUpModules(): void {
  if (done) return;
  done = true;
  const { Worker } = node.worker_threads;
  Object.preventExtensions(Object.setPrototypeOf(Worker, NoWorker));
  const { NotCapable } = Deno.errors, { builtinModules, registerHooks } = moduleOfModules();
  /** Whether this thread may have a module of Node, by its names. */
  const ofNode: Record<string, boolean> = Object.create(null);
  for (const listed of builtinModules) {
    const name = listed.replace("node:", "");
    ofNode[name] = ofNode[`node:${name}`] = NODE_MODULES.includes(name);
  }
  const refuse = (name: string): never => {
    throw new NotCapable(`the worker of guests does not load ${name}`);
  };
  registerHooks({
    resolve: (specifier, context, next) => ofNode[specifier] ?? isOwnCode(specifier) ? next(specifier, context) : refuse(specifier),
  });
  const { getBuiltinModule } = globalThis.process;
  const value = (name: string) => {
    const word = `${name}`;
    return ofNode[word] ? getBuiltinModule(word) : refuse(word);
  };
  Object.defineProperty(globalThis.process, "getBuiltinModule", { value, writable: false, configurable: false });
}

const FILE = "file:";

/**
 * Whether a module is a file, for which Deno asks for the right to read it, or has a name of the
 * program's import map: other names without a scheme lead nowhere.
 */
function isOwnCode(specifier: string): boolean {
  let same = true;
  for (let at = 0; at < specifier.length; at++) {
    if (at < FILE.length) same &&= specifier[at] === FILE[at];
    if (specifier[at] === ":") return same;
  }
  return true;
}
