// The owner of a session's name: the process that holds the lock beside its socket, as long as it
// lives.

import { basename } from "node:path";
import type { Problem } from "../../kit/support/problem.ts";
import { isLocked, lstatIfThere, readOwnText, removeIfThere, takeLock } from "../../kit/support/files/own-files.ts";
import { besideSocket } from "./places.ts";

/** How long another process may hold the lock just to look, ms. */
const LOCK_TIME = 1000;
const LOCK_POLL = 20;

/** A process that owns a session's name. */
export interface Owner {
  readonly pid: string;
}

/** Whether a process lives that owns the socket at a path, whether it answers or not; its id. */
export function ownerOf(path: string): Owner | undefined {
  const file = besideSocket(path).lock;
  const pid = readOwnText(file);
  return pid !== undefined && isLocked(file) ? { pid: pid.trim() } : undefined;
}

/** That a session does not answer although its process lives: it is suspended, or very busy. */
export function silence(path: string, { pid }: Owner): Problem {
  return {
    what: `session ${basename(path, ".sock")} does not answer, but its process ${pid} exists`,
    // A stopped process takes no signal that ends it in order before it continues.
    wayOut: `continue it with fg in its shell, or with kill -CONT ${pid}; kill ${pid} && kill -CONT ${pid} ends it`,
  };
}

/** The same of the process that owns a socket, if one lives. */
export function silenceAt(path: string): Problem | undefined {
  const owner = ownerOf(path);
  return owner && silence(path, owner);
}

/**
 * The lock beside a socket, once no process merely probes it; undefined at once where another
 * process owns the session. Waiting for an owner to end would start a session that its user was
 * told already runs.
 */
export async function takeOwnership(path: string): Promise<Deno.FsFile | undefined> {
  const file = besideSocket(path).lock;
  for (const limit = performance.now() + LOCK_TIME;;) {
    const lock = takeLock(file);
    if (lock || performance.now() > limit) return lock;
    if (isLocked(file)) return undefined;
    await new Promise((resolve) => setTimeout(resolve, LOCK_POLL));
  }
}

/**
 * Removes the socket that a process has left which has ended, with all beside it.
 * @returns the owner, where one lives
 */
export async function removeAbandoned(path: string): Promise<Owner | undefined> {
  return lstatIfThere(path) ? await removeLeftovers(path) : ownerOf(path);
}

/**
 * Removes what a session that has ended has left. No session of its name can start meanwhile.
 * @returns the owner, where one lives
 */
export async function removeLeftovers(path: string): Promise<Owner | undefined> {
  const owned = await takeOwnership(path);
  if (!owned) return ownerOf(path) ?? { pid: "?" };
  try {
    const { lock, token, gdb, pages, log, consoles } = besideSocket(path);
    for (const file of [path, token, gdb, pages, log]) removeIfThere(file);
    if (lstatIfThere(consoles)?.isDirectory) Deno.removeSync(consoles, { recursive: true });
    removeIfThere(lock);
  } finally {
    owned.close();
  }
}
