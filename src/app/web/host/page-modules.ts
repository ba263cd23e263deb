// Node's modules in a page: the parts that a machine, its recording and its screens use. A page has
// no files and no sockets, so that their modules are absent. Programs of pages import this first.

import { pageDeno } from "./page-deno.ts";
import { createHash } from "./page-hash.ts";
import { pageZlib } from "./page-zlib.ts";
import { type ModuleSource, useModules } from "../../../kit/support/node-modules.ts";

/** Paths of a recording are names: no folder is behind them. */
const path = {
  dirname: (path: string) => path.includes("/") ? path.slice(0, path.lastIndexOf("/")) || "/" : ".",
  basename: (path: string) => path.slice(path.lastIndexOf("/") + 1),
  extname: (path: string) => /(?<=[^/])\.[^./]*$/.exec(path)?.[0] ?? "",
  resolve: (...parts: readonly string[]) => parts.at(-1),
  join: (...parts: readonly string[]) => path.normalize(parts.filter((part) => part !== "").join("/")),
  normalize(joined: string) {
    const kept: string[] = [];
    for (const name of joined.split("/")) {
      if (name === ".." && kept.length && kept.at(-1) !== "..") kept.pop();
      else if (name !== "" && name !== ".") kept.push(name);
    }
    return (joined.startsWith("/") ? "/" : "") + kept.join("/") || ".";
  },
};

/** As Node's class turns bytes into base64 and back. */
const Buffer = {
  from: (data: string | ArrayBuffer, offset?: number, length?: number) => {
    if (typeof data !== "string") return { toString: () => new Uint8Array(data, offset, length).toBase64() };
    return Uint8Array.fromBase64(data.replaceAll(/[^A-Za-z0-9+/]+/g, ""), { lastChunkHandling: "loose" });
  },
};

const MODULES: Partial<Record<Parameters<ModuleSource>[0], unknown>> = {
  buffer: { Buffer },
  crypto: { createHash },
  path: { ...path, posix: path },
  timers: { setImmediate: (call: () => void) => setTimeout(call, 0) },
  zlib: pageZlib,
};

/** @throws Error for a module that a page does not have */
export const pageModule: ModuleSource = (name) => {
  const module = MODULES[name];
  if (module === undefined) throw new Error(`a page has no node:${name}`);
  return module;
};

// Tests import this in Deno. The library's own module has an empty object of that name, so that its
// page gets none.
if (typeof Deno === "undefined") Object.assign(globalThis, { Deno: {} });
if (!("build" in Deno)) {
  Object.assign(Deno, pageDeno);
  useModules(pageModule);
}
