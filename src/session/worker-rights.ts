// The rights of the worker that runs guests: it opens the disks of its plan, may load the C library
// for huge pages (support/huge-pages.ts), and then, before its machine begins, gives up all rights
// but to read el2's own code and cache. Deno starts a worker with fewer rights than its process
// only with an unstable flag.

import { codeIn, coresIn, namedCacheFolder } from "../support/cache-name.ts";
import { node } from "../support/node-modules.ts";

/**
 * A host that Deno may not import from. It is denied together with the flag, so that the program
 * can find out about the flag: without it, Deno ends a process that asks for such a worker.
 */
const MARK = "worker-options.el2.invalid";

/** Folders of workers' code where the program is in several files (scripts/dist/split.ts). */
const WORKER_FOLDERS = ["worker/", "jobs/"];

/** Options of Deno with which the worker can have its own rights. */
export const WORKER_OPTIONS: readonly string[] = ["--unstable-worker-options", `--deny-import=${MARK}`];

/** Whether workers of this process can have their own rights. */
export function canConfine(): boolean {
  return Deno.build.standalone ||
    Deno.permissions.querySync({ name: "import", host: MARK } as Deno.PermissionDescriptor).state === "denied";
}

/** A path that is the start of all others. */
const ALL_FILES = "/";

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

/** Whether this thread is a worker that has its own rights. Every process may read variables. */
export function isConfined(): boolean {
  return Deno.permissions.querySync({ name: "env" }).state !== "granted";
}

/**
 * This thread, a confined worker, opens no files from now on but el2's own code and cache, and
 * loads no libraries.
 * @throws Error if it still has more rights
 */
export function giveUpRights(): void {
  const rights = [{ name: "write" }, { name: "read", path: ALL_FILES }, { name: "ffi" }] as const;
  for (const right of rights) {
    if (Deno.permissions.revokeSync(right).state === "granted") {
      throw new Error(`the worker of guests keeps its right to ${right.name}`);
    }
  }
  blockNodeWorkers();
}

/**
 * Services of Deno that need no permission: the cache API writes to the disk, and another worker
 * would have it again.
 */
const GIVEN_UP = ["caches", "Worker"] as const;

/** From now on this thread's code finds them no more. */
export function giveUpServices(): void {
  for (const name of GIVEN_UP) Reflect.deleteProperty(globalThis, name);
  // Loading Node's modules takes a while: this thread waits for its plan meanwhile.
  setTimeout(blockNodeWorkers, 0);
}

/** The parent class of Node's workers: a constructor calls that of its parent first. */
class NoWorker {
  constructor() {
    throw new Deno.errors.NotCapable("the worker of guests starts no other");
  }
}

/**
 * Node's modules need no right, and have workers too. From now on none can be made: the class
 * remains, for whoever imports it later, but its parent refuses, and cannot be changed any more.
 */
function blockNodeWorkers(): void {
  const { Worker } = node.worker_threads;
  if (Object.isExtensible(Worker)) Object.preventExtensions(Object.setPrototypeOf(Worker, NoWorker));
}
