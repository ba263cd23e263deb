// Configurations that may run programs: the user has trusted their content by `el2 trust`. A file
// of the user's state folder holds the path and the digest, so that a changed file is not trusted.

import { createHash } from "node:crypto";
import { Failure } from "../common/failure.ts";
import { isOfSystem } from "../../support/cache.ts";
import { checkOwnFolder, lstatIfThere, NotOurs, ownFolder, readOwnText, removeIfThere } from "../../support/own-files.ts";
import { stateFolder } from "../../support/state-folder.ts";
import { writeWhole } from "../../support/whole-file.ts";

const digest = (text: string) => createHash("sha256").update(text).digest("hex");

/** The path that a file has without links. */
const realPath = (file: string) => Deno.realPathSync(file);

function recordOf(file: string): { readonly folder: string; readonly path: string } | undefined {
  const folder = stateFolder("trusted");
  return folder === undefined ? undefined : { folder, path: `${folder}/${digest(realPath(file))}` };
}

/**
 * Whether the user has trusted a file with this content. A folder that others can write to counts
 * as empty.
 */
export function isTrusted(file: string, text: string): boolean {
  try {
    const record = recordOf(file);
    if (record === undefined || lstatIfThere(record.folder) === undefined) return false;
    checkOwnFolder(record.folder);
    return readOwnText(record.path)?.split("\n", 1)[0] === digest(text);
  } catch (error) {
    if (error instanceof NotOurs || error instanceof Error && isOfSystem(error)) return false;
    throw error;
  }
}

/**
 * Trusts a file as long as it has this content.
 * @throws Failure if that cannot be kept
 */
export function trust(file: string, text: string): void {
  change(file, ({ folder, path }) => {
    ownFolder(folder);
    writeWhole(path, `${digest(text)}\n${realPath(file)}\n`);
  });
}

/** Trusts a file no longer. */
export function distrust(file: string): void {
  change(file, ({ path }) => removeIfThere(path));
}

function change(file: string, how: (record: { readonly folder: string; readonly path: string }) => void): void {
  try {
    const record = recordOf(file);
    if (record === undefined) throw new Failure("trust needs a folder for its records; set HOME or XDG_STATE_HOME");
    how(record);
  } catch (error) {
    if (error instanceof NotOurs || error instanceof Error && isOfSystem(error)) throw new Failure(`trust ${file}: ${error.message}`);
    throw error;
  }
}
