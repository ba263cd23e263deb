// Where a path leads: guests and strangers put links into folders that they share.

import { lstatIfThere } from "./own-files.ts";
import { node } from "../node-modules.ts";

/** Links in each other: more than any system follows. */
const LINKS_MAX = 40;
/** Links of the kernel's, such as to an open pipe, lead to what has no name. */
export const KERNELS = "/proc/";

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
