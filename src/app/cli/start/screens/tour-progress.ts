// The chapter of `el2 tour` that was left, in the user's state folder.

import { isOfSystem } from "../../../../kit/support/system-error.ts";
import { checkTrustedFolder, NotOurs } from "../../../../kit/support/files/own-files.ts";
import { stateFolder } from "../../../../kit/support/files/state-folder.ts";
import { warn } from "../../../../kit/support/warn.ts";
import { writeWhole } from "../../../../kit/support/files/whole-file.ts";

/** The name of a chapter is shorter. */
const LONGEST = 100;

function file(folder: string): string {
  return `${folder}/tour`;
}

/** The chapter to continue with, if one is kept. */
export function keptChapter(): string | undefined {
  const folder = stateFolder("ui");
  if (folder === undefined) return undefined;
  try {
    checkTrustedFolder(folder);
    return Deno.readTextFileSync(file(folder)).slice(0, LONGEST).trim() || undefined;
  } catch (error) {
    if (!(error instanceof NotOurs) && !isOfSystem(error)) throw error;
    return undefined;
  }
}

/** Keeps it; undefined: the next tour begins at the beginning. */
export function keepChapter(name: string | undefined): void {
  const folder = stateFolder("ui");
  if (folder === undefined) return;
  try {
    Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
    checkTrustedFolder(folder);
    writeWhole(file(folder), name ?? "");
  } catch (error) {
    if (!(error instanceof Error) || !(error instanceof NotOurs) && !isOfSystem(error)) throw error;
    warn(`cannot save where the tour was left: ${error.message}`);
  }
}
