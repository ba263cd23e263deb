// The owner of a session's name: the process that holds the lock beside its socket, as long as it
// lives.

import { lstatIfThere, readOwnText, removeIfThere, takeLock } from "../support/own-files.ts";
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
  if (pid === undefined) return undefined;
  const lock = takeLock(file, false);
  lock?.close();
  return lock ? undefined : { pid: pid.trim() };
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
    // Probing processes share the lock; an owner holds it exclusively.
    const shared = takeLock(file, false);
    if (!shared) return undefined;
    shared.close();
    await new Promise((resolve) => setTimeout(resolve, LOCK_POLL));
  }
}

/**
 * Removes the socket that a process has left which has ended. No session can start meanwhile.
 * @returns the owner, where one lives
 */
export async function removeAbandoned(path: string): Promise<Owner | undefined> {
  if (!lstatIfThere(path)) return ownerOf(path);
  const lock = await takeOwnership(path);
  if (!lock) return ownerOf(path) ?? { pid: "?" };
  try {
    removeIfThere(path);
    removeLeftovers(path);
  } finally {
    lock.close();
  }
}

/** Removes what a session that has ended has left beside its socket. Nobody owns its name. */
export function removeLeftovers(path: string): void {
  const { lock, token, gdb, log, consoles } = besideSocket(path);
  for (const file of [token, gdb, log, lock]) removeIfThere(file);
  if (lstatIfThere(consoles)?.isDirectory) Deno.removeSync(consoles, { recursive: true });
}
