// Files that are ours alone: what another user of this computer made, linked or can change is
// refused, never used and never removed. Folders: own-folders.ts.

import { fill } from "./open-file.ts";
import { UserError } from "../problem.ts";
import { isOfSystem } from "../system-error.ts";

/** A folder or file that el2 does not trust. The message says why, and what to do. */
export class NotOurs extends UserError {}

/** The folder of temporary files takes none. */
export class NoTemporaryFile extends UserError {}

/** Rights of the group and of others, and those to write. */
export const OTHERS = 0o077;
export const OTHERS_WRITE = 0o022;
export const ROOT = 0;
/** In a folder with this bit, users replace only their own files. */
export const STICKY = 0o1000;

let known: number | null | undefined;

/**
 * The user whose files we make. Asking the system takes a permission that el2 does not have, so the
 * owner of one of our files is read instead.
 */
export function ownUid(): number | null {
  if (known !== undefined) return known;
  let probe: string;
  try {
    probe = Deno.makeTempFileSync({ prefix: "el2-" });
  } catch (error) {
    if (!isOfSystem(error)) throw error;
    throw new NoTemporaryFile("no temporary file can be made", "set TMPDIR to a folder that you can write to");
  }
  try {
    return known = Deno.lstatSync(probe).uid;
  } finally {
    Deno.removeSync(probe);
  }
}

/** The result of work on a file; undefined if the file does not exist, or no longer. */
function ifThere<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** How a path is in the file system, without following a link; undefined if nothing does. */
export const lstatIfThere = (path: string): Deno.FileInfo | undefined => ifThere(() => Deno.lstatSync(path));

/**
 * Checks that only we and root can change the content of a folder; a missing one is right. A link
 * counts as its target, if the link's own folder is ours or root's.
 * @throws NotOurs
 */
export function checkTrustedFolder(path: string): void {
  const link = lstatIfThere(path);
  if (!link) return;
  const info = link.isSymlink ? Deno.statSync(path) : link;
  for (const { uid } of [link, info]) {
    if (uid !== ROOT && uid !== ownUid()) throw new NotOurs(`${path} belongs to user ${uid}, not to you (${ownUid()})`);
  }
  if (!info.isDirectory) throw new NotOurs(`${path} is not a folder`);
  if (((info.mode ?? 0) & OTHERS_WRITE) !== 0) {
    throw new NotOurs(`${path} has mode ${octal(info)}, others can change it`, `chmod go-w ${path}`);
  }
}

/**
 * The text of a file whose content only we and root can change. It may be a link to one.
 * @throws NotOurs; an error of the system if it does not exist
 */
export function readTrustedText(path: string): string {
  const info = Deno.statSync(path);
  for (const { uid } of [Deno.lstatSync(path), info]) {
    if (uid !== null && uid !== ROOT && uid !== ownUid()) throw new NotOurs(`${path} belongs to user ${uid}, not to you (${ownUid()})`);
  }
  if (!info.isFile) throw new NotOurs(`${path} is not a regular file`);
  if (((info.mode ?? 0) & OTHERS_WRITE) !== 0) {
    throw new NotOurs(`${path} has mode ${octal(info)}, others can change it`, `chmod go-w ${path}`);
  }
  return readSame(path, info);
}

/**
 * Checks that a socket is ours and closed to other users.
 * @throws NotOurs
 */
export function checkOwnSocket(path: string): void {
  const info = lstatIfThere(path);
  if (!info) return;
  if (!info.isSocket) throw new NotOurs(`${path} is not a socket`);
  checkOwner(path, info);
}

/**
 * Checks that nobody but us and root can replace our files in a folder, which others may read, and
 * may write if it is sticky.
 * @throws NotOurs
 */
export function checkSteadyFolder(path: string): void {
  const info = Deno.statSync(path), mode = info.mode ?? 0;
  if (info.uid !== null && info.uid !== ROOT && info.uid !== ownUid()) {
    throw new NotOurs(`${path} belongs to user ${info.uid}, not to you (${ownUid()})`);
  }
  if ((mode & OTHERS_WRITE) !== 0 && (mode & STICKY) === 0) {
    throw new NotOurs(`${path} has mode ${octal(info)}: others can replace files in it`, `chmod go-w ${path}`);
  }
}

/**
 * Checks that a socket, if it exists, is ours or root's.
 * @throws NotOurs
 */
