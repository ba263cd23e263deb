// A socket in the file system to which only its user can connect.

import { dirname } from "node:path";
import { lstatIfThere, NotOurs, removeIfThere } from "./own-files.ts";
import { checkOwnFolder } from "./own-folders.ts";

/**
 * A listening socket. Some time after closing one, Deno removes the path that it was given, whoever
 * has put a file there. So this one listens at another name, and is renamed.
 */
export class OwnListener {
  readonly #listener: Deno.UnixListener;
  readonly #inode: number | null;

  /**
   * Listens. A socket that an earlier server has left is replaced; any other file stays.
   * @throws NotOurs if the folder is not the user's alone, or another file has this name
   */
  constructor(readonly path: string) {
    checkOwnFolder(dirname(path));
    const there = lstatIfThere(path);
    if (there && !there.isSocket) throw new NotOurs(`${path} exists, and is not a socket`);
    const { first, listener } = listenBeside(path);
    this.#listener = listener;
    try {
      Deno.chmodSync(first, 0o600);
      this.#inode = Deno.lstatSync(first).ino;
      Deno.renameSync(first, path);
    } catch (error) {
      this.#listener.close();
      throw error;
    }
  }

  /** The next connection. */
  accept(): Promise<Deno.UnixConn> {
    return this.#listener.accept();
  }

  /** Takes the socket away, if it is still this one: a later server may have replaced it. */
  close(): void {
    // Until it is closed, no other file gets its inode.
    if (lstatIfThere(this.path)?.ino === this.#inode) removeIfThere(this.path);
    this.#listener.close();
  }
}

/** Names that are tried: a process that was killed leaves one. */
const TRIES = 16;

/**
 * Listens at a free name in the folder of `path`, which is short, because the path of a socket is
 * limited.
 */
function listenBeside(path: string): { readonly first: string; readonly listener: Deno.UnixListener } {
  for (let tries = 1;; tries++) {
    const first = `${dirname(path)}/.${crypto.getRandomValues(new Uint8Array(2)).toHex()}`;
    try {
      return { first, listener: Deno.listen({ transport: "unix", path: first }) };
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse) || tries === TRIES) throw error;
    }
  }
}
