// Whether a run that failed had the images of the failed runs before it: a fix that did not reach
// the machine shows so (docs/spec/phones.md §B, number 34).

import { basename, dirname } from "node:path";
import { recordedImages } from "./recorded-images.ts";
import { isOfSystem } from "../../../kit/support/system-error.ts";
import { RECORDED_AT } from "./kept-recordings.ts";

/** Failed runs before one, without a run with other images between them. */
interface UnchangedImages {
  /** Recording of the first of them. */
  readonly since: string;
  readonly runs: number;
}

/** Failed runs of the same name with the images of this recording; undefined without one. */
export function unchangedImages(path: string): UnchangedImages | undefined {
  const folder = dirname(path), name = basename(path);
  const titleOf = (file: string) => file.replace(RECORDED_AT, "");
  try {
    const earlier = [...Deno.readDirSync(folder)].filter((entry) =>
      entry.isFile && RECORDED_AT.test(entry.name) && titleOf(entry.name) === titleOf(name) && entry.name < name
    ).map((entry) => `${folder}/${entry.name}`).sort().reverse();
    const images = recordedImages(path);
    const changed = earlier.findIndex((other) => !areSame(images, recordedImages(other)));
    const same = changed < 0 ? earlier : earlier.slice(0, changed);
    return same.length === 0 ? undefined : { since: same.at(-1)!, runs: same.length };
  } catch (error) {
    // Another program may remove the oldest ones.
    if (error instanceof Error && isOfSystem(error)) return undefined;
    throw error;
  }
}

function areSame(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a.size > 0 && a.size === b.size && [...a].every(([place, sum]) => b.get(place) === sum);
}
