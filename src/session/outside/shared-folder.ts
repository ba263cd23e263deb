// A folder of the computer that a guest shares. Deno has no openat: each folder on a path is
// checked before and after an operation below it, so that a symbolic link, whenever it is put
// there, leads nowhere (docs/differences.md has the remaining race).

import type { BigIntStats } from "node:fs";
import {
  Errno,
  type FileChange,
  type FileStatus,
  type FolderFile,
  type SharedFolder,
  ShareError,
  type SharePath,
} from "../../machine/virtio/p9/folder.ts";
import { node } from "../../kit/support/node-modules.ts";

/**
 * Bits of a mode that a guest may set: set-user-ID and set-group-ID would mean something to the
 * computer.
 */
const SETTABLE = 0o1777;
/**
 * The guest's view of users other than the owner of the shared folder, and of groups other than its
 * group.
 */
const NOBODY = 65_534;
const OWNER_IN_GUEST = 0;
/** The earliest second of a Date, from 1970. */
const EARLIEST = -8.64e12;

/** A folder of the computer. Its owner and group are the guest's root. */
export class ComputerFolder implements SharedFolder {
  readonly #root: string;
  readonly #device: bigint;
  readonly #uid: bigint;
  readonly #gid: bigint;

  /** @throws Error if the folder does not exist. */
  constructor(folder: string) {
    this.#root = Deno.realPathSync(folder);
    const status = node.fs.lstatSync(this.#root, { bigint: true });
    if (!status.isDirectory()) throw new Deno.errors.NotADirectory(`${folder} is not a folder`);
    this.#device = status.dev;
    this.#uid = status.uid;
    this.#gid = status.gid;
  }

  status(path: SharePath): FileStatus {
    return this.#seen(path, (file) => this.#statusOf(node.fs.lstatSync(file, { bigint: true })));
  }

  list(path: SharePath) {
    return this.#seen([...path, ""], () => {
      const all = node.fs.readdirSync(this.#place(path)), names = all.filter((name) => !name.includes("\ufffd"));
      return { names: names.sort(), hidden: all.length - names.length };
    });
  }

  look(folder: SharePath, names: readonly string[]): (FileStatus | undefined)[] {
    const place = this.#place(folder);
    return this.#seen([...folder, ""], () => names.map((name) => this.#statusIfThere(`${place}/${name}`)));
  }

