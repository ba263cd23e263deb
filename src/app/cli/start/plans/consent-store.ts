// Files to whose content the user has consented, by their path and digest: another content at the
// path, and the same content elsewhere, have no consent.

import { Failure } from "../../common/failure.ts";
import { isOfSystem } from "../../../../kit/support/system-error.ts";
import { node } from "../../../../kit/support/node-modules.ts";
import { lstatIfThere, NotOurs, readOwnText, removeIfThere } from "../../../../kit/support/files/own-files.ts";
import { checkOwnFolder, ownFolder } from "../../../../kit/support/files/own-folders.ts";
import { stateFolder } from "../../../../kit/support/files/state-folder.ts";
import { writeWhole } from "../../../../kit/support/files/whole-file.ts";
import { problemOf } from "../../../../kit/support/problem.ts";

/** SHA-256 in hexadecimal. */
export const digest = (content: string | Uint8Array) => node.crypto.createHash("sha256").update(content).digest("hex");

/** Where the record of a file is. */
interface ConsentRecord {
  /** The path that the file has without links: asked for once, as links can change. */
  readonly real: string;
  readonly folder: string;
  readonly path: string;
}

function recordOf(file: string): ConsentRecord | undefined {
  const folder = stateFolder("consents");
  if (folder === undefined) return undefined;
  const real = Deno.realPathSync(file);
  return { real, folder, path: `${folder}/${digest(real)}` };
}

/**
 * Whether the user has consented to a file with this content: give the text that is used, as the
 * file may change in between. Records that others can write count as none.
 */
export function hasConsent(file: string, text: string): boolean {
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
 * Keeps that the user consents to a file as long as it has this content.
 * @throws Failure if that cannot be kept
 */
export function consent(file: string, text: string): void {
  orFail(file, () => {
    const record = recordOf(file);
    if (record === undefined) throw new Failure("consent needs a folder for its records", "set HOME or XDG_STATE_HOME");
    ownFolder(record.folder);
    writeWhole(record.path, `${digest(text)}\n${record.real}\n`);
  });
}

/** Does work that the system or another user may prevent. @throws Failure in that case */
function orFail<T>(what: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof NotOurs || error instanceof Error && isOfSystem(error)) throw new Failure(problemOf(error, what));
    throw error;
  }
}

/**
 * Real paths of the files with a consent, sorted.
 * @throws Failure if the records cannot be read, or others can write them
 */
export function consentedFiles(): string[] {
  const folder = stateFolder("consents");
  if (folder === undefined || lstatIfThere(folder) === undefined) return [];
  return orFail("consent", () => {
    checkOwnFolder(folder);
    const names = Array.from(Deno.readDirSync(folder), ({ name }) => name);
    const files = names.map((name) => [name, readOwnText(`${folder}/${name}`)?.split("\n")[1]] as const);
    return files.flatMap(([name, real]) => real !== undefined && name === digest(real) ? [real] : []).sort();
  });
}

/**
 * Ends the consent to a file.
 * @param real its real path, as `consentedFiles` has it
 * @throws Failure if the record stays
 */
export function withdraw(real: string): void {
  orFail("consent", () => removeIfThere(`${stateFolder("consents")}/${digest(real)}`));
}
