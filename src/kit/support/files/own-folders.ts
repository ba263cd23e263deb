// Folders that are ours alone: nobody else can replace them or what is in them.

import { node } from "../node-modules.ts";
import { checkOwner, checkSteadyFolder, lstatIfThere, NotOurs, octal, OTHERS, OTHERS_WRITE, ownUid, ROOT, STICKY } from "./own-files.ts";

/**
 * Makes a folder, mode 0700, if it does not exist, and checks that it is ours alone.
 * @throws NotOurs; an error of the system if it cannot be made
 */
export function ownFolder(path: string): string {
  checkWay(path, node.path.dirname(path));
  Deno.mkdirSync(path, { recursive: true, mode: 0o700 });
  checkOwnFolder(path);
  return path;
}

/**
 * Checks that a folder is real, ours, and closed to other users.
 * @throws NotOurs
 */
export function checkOwnFolder(path: string): void {
  // A user who can replace a folder further up, or a link on the way, can replace all below between
  // our look and our use.
  const parent = node.path.dirname(path);
  checkWay(path, parent);
  const info = Deno.lstatSync(path);
  if (info.isSymlink) throw new NotOurs(`${path} is a symbolic link`, "remove it");
  if (!info.isDirectory) throw new NotOurs(`${path} is not a folder`, "remove it");
  checkOwner(path, info);
  if (((info.mode ?? 0) & OTHERS) !== 0) {
    throw new NotOurs(`${path} has mode ${octal(info)}, others have rights there`, `chmod 700 ${path}`);
  }
  const above = Deno.statSync(parent);
  // Users who may write in the parent can rename the folder, and put another one there.
  const writable = ((above.mode ?? 0) & OTHERS_WRITE) !== 0 && ((above.mode ?? 0) & STICKY) === 0;
  if (writable) throw new NotOurs(`${parent} has mode ${octal(above)}: others can replace ${path}`, `chmod go-w ${parent}`);
  if (above.uid !== null && above.uid !== ROOT && above.uid !== ownUid()) {
    throw new NotOurs(`${parent} belongs to user ${above.uid}, who can replace ${path}`);
  }
  const real = Deno.realPathSync(parent);
  if (real !== parent) checkWay(path, real);
}

/**
 * Checks that nobody but us and root can replace our files in a folder, or the folder. Others may
 * read there, and write if it is sticky.
 * @throws NotOurs; an error of the system if it does not exist
 */
export function checkSteadyWay(path: string): void {
  const real = Deno.realPathSync(path);
  checkWay(path, real);
  checkSteadyFolder(real);
}

/**
 * Checks that only we and root can rename what is on the way to a folder, from the root to its
 * parent, as far as there is something. No link is followed before its owner is known: where the
 * system protects links, it refuses to follow that of another user, and says less.
 * @throws NotOurs
 */
function checkWay(path: string, parent: string): void {
  // In a user namespace, root has another number.
  const trusted: readonly (number | null)[] = [ROOT, ownUid(), Deno.statSync("/").uid];
  const way = [parent];
  for (let outer = node.path.dirname(parent); outer !== way[0]; outer = node.path.dirname(outer)) way.unshift(outer);
  for (const [index, inner] of way.entries().drop(1)) {
    const outer = way[index - 1], info = lstatIfThere(inner);
    if (!info) return;
    if (!trusted.includes(info.uid)) throw new NotOurs(`${inner} belongs to user ${info.uid}, who can replace ${path}`);
    const above = Deno.statSync(outer), mode = above.mode ?? 0;
    if ((mode & OTHERS_WRITE) !== 0 && (mode & STICKY) === 0) {
      throw new NotOurs(`${outer} has mode ${octal(above)}: others can replace ${inner}`, `chmod go-w ${outer}`);
    }
  }
}
