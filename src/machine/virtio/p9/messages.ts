// Messages of 9P2000.L (the protocol of Linux' v9fs): each is declared once, as fields in their
// order on the wire; reading and writing follow. A message is size[4] type[1] tag[2] and its
// fields, little endian; the answer to type T has type T + 1.

import { ShareError } from "./folder.ts";

/**
 * A field's kind: unsigned numbers by width, text with a 16-bit length, texts with a 16-bit count,
 * bytes with a 32-bit count, a qid.
 */
type FieldKind = "u8" | "u16" | "u32" | "u64" | "text" | "texts" | "data" | "qid" | "qids";

/** The server's identifier of a file: 13 bytes. */
export interface Qid {
  readonly type: number;
  readonly version: number;
  readonly path: bigint;
}

interface Values {
  u8: number;
  u16: number;
  u32: number;
  u64: bigint;
  text: string;
  texts: readonly string[];
  data: Uint8Array;
  qid: Qid;
  qids: readonly Qid[];
}

type Fields = Readonly<Record<string, FieldKind>>;
/** The values of a declaration's fields. */
export type FieldValues<F extends Fields> = { readonly [K in keyof F]: Values[F[K]] };

/** Bits of a qid's type. */
export const QidType = { DIRECTORY: 0x80, SYMLINK: 0x02, FILE: 0x00 } as const;
const QID_SIZE = 13;
export const P9_HEADER_SIZE = 7;
export const P9_TYPE_AT = 4;
/** Fid that stands for none (Tattach without Tauth). */
export const NO_FID = 0xffff_ffff;
/** Bytes of an Rread or Rreaddir besides its data. */
export const READ_OVERHEAD = P9_HEADER_SIZE + 4;
/** Elements of one Twalk (MAXWELEM). */
const WALK_MAX = 16;

/** Type of the answer that is an error: ecode[4]. */
export const RLERROR = 7;

