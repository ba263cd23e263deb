// Files that users name: their content, or in a few words why it cannot be read.

import { isOfSystem, writeWayOut } from "../system-error.ts";
import { GiB, KiB, MiB } from "../values/sizes.ts";
import { formatSize } from "../text/units.ts";
import { joined } from "../values/bytes.ts";
import { fill, pause, readPart } from "./open-file.ts";
import { UnusableTarget } from "./open-target.ts";
import { bytesForFile } from "../computer/huge-pages.ts";
import { node } from "../node-modules.ts";
import { type Problem, problemOf, UserError, within } from "../problem.ts";

/** An absolute path as a user of this folder writes it. */
export function pathFromHere(path: string): string {
  const here = `${Deno.cwd()}/`;
  return path.startsWith(here) ? path.slice(here.length) : path;
}

/** A file without an end, such as a terminal or /dev/zero, or one too large to read. */
export class EndlessFile extends UserError {}

/** Bytes of a file that is read as a whole: what V8 can have in one piece. */
const FILE_MAX = 2 * GiB;
/** Bytes that a pipe may give, and how long it may give nothing, ms. */
const PIPE_MAX = GiB;
const PIPE_TIME = 10_000;
const PIPE_POLL = 5;
const PIPE_PIECE = 64 * KiB;
/** Larger files go into one buffer: `Deno.readFileSync` copies them, and takes twice as long. */
const LARGE = MiB;

/**
 * The content of a file. For a pipe, the data written into it, if that comes soon.
 * @throws EndlessFile for a device, or the system's error: see `cannotRead`.
 */
export function readToEnd(path: string): Uint8Array<ArrayBuffer> {
  if (path === "") throw new Deno.errors.NotFound("a file has a name");
  const { isCharDevice, isBlockDevice, isSocket, isFifo, size } = Deno.statSync(path);
  if (isCharDevice || isBlockDevice) throw new EndlessFile("is a device");
  if (isSocket) throw new EndlessFile("is a socket");
  if (isFifo) return readPipe(path);
  if (size > FILE_MAX) throw new EndlessFile(`has ${formatSize(size)}`, `at most ${formatSize(FILE_MAX)} can be read`);
  return size < LARGE ? Deno.readFileSync(path) : readLarge(path, size);
}

function readLarge(path: string, size: number): Uint8Array<ArrayBuffer> {
  using file = Deno.openSync(path);
  const bytes = bytesForFile(size);
  return bytes.subarray(0, fill(file, bytes));
}

/** Reads a pipe without waiting for a writer that never comes. */
function readPipe(path: string): Uint8Array<ArrayBuffer> {
  const file = node.fs.openSync(path, node.fs.constants.O_RDONLY | node.fs.constants.O_NONBLOCK);
  const pieces: Uint8Array[] = [];
  let size = 0;
  try {
    for (let limit = performance.now() + PIPE_TIME;;) {
      const piece = new Uint8Array(PIPE_PIECE);
      const count = readAvailable(file, piece);
      // Without a writer there is an end at once, until the first one comes.
      if (count === 0 && size > 0) break;
      if (!count) {
        if (performance.now() > limit) throw new EndlessFile(`is a pipe into which nothing was written for ${PIPE_TIME / 1000} s`);
        pause(PIPE_POLL);
        continue;
      }
      pieces.push(piece.subarray(0, count));
      size += count;
      if (size > PIPE_MAX) throw new EndlessFile(`is a pipe that gives more than ${formatSize(PIPE_MAX)}`);
      limit = performance.now() + PIPE_TIME;
    }
  } finally {
    node.fs.closeSync(file);
  }
  return joined(pieces);
}

/** Number of available bytes, 0 at the end; undefined if none have come yet. */
function readAvailable(file: number, into: Uint8Array): number | undefined {
  try {
    return node.fs.readSync(file, into);
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EAGAIN") return undefined;
    if (error instanceof Deno.errors.WouldBlock) return undefined;
    throw error;
  }
}

/**
 * Why a file could not be read; `of`: its name. Anything that is not about the file is a bug of
 * ours and continues.
 */
export function cannotRead(error: unknown, of?: string): Problem {
  const about = (what: string) => within(of, { what });
  if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return about("no such file");
  if (error instanceof Deno.errors.IsADirectory) return about("is a folder");
  if (error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotCapable) return about("permission denied (read)");
  if (error instanceof EndlessFile || error instanceof Error && isOfSystem(error)) return problemOf(error, of);
  throw error;
}

/** The status of the file that a path names; undefined if there is none, or it cannot be read. */
export const statIfReadable = (path: string): Deno.FileInfo | undefined => ifReadable(() => Deno.statSync(path));

/**
 * The first bytes of a regular file, fewer if it is shorter; undefined if it cannot be read, and
 * for anything else: a pipe would wait for its writer, and its bytes are read once.
 */
export function beginningOf(path: string, size: number): Uint8Array | undefined {
  return ifReadable(() => {
    if (!Deno.statSync(path).isFile) return undefined;
    using file = Deno.openSync(path);
    return readPart(file, 0, size);
  });
}

function ifReadable<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    cannotRead(error);
    return undefined;
  }
}

/**
 * Why a file could not be written; `of`: its name. Anything that is not about the file is a bug of
 * ours and continues.
 */
export function cannotWrite(error: unknown, of?: string): Problem {
  const about = (what: string) => within(of, { what });
  if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return about("no such folder");
  if (error instanceof Deno.errors.IsADirectory) return about("is a folder");
  if (error instanceof Deno.errors.AlreadyExists) return within(of, { what: "exists", wayOut: "name another file, or remove it" });
  if (error instanceof Deno.errors.PermissionDenied) return about("permission denied (write)");
  if (error instanceof Deno.errors.NotCapable) return about("is not a regular file");
  if (error instanceof UnusableTarget) return problemOf(error, of);
  // The path that it was opened by may be a passing one.
  if (error instanceof Error && isOfSystem(error)) {
    return within(of, { what: error.message.replace(/: open '.*'$/, ""), wayOut: writeWayOut(error) });
  }
  throw error;
}
