// A socket in the file system to which only its user can connect.

import { dirname } from "node:path";
import { checkOwnFolder, lstatIfThere, NotOurs, removeIfThere } from "./own-files.ts";

/**
 * Listens. A socket that an earlier server has left is replaced; any other file stays.
 * @throws NotOurs if the folder is not the user's alone, or another file has this name
 */
export function listenOwnSocket(path: string): Deno.UnixListener {
  checkOwnFolder(dirname(path));
  const there = lstatIfThere(path);
  if (there && !there.isSocket) throw new NotOurs(`${path} exists, and is not a socket`);
  removeIfThere(path);
  const listener = Deno.listen({ transport: "unix", path });
  Deno.chmodSync(path, 0o600);
  return listener;
}