/** Requests by name: type, fields of the request (T) and of the answer (R). */
export const P9 = {
  statfs: { type: 8, request: { fid: "u32" }, answer: {} },
  lopen: { type: 12, request: { fid: "u32", flags: "u32" }, answer: { qid: "qid", iounit: "u32" } },
  lcreate: {
    type: 14,
    request: { fid: "u32", name: "text", flags: "u32", mode: "u32", gid: "u32" },
    answer: { qid: "qid", iounit: "u32" },
  },
  symlink: { type: 16, request: { fid: "u32", name: "text", target: "text", gid: "u32" }, answer: { qid: "qid" } },
  mknod: {
    type: 18,
    request: { fid: "u32", name: "text", mode: "u32", major: "u32", minor: "u32", gid: "u32" },
    answer: { qid: "qid" },
  },
  rename: { type: 20, request: { fid: "u32", folder: "u32", name: "text" }, answer: {} },
  readlink: { type: 22, request: { fid: "u32" }, answer: { target: "text" } },
  getattr: {
    type: 24,
    request: { fid: "u32", mask: "u64" },
    answer: {
      valid: "u64",
      qid: "qid",
      mode: "u32",
      uid: "u32",
      gid: "u32",
      links: "u64",
      rdev: "u64",
      size: "u64",
      blockSize: "u64",
      blocks: "u64",
      accessSeconds: "u64",
      accessNanoseconds: "u64",
      modifySeconds: "u64",
      modifyNanoseconds: "u64",
      changeSeconds: "u64",
      changeNanoseconds: "u64",
      birthSeconds: "u64",
      birthNanoseconds: "u64",
      generation: "u64",
      dataVersion: "u64",
    },
  },
  setattr: {
    type: 26,
    request: {
      fid: "u32",
      valid: "u32",
      mode: "u32",
      uid: "u32",
      gid: "u32",
      size: "u64",
      accessSeconds: "u64",
      accessNanoseconds: "u64",
      modifySeconds: "u64",
      modifyNanoseconds: "u64",
    },
    answer: {},
  },
  xattrwalk: { type: 30, request: { fid: "u32", newFid: "u32", name: "text" }, answer: { size: "u64" } },
  xattrcreate: { type: 32, request: { fid: "u32", name: "text", size: "u64", flags: "u32" }, answer: {} },
  readdir: { type: 40, request: { fid: "u32", offset: "u64", count: "u32" }, answer: { entries: "data" } },
  fsync: { type: 50, request: { fid: "u32", dataOnly: "u32" }, answer: {} },
  lock: {
    type: 52,
    request: { fid: "u32", type: "u8", flags: "u32", start: "u64", length: "u64", process: "u32", client: "text" },
    answer: { status: "u8" },
  },
  getlock: {
    type: 54,
    request: { fid: "u32", type: "u8", start: "u64", length: "u64", process: "u32", client: "text" },
    answer: { type: "u8", start: "u64", length: "u64", process: "u32", client: "text" },
  },
  link: { type: 70, request: { folder: "u32", fid: "u32", name: "text" }, answer: {} },
  mkdir: { type: 72, request: { fid: "u32", name: "text", mode: "u32", gid: "u32" }, answer: { qid: "qid" } },
  renameat: { type: 74, request: { oldFolder: "u32", oldName: "text", newFolder: "u32", newName: "text" }, answer: {} },
  unlinkat: { type: 76, request: { folder: "u32", name: "text", flags: "u32" }, answer: {} },
  version: { type: 100, request: { size: "u32", version: "text" }, answer: { size: "u32", version: "text" } },
  auth: { type: 102, request: { fid: "u32", user: "text", tree: "text", uid: "u32" }, answer: { qid: "qid" } },
  attach: {
    type: 104,
    request: { fid: "u32", authFid: "u32", user: "text", tree: "text", uid: "u32" },
    answer: { qid: "qid" },
  },
  flush: { type: 108, request: { oldTag: "u16" }, answer: {} },
  walk: { type: 110, request: { fid: "u32", newFid: "u32", names: "texts" }, answer: { qids: "qids" } },
  read: { type: 116, request: { fid: "u32", offset: "u64", count: "u32" }, answer: { bytes: "data" } },
  write: { type: 118, request: { fid: "u32", offset: "u64", bytes: "data" }, answer: { count: "u32" } },
  clunk: { type: 120, request: { fid: "u32" }, answer: {} },
  remove: { type: 122, request: { fid: "u32" }, answer: {} },
} as const satisfies Record<string, { readonly type: number; readonly request: Fields; readonly answer: Fields }>;

/** An entry of a folder, as an Rreaddir has them. `next`: the offset of the next one. */
export const ENTRY = { qid: "qid", next: "u64", type: "u8", name: "text" } as const satisfies Fields;

export type P9Name = keyof typeof P9;
export type P9Request<N extends P9Name> = FieldValues<(typeof P9)[N]["request"]>;
export type P9Answer<N extends P9Name> = FieldValues<(typeof P9)[N]["answer"]>;

const BY_TYPE = new Map<number, P9Name>(Object.entries(P9).map(([name, { type }]) => [type, name as P9Name]));

/** The request with this type; undefined if 9P2000.L has none. */
export function p9Name(type: number): P9Name | undefined {
  return BY_TYPE.get(type);
}

/** A message whose fields do not fit into its bytes. */
export class P9Malformed extends Error {}

const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const ENCODER = new TextEncoder();

/** Reads fields one after another. */
class P9Reader {
  readonly #view: DataView;
  #at = 0;

