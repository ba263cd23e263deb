// A folder of the computer as the 9P server sees it. The workstation implements it over the
// computer's file system; nothing that is done through it leaves the folder.

/** Errors that a share answers with: numbers of arm64 Linux, whatever the computer. */
export const Errno = {
  EPERM: 1,
  ENOENT: 2,
  EIO: 5,
  ENXIO: 6,
  EBADF: 9,
  ENOMEM: 12,
  EACCES: 13,
  EBUSY: 16,
  EEXIST: 17,
  EXDEV: 18,
  ENOTDIR: 20,
  EISDIR: 21,
  EINVAL: 22,
  ENFILE: 23,
  EMFILE: 24,
  ETXTBSY: 26,
  EFBIG: 27,
  ENOSPC: 28,
  EROFS: 30,
  EMLINK: 31,
  ENAMETOOLONG: 36,
  ENOSYS: 38,
  ENOTEMPTY: 39,
  ELOOP: 40,
  EILSEQ: 84,
  EOPNOTSUPP: 95,
  ESTALE: 116,
  EDQUOT: 122,
} as const;

export type P9ErrnoName = keyof typeof Errno;

/** Why something was not done. */
export class ShareError extends Error {
  constructor(readonly errno: P9ErrnoName, what: string) {
    super(`${errno}: ${what}`);
  }
}

/**
 * Names from the folder down; the folder itself is the empty list. Names have been checked: no `/`,
 * no NUL, neither `.` nor `..`.
 */
export type SharePath = readonly string[];

/** Attributes of a file. Times are nanoseconds since 1970. */
export interface FileStatus {
  readonly kind: "file" | "folder" | "symlink" | "other";
  /**
   * Numbers that tell it from all others of the computer; `device` is 0 for that of the shared
   * folder.
   */
  readonly device: bigint;
  readonly inode: bigint;
  /** Permissions and file type as `st_mode`. */
  readonly mode: number;
  /** As the guest sees them. */
  readonly uid: number;
  readonly gid: number;
  readonly links: bigint;
  readonly size: bigint;
  readonly blockSize: bigint;
  readonly blocks: bigint;
  readonly accessed: bigint;
  readonly modified: bigint;
  readonly changed: bigint;
}

/** Changes to attributes; times are nanoseconds since 1970, or the present. */
export interface FileChange {
  readonly permissions?: number;
  /** Owner and group as the guest calls them. */
  readonly uid?: number;
  readonly gid?: number;
  readonly size?: number;
  readonly accessed?: bigint | "now";
  readonly modified?: bigint | "now";
}

/** The names in a folder. */
export interface Listing {
  readonly names: readonly string[];
  /** How many more there are, which are not UTF-8. */
  readonly hidden: number;
}

export interface FolderFile {
  status(): FileStatus;
  /** How many bytes there were from `offset` on. */
  read(offset: number, into: Uint8Array): number;
  write(offset: number, from: Uint8Array): number;
  change(change: FileChange): void;
  sync(dataOnly: boolean): void;
  close(): void;
}

/** The folder. Everything throws `ShareError`; symbolic links are never followed. */
export interface SharedFolder {
  status(path: SharePath): FileStatus;
  /** Names in a folder, sorted, without `.` and `..`. */
  list(path: SharePath): Listing;
  /** Statuses of names in a folder; undefined for those that are not there. */
  look(folder: SharePath, names: readonly string[]): (FileStatus | undefined)[];
  readLink(path: SharePath): string;
  open(path: SharePath, access: { readonly read: boolean; readonly write: boolean; readonly truncate: boolean }): FolderFile;
  /** Makes a file that is not there, readable and writable. */
  create(path: SharePath, permissions: number): FolderFile;
  makeFolder(path: SharePath, permissions: number): void;
  makeSymlink(path: SharePath, target: string): void;
  makeLink(path: SharePath, existing: SharePath): void;
  rename(from: SharePath, to: SharePath): void;
  removeFile(path: SharePath): void;
  removeFolder(path: SharePath): void;
  change(path: SharePath, change: FileChange): void;
}
