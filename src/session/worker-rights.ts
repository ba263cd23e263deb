// The rights of the worker that runs guests: it reads el2's own code and cache, and nothing else.
// Deno starts a worker with fewer rights than its process only with an unstable flag.

import { codeIn, coresIn, instantIn, namedCacheFolder } from "../support/cache-name.ts";

/**
 * A host that Deno may not import from. It is denied together with the flag, so that the program
 * can find out about the flag: without it, Deno ends a process that asks for such a worker.
 */
const MARK = "worker-options.el2.invalid";

/** Folder of the worker's code where the program is in several files (scripts/dist/split.ts). */
const WORKER_FOLDER = "worker/";

/** Options of Deno with which the worker can have its own rights. */
export const WORKER_OPTIONS: readonly string[] = ["--unstable-worker-options", `--deny-import=${MARK}`];

/** Whether workers of this process can have their own rights. */
export function canConfine(): boolean {
  return Deno.build.standalone ||
    Deno.permissions.querySync({ name: "import", host: MARK } as Deno.PermissionDescriptor).state === "denied";
}

/** The worker's rights. */
export function workerPermissions(entry: URL): Deno.PermissionOptionsObject {
  const cache = namedCacheFolder();
  const code = entry.protocol === "file:" ? [entry, new URL("src/", entry), new URL(WORKER_FOLDER, entry)] : [];
  const read = [...code, ...cache === undefined ? [] : [coresIn(cache), codeIn(cache), instantIn(cache)]];
  return { read, write: false, net: false, run: false, env: false, sys: false, ffi: false, import: false };
}
