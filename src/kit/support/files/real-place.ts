// Where a path leads: guests and strangers put links into folders that they share.

import { lstatIfThere } from "./own-files.ts";
import { node } from "../node-modules.ts";

/**
 * Where a path leads, through all links; a file that is not there is in its folder. Undefined if
 * the computer does not tell.
 */
export function leadsTo(path: string): string | undefined {
  try {
    return Deno.realPathSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) return undefined;
    // A link to a file that is not there makes it.
    return lstatIfThere(path)?.isSymlink ? `${path} -> ${Deno.readLinkSync(path)}` : placeOf(path);
  }
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
  return place === whole || place.startsWith(whole.endsWith("/") ? whole : `${whole}/`);
}
