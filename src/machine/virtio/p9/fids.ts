// A guest's fids: paths in the shared folder, some of them open. Plain data except for the open
// files.

import * as v from "valibot";
import { demand, type Form, list, maybe, ofBits } from "../../../kit/support/values/forms.ts";
import { type FolderFile, ShareError, type SharePath } from "./folder.ts";

/** Fids that a guest may have. */
const FIDS_MAX = 8192;
/** Files that it may have open: each takes a descriptor of ours. */
const OPEN_MAX = 256;

/** How a file was opened. */
interface FidAccess {
  readonly read: boolean;
  readonly write: boolean;
  readonly append: boolean;
}

export interface Fid {
  path: SharePath;
  open?: FidAccess & {
    /** Undefined for a folder, and for a file that a restored server has not opened again yet. */
    file: FolderFile | undefined;
    readonly folder: boolean;
    /** Names of a folder, as they were when it was read from its start. */
    names: readonly string[];
  };
}

/** A fid as plain data. */
export interface FidState {
  readonly fid: number;
  readonly path: SharePath;
  readonly open: (FidAccess & { readonly folder: boolean; readonly names: readonly string[] }) | undefined;
}

const isName = (value: unknown) => typeof value === "string" && !["", ".", ".."].includes(value) && !/[/\0]/.test(value);
/** A path within the folder, from wherever the state comes. */
const PATH = list(v.custom<string>(isName, "it is not a file name"));
export const FIDS: Form<FidState[]> = list(v.strictObject({
  fid: ofBits(32),
  path: PATH,
  open: maybe(v.strictObject({ read: v.boolean(), write: v.boolean(), append: v.boolean(), folder: v.boolean(), names: PATH })),
}));

/** The fids of one guest. */
export class FidTable {
  readonly #fids = new Map<number, Fid>();
  #open = 0;

  get size(): number {
    return this.#fids.size;
  }

  get(fid: number): Fid {
    const found = this.#fids.get(fid);
    if (!found) throw new ShareError("EBADF", `there is no fid ${fid}`);
    return found;
  }

  /** Throws if `fid` cannot be created: it exists, or there are too many. */
  mayAdd(fid: number): void {
    if (this.#fids.has(fid)) throw new ShareError("EBADF", `fid ${fid} is in use`);
    if (this.#fids.size >= FIDS_MAX) throw new ShareError("EMFILE", `${FIDS_MAX} fids are in use`);
  }

  add(fid: number, path: SharePath): void {
    this.mayAdd(fid);
    this.#fids.set(fid, { path });
  }

  /** Throws where no file more may be open. */
  mayOpen(fid: Fid): void {
    if (fid.open) throw new ShareError("EINVAL", "the fid is open");
    if (this.#open >= OPEN_MAX) throw new ShareError("ENFILE", `${OPEN_MAX} files are open`);
  }

  /** The fid has an open file (or folder, if undefined) from now on. */
  opened(fid: Fid, access: FidAccess, file: FolderFile | undefined): void {
    fid.open = { ...access, file, folder: file === undefined, names: [] };
    this.#open++;
  }

  remove(fid: number): void {
    const { open } = this.get(fid);
    this.#fids.delete(fid);
    if (!open) return;
    this.#open--;
    open.file?.close();
  }

  clear(): void {
    for (const fid of [...this.#fids.keys()]) this.remove(fid);
  }

  /** A rename: paths at and below `from` become paths below `to`. */
  moved(from: SharePath, to: SharePath): void {
    for (const fid of this.#fids.values()) {
      if (from.every((name, index) => fid.path[index] === name)) fid.path = [...to, ...fid.path.slice(from.length)];
    }
  }

  save(): FidState[] {
    return [...this.#fids].sort(([a], [b]) => a - b).map(([fid, { path, open }]) => {
      if (!open) return { fid, path: [...path], open: undefined };
      const { read, write, append, folder, names } = open;
      return { fid, path: [...path], open: { read, write, append, folder, names: [...names] } };
    });
  }

  /** Files are opened again when they are used. */
  restore(states: readonly FidState[]): void {
    this.clear();
    demand(states.length <= FIDS_MAX && states.filter(({ open }) => open).length <= OPEN_MAX, "fids", "there are too many");
    demand(new Set(states.map(({ fid }) => fid)).size === states.length, "fids", "two have one number");
    for (const { fid, path, open } of states) {
      this.#fids.set(fid, { path, ...open && { open: { ...open, file: undefined } } });
      if (open) this.#open++;
    }
  }
}
