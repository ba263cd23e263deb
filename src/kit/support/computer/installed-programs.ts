// Programs of this computer that el2 can start.

import { delimiter } from "node:path";

/** Folders of system programs, which may be missing from a user's PATH. */
export const SYSTEM_FOLDERS: readonly string[] = ["/usr/sbin", "/sbin"];

/**
 * The path of a program; undefined if no folder of the PATH has it.
 * @param also further folders, after those of the PATH
 */
export function findProgram(name: string, also: readonly string[] = []): string | undefined {
  const file = Deno.build.os === "windows" ? `${name}.exe` : name;
  const folders = [...(Deno.env.get("PATH") ?? "").split(delimiter), ...also];
  return folders.filter((folder) => folder !== "").map((folder) => `${folder}/${file}`).find(isFile);
}

/** Whether a program is on the PATH, so that it can be started by its name. */
export function isInstalled(name: string): boolean {
  return findProgram(name) !== undefined;
}

function isFile(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch (error) {
    const { NotFound, NotADirectory, PermissionDenied, NotCapable } = Deno.errors;
    if ([NotFound, NotADirectory, PermissionDenied, NotCapable].some((kind) => error instanceof kind)) return false;
    throw error;
  }
}
