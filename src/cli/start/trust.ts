// Configurations that may run programs: the user has trusted their content by `el2 trust`. A file
// of the user's state folder holds the path and the digest, so that a changed file is not trusted.

import { createHash } from "node:crypto";
import { dirname } from "node:path";
import { Failure } from "../common/failure.ts";
import { isOfSystem } from "../../support/system-error.ts";
import { lstatIfThere, NotOurs, readOwnText, removeIfThere } from "../../support/own-files.ts";
import { checkOwnFolder, ownFolder } from "../../support/own-folders.ts";
import { stateFolder } from "../../support/state-folder.ts";
import { writeWhole } from "../../support/whole-file.ts";

const digest = (text: string) => createHash("sha256").update(text).digest("hex");

/** Where the record of a file is. */
interface TrustRecord {
  /** The path that the file has without links: asked for once, as links can change. */
  readonly real: string;
  readonly folder: string;
  readonly path: string;
}

function recordOf(file: string): TrustRecord | undefined {
  const folder = stateFolder("trusted");
  if (folder === undefined) return undefined;
  const real = Deno.realPathSync(file);
  return { real, folder, path: `${folder}/${digest(real)}` };
}

/**
 * The folder for the programs of a file that the user has trusted with this content; undefined if
 * the user has not. It is the file's own folder: whoever makes a link to a trusted file must not
 * choose which programs its relative paths name. Records that others can write count as none.
 */
export function trustedFolder(file: string, text: string): string | undefined {
  try {
    const record = recordOf(file);
    if (record === undefined || lstatIfThere(record.folder) === undefined) return undefined;
    checkOwnFolder(record.folder);
    return readOwnText(record.path)?.split("\n", 1)[0] === digest(text) ? dirname(record.real) : undefined;
  } catch (error) {
    if (error instanceof NotOurs || error instanceof Error && isOfSystem(error)) return undefined;
    throw error;
  }
}

/**
 * Trusts a file as long as it has this content, and returns the folder for its programs.
 * @throws Failure if that cannot be kept
 */
export function trust(file: string, text: string): string {
  return change(file, ({ real, folder, path }) => {
    ownFolder(folder);
    writeWhole(path, `${digest(text)}\n${real}\n`);
    return dirname(real);
  });
}

/** Trusts a file no longer. */
export function distrust(file: string): void {
  change(file, ({ path }) => removeIfThere(path));
}

function change<T>(file: string, how: (record: TrustRecord) => T): T {
  try {
    const record = recordOf(file);
    if (record === undefined) throw new Failure("trust needs a folder for its records; set HOME or XDG_STATE_HOME");
    return how(record);
  } catch (error) {
    if (error instanceof NotOurs || error instanceof Error && isOfSystem(error)) throw new Failure(`trust ${file}: ${error.message}`);
    throw error;
  }
}
