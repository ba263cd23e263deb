// The way to make a user's file: it is written under another name, synchronized to the disk, and
// renamed. A full disk or the end of the program leaves the old file or the new one, and the new
// one has mode 0600. A file that grows gets its name when it has its beginning.

import { folderError } from "../system-error.ts";
import { lstatIfThere, NotOurs, removeIfThere } from "./own-files.ts";
import { KERNELS, leadsTo, placeOf } from "./real-place.ts";
import { OpenTarget, UnusableTarget } from "./open-target.ts";
import { addUnfinished, removeUnfinished } from "./unfinished.ts";
import { writeFully } from "./write-all.ts";
import { KiB } from "../values/sizes.ts";
import { node } from "../node-modules.ts";

/** In the name of a file that is being written, before its random part. */
export const PARTIAL = ".partial-";
/** Letters of the file's own name there: names are limited. */
const NAMED_BY = 60;
const PIECE = 64 * KiB;

/** How a file is made. */
export interface WholeOptions {
  /** 0600 by default. */
  readonly mode?: number;
  /**
   * Whether it is synchronized to the disk before it gets its name; true by default. Not needed for
   * a file with a digest that can be made again.
   */
  readonly durable?: boolean;
  /** Refuse a pipe or device. */
  readonly onlyFile?: boolean;
  /** Refuse a name that exists. */
  readonly fresh?: boolean;
  /** The path is a place, as `leadsTo` has it: no link is followed, whenever it was put there. */
  readonly isPlace?: boolean;
}

/** A file being written. */
export class WholeFile implements Disposable {
  readonly #open: Deno.FsFile | OpenTarget;
  /**
   * Where it gets its name; undefined once it has it, and for a pipe or another target that is not
   * a file, which is written directly.
   */
  #place: { readonly partial: string; readonly target: string } | undefined;
  #closed = false;

  /**
   * @throws UnusableTarget; an error of the system if it cannot be made; an existing file stays
   * then
   */
  constructor(readonly path: string, readonly options: WholeOptions = {}) {
    const { target, there } = targetOf(path, options);
    if (there && !there.isFile) {
      this.#open = new OpenTarget(target, there);
      return;
    }
    const { dir, base } = node.path.parse(target), random = crypto.getRandomValues(new Uint8Array(8)).toHex();
    const partial = node.path.join(dir, `${base.slice(0, NAMED_BY)}${PARTIAL}${random}`);
    // A signal may come as soon as it is there.
    addUnfinished(partial);
    try {
      this.#open = Deno.openSync(partial, { read: true, write: true, createNew: true, mode: options.mode ?? 0o600 });
    } catch (error) {
      removeUnfinished(partial);
      throw error;
    }
    this.#place = { partial, target };
  }

  /** Whether it has its name. */
  get isPublished(): boolean {
    return !this.#place;
  }

  /** Whether it is a regular file. */
  get isFile(): boolean {
    return this.#open instanceof Deno.FsFile;
  }

  /** The open file, for writes that are not in order. @throws UnusableTarget for a pipe */
  get file(): Deno.FsFile {
    if (this.#open instanceof Deno.FsFile) return this.#open;
    throw new UnusableTarget("is not a regular file", "name another file");
  }

  writeSync(bytes: Uint8Array): number {
    return this.#open.writeSync(bytes);
  }

  write(bytes: Uint8Array): void {
    writeFully(this.#open, bytes);
  }

  /** Gives it its name. It stays open, and can grow. */
  publish(): void {
    if (!this.#place) return;
    const { partial, target } = this.#place, { durable = true, fresh = false, isPlace = false } = this.options;
    if (durable) this.file.syncSync();
    if (isPlace) checkPlace(target);
    if (!fresh || !linked(partial, target)) Deno.renameSync(partial, target);
    this.#place = undefined;
    removeUnfinished(partial);
  }

  /** Gives it its name, and closes it. */
  commit(): void {
    this.publish();
    this.close();
  }

  close(): void {
    if (!this.#closed) this.#open.close();
    this.#closed = true;
  }

  /** Without its name no file is left. */
  [Symbol.dispose](): void {
    this.close();
    if (!this.#place) return;
    removeIfThere(this.#place.partial);
    removeUnfinished(this.#place.partial);
    this.#place = undefined;
  }
}

/**
 * Where a path leads, and what is there.
 * @throws UnusableTarget; NotOurs; the system's errors
 */
function targetOf(path: string, { onlyFile, fresh, isPlace }: WholeOptions): { target: string; there: Deno.FileInfo | undefined } {
  if (path === "") throw new Deno.errors.NotFound("a file has a name");
  const info = lookAt(path), isKernels = path.startsWith(KERNELS);
  if (info && fresh) throw new Deno.errors.AlreadyExists("File exists");
  if (isPlace && !isKernels) checkPlace(path, info);
  const target = info?.isSymlink ? leadsTo(path) : path;
  if (target === undefined) throw new UnusableTarget("is a link that leads nowhere", "name another file");
  const there = target.startsWith(KERNELS) ? Deno.statSync(target) : lookAt(target);
  if (there?.isDirectory) throw folderError();
  if (there && !there.isFile && onlyFile) throw new UnusableTarget("is not a regular file", "name another file");
  return { target, there };
}

/** @throws UnusableTarget for a device that Deno gives only to programs with all rights */
function lookAt(path: string): Deno.FileInfo | undefined {
  try {
    return lstatIfThere(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable)) throw error;
    throw new UnusableTarget("is a device to which el2 has no right", "name another file");
  }
}

/** @throws NotOurs if there is a link on the way, or in its place */
function checkPlace(place: string, info = lstatIfThere(place)): void {
  if (info?.isSymlink || placeOf(place) !== place) throw new NotOurs(`${place} leads elsewhere since it was named`, "name another file");
}

/**
 * Gives a file a name that nobody has meanwhile; false where the file system has no links.
 * @throws Deno.errors.AlreadyExists
 */
function linked(partial: string, target: string): boolean {
  try {
    Deno.linkSync(partial, target);
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists || lstatIfThere(target)) throw error;
    return false;
  }
  Deno.removeSync(partial);
  return true;
}

/**
 * Whether a file can be made there, before the work that fills it; nothing is changed.
 * @throws as `WholeFile`
 */
export function checkWritable(path: string, options: WholeOptions = {}): void {
  const { there } = targetOf(path, options);
  // A pipe is opened once: its reader would see its end.
  if (!there || there.isFile) new WholeFile(path, options)[Symbol.dispose]();
}

export function writeWhole(path: string, data: Uint8Array | string, options?: WholeOptions): void {
  using file = new WholeFile(path, options);
  file.write(typeof data === "string" ? new TextEncoder().encode(data) : data);
  file.commit();
}

/** Copies a regular file. */
export function copyWhole(from: string, to: string, options?: WholeOptions): void {
  using source = Deno.openSync(from), file = new WholeFile(to, options);
  const piece = new Uint8Array(PIECE);
  for (let read = source.readSync(piece); read !== null; read = source.readSync(piece)) file.write(piece.subarray(0, read));
  file.commit();
}

/** A file that has its name and its beginning, and grows. */
export function begun(path: string, start: Uint8Array = new Uint8Array(), options?: WholeOptions): WholeFile {
  const file = new WholeFile(path, options);
  try {
    file.write(start);
    file.publish();
    return file;
  } catch (error) {
    file[Symbol.dispose]();
    throw error;
  }
}
