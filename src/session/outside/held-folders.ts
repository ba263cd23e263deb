// Folders that this process shares with its guests, held against other sessions. A guest that may
// write could replace a folder inside by a link, exactly while another session resolves a path
// there (shared-folder.ts). So a folder that such a guest shares belongs to one session.

import { pause } from "../../kit/support/files/open-file.ts";
import { node } from "../../kit/support/node-modules.ts";

/** ms to wait for another session: one that was ended has its folders until its process is gone. */
const PATIENCE = 3000, PAUSE = 20;

/** Folders that are held, by real path: those that are shared, and those above them. */
const held = new Map<string, { readonly file: Deno.FsFile; exclusive: boolean }>();

/**
 * Holds a folder, and all that is in it, until the process ends.
 * @param written guests of this session may write there
 * @param patience ms to wait for another session
 * @throws Deno.errors.Busy if another session shares it, or one above or below, and either's guests
 * may write
 */
export function holdFolder(folder: string, written: boolean, patience = PATIENCE): void {
  const path = Deno.realPathSync(folder), until = performance.now() + patience;
  hold(path, written, until);
  for (let above = path; above !== node.path.dirname(above);) hold(above = node.path.dirname(above), false, until);
}

function hold(path: string, exclusive: boolean, until: number): void {
  const known = held.get(path);
  if (known && (known.exclusive || !exclusive)) return;
  const file = known?.file ?? opened(path);
  if (file === undefined) return;
  do {
    if (locked(file, exclusive)) {
      held.set(path, { file, exclusive });
      return;
    }
    pause(PAUSE);
  } while (performance.now() < until);
  // A lock that cannot become exclusive may be lost.
  if (known) locked(file, false);
  else file.close();
  const way = 'share it with mode "ro" in all sessions, or in one session alone';
  throw new Deno.errors.Busy(`another session shares ${path}, and a guest may write there; ${way}`);
}

/** The folder; undefined if it cannot be read, only entered, or if this system opens no folders. */
function opened(path: string): Deno.FsFile | undefined {
  try {
    return Deno.openSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.PermissionDenied || Deno.build.os === "windows") return undefined;
    throw error;
  }
}

/** Takes the lock; also true where the file system has no locks for folders, such as NFS. */
function locked(file: Deno.FsFile, exclusive: boolean): boolean {
  try {
    return file.tryLockSync(exclusive);
  } catch (error) {
    if (error instanceof Error && "code" in error) return true;
    throw error;
  }
}