export function checkTrustedSocket(path: string): void {
  const info = lstatIfThere(path);
  if (!info) return;
  if (!info.isSocket) throw new NotOurs(`${path} is not a socket`);
  if (info.uid !== ROOT) checkOwner(path, info);
}

/**
 * Checks that a file or folder is ours.
 * @throws NotOurs
 */
export function checkOwner(path: string, { uid }: Deno.FileInfo): void {
  if (uid !== ownUid()) throw new NotOurs(`${path} belongs to user ${uid}, not to you (${ownUid()})`);
}

/** The rights of a file or folder, for display. */
export function octal({ mode }: Deno.FileInfo): string {
  return ((mode ?? 0) & 0o7777).toString(8).padStart(4, "0");
}

/**
 * Opens a file of ours for writing, or makes it with mode 0600: an existing one must be a regular
 * file of ours, and still be that when it is open.
 * @throws NotOurs
 */
export function openOwn(path: string, { append = false, truncate = false } = {}): Deno.FsFile {
  const file = openIfThere(path, append, truncate);
  if (file) return file;
  try {
    return Deno.openSync(path, { read: true, write: true, createNew: true, mode: 0o600 });
  } catch (error) {
    // Another process of ours was faster.
    if (error instanceof Deno.errors.AlreadyExists && lstatIfThere(path)) return openOwn(path, { append, truncate });
    throw error;
  }
}

/** The same for a file that exists; undefined without one. */
function openIfThere(path: string, append: boolean, truncate: boolean): Deno.FsFile | undefined {
  const before = lstatIfThere(path);
  if (!before) return undefined;
  if (!before.isFile) throw new NotOurs(`${path} is not a regular file`, "remove it");
  checkOwner(path, before);
  const file = ifThere(() => Deno.openSync(path, { read: true, write: true, append }));
  if (!file) return undefined;
  try {
    const now = file.statSync();
    checkSame(path, before, now);
    if (((now.mode ?? 0) & OTHERS) !== 0) Deno.chmodSync(path, 0o600);
    if (truncate) file.truncateSync(0);
    return file;
  } catch (error) {
    file.close();
    throw error;
  }
}

/**
 * The text of a file of ours; undefined if it does not exist.
 * @throws NotOurs
 */
export function readOwnText(path: string): string | undefined {
  const before = lstatIfThere(path);
  if (!before) return undefined;
  if (!before.isFile) throw new NotOurs(`${path} is not a regular file`);
  checkOwner(path, before);
  return ifThere(() => readSame(path, before));
}

/** The text of the regular file that was checked, even if another one is at its path by now. */
function readSame(path: string, checked: Deno.FileInfo): string {
  using file = Deno.openSync(path);
  const now = file.statSync();
  checkSame(path, checked, now);
  const bytes = new Uint8Array(now.size);
  return new TextDecoder().decode(bytes.subarray(0, fill(file, bytes)));
}

function checkSame(path: string, before: Deno.FileInfo, now: Deno.FileInfo): void {
  if (now.dev !== before.dev || now.ino !== before.ino || now.uid !== before.uid) throw new NotOurs(`${path} was replaced meanwhile`);
}

/** Writes a file of ours, mode 0600, that was not there or is replaced. */
export function writeOwnText(path: string, text: string): void {
  removeIfThere(path);
  Deno.writeTextFileSync(path, text, { createNew: true, mode: 0o600 });
}

/** Removes a file or link, if it exists. */
export function removeIfThere(path: string): void {
  ifThere(() => Deno.removeSync(path));
}

/**
 * Takes a lock that the kernel releases when this process ends, however it ends.
 * @returns the open file, which holds it, or undefined if another process does
 * @throws NotOurs
 */
export function takeLock(path: string): Deno.FsFile | undefined {
  for (;;) {
    const file = openOwn(path), isOurs = file.tryLockSync(true);
    // Its owner may have removed it meanwhile: the lock of a file without a name excludes nobody.
    if (isOurs && file.statSync().ino === lstatIfThere(path)?.ino) return file;
    file.close();
    if (!isOurs) return undefined;
  }
}

/**
 * Whether another process has taken the lock of a file. Those that look share it meanwhile; they
 * make no file.
 * @throws NotOurs
 */
export function isLocked(path: string): boolean {
  using file = openIfThere(path, false, false);
  return file !== undefined && !file.tryLockSync(false);
}
