// Errors of the system, apart from our own.

/**
 * Whether an error says that the system or Deno does not let us do something with files, and is
 * none of ours.
 */
export function isOfSystem(error: unknown): boolean {
  if (error instanceof Deno.errors.NotCapable) return true;
  // Deno's own answer to a file without a name has no code.
  if (error instanceof Error && error.message === "Empty path is not allowed") return true;
  return error instanceof Error && "code" in error && typeof error.code === "string" && /^E[A-Z0-9]+$/.test(error.code);
}

/** The error that the system would have for a write to a folder. */
export function folderError(): Error {
  return Object.assign(new Deno.errors.IsADirectory("Is a directory"), { code: "EISDIR" });
}

/** Codes of a disk, or of a user's share of it, that is full. */
const FULL: ReadonlySet<string> = new Set(["ENOSPC", "EDQUOT"]);

/** The way out where the system does not let us write. */
export function writeWayOut(error: Error): string {
  const isFull = "code" in error && typeof error.code === "string" && FULL.has(error.code);
  return isFull ? "free some space, or name another place" : "name another place";
}
