// The computer that a machine in a page has: nothing. A replay needs no sockets and no shared
// folders, as what came from them is in the recording. And its worker takes the services of a
// browser from itself before it reads a byte of the recording, which may be anybody's; the page's
// policy (CSP) forbids connections, too.

import type { Computer } from "../../../session/outside/computer.ts";
import { GLOBALS } from "../../../session/worker/rights/remaining.ts";
import { DiskError } from "../../../session/outside/disk-file.ts";

const refuse = (what: string) => (): never => {
  throw new Error(`a page has no ${what}`);
};

export const pageComputer: Computer = {
  disk: (path) => {
    throw new DiskError(
      `disk ${path} is not in the page`,
      "pack the recording with --allow-host PATH where its disk is, and publish the copy",
    );
  },
  folder: refuse("folders"),
  log: refuse("logs"),
  sockets: refuse("sockets"),
  unixSockets: refuse("sockets"),
};

/** From now on this thread's code finds no storage, no connection and no other worker. */
export function giveUpServices(): void {
  for (let at: object | null = globalThis; at !== null && at !== Object.prototype; at = Object.getPrototypeOf(at)) {
    for (const name of Object.getOwnPropertyNames(at)) if (!GLOBALS.has(name) && name !== "constructor") Reflect.deleteProperty(at, name);
  }
}
