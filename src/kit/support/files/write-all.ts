// Writes to targets that may be full: a disk, a device, a quota. The caller names the target for
// the message.

import { UserError, within } from "../problem.ts";
import { writeWayOut } from "../system-error.ts";

/** Something cannot be written any more; the message names it and the system's reason. */
export class WriteFailure extends UserError {}

/** Takes bytes, and returns how many it took. */
export interface SyncWriter {
  writeSync(bytes: Uint8Array): number;
}

/**
 * Writes all of `bytes`.
 * @throws as the writer
 */
export function writeFully(writer: SyncWriter, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length;) at += writer.writeSync(bytes.subarray(at));
}

/** Writes all of `bytes` into a file from `at` on. */
export function writePart(file: Deno.FsFile, at: number, bytes: Uint8Array): void {
  file.seekSync(at, Deno.SeekMode.Start);
  writeFully(file, bytes);
}

/**
 * Writes all of `bytes` for the user.
 * @param what for display: `--record bug.rec`
 * @throws WriteFailure; Deno.errors.BrokenPipe without a reader
 */
export function writeAll(writer: SyncWriter, bytes: Uint8Array, what: string): void {
  writing(what, () => writeFully(writer, bytes));
}

/**
 * The result of work that writes to a target.
 * @throws as `writeAll`
 */
export function writing<T>(what: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof Deno.errors.BrokenPipe || !(error instanceof Error)) throw error;
    throw new WriteFailure(within(what, error instanceof UserError ? error.problem : { what: error.message, wayOut: writeWayOut(error) }));
  }
}
