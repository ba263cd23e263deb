// Files that people name: their content, or in a few words why there is none.

import { isOfSystem } from "./cache.ts";

/** A file that has no end, such as a terminal or /dev/zero. */
export class EndlessFile extends Error {}

/**
 * The content of a file.
 * @throws EndlessFile for a device, or what the system says: see `cannotRead`.
 */
export function readToEnd(path: string): Uint8Array<ArrayBuffer> {
  if (Deno.statSync(path).isCharDevice) throw new EndlessFile("is a device");
  return Deno.readFileSync(path);
}

/**
 * Why a file could not be read, to stand behind its name. Anything that is not about the file is a
 * bug of ours and goes on.
 */
export function cannotRead(error: unknown): string {
  if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return "no such file";
  if (error instanceof Deno.errors.IsADirectory) return "is a folder";
  if (error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotCapable) return "may not be read";
  if (error instanceof EndlessFile || error instanceof Error && isOfSystem(error)) return error.message;
  throw error;
}

/**
 * Why a file could not be written, to stand behind its name. Anything that is not about the file is
 * a bug of ours and goes on.
 */
export function cannotWrite(error: unknown): string {
  if (error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotADirectory) return "no such folder";
  if (error instanceof Deno.errors.IsADirectory) return "is a folder";
  if (error instanceof Deno.errors.PermissionDenied) return "may not be written";
  if (error instanceof Deno.errors.NotCapable) return "is no ordinary file, which is all that el2 writes";
  // The path that it was opened by may be a passing one.
  if (error instanceof Error && isOfSystem(error)) return error.message.replace(/: open '.*'$/, "");
  throw error;
}
