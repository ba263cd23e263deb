// A socket in the file system to which only its user can connect.

import { dirname } from "node:path";
import { lstatIfThere, NotOurs, removeIfThere } from "./own-files.ts";
import { checkSteadyWay } from "./own-folders.ts";

/**
 * A listening socket. Some time after closing one, Deno removes the path that it was given, whoever
 * has put a file there. So this one listens at another name, and is renamed.
 */
export class OwnListener {
  readonly #listener: Deno.UnixListener;
  readonly #inode: number | null;

  /**
   * Listens. A socket that an earlier server has left is replaced; any other file stays. Others may
   * see the folder: the socket's mode keeps them out.
   * @throws NotOurs if others can replace files of the folder, or another file has this name
   */
  constructor(readonly path: string) {
    checkSteadyWay(dirname(path));
    const there = lstatIfThere(path);
    if (there && !there.isSocket) throw new NotOurs(`${path} exists, and is not a socket`);
    const inner = folderBeside(path), first = `${inner}/s`;
    try {
      this.#listener = Deno.listen({ transport: "unix", path: first });
      try {
        Deno.chmodSync(first, 0o600);
        this.#inode = Deno.lstatSync(first).ino;
        Deno.renameSync(first, path);
      } catch (error) {
        this.#listener.close();
        throw error;
      }
    } finally {
      Deno.removeSync(inner, { recursive: true });
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
 * A folder that others cannot enter, beside `path`: until it has its mode, a socket has that of the
 * umask. Its name is short, because the path of a socket is limited.
 */
function folderBeside(path: string): string {
  for (let tries = 1;; tries++) {
    const folder = `${dirname(path)}/.${crypto.getRandomValues(new Uint8Array(1)).toHex()}`;
    try {
      Deno.mkdirSync(folder, { mode: 0o700 });
      return folder;
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists) || tries === TRIES) throw error;
    }
  }
}
