// The rights of the worker that runs guests: it opens the disks of its plan, may load the C library
// for huge pages (kit/support/computer/huge-pages.ts), and then, before its machine begins, gives
// up all rights but to read el2's own code and cache. Deno starts a worker with fewer rights than
// its process only with an unstable flag.

import { codeIn, coresIn, namedCacheFolder } from "../../../kit/support/files/folder-names.ts";

/**
 * A host that Deno may not import from. It is denied together with the flag, so that the program
 * can find out about the flag: without it, Deno ends a process that asks for such a worker.
 */
const MARK = "worker-options.el2.invalid";

/** Folders of workers' code where the program is in several files (scripts/dist/split.ts). */
const WORKER_FOLDERS = ["worker/", "jobs/", "compiler/"];

/** Options of Deno with which the worker can have its own rights. */
export const WORKER_OPTIONS: readonly string[] = ["--unstable-worker-options", `--deny-import=${MARK}`];

/** Whether workers of this process can have their own rights. */
export function canConfine(): boolean {
  return Deno.build.standalone ||
    Deno.permissions.querySync({ name: "import", host: MARK } as Deno.PermissionDescriptor).state === "denied";
}

/** A path that is the start of all others. */
export const ALL_FILES = "/";

/** Files and folders of a program that its worker reads when it needs them. */
export function codeOf(entry: URL): readonly URL[] {
  return entry.protocol === "file:" ? ["", "src/", ...WORKER_FOLDERS].map((part) => new URL(part, entry)) : [];
}

/**
 * The worker's rights until it knows its plan. It starts before the command line is loaded, when
 * nobody knows which disks it will have.
 * @param code what it may also read later
 */
export function workerPermissions(code: readonly URL[]): Deno.PermissionOptionsObject {
  const cache = namedCacheFolder();
  const read = [ALL_FILES, ...code, ...cache === undefined ? [] : [coresIn(cache), codeIn(cache)]];
  return { read, write: true, net: false, run: false, env: false, sys: false, ffi: "inherit", import: false };
}

/** The rights of a worker that compiles: it reads its code. */
export function compilerPermissions(code: readonly URL[]): Deno.PermissionOptionsObject {
  return { read: [...code], write: false, net: false, run: false, env: false, sys: false, ffi: false, import: false };
}
