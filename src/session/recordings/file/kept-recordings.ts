// Recordings of runs that failed: the newest are kept in el2's state folder, or where --recordings
// says.

import { isOfSystem } from "../../../kit/support/system-error.ts";
import { stateFolder } from "../../../kit/support/files/state-folder.ts";
import { warn } from "../../../kit/support/warn.ts";

/** Recordings that are kept in el2's own folder. */
const KEPT = 10;
const SUFFIX = ".rec";
/** The end of their names, after the title: a time, in digits that sort by it. */
export const RECORDED_AT = /-\d{4}-\d\d-\d\dT[\d-]+Z\.rec$/;

/** A file for the recording of a run that failed; undefined if none is wanted or can be. */
export function failureRecording(title: string, wanted: string | undefined): string | undefined {
  if (wanted === "none") return undefined;
  const folder = wanted ?? stateFolder("recordings");
  if (folder === undefined) return undefined;
  try {
    Deno.mkdirSync(folder, { recursive: true, mode: 0o700 });
    if (wanted === undefined) forgetOldest(folder);
  } catch (error) {
    if (!isOfSystem(error)) throw error;
    warn(`no recording is kept: ${error instanceof Error ? error.message : error}; --recordings FOLDER names another folder`);
    return undefined;
  }
  const time = new Date().toISOString().replaceAll(/[:.]/g, "-");
  return `${folder}/${title.replaceAll(/[^A-Za-z0-9._-]+/g, "-")}-${time}${SUFFIX}`;
}

/** Makes room for one more. */
function forgetOldest(folder: string): void {
  const files = [...Deno.readDirSync(folder)].filter(({ isFile, name }) => isFile && name.endsWith(SUFFIX)).map(({ name }) => {
    return { path: `${folder}/${name}`, time: Deno.statSync(`${folder}/${name}`).mtime?.getTime() ?? 0 };
  });
  files.sort((a, b) => b.time - a.time);
  for (const { path } of files.slice(KEPT - 1)) Deno.removeSync(path);
}
