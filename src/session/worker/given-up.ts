// The end of a confined worker's rights, before its machine begins, and of services that need none.

import { node } from "../../kit/support/node-modules.ts";
import { ALL_FILES } from "./worker-rights.ts";

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
