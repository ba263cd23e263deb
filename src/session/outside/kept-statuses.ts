// A shared folder that keeps statuses. A guest without a cache asks three times for the status of
// each file, and for the files of a folder one after the other; each question is a call of another
// thread. So a look takes the statuses of the names that follow in the folder's list too.
//
// A guest cannot notice: an answer from a status that was kept is one that it could have had at the
// time of the look. Nothing has told the guest about later changes, as the statuses are used in the
// order in which they were taken, and dropped before anything else is done with the folder, when
// another input has entered the machine (`OutsideShare`), and after a few milliseconds.

import { type FileChange, type FileStatus, type FolderFile, type SharedFolder, type SharePath } from "../../machine/virtio/p9/folder.ts";

/** How long (ms) statuses are kept, and how many at most. */
const LIFETIME = 10, MOST = 512;

/** Statuses that one look has taken. */
interface Look {
  readonly folder: SharePath;
  readonly names: readonly string[];
  readonly statuses: readonly (FileStatus | undefined)[];
  /** When it was taken, ms. */
  readonly time: number;
  /** Index of the latest that was used, and how many have been. */
  at: number;
  used: number;
}

/** `folder`, called less often. */
export class KeptStatuses implements SharedFolder {
  #look: Look | undefined;
  /** The folder that was listed last, and its names. */
  #listed: { readonly path: SharePath; readonly names: readonly string[] } = { path: [], names: [] };
  /** How many statuses the next look takes, as long as there are names. */
  #ahead = 1;

  constructor(readonly folder: SharedFolder, readonly now: () => number = () => performance.now()) {}

  /** The guest may have learnt of later changes: these statuses no longer fit. */
  drop(): void {
    const look = this.#look;
    if (!look) return;
    this.#look = undefined;
    const { used, names: { length } } = look;
    this.#ahead = used === length ? Math.min(2 * length, MOST) : used;
  }

  status(path: SharePath): FileStatus {
    return this.#kept(path) ?? this.#fresh(path);
  }

  list(path: SharePath) {
    const listing = this.#live().list(path);
    this.#listed = { path, names: listing.names };
    this.#ahead = MOST;
    return listing;
  }

  look(folder: SharePath, names: readonly string[]): (FileStatus | undefined)[] {
    return this.#live().look(folder, names);
  }

  readLink(path: SharePath): string {
    return this.#live().readLink(path);
  }

  open(path: SharePath, access: { readonly read: boolean; readonly write: boolean; readonly truncate: boolean }): FolderFile {
    return this.#file(this.#live().open(path, access));
  }

  create(path: SharePath, permissions: number): FolderFile {
    return this.#file(this.#live().create(path, permissions));
  }

  makeFolder(path: SharePath, permissions: number): void {
    this.#live().makeFolder(path, permissions);
  }

  makeSymlink(path: SharePath, target: string): void {
    this.#live().makeSymlink(path, target);
  }

  makeLink(path: SharePath, existing: SharePath): void {
    this.#live().makeLink(path, existing);
  }

  rename(from: SharePath, to: SharePath): void {
    this.#live().rename(from, to);
  }

  removeFile(path: SharePath): void {
    this.#live().removeFile(path);
  }

  removeFolder(path: SharePath): void {
    this.#live().removeFolder(path);
  }

  change(path: SharePath, change: FileChange): void {
    this.#live().change(path, change);
  }

  /** The folder itself, for what is not answered from here. */
  #live(): SharedFolder {
    this.drop();
    return this.folder;
  }

  #file(file: FolderFile): FolderFile {
    const live = () => {
      this.drop();
      return file;
    };
    return {
      status: () => live().status(),
      read: (offset, into) => live().read(offset, into),
      write: (offset, from) => live().write(offset, from),
      change: (change) => live().change(change),
      sync: (dataOnly) => live().sync(dataOnly),
      close: () => file.close(),
    };
  }

  #kept(path: SharePath): FileStatus | undefined {
    const look = this.#look;
    if (!look || !isIn(look.folder, path)) return undefined;
    const index = look.names.indexOf(path[path.length - 1], look.at);
    if (index < 0 || this.now() - look.time > LIFETIME) return undefined;
    if (index > look.at) look.used++;
    look.at = index;
    return look.statuses[index];
  }

  #fresh(path: SharePath): FileStatus {
    this.drop();
    if (path.length === 0) return this.folder.status(path);
    const time = this.now(), folder = path.slice(0, -1), names = this.#following(path);
    const statuses = names.length === 1 ? [this.folder.status(path)] : this.folder.look(folder, names);
    // The folder itself has the error of a name that is gone by now.
    const status = statuses[0] ?? this.folder.status(path);
    this.#look = { folder, names, statuses, time, at: 0, used: 1 };
    return status;
  }

  /** A name, with those that a guest which goes through the folder will ask for next. */
  #following(path: SharePath): readonly string[] {
    const name = path[path.length - 1], { path: folder, names } = this.#listed;
    if (this.#ahead === 1 || !isIn(folder, path)) return [name];
    const index = names.indexOf(name);
    return index < 0 ? [name] : names.slice(index, index + this.#ahead);
  }
}

/** Whether a path is that of a name in a folder. */
function isIn(folder: SharePath, path: SharePath): boolean {
  return path.length === folder.length + 1 && folder.every((name, level) => name === path[level]);
}
