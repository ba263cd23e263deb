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
    const first = firstName(path);
    this.#listener = Deno.listen({ transport: "unix", path: first });
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

/** A free name in the folder of `path`; short, because the path of a socket is limited. */
function firstName(path: string): string {
  const digits = crypto.getRandomValues(new Uint8Array(2)).toHex();
  return `${dirname(path)}/.${digits}`;
}
