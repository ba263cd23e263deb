// A socket in the file system to which only its user can connect.

import { node } from "../node-modules.ts";
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
    checkSteadyWay(node.path.dirname(path));
    const there = lstatIfThere(path);
    if (there && !there.isSocket) throw new NotOurs(`${path} exists, and is not a socket`);
    const { listener, inode } = inClosedFolder(path, (first) => {
      const listener = Deno.listen({ transport: "unix", path: first });
      try {
        const inode = closed(first);
        Deno.renameSync(first, path);
        return { listener, inode };
      } catch (error) {
        listener.close();
        throw error;
      }
    });
    [this.#listener, this.#inode] = [listener, inode];
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

/**
 * The result of work with the path of a socket in a folder that others cannot enter, beside `path`,
 * where the socket goes. Until it has its mode, a socket has that of the umask.
 */
export function inClosedFolder<T>(path: string, work: (first: string) => T): T {
  const folder = folderBeside(path);
  try {
    return work(`${folder}/s`);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** Closes a socket to others. Returns its inode. */
export function closed(path: string): number | null {
  Deno.chmodSync(path, 0o600);
  return Deno.lstatSync(path).ino;
}

/** Names that are tried: a process that was killed leaves one. */
const TRIES = 16;

/** Its name is short, because the path of a socket is limited. */
function folderBeside(path: string): string {
  for (let tries = 1;; tries++) {
    const folder = `${node.path.dirname(path)}/.${crypto.getRandomValues(new Uint8Array(1)).toHex()}`;
    try {
      Deno.mkdirSync(folder, { mode: 0o700 });
      return folder;
    } catch (error) {
      if (!(error instanceof Deno.errors.AlreadyExists) || tries === TRIES) throw error;
    }
  }
}
