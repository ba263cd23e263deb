// The 9P2000.L server of one guest: requests in, answers out, one at a time. Names are checked
// here, so that a path never leaves the folder: the server resolves `..` to the parent of its own
// path, and never follows a symbolic link.

import * as v from "valibot";
import { type Form, inForm, isSize } from "../../../kit/support/values/forms.ts";
import { type Fid, FIDS, type FidState, FidTable } from "./fids.ts";
import { Errno, type FileChange, type FileStatus, type SharedFolder, ShareError, type SharePath } from "./folder.ts";
import {
  ENTRY,
  namesOfEntries,
  NO_FID,
  P9,
  P9_HEADER_SIZE,
  P9_TYPE_AT,
  type P9Answer,
  P9Malformed,
  type P9Name,
  p9Name,
  type P9Request,
  type Qid,
  QidType,
  READ_OVERHEAD,
  readFields,
  RLERROR,
  writeFields,
  writeMessage,
} from "./messages.ts";
import { P9_MESSAGE_MAX } from "../limits.ts";

const VERSION = "9P2000.L";
/** Bytes of the shortest limit on messages: room for a file name and its status. */
const MESSAGE_MIN = 4096;
/**
 * Bytes of a name and of a path, as Linux has them; a path's length bounds how deep a guest can go.
 */
const NAME_MAX = 255;
const PATH_MAX = 4096;
/** Names that open folders may remember together. */
const NAMES_MAX = 1 << 17;

/** Flags of Tlopen and Tlcreate (P9_DOTL_*). */
const Open = { ACCESS: 3, WRONLY: 1, RDWR: 2, EXCL: 0o200, TRUNC: 0o1000, APPEND: 0o2000, DIRECTORY: 0o200000 } as const;
/** Fields that Tsetattr changes. */
const Set = { MODE: 1, UID: 2, GID: 4, SIZE: 8, ATIME: 0x10, MTIME: 0x20, ATIME_GIVEN: 0x80, MTIME_GIVEN: 0x100 } as const;
/** Attributes of Rgetattr: all but birth time, generation and data version (P9_STATS_BASIC). */
const KNOWN_ATTRIBUTES = 0x7ffn;
const REMOVE_FOLDER = 0x200;
const PERMISSIONS = 0o7777;
const LOCK_SUCCESS = 0, LOCK_UNLOCKED = 2;
/** Entries that every folder has first. */
const OF_EVERY_FOLDER: readonly string[] = [".", ".."];
/** `d_type` of an entry. */
const ENTRY_TYPES = { file: 8, folder: 4, symlink: 10, other: 0 } as const;
const MILLISECOND = 1_000_000n;
const SECOND = 1000n * MILLISECOND;

export interface P9ServerState {
  readonly messageSize: number;
  readonly fids: readonly FidState[];
}

const SIZE = v.custom<number>((value) => isSize(value) && Number(value) <= P9_MESSAGE_MAX, `it is not a size up to ${P9_MESSAGE_MAX}`);
const STATE: Form<P9ServerState> = v.strictObject({ messageSize: SIZE, fids: FIDS });

interface P9Counters {
  requests: number;
  errors: number;
  read_bytes: number;
  written_bytes: number;
  /** Names that listings have left out. */
  hidden_names: number;
}

type Handlers = { readonly [N in P9Name]: (request: P9Request<N>) => P9Answer<N> };

/** One server. It changes nothing if `readOnly`. */
export class P9Server {
  readonly counters: P9Counters = { requests: 0, errors: 0, read_bytes: 0, written_bytes: 0, hidden_names: 0 };
  readonly #fids = new FidTable();
  /** Bytes of a message, as agreed by Tversion; 0 before. */
  #messageSize = 0;
  /** Room for the answer to the request that is served. */
  #room = 0;
  #names = 0;

  constructor(readonly folder: SharedFolder, readonly readOnly: boolean, readonly onProblem: (message: string) => void = () => {}) {}

  get fids(): number {
    return this.#fids.size;
  }

  /** The names that an answer tells: those in a folder, or where a symbolic link leads. */
  static namesIn(answer: Uint8Array): readonly string[] {
    const type = answer.length < P9_HEADER_SIZE ? undefined : answer[P9_TYPE_AT], body = answer.subarray(P9_HEADER_SIZE);
    try {
      if (type === P9.readlink.type + 1) return [readFields(P9.readlink.answer, body).target];
      if (type !== P9.readdir.type + 1) return [];
      return namesOfEntries(readFields(P9.readdir.answer, body).entries).filter((name) => !OF_EVERY_FOLDER.includes(name));
    } catch (error) {
      // A stranger's recording may have other bytes there.
      if (!(error instanceof P9Malformed || error instanceof ShareError)) throw error;
      return [];
    }
  }

