// Reader of tar archives as they come in pieces: ustar (POSIX.1-1988), GNU's long names and pax's
// path and linkpath (POSIX.1-2001).

import { MiB } from "../support/values/sizes.ts";

/** Type of an entry. */
type TarKind = "file" | "folder" | "symlink" | "hardlink" | "character" | "block" | "fifo";

export interface TarEntry {
  /** As it is in the archive. */
  readonly path: string;
  readonly kind: TarKind;
  /** Permissions with set-user-id, set-group-id and sticky. */
  readonly permissions: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since 1970. */
  readonly modified: number;
  /** Bytes of a file. */
  readonly size: number;
  /** Of links. */
  readonly target: string;
  /** A file's bytes, once, before the next entry is asked for. */
  readonly data: AsyncIterable<Uint8Array>;
}

const BLOCK = 512;
const Field = {
  name: [0, 100],
  mode: [100, 8],
  uid: [108, 8],
  gid: [116, 8],
  size: [124, 12],
  modified: [136, 12],
  checksum: [148, 8],
  type: [156, 1],
  target: [157, 100],
  prefix: [345, 155],
} as const;
const CHECKSUM_END = Field.checksum[0] + Field.checksum[1];

const KINDS: Readonly<Record<string, TarKind>> = {
  "\0": "file",
  "0": "file",
  "1": "hardlink",
  "2": "symlink",
  "3": "character",
  "4": "block",
  "5": "folder",
  "6": "fifo",
  "7": "file",
};
/** Extensions: entries that describe the next one, or all. */
const GNU_NAME = "L", GNU_TARGET = "K", PAX = "x", PAX_GLOBAL = "g";
/** Most bytes of an extension. */
const EXTENSION_MAX = MiB;

/** Bytes of a stream in the amounts that the reader wants. */
class Pieces {
  readonly #source: AsyncIterator<Uint8Array>;
  #piece = new Uint8Array(0);

  constructor(source: AsyncIterable<Uint8Array>) {
    this.#source = source[Symbol.asyncIterator]();
  }

  /** Between one and `most` bytes; undefined at the end. */
  async some(most: number): Promise<Uint8Array | undefined> {
    while (this.#piece.length === 0) {
      const { done, value } = await this.#source.next();
      if (done) return undefined;
      this.#piece = value as Uint8Array<ArrayBuffer>;
    }
    const taken = this.#piece.subarray(0, most);
    this.#piece = this.#piece.subarray(taken.length);
    return taken;
  }

  /**
   * Reads exactly `size` bytes.
   * @throws Error at the end
   */
  async exactly(size: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(size);
    for (let done = 0; done < size;) {
      const piece = await this.some(size - done);
      if (!piece) throw new Error("the archive is cut off");
      bytes.set(piece, done);
      done += piece.length;
    }
    return bytes;
  }

  /** Closes the source: a decompressor, and a file. */
  async close(): Promise<void> {
    await this.#source.return?.();
  }
}

/**
 * The entries of an archive. The source is closed however reading ends.
 * @throws Error if the archive is cut off or malformed
 */
export async function* readTar(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<TarEntry> {
  const pieces = new Pieces(bytes);
  try {
    yield* entriesOf(pieces);
  } finally {
    await pieces.close();
  }
}

async function* entriesOf(pieces: Pieces): AsyncGenerator<TarEntry> {
  let names: { path?: string; target?: string } = {};
  for (;;) {
    const header = await pieces.exactly(BLOCK);
    // Two blocks of zeros mark the end; padding follows.
    if (header.every((byte) => byte === 0)) break;
    checkSum(header);
    const type = String.fromCharCode(header[Field.type[0]]);
    const size = number(header, Field.size);
    if (type === GNU_NAME || type === GNU_TARGET || type === PAX || type === PAX_GLOBAL) {
      if (size > EXTENSION_MAX) throw new Error(`an extended header of ${size} bytes`);
      const text = new TextDecoder().decode((await pieces.exactly(padded(size))).subarray(0, size));
      if (type === GNU_NAME) names.path = text.replace(/\0.*$/s, "");
      if (type === GNU_TARGET) names.target = text.replace(/\0.*$/s, "");
      if (type === PAX) names = { ...names, ...paxNames(text) };
      continue;
    }
    const kind = KINDS[type];
    if (!kind) throw new Error(`an entry of type ${JSON.stringify(type)}, which is not known`);
    const prefix = string(header, Field.prefix);
    const name = string(header, Field.name);
    const content = kind === "file" ? size : 0;
    let left = content;
    const data = async function* () {
      while (left > 0) {
        const piece = await pieces.some(left);
        if (!piece) throw new Error("the archive is cut off");
        left -= piece.length;
        yield piece;
      }
    };
    yield {
      path: names.path ?? (prefix && string(header, [257, 5]) === "ustar" && header[262] === 0 ? `${prefix}/${name}` : name),
      kind,
      permissions: number(header, Field.mode) & 0o7777,
      uid: number(header, Field.uid),
      gid: number(header, Field.gid),
      modified: number(header, Field.modified),
      size: content,
      target: names.target ?? string(header, Field.target),
      data: { [Symbol.asyncIterator]: data },
    };
    names = {};
    for await (const _ of data()); // data that the caller did not read
    await pieces.exactly(padded(content) - content);
  }
  // The writer of the stream waits for its reader.
  while (await pieces.some(Infinity));
}

function padded(size: number): number {
  return Math.ceil(size / BLOCK) * BLOCK;
}

function string(header: Uint8Array, [start, size]: readonly [number, number]): string {
  const field = header.subarray(start, start + size);
  const end = field.indexOf(0);
  return new TextDecoder().decode(end < 0 ? field : field.subarray(0, end));
}

/** Octal digits, or binary, as two's complement, where the first bit is set. */
function number(header: Uint8Array, field: readonly [number, number]): number {
  const [start, size] = field;
  if (header[start] & 0x80) {
    const value = header.subarray(start + 1, start + size).reduce((value, byte) => value * 256 + byte, header[start] & 0x7f);
    // Negative numbers are among those that are too large.
    if (!Number.isSafeInteger(value)) throw new Error("a number of a header is negative or too large");
    return value;
  }
  const text = string(header, field).trim();
  if (!/^[0-7]*$/.test(text)) throw new Error(`${JSON.stringify(text)} is not an octal number`);
  return parseInt(text || "0", 8);
}

function checkSum(header: Uint8Array): void {
  const sum = header.reduce((total, byte, at) => total + (at >= Field.checksum[0] && at < CHECKSUM_END ? 0x20 : byte), 0);
  if (sum !== number(header, Field.checksum)) throw new Error("a header's checksum is wrong");
}

/** `LENGTH KEY=VALUE\n` each. */
function paxNames(text: string): { path?: string; target?: string } {
  const value = (key: string) => new RegExp(`(?:^|\\n)\\d+ ${key}=([^\\n]*)`).exec(text)?.[1];
  const [path, target] = [value("path"), value("linkpath")];
  return { ...path !== undefined && { path }, ...target !== undefined && { target } };
}
