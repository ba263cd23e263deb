// The methods of objects that the worker of guests uses in the thread that has rights: a table, of
// which both ends are made (`remote-computer.ts`, `served-computer.ts`).

import type { FolderFile, SharedFolder } from "../../machine/virtio/p9/folder.ts";

/** How both ends treat a method. */
interface RemoteMethod {
  /** Leading arguments that are paths within the folder. */
  readonly paths?: number;
  /** Whether it is refused where the share is read-only. */
  readonly changes?: true;
  /** Whether its result is an open file. */
  readonly opens?: true;
  /** Whether the object is gone after it. */
  readonly ends?: true;
}

/** Methods of a shared folder. `open` changes by its arguments. */
export const FOLDER_METHODS: Readonly<Record<keyof SharedFolder, RemoteMethod>> = {
  status: { paths: 1 },
  list: { paths: 1 },
  // Names in a folder have the form of a path.
  look: { paths: 2 },
  readLink: { paths: 1 },
  open: { paths: 1, opens: true },
  create: { paths: 1, changes: true, opens: true },
  makeFolder: { paths: 1, changes: true },
  makeSymlink: { paths: 1, changes: true },
  makeLink: { paths: 2, changes: true },
  rename: { paths: 2, changes: true },
  removeFile: { paths: 1, changes: true },
  removeFolder: { paths: 1, changes: true },
  change: { paths: 1, changes: true },
};

/** Methods of an open file of a folder but `read`, whose bytes take another way. */
export const FILE_METHODS: Readonly<Record<Exclude<keyof FolderFile, "read">, RemoteMethod>> = {
  status: {},
  write: {},
  change: { changes: true },
  sync: {},
  close: { ends: true },
};
