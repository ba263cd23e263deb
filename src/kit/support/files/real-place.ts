// Where a path leads: guests and strangers put links into folders that they share.

import { lstatIfThere, NotOurs } from "./own-files.ts";
import { node } from "../node-modules.ts";

/** Links in each other: more than any system follows. */
const LINKS_MAX = 40;
/** Links of the kernel's, such as to an open pipe, lead to what has no name. */
const KERNELS = "/proc/";

/**
 * Where a path leads, through all links; a file that is not there is in its folder, and a link to
 * one makes it there. Undefined if the computer does not tell.
 */
export function leadsTo(path: string): string | undefined {
  let at = path;
  for (let links = 0; links < LINKS_MAX; links++) {
    try {
      return Deno.realPathSync(at);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) return undefined;
    }
    if (at.startsWith(KERNELS) || !lstatIfThere(at)?.isSymlink) return placeOf(at);
    const target = Deno.readLinkSync(at);
    at = target.startsWith("/") ? target : `${node.path.dirname(at)}/${target}`;
  }
  return undefined;
}

/** The place of a file whose last name is not a link. */
export function placeOf(path: string): string | undefined {
  const folder = leadsTo(node.path.dirname(path));
  return folder === undefined ? undefined : node.path.join(folder, node.path.basename(path));
}

/** Whether a path leads to a folder or into it; not, if the computer does not tell. */
export function leadsInto(path: string, folder: string): boolean {
  const place = leadsTo(path), whole = leadsTo(folder);
  if (place === undefined || whole === undefined) return false;
  return isWithin(place, whole);
}

/** Whether a place is a folder or in it. */
export function isWithin(place: string, folder: string): boolean {
  return place === folder || place.startsWith(folder.endsWith("/") ? folder : `${folder}/`);
}

/** Whether a path leads elsewhere than its words say. */
export function isLinked(path: string, place: string): boolean {
  return node.path.resolve(path) !== place;
}

/**
 * Opens the file at a place for writing, emptied, and makes it with mode 0600 if it is not there.
 * No link is followed, whenever it was put there.
 * @param place as `leadsTo` has it
 * @throws NotOurs if there is a link on the way
 */
export function openPlace(place: string): Deno.FsFile {
  if (place.startsWith(KERNELS)) return Deno.openSync(place, { write: true });
  const linked = () => new NotOurs(`${place} leads elsewhere since it was named`, "name another file");
  if (placeOf(place) !== place) throw linked();
  const before = lstatIfThere(place);
  if (before === undefined) return Deno.openSync(place, { write: true, createNew: true, mode: 0o600 });
  if (before.isSymlink) throw linked();
  const file = Deno.openSync(place, { write: true });
  try {
    const { dev, ino, isFile } = file.statSync();
    if (dev !== before.dev || ino !== before.ino) throw linked();
    if (isFile) file.truncateSync(0);
    return file;
  } catch (error) {
    file.close();
    throw error;
  }
}