  constructor(readonly bytes: Uint8Array) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  readonly u8 = () => this.#view.getUint8(this.#take(1));
  readonly u16 = () => this.#view.getUint16(this.#take(2), true);
  readonly u32 = () => this.#view.getUint32(this.#take(4), true);
  readonly u64 = () => this.#view.getBigUint64(this.#take(8), true);
  readonly data = () => this.#slice(this.u32());
  readonly qid = (): Qid => ({ type: this.u8(), version: this.u32(), path: this.u64() });
  readonly texts = () => Array.from({ length: this.#count() }, this.text);
  readonly qids = () => Array.from({ length: this.#count() }, this.qid);
  readonly text = (): string => {
    const bytes = this.#slice(this.u16());
    try {
      return DECODER.decode(bytes);
    } catch {
      throw new ShareError("EILSEQ", "a text is not UTF-8");
    }
  };

  get left(): number {
    return this.bytes.length - this.#at;
  }

  fields<F extends Fields>(fields: F): FieldValues<F> {
    return Object.fromEntries(Object.entries(fields).map(([name, kind]) => [name, this[kind]()])) as FieldValues<F>;
  }

  #count(): number {
    const count = this.u16();
    if (count > WALK_MAX) throw new P9Malformed(`${count} elements, at most ${WALK_MAX}`);
    return count;
  }

  #slice(length: number): Uint8Array {
    const at = this.#take(length);
    return this.bytes.subarray(at, at + length);
  }

  #take(size: number): number {
    const at = this.#at;
    if (size > this.bytes.length - at) throw new P9Malformed("it ends in the middle of a field");
    this.#at += size;
    return at;
  }
}

/**
 * The fields of a message from the bytes after its header.
 * @throws P9Malformed
 */
export function readFields<F extends Fields>(fields: F, bytes: Uint8Array): FieldValues<F> {
  return new P9Reader(bytes).fields(fields);
}

/**
 * The names of a folder's entries.
 * @throws P9Malformed, ShareError
 */
export function namesOfEntries(entries: Uint8Array): string[] {
  const reader = new P9Reader(entries), names: string[] = [];
  while (reader.left > 0) names.push(reader.fields(ENTRY).name);
  return names;
}

/** Size of a field's value in bytes, and its writer. */
const WRITERS: { readonly [K in FieldKind]: (value: Values[K]) => { size: number; put: (view: DataView, at: number) => void } } = {
  u8: (value) => ({ size: 1, put: (view, at) => view.setUint8(at, value) }),
  u16: (value) => ({ size: 2, put: (view, at) => view.setUint16(at, value, true) }),
  u32: (value) => ({ size: 4, put: (view, at) => view.setUint32(at, value, true) }),
  u64: (value) => ({ size: 8, put: (view, at) => view.setBigUint64(at, value, true) }),
  text: (value) => withLength(2, ENCODER.encode(value)),
  texts: (value) => counted(value.map(WRITERS.text)),
  data: (value) => withLength(4, value),
  qid: (value) => ({
    size: QID_SIZE,
    put: (view, at) => {
      view.setUint8(at, value.type);
      view.setUint32(at + 1, value.version, true);
      view.setBigUint64(at + 5, value.path, true);
    },
  }),
  qids: (value) => counted(value.map(WRITERS.qid)),
};

type WrittenPart = ReturnType<(typeof WRITERS)["u8"]>;

function withLength(width: 2 | 4, bytes: Uint8Array): WrittenPart {
  return {
    size: width + bytes.length,
    put: (view, at) => {
      if (width === 2) view.setUint16(at, bytes.length, true);
      else view.setUint32(at, bytes.length, true);
      new Uint8Array(view.buffer, view.byteOffset).set(bytes, at + width);
    },
  };
}

function counted(parts: readonly WrittenPart[]): WrittenPart {
  return join([{ size: 2, put: (view, at) => view.setUint16(at, parts.length, true) }, ...parts]);
}

function join(parts: readonly WrittenPart[]): WrittenPart {
  return {
    size: parts.reduce((sum, { size }) => sum + size, 0),
    put: (view, at) => {
      for (const part of parts) {
        part.put(view, at);
        at += part.size;
      }
    },
  };
}

export function writeFields<F extends Fields>(fields: F, values: FieldValues<F>): Uint8Array {
  const part = join(Object.entries(fields).map(([name, kind]) => (WRITERS[kind] as (value: unknown) => WrittenPart)(values[name])));
  const bytes = new Uint8Array(part.size);
  part.put(new DataView(bytes.buffer), 0);
  return bytes;
}

export function writeMessage(type: number, tag: number, body: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(P9_HEADER_SIZE + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, bytes.length, true);
  view.setUint8(P9_TYPE_AT, type);
  view.setUint16(5, tag, true);
  bytes.set(body, P9_HEADER_SIZE);
  return bytes;
}