  #statusIfThere(place: string): FileStatus | undefined {
    const status = node.fs.lstatSync(place, { bigint: true, throwIfNoEntry: false });
    return status && this.#statusOf(status);
  }

  readLink(path: SharePath): string {
    return this.#seen(path, (file) => node.fs.readlinkSync(file));
  }

  open(path: SharePath, access: { read: boolean; write: boolean; truncate: boolean }): FolderFile {
    return this.#within(path, (place) => {
      const { kind, inode, device } = this.#statusOf(node.fs.lstatSync(place, { bigint: true }));
      if (kind === "symlink") throw new ShareError("ELOOP", "a symbolic link is not followed");
      if (kind === "folder") throw new ShareError("EISDIR", "it is a folder");
      if (kind === "other") throw new ShareError("ENXIO", "devices, sockets and pipes of the host are not opened");
      const writes = access.write || access.truncate;
      // A file that has become a pipe since must not block us.
      const { O_RDONLY, O_WRONLY, O_RDWR, O_NONBLOCK } = node.fs.constants;
      const file = this.#file(node.fs.openSync(place, (writes ? access.read ? O_RDWR : O_WRONLY : O_RDONLY) | O_NONBLOCK));
      const opened = file.status();
      if (opened.inode !== inode || opened.device !== device) {
        file.close();
        throw new ShareError("ESTALE", "the file was replaced while it was opened");
      }
      if (access.truncate) file.change({ size: 0 });
      return file;
    }, (file) => file.close());
  }

  create(path: SharePath, permissions: number): FolderFile {
    return this.#within(path, (place) => {
      const { O_RDWR, O_CREAT, O_EXCL } = node.fs.constants;
      const descriptor = node.fs.openSync(place, O_RDWR | O_CREAT | O_EXCL, permissions & SETTABLE);
      node.fs.fchmodSync(descriptor, permissions & SETTABLE);
      return this.#file(descriptor);
    }, (file) => file.close());
  }

  makeFolder(path: SharePath, permissions: number): void {
    this.#within(path, (place) => {
      node.fs.mkdirSync(place, permissions & SETTABLE);
      node.fs.chmodSync(place, permissions & SETTABLE);
    });
  }

  makeSymlink(path: SharePath, target: string): void {
    this.#within(path, (place) => node.fs.symlinkSync(target, place));
  }

  makeLink(path: SharePath, existing: SharePath): void {
    if (this.status(existing).kind !== "file") throw new ShareError("EPERM", "only files have several names");
    this.#within(path, (place) => this.#within(existing, (from) => node.fs.linkSync(from, place)));
  }

  rename(from: SharePath, to: SharePath): void {
    this.#within(to, (target) => this.#within(from, (source) => node.fs.renameSync(source, target)));
  }

  removeFile(path: SharePath): void {
    this.#within(path, (place) => {
      if (node.fs.lstatSync(place).isDirectory()) throw new ShareError("EISDIR", "it is a folder");
      node.fs.unlinkSync(place);
    });
  }

  removeFolder(path: SharePath): void {
    this.#within(path, (place) => {
      if (!node.fs.lstatSync(place).isDirectory()) throw new ShareError("ENOTDIR", "it is not a folder");
      node.fs.rmdirSync(place);
    });
  }

  change(path: SharePath, change: FileChange): void {
    if (change.size !== undefined) {
      const file = this.open(path, { read: false, write: true, truncate: false });
      try {
        return file.change(change);
      } finally {
        file.close();
      }
    }
    const status = this.status(path);
    this.#mayOwn(status, change);
    this.#within(path, (place) => {
      if (change.permissions !== undefined) {
        if (status.kind === "symlink") throw new ShareError("EOPNOTSUPP", "a symbolic link has no permissions");
        node.fs.chmodSync(place, change.permissions & SETTABLE);
      }
      if (change.accessed !== undefined || change.modified !== undefined) node.fs.lutimesSync(place, ...timesOf(status, change));
    });
  }

  /**
   * Performs an operation on the file at `path`, which is in this folder before and after.
   * @param undo reverts `work` if the file turned out to be elsewhere
   */
  #within<T>(path: SharePath, work: (place: string) => T, undo?: (result: T) => void): T {
    return translated(() => {
      this.#checkFolders(path);
      const result = work(this.#place(path));
      try {
        this.#checkFolders(path);
      } catch (error) {
        undo?.(result);
        throw error;
      }
      return result;
    });
  }

  /**
   * Looks at the file at `path`, and checks that it is in this folder after that. A look changes
   * nothing, so one check is enough: the guest never gets what was seen elsewhere.
   */
  #seen<T>(path: SharePath, look: (place: string) => T): T {
    return translated(() => {
      try {
        return look(this.#place(path));
      } finally {
        this.#checkFolders(path);
      }
    });
  }

  /** Each folder above the last name is a folder, and no link to one. */
  #checkFolders(path: SharePath): void {
    for (let length = 0; length < Math.max(1, path.length); length++) {
      // A quarter of the time of Node's `lstatSync`, for each folder on the path of each request.
      if (!Deno.lstatSync(this.#place(path.slice(0, length))).isDirectory) {
        throw new ShareError("ENOTDIR", `${path[length - 1] ?? "the shared folder"} is not a folder`);
      }
    }
  }

  #place(path: SharePath): string {
    return [this.#root, ...path].join("/");
  }

  #file(descriptor: number): FolderFile {
    const status = () => translated(() => this.#statusOf(node.fs.fstatSync(descriptor, { bigint: true })));
    return {
      status,
      read: (offset, into) => translated(() => node.fs.readSync(descriptor, into, 0, into.length, offset)),
      write: (offset, from) => translated(() => node.fs.writeSync(descriptor, from, 0, from.length, offset)),
      change: (change) =>
        translated(() => {
          this.#mayOwn(status(), change);
          if (change.size !== undefined) node.fs.ftruncateSync(descriptor, change.size);
          if (change.permissions !== undefined) node.fs.fchmodSync(descriptor, change.permissions & SETTABLE);
          if (change.accessed !== undefined || change.modified !== undefined) node.fs.futimesSync(descriptor, ...timesOf(status(), change));
        }),
      sync: (dataOnly) => translated(() => dataOnly ? node.fs.fdatasyncSync(descriptor) : node.fs.fsyncSync(descriptor)),
      close: () => node.fs.closeSync(descriptor),
    };
  }

  #statusOf(status: BigIntStats): FileStatus {
    return {
      kind: status.isFile() ? "file" : status.isDirectory() ? "folder" : status.isSymbolicLink() ? "symlink" : "other",
      device: status.dev ^ this.#device,
      inode: status.ino,
      mode: Number(status.mode),
      uid: status.uid === this.#uid ? OWNER_IN_GUEST : NOBODY,
      gid: status.gid === this.#gid ? OWNER_IN_GUEST : NOBODY,
      links: status.nlink,
      size: status.size,
      blockSize: status.blksize,
      blocks: status.blocks,
      accessed: status.atimeNs,
      modified: status.mtimeNs,
      changed: status.ctimeNs,
    };
  }

  /** Owners stay as they are: to give files away is a right of the computer's root. */
  #mayOwn(status: FileStatus, { uid, gid }: FileChange): void {
    if (uid !== undefined && uid !== status.uid || gid !== undefined && gid !== status.gid) {
      throw new ShareError("EPERM", "owner and group of a host file cannot change");
    }
  }
}

/** Times of access and of change as Node takes them. */
function timesOf(status: FileStatus, change: FileChange): [number | Date, number | Date] {
  return [timeOf(change.accessed ?? status.accessed), timeOf(change.modified ?? status.modified)];
}

/** Seconds since 1970. Node takes negative ones for the present, and Deno no fractions of them. */
function timeOf(time: bigint | "now"): number | Date {
  if (time === "now") return Date.now() / 1000;
  const seconds = Number(time) / 1e9;
  return seconds < 0 ? new Date(Math.max(Math.floor(seconds), EARLIEST) * 1000) : seconds;
}

/** Calls `work`; an error of the computer becomes an error of the share. */
function translated<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof ShareError || !(error instanceof Error)) throw error;
    if (error instanceof Deno.errors.NotCapable) throw new ShareError("EACCES", error.message);
    // Deno's texts are UTF-8: other names, and other targets of links, cannot be told to the guest.
    if (error instanceof Deno.errors.InvalidData) throw new ShareError("EILSEQ", error.message);
    const code = (error as Error & { code?: string }).code ?? codeOf(error.message);
    if (code === undefined) throw error;
    throw new ShareError(code in Errno ? code as keyof typeof Errno : "EIO", error.message);
  }
}

/**
 * The computer's error that a message names by its number, as in `File too large (os error 27)`:
 * Deno has names for the more common ones only.
 */
function codeOf(message: string): string | undefined {
  const number = /\(os error (\d+)\)/.exec(message)?.[1];
  if (number === undefined) return undefined;
  return Object.entries(Errno).find(([, value]) => value === Number(number))?.[0] ?? number;
}
