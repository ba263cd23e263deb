// Files that are either complete or unchanged: written under another name, synchronized to the
// disk, and renamed. A full disk or the end of the process leaves the old file or the new one.

import { lstatIfThere, NotOurs, removeIfThere } from "./own-files.ts";

/** In the name of a file that is being written, before its random part. */
export const PARTIAL = ".partial-";

/** A file being written. Mode 0600 by default. */
export class WholeFile implements Disposable {
  readonly #file: Deno.FsFile;
  /**
   * Where it gets its name; undefined for a pipe or another target that is not a file, which is
   * written directly.
   */
  readonly #place: { readonly partial: string; readonly target: string } | undefined;
  #done = false;

  /**
   * @param durable whether it is synchronized to the disk before it gets its name; not needed for a
   * file with a digest that can be made again
   * @param onlyFile refuse a pipe or device, which may block for ever when it is opened
   * @throws NotOurs; an error of the system if it cannot be made; an existing file stays then
   */
  constructor(readonly path: string, mode = 0o600, readonly durable = true, onlyFile = false) {
    const link = lstatIfThere(path)?.isSymlink ?? false;
    const target = link ? realTarget(path) : path;
    const there = lstatIfThere(target);
    if (there && !there.isFile) {
      if (onlyFile) throw new NotOurs(`${path} is not a regular file`, "name another one");
      this.#file = Deno.openSync(target, { write: true });
      return;
    }
    this.#place = { partial: `${target}${PARTIAL}${crypto.randomUUID()}`, target };
    this.#file = Deno.openSync(this.#place.partial, { write: true, createNew: true, mode });
  }

  writeSync(bytes: Uint8Array): number {
    return this.#file.writeSync(bytes);
  }

  write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) at += this.#file.writeSync(bytes.subarray(at));
  }

  /** Gives it its name. */
  commit(): void {
    if (this.#place && this.durable) this.#file.syncSync();
    this.#file.close();
    this.#done = true;
    if (!this.#place) return;
    try {
      Deno.renameSync(this.#place.partial, this.#place.target);
    } catch (error) {
      removeIfThere(this.#place.partial);
      throw error;
    }
  }

  /** Without `commit` no file is left. */
  [Symbol.dispose](): void {
    if (this.#done) return;
    this.#done = true;
    this.#file.close();
    if (this.#place) removeIfThere(this.#place.partial);
  }
}

/** The target of a link; a broken link's own target. */
function realTarget(path: string): string {
  try {
    return Deno.realPathSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    const target = Deno.readLinkSync(path);
    return target.startsWith("/") ? target : `${path.slice(0, path.lastIndexOf("/") + 1)}${target}`;
  }
}

/** How a file is written: as `WholeFile` does. */
export interface WholeOptions {
  readonly mode?: number;
  readonly durable?: boolean;
}

export function writeWhole(path: string, data: Uint8Array | string, { mode, durable }: WholeOptions = {}): void {
  using file = new WholeFile(path, mode, durable);
  file.write(typeof data === "string" ? new TextEncoder().encode(data) : data);
  file.commit();
}
