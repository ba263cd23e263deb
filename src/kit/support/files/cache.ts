// The cache folder of fetched and built files. They are executed and booted, so no other user may
// be able to write there.

import { namedCacheFolder } from "./folder-names.ts";
import { readToEnd } from "./named-file.ts";
import { checkTrustedFolder, NotOurs } from "./own-files.ts";
import { isOfSystem } from "../system-error.ts";
import { PARTIAL } from "./whole-file.ts";
import { node } from "../node-modules.ts";
import { UserError } from "../problem.ts";

/** The environment names no place for a cache, or one that others can change. */
export class NoCacheFolder extends UserError {}

/**
 * The cache folder: `$EL2_CACHE`, else `$XDG_CACHE_HOME/el2`, else `~/.cache/el2`. It need not
 * exist.
 * @throws NoCacheFolder when the environment names no home at all, or others can change it.
 */
export function cacheFolder(): string {
  const folder = findCacheFolder();
  if (folder === undefined) throw new NoCacheFolder("no cache folder: HOME and XDG_CACHE_HOME are not set", "set EL2_CACHE");
  return folder;
}

/**
 * The same for callers that can do without; undefined when the environment names no home.
 * @throws NoCacheFolder if other users can change its content
 */
export function findCacheFolder(): string | undefined {
  const folder = namedCacheFolder();
  if (folder !== undefined && !trusted.has(folder)) {
    try {
      checkTrustedFolder(folder);
    } catch (error) {
      // A folder that cannot be checked is not used either.
      if (isOfSystem(error)) return folder;
      if (!(error instanceof NotOurs)) throw error;
      throw new NoCacheFolder(`cache folder ${error.message}`, "or name another one with EL2_CACHE");
    }
    trusted.add(folder);
  }
  return folder;
}

/** Folders that were checked. */
const trusted = new Set<string>();

/** The bytes of a file; undefined without one, and for a pipe, which would keep a start waiting. */
export function readIfThere(path: string): Uint8Array<ArrayBuffer> | undefined {
  return unlessGone(() => Deno.statSync(path).isFile ? readToEnd(path) : undefined);
}

/** Age (ms) at which a partial file is no longer being written: its process was killed. */
const ABANDONED = 3_600_000;

export interface ListedFile {
  readonly name: string;
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** When it was written last, ms since 1970. */
  readonly written: number;
}

/**
 * The regular files of a folder, the one that was written last first; none if there is no such
 * folder. Others may remove them meanwhile. Opening a pipe would wait for its writer.
 */
export function newestFirst(folder: string): ListedFile[] {
  const names = unlessGone(() => Array.from(Deno.readDirSync(folder), ({ name }) => name)) ?? [];
  const files = names.map((name) => {
    const path = `${folder}/${name}`;
    return unlessGone(() => {
      const { isFile, size, mtime } = Deno.statSync(path);
      return isFile ? { name, path, size, written: mtime?.getTime() ?? 0 } : undefined;
    });
  });
  return files.filter((file) => file !== undefined).sort((a, b) => b.written - a.written);
}

/**
 * Removes all files of a folder but those that were written last, at most `count` with at most
 * `bytes`, and the partial files of processes that were killed. Others may do the same at the same
 * time.
 */
export function keepNewest(folder: string, count: number, bytes = Infinity): void {
  const files = newestFirst(folder), isPartial = ({ name }: ListedFile) => name.includes(PARTIAL);
  const abandoned = files.filter((file) => isPartial(file) && file.written < Date.now() - ABANDONED);
  let room = bytes;
  const old = files.filter((file) => !isPartial(file)).filter(({ size }, place) => place >= count || (room -= size) < 0);
  for (const { path } of [...abandoned, ...old]) unlessGone(() => Deno.removeSync(path));
}

/** Result of `work`; undefined if its file or folder does not exist. */
export function unlessGone<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/**
 * Points the symbolic link `path` at `target` in one step, whatever was there as a link before.
 */
export async function replaceLink(path: string, target: string): Promise<void> {
  const partial = `${path}${PARTIAL}${crypto.randomUUID()}`;
  await Deno.symlink(target, partial);
  await Deno.rename(partial, path);
}

/**
 * Runs `work` while holding an advisory lock on `path`, so that two el2 processes do not fetch into
 * one folder at once.
 */
export async function withLock<T>(path: string, work: () => Promise<T>): Promise<T> {
  using file = await Deno.open(path, { create: true, write: true });
  await file.lock(true);
  return await work();
}

/** SHA-256 of a file of any size in lower-case hexadecimal. */
export async function fileSha256(path: string): Promise<string> {
  const hash = node.crypto.createHash("sha256");
  const file = await Deno.open(path); // the stream closes it
  for await (const bytes of file.readable) hash.update(bytes);
  return hash.digest("hex");
}

/** True if something exists at `path`; a broken link does not. */
export async function exists(path: string): Promise<boolean> {
  try {
    await Deno.stat(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return false;
    throw error;
  }
}