  /**
   * Serves a request.
   * @param room bytes that the guest has for the answer
   * @returns the answer; undefined if the bytes are not a message, or there is no room even for
   * an error
   */
  serve(bytes: Uint8Array, room: number): Uint8Array | undefined {
    if (bytes.length < P9_HEADER_SIZE || room < P9_HEADER_SIZE + 4) return undefined;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    const size = view.getUint32(0, true), type = view.getUint8(P9_TYPE_AT), tag = view.getUint16(5, true);
    if (size < P9_HEADER_SIZE || size > bytes.length) return undefined;
    this.counters.requests++;
    try {
      const name = p9Name(type);
      if (!name) throw new ShareError("EOPNOTSUPP", `there is no request ${type}`);
      if (this.#messageSize === 0 && name !== "version") throw new ShareError("EINVAL", "the first request is Tversion");
      this.#room = Math.min(room, name === "version" ? P9_MESSAGE_MAX : this.#messageSize);
      const answer = writeMessage(type + 1, tag, this.#answer(name, bytes.subarray(P9_HEADER_SIZE, size)));
      if (answer.length > this.#room) throw new ShareError("EINVAL", `an answer of ${answer.length} bytes has room for ${this.#room}`);
      return answer;
    } catch (error) {
      if (!(error instanceof ShareError || error instanceof P9Malformed)) throw error;
      this.counters.errors++;
      const body = new Uint8Array(4);
      new DataView(body.buffer).setUint32(0, error instanceof ShareError ? Errno[error.errno] : Errno.EINVAL, true);
      return writeMessage(RLERROR, tag, body);
    }
  }

  /** The guest's device was reset: all that it had is gone. */
  reset(): void {
    this.#fids.clear();
    this.#messageSize = this.#names = 0;
  }

  save(): P9ServerState {
    return { messageSize: this.#messageSize, fids: this.#fids.save() };
  }

  /** @throws Error if the state is that of no server */
  restore(state: P9ServerState): void {
    inForm(STATE, state);
    this.#messageSize = state.messageSize;
    this.#fids.restore(state.fids);
    this.#names = state.fids.reduce((sum, { open }) => sum + (open?.names.length ?? 0), 0);
  }

  #answer<N extends P9Name>(name: N, body: Uint8Array): Uint8Array {
    const { request, answer } = P9[name] as (typeof P9)[N];
    const handle: (request: P9Request<N>) => P9Answer<N> = this.#handlers[name];
    return writeFields(answer, handle(readFields(request, body)));
  }

  readonly #handlers: Handlers = {
    version: ({ size, version }) => {
      if (size < MESSAGE_MIN) throw new ShareError("EINVAL", `messages of ${size} bytes`);
      this.reset();
      if (!version.startsWith(VERSION)) return { size, version: "unknown" };
      this.#messageSize = Math.min(size, P9_MESSAGE_MAX);
      return { size: this.#messageSize, version: VERSION };
    },
    // Authentication is not needed: the user who runs the VM has chosen the folder.
    auth: () => refuse("EOPNOTSUPP", "no authentication is needed"),
    attach: ({ fid, authFid }) => {
      if (authFid !== NO_FID) throw new ShareError("EINVAL", "no authentication was asked for");
      const status = this.folder.status([]);
      this.#fids.add(fid, []);
      return { qid: this.#qid(status) };
    },
    flush: () => ({}),
    walk: (request) => this.#walk(request),
    clunk: ({ fid }) => {
      this.#forget(fid);
      return {};
    },
    remove: ({ fid }) => {
      const { path } = this.#fids.get(fid);
      this.#forget(fid);
      this.#mayChange();
      if (this.folder.status(path).kind === "folder") this.folder.removeFolder(notRoot(path));
      else this.folder.removeFile(path);
      return {};
    },
    getattr: ({ fid }) => {
      const status = this.#status(this.#fids.get(fid));
      return {
        valid: KNOWN_ATTRIBUTES,
        qid: this.#qid(status),
        mode: status.mode,
        uid: status.uid,
        gid: status.gid,
        links: status.links,
        rdev: 0n,
        size: status.size,
        blockSize: status.blockSize,
        blocks: status.blocks,
        accessSeconds: secondsOf(status.accessed),
        accessNanoseconds: nanosecondsOf(status.accessed),
        modifySeconds: secondsOf(status.modified),
        modifyNanoseconds: nanosecondsOf(status.modified),
        changeSeconds: secondsOf(status.changed),
        changeNanoseconds: nanosecondsOf(status.changed),
        birthSeconds: 0n,
        birthNanoseconds: 0n,
        generation: 0n,
        dataVersion: 0n,
      };
    },
    setattr: (request) => {
      this.#mayChange();
      const fid = this.#fids.get(request.fid);
      const change = changeOf(request);
      if (fid.open?.write) this.#file(fid).change(change);
      else this.folder.change(fid.path, change);
      return {};
    },
    readlink: ({ fid }) => ({ target: this.folder.readLink(this.#fids.get(fid).path) }),
    // The guest's kernel supplies a default.
    statfs: () => refuse("ENOSYS", "the free space of the host's disk is not reported"),
    lopen: ({ fid: number, flags }) => {
      const fid = this.#fids.get(number);
      this.#fids.mayOpen(fid);
      const access = accessOf(flags);
      if (access.write || flags & Open.TRUNC) this.#mayChange();
      const status = this.folder.status(fid.path);
      if (status.kind === "folder") {
        if (access.write) throw new ShareError("EISDIR", "a folder is not written");
        this.#fids.opened(fid, access, undefined);
      } else {
        if (flags & Open.DIRECTORY) throw new ShareError("ENOTDIR", "it is not a folder");
        this.#fids.opened(fid, access, this.folder.open(fid.path, { ...access, truncate: (flags & Open.TRUNC) !== 0 }));
      }
      return { qid: this.#qid(status), iounit: 0 };
    },
    lcreate: ({ fid: number, name, flags, mode }) => {
      this.#mayChange();
      const fid = this.#fids.get(number);
      this.#fids.mayOpen(fid);
      const path = childOf(fid.path, name);
      const file = this.#createFile(path, mode, flags);
      fid.path = path;
      this.#fids.opened(fid, accessOf(flags), file);
      return { qid: this.#qid(file.status()), iounit: 0 };
    },
    read: ({ fid, offset, count }) => {
      const into = new Uint8Array(Math.min(count, this.#room - READ_OVERHEAD));
      const opened = this.#fids.get(fid);
      if (!opened.open?.read) throw new ShareError("EBADF", "the fid is not open for reading");
      const bytes = into.subarray(0, this.#file(opened).read(position(offset), into));
      this.counters.read_bytes += bytes.length;
      return { bytes };
    },
    write: ({ fid, offset, bytes }) => {
      const opened = this.#fids.get(fid);
      if (!opened.open?.write) throw new ShareError("EBADF", "the fid is not open for writing");
      const file = this.#file(opened);
      const count = file.write(opened.open.append ? Number(file.status().size) : position(offset), bytes);
      this.counters.written_bytes += count;
      return { count };
    },
    fsync: ({ fid, dataOnly }) => {
      const opened = this.#fids.get(fid);
      if (!opened.open) throw new ShareError("EBADF", "the fid is not open");
      if (!opened.open.folder) this.#file(opened).sync(dataOnly !== 0);
      return {};
    },
    readdir: ({ fid, offset, count }) => ({ entries: this.#readFolder(this.#fids.get(fid), offset, count) }),
    mkdir: ({ fid, name, mode }) => {
      const path = this.#newChild(fid, name);
      this.folder.makeFolder(path, mode & PERMISSIONS);
      return { qid: this.#qid(this.folder.status(path)) };
    },
    symlink: ({ fid, name, target }) => {
      const path = this.#newChild(fid, name);
      if (target === "" || target.includes("\0") || byteLength(target) >= PATH_MAX) throw new ShareError("EINVAL", "no target");
      this.folder.makeSymlink(path, target);
      return { qid: this.#qid(this.folder.status(path)) };
    },
    mknod: () => refuse("EPERM", "a share has files, folders and symbolic links"),
    link: ({ folder, fid, name }) => {
      const { path } = this.#fids.get(fid);
      this.folder.makeLink(this.#newChild(folder, name), path);
      return {};
    },
    rename: ({ fid, folder, name }) => {
      this.#move(this.#fids.get(fid).path, this.#newChild(folder, name));
      return {};
    },
    renameat: ({ oldFolder, oldName, newFolder, newName }) => {
      this.#move(childOf(this.#fids.get(oldFolder).path, oldName), this.#newChild(newFolder, newName));
      return {};
    },
    unlinkat: ({ folder, name, flags }) => {
      const path = this.#newChild(folder, name);
      if (flags & REMOVE_FOLDER) this.folder.removeFolder(path);
      else this.folder.removeFile(path);
      return {};
    },
    xattrwalk: () => refuse("EOPNOTSUPP", "a share has no extended attributes"),
    xattrcreate: () => refuse("EOPNOTSUPP", "a share has no extended attributes"),
    // The guest's kernel has settled locks among its own processes before it asks; the computer's
    // programs do not see them.
    lock: ({ fid }) => {
      this.#fids.get(fid);
      return { status: LOCK_SUCCESS };
    },
    getlock: ({ fid, start, length, process, client }) => {
      this.#fids.get(fid);
      return { type: LOCK_UNLOCKED, start, length, process, client };
    },
  };

  #walk({ fid: number, newFid, names }: P9Request<"walk">): P9Answer<"walk"> {
    const fid = this.#fids.get(number);
    if (newFid !== number) this.#fids.mayAdd(newFid);
    else if (fid.open) throw new ShareError("EINVAL", "the fid is open");
    const qids: Qid[] = [];
    let path = fid.path;
    let problem: unknown;
    for (const name of names) {
      try {
        path = name === ".." ? path.slice(0, -1) : childOf(path, name);
        qids.push(this.#qid(this.folder.status(path)));
      } catch (error) {
        problem = error;
        break;
      }
    }
    // The first step's failure is the answer; one of a later step shows by fewer qids, and makes no
    // fid.
    if (problem && (qids.length === 0 || !(problem instanceof ShareError))) throw problem;
    if (!problem) {
      if (newFid === number) fid.path = path;
      else this.#fids.add(newFid, path);
    }
    return { qids };
  }

  #forget(number: number): void {
    this.#names -= this.#fids.get(number).open?.names.length ?? 0;
    this.#fids.remove(number);
  }

  #status(fid: Fid): FileStatus {
    return fid.open?.file?.status() ?? this.folder.status(fid.path);
  }

  /** The file of an open fid; after a restore it is opened again. */
  #file({ path, open }: Fid) {
    if (!open || open.folder) throw new ShareError("EISDIR", "it is a folder");
    return open.file ??= this.folder.open(path, { read: open.read, write: open.write, truncate: false });
  }

  #createFile(path: SharePath, mode: number, flags: number) {
    try {
      return this.folder.create(path, mode & PERMISSIONS);
    } catch (error) {
      if (!(error instanceof ShareError && error.errno === "EEXIST") || flags & Open.EXCL) throw error;
      return this.folder.open(path, { ...accessOf(flags), truncate: (flags & Open.TRUNC) !== 0 });
    }
  }

  #move(from: SharePath, to: SharePath): void {
    this.folder.rename(notRoot(from), to);
    this.#fids.moved(from, to);
  }

  /** A name in a folder that is about to be made, replaced or removed. */
  #newChild(folder: number, name: string): SharePath {
    this.#mayChange();
    return childOf(this.#fids.get(folder).path, name);
  }

  #mayChange(): void {
    if (this.readOnly) throw new ShareError("EROFS", "the share is read-only");
  }

  /** Entries from `offset` on, which counts entries. */
  #readFolder(fid: Fid, offset: bigint, count: number): Uint8Array {
    const { open } = fid;
    if (!open?.folder) throw new ShareError("ENOTDIR", "the fid is not an open folder");
    if (offset === 0n) {
      const { names, hidden } = this.folder.list(fid.path);
      if (hidden > 0) this.#hide(fid.path, hidden);
      const all = this.#names - open.names.length + names.length;
      if (all > NAMES_MAX) throw new ShareError("ENOMEM", `more than ${NAMES_MAX} names are being read`);
      this.#names = all;
      open.names = names;
    }
    const entries = new Uint8Array(Math.min(count, this.#room - READ_OVERHEAD));
    let used = 0;
    for (let index = position(offset); index < open.names.length + OF_EVERY_FOLDER.length; index++) {
      const name = OF_EVERY_FOLDER[index] ?? open.names[index - OF_EVERY_FOLDER.length];
      const path = index === 0 ? fid.path : index === 1 ? fid.path.slice(0, -1) : [...fid.path, name];
      const status = this.#statusIfThere(path);
      if (!status) continue;
      const entry = writeFields(ENTRY, { qid: this.#qid(status), next: BigInt(index + 1), type: ENTRY_TYPES[status.kind], name });
      if (used + entry.length > entries.length) break;
      entries.set(entry, used);
      used += entry.length;
    }
    return entries.subarray(0, used);
  }

  #hide(path: SharePath, hidden: number): void {
    this.counters.hidden_names += hidden;
    if (this.counters.hidden_names > hidden) return;
    const names = hidden === 1 ? "1 name" : `${hidden} names`;
    this.onProblem(`${names} in ${JSON.stringify(`/${path.join("/")}`)} of the shared folder are hidden from the guest: not UTF-8`);
  }

  /** The status of what a folder names, unless it has gone since. */
  #statusIfThere(path: SharePath): FileStatus | undefined {
    try {
      return this.folder.status(path);
    } catch (error) {
      if (error instanceof ShareError && error.errno === "ENOENT") return undefined;
      throw error;
    }
  }

  #qid({ kind, device, inode, modified }: FileStatus): Qid {
    const type = kind === "folder" ? QidType.DIRECTORY : kind === "symlink" ? QidType.SYMLINK : QidType.FILE;
    // Files of several of the computer's disks can have one number; the upper bits keep them apart.
    return { type, version: Number(BigInt.asUintN(32, modified / MILLISECOND)), path: BigInt.asUintN(64, inode ^ device << 48n) };
  }
}

function refuse(errno: keyof typeof Errno, what: string): never {
  throw new ShareError(errno, what);
}

function byteLength(text: string): number {
  return new TextEncoder().encode(text).length;
}

/** The path of a name in a folder. */
function childOf(folder: SharePath, name: string): SharePath {
  if (name === "" || name === "." || name === ".." || name.includes("/") || name.includes("\0")) {
    throw new ShareError("EINVAL", `${JSON.stringify(name)} is not a file name`);
  }
  if (byteLength(name) > NAME_MAX) throw new ShareError("ENAMETOOLONG", `a name has up to ${NAME_MAX} bytes`);
  const path = [...folder, name];
  if (byteLength(path.join("/")) >= PATH_MAX) throw new ShareError("ENAMETOOLONG", `a path has less than ${PATH_MAX} bytes`);
  return path;
}

/** The shared folder itself stays where it is. */
function notRoot(path: SharePath): SharePath {
  if (path.length === 0) throw new ShareError("EBUSY", "the shared folder itself");
  return path;
}

function accessOf(flags: number): { read: boolean; write: boolean; append: boolean } {
  const access = flags & Open.ACCESS;
  return { read: access !== Open.WRONLY, write: access === Open.WRONLY || access === Open.RDWR, append: (flags & Open.APPEND) !== 0 };
}

/** An offset in a file, which is less than 2^53. */
function position(offset: bigint): number {
  if (offset > BigInt(Number.MAX_SAFE_INTEGER)) throw new ShareError("EFBIG", `an offset of ${offset}`);
  return Number(offset);
}

function changeOf(request: P9Request<"setattr">): FileChange {
  const { valid } = request;
  return {
    ...valid & Set.MODE && { permissions: request.mode & PERMISSIONS },
    ...valid & Set.UID && { uid: request.uid },
    ...valid & Set.GID && { gid: request.gid },
    ...valid & Set.SIZE && { size: position(request.size) },
    ...valid & Set.ATIME && { accessed: valid & Set.ATIME_GIVEN ? timeOf(request.accessSeconds, request.accessNanoseconds) : "now" },
    ...valid & Set.MTIME && { modified: valid & Set.MTIME_GIVEN ? timeOf(request.modifySeconds, request.modifyNanoseconds) : "now" },
  };
}

/** A time of the wire, ns since 1970: seconds are signed. */
function timeOf(seconds: bigint, nanoseconds: bigint): bigint {
  return BigInt.asIntN(64, seconds) * SECOND + nanoseconds;
}

/** Whole seconds up to a time: before 1970 they are negative. */
function secondsOf(time: bigint): bigint {
  return (time - nanosecondsOf(time)) / SECOND;
}

/** Nanoseconds from those seconds on. */
function nanosecondsOf(time: bigint): bigint {
  return (time % SECOND + SECOND) % SECOND;
}
