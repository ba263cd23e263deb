// Compiled regions in the cache folder (`code/`): a run begins with what earlier ones have
// translated. There is one file per program. The key of an entry is everything that the region's
// module was made from, so that an entry that is found is also right.
//
// The file: eight bytes of magic, the hash of the index, its length, the index, then the entries.
// Numbers have four bytes, in the order of the computer; hashes are floats of eight bytes. The
// index has for each entry the hash of its signature, its length and the hash of its content. An
// entry: the lengths of signature, sizes and gaps, all of them, the binary module. The hashes find
// damage. Writers to this folder are trusted (docs/threat-model.md).

import { type CodeBacking, type CodeSignature, equal } from "../core/translator/region-store.ts";
import type { RegionModule } from "../core/translator/region-module.ts";
import { sameBytes } from "../support/bytes.ts";
import { readIfThere } from "../support/cache.ts";
import { writeCached } from "../support/files.ts";
import { readPart } from "../support/open-file.ts";
import { checkTrustedFolder } from "../support/own-files.ts";
import { unlessUnusable } from "../support/unusable.ts";
import { HASH_SIZE, hashOfBytes, hashOfWords } from "../support/word-hash.ts";
import { fileNameOf } from "./generating-program.ts";

/** Bytes of a file at most. */
const FILE_BYTES = 0x200_0000;
/** Bytes of the file that are read at a time: a run uses neighbors, from either end. */
const PIECE = 0x4_0000;
/** Most files, so that a few versions of el2 have theirs. */
const KEPT = 4;
/**
 * Milliseconds from a new module until it is written, and from one time to the next at least as
 * many times as long as writing takes: all of the file is written each time.
 */
const UNSAVED_TIME = 5000, REST = 400;

const MAGIC = new TextEncoder().encode("EL2CODE\n");
const LENGTH_AT = MAGIC.length + HASH_SIZE;
const INDEX_AT = LENGTH_AT + 4;
const ROW_SIZE = 8 + 4 + HASH_SIZE;

/** An entry as a file has it. */
interface StoredEntry {
  readonly key: number;
  readonly hash: number;
  readonly content: Uint8Array<ArrayBuffer>;
}

/** A module that is in no file yet. */
interface FreshModule {
  readonly signature: CodeSignature;
  readonly module: RegionModule;
}

/** Place of an entry in a file. */
interface Row extends Omit<StoredEntry, "content"> {
  readonly at: number;
  readonly length: number;
}

/** Known places of entries in a file, which another process may replace. */
interface Index {
  readonly rows: ReadonlyMap<number, Row>;
  readonly size: number;
  /** Different for each file that has had this name. */
  readonly identity: string;
}

/** A part of a file. */
interface Piece {
  readonly at: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Moves a key to the end of a set, or adds it there. */
function addLast(keys: Set<number>, key: number): void {
  keys.delete(key);
  keys.add(key);
}

/** An entry for a module. */
function encodeEntry(signature: CodeSignature, { bytes, sizes, gaps }: RegionModule): StoredEntry {
  const numbers = Int32Array.from([signature.length, sizes.length, gaps.length, ...signature, ...sizes, ...gaps]);
  const content = new Uint8Array(numbers.byteLength + bytes.length);
  content.set(new Uint8Array(numbers.buffer));
  content.set(bytes, numbers.byteLength);
  return { key: hashOfWords(signature), hash: hashOfBytes(content), content };
}

/** The module of an entry, if that is complete and has this signature. */
function decodeEntry({ hash, content }: StoredEntry, signature: CodeSignature): RegionModule | undefined {
  if (content.length < 12 || hashOfBytes(content) !== hash) return undefined;
  const lengths = new Int32Array(content.slice(0, 12).buffer), [words, count, positions] = lengths;
  const bytesAt = 12 + 4 * (words + count + positions);
  if (lengths.some((length) => length < 0) || bytesAt > content.length) return undefined;
  const numbers = new Int32Array(content.slice(12, bytesAt).buffer);
  // The third word of a signature counts the regions.
  if (words !== signature.length || count !== signature[2] || !equal(numbers.subarray(0, words), signature)) return undefined;
  const sizes = [...numbers.subarray(words, words + count)], gaps = [...numbers.subarray(words + count)];
  return { sizes, gaps, bytes: content.slice(bytesAt) };
}

/** The bytes of a file: the first of these entries for which there is room. */
export function encodeFile(entries: Iterable<StoredEntry>, capacity: number = FILE_BYTES): Uint8Array<ArrayBuffer> {
  const taken: StoredEntry[] = [];
  let size = INDEX_AT;
  for (const entry of entries) {
    size += ROW_SIZE + entry.content.length;
    if (size > capacity) break;
    taken.push(entry);
  }
  const index = ROW_SIZE * taken.length, bytes = new Uint8Array(taken.reduce((sum, { content }) => sum + content.length, INDEX_AT + index));
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  view.setUint32(LENGTH_AT, index, true);
  let row = INDEX_AT, at = INDEX_AT + index;
  for (const { key, hash, content } of taken) {
    view.setFloat64(row, key, true);
    view.setUint32(row + 8, content.length, true);
    view.setFloat64(row + 12, hash, true);
    row += ROW_SIZE;
    bytes.set(content, at);
    at += content.length;
  }
  view.setFloat64(MAGIC.length, hashOfBytes(bytes.subarray(LENGTH_AT, INDEX_AT + index)), true);
  return bytes;
}

/** Bytes of the index of a file that begins with `head`; undefined if it has none. */
function indexLength(head: Uint8Array, size: number): number | undefined {
  if (head.length < INDEX_AT || !sameBytes(head.subarray(0, MAGIC.length), MAGIC)) return undefined;
  const length = new DataView(head.buffer, head.byteOffset).getUint32(LENGTH_AT, true);
  return INDEX_AT + length > size ? undefined : length;
}

/** The rows of a file of `size` bytes, whose index ends `head`; none if that is damaged. */
function rowsOf(head: Uint8Array, size: number): Row[] {
  const end = head.length, view = new DataView(head.buffer, head.byteOffset);
  if (hashOfBytes(head.subarray(LENGTH_AT)) !== view.getFloat64(MAGIC.length, true)) return [];
  const rows: Row[] = [];
  for (let row = INDEX_AT, at = end; row + ROW_SIZE <= end; row += ROW_SIZE) {
    const length = view.getUint32(row + 8, true);
    // The end of a file that was cut off.
    if (at + length > size) break;
    rows.push({ key: view.getFloat64(row, true), hash: view.getFloat64(row + 12, true), at, length });
    at += length;
  }
  return rows;
}

/** The entries of a file, which may each be damaged; none if its index is. */
export function decodeFile(bytes: Uint8Array<ArrayBuffer>): StoredEntry[] {
  const index = indexLength(bytes, bytes.length);
  if (index === undefined) return [];
  return rowsOf(bytes.subarray(0, INDEX_AT + index), bytes.length)
    .map(({ key, hash, at, length }) => ({ key, hash, content: bytes.subarray(at, at + length) }));
}

/** The index of an open file, empty if it is damaged. */
function readIndex(file: Deno.FsFile): Index {
  const info = file.statSync(), { size } = info, index = indexLength(readPart(file, 0, INDEX_AT), size);
  const rows = index === undefined ? [] : rowsOf(readPart(file, 0, INDEX_AT + index), size);
  return { rows: new Map(rows.map((row) => [row.key, row])), size, identity: identityOf(info) };
}

function identityOf({ dev, ino, size, mtime }: Deno.FileInfo): string {
  return [dev, ino, size, mtime?.getTime()].join();
}

/** The regions in one folder. */
export class CodeCache implements CodeBacking {
  /** Of the file, once it was looked for. */
  #index: Index | undefined;
  /** The part of the file that was read last. */
  #piece: Piece | undefined;
  /** Hashes of entries that this process has used, and of those that it has made: latest last. */
  readonly #used = new Set<number>();
  readonly #made = new Set<number>();
  readonly #fresh = new Map<number, FreshModule>();
  /** Bytes of Wasm in these. */
  #unsaved = 0;
  /** When they are to be written, and when that may be next: what `performance.now` says then. */
  #due = 0;
  #rested = 0;
  #path: string | undefined;

  /**
   * @param program identity of the program that generates; undefined if it is not known
   * @param trusted whether the folder was checked already
   */
  constructor(
    readonly folder: string,
    readonly program: () => string | undefined,
    readonly capacity: number = FILE_BYTES,
    readonly trusted = false,
  ) {}

  load(signature: CodeSignature): RegionModule | undefined {
    const key = hashOfWords(signature), fresh = this.#fresh.get(key);
    if (fresh && equal(fresh.signature, signature)) return fresh.module;
    const entry = this.#stored(key), module = entry && decodeEntry(entry, signature);
    if (module) addLast(this.#made.has(key) ? this.#made : this.#used, key);
    return module;
  }

  keep(signature: CodeSignature, module: RegionModule): void {
    const key = hashOfWords(signature), now = performance.now();
    this.#used.delete(key);
    addLast(this.#made, key);
    this.#fresh.set(key, { signature, module });
    if (!this.#unsaved) this.#due = Math.max(now + UNSAVED_TIME, this.#rested);
    this.#unsaved += module.bytes.length;
    if (now >= this.#due || this.#unsaved >= this.capacity / 2) this.save();
  }

  /** Writes what is new. */
  save(): void {
    if (!this.#unsaved) return;
    this.#unsaved = 0;
    const began = performance.now();
    unlessUnusable("compiled code is not kept", () => {
      const path = this.#place();
      if (path !== undefined) {
        this.#check();
        const bytes = readIfThere(path);
        writeCached(path, encodeFile(this.#entries(bytes ? decodeFile(bytes) : []), this.capacity), KEPT);
      }
    });
    this.#fresh.clear();
    this.#index = this.#piece = undefined;
    const ended = performance.now();
    this.#rested = ended + REST * (ended - began);
  }

  /**
   * All entries in the order of their worth: those that were of use, what this process has made,
   * the rest of the file. Only half of the room is taken from the rest: a run with more code than
   * there is room for would otherwise replace what it is about to need, and find nothing each time.
   */
  #entries(stored: readonly StoredEntry[]): StoredEntry[] {
    const known = new Map(stored.map((entry) => [entry.key, entry]));
    const latest = (keys: ReadonlySet<number>) => [...keys].toReversed().map((key) => this.#encoded(key) ?? known.get(key));
    const made = latest(this.#made).filter((entry) => entry !== undefined);
    let room = this.capacity / 2, first = 0;
    while (first < made.length && (room -= ROW_SIZE + made[first].content.length) >= 0) first++;
    const others = stored.filter(({ key }) => !this.#used.has(key) && !this.#made.has(key));
    return [...latest(this.#used).filter((entry) => entry !== undefined), ...made.slice(0, first), ...others, ...made.slice(first)];
  }

  #encoded(key: number): StoredEntry | undefined {
    const fresh = this.#fresh.get(key);
    return fresh && encodeEntry(fresh.signature, fresh.module);
  }

  /** An entry of the file. */
  #stored(key: number): StoredEntry | undefined {
    const row = this.#indexed().rows.get(key);
    if (!row) return undefined;
    return this.#inPiece(row) ?? unlessUnusable("compiled code is not kept", () => this.#readAround(key));
  }

  #indexed(): Index {
    return this.#index ??= unlessUnusable("compiled code is not kept", () => this.#opened(readIndex)) ??
      { rows: new Map(), size: 0, identity: "" };
  }

  #inPiece(row: Row): StoredEntry | undefined {
    const piece = this.#piece, from = row.at - (piece?.at ?? 0);
    if (!piece || from < 0 || from + row.length > piece.bytes.length) return undefined;
    return { ...row, content: piece.bytes.subarray(from, from + row.length) };
  }

  /** Reads the part of the file that has this entry and its neighbors. */
  #readAround(key: number): StoredEntry | undefined {
    return this.#opened((file) => {
      // Another process has replaced it.
      if (identityOf(file.statSync()) !== this.#index!.identity) this.#index = readIndex(file);
      const { rows, size } = this.#index!, row = rows.get(key);
      if (!row) return undefined;
      const at = Math.max(0, row.at - PIECE / 2), end = Math.min(size, Math.max(at + PIECE, row.at + row.length));
      this.#piece = { at, bytes: readPart(file, at, end - at) };
      return this.#inPiece(row);
    });
  }

  /** Opens the file for some work; undefined if there is none. */
  #opened<T>(work: (file: Deno.FsFile) => T): T | undefined {
    const path = this.#place();
    if (path === undefined) return undefined;
    this.#check();
    let file: Deno.FsFile;
    try {
      file = Deno.openSync(path);
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return undefined;
      throw error;
    }
    try {
      return work(file);
    } finally {
      file.close();
    }
  }

  /**
   * The content of this folder is executed.
   * @throws NotOurs if others can change it
   */
  #check(): void {
    if (!this.trusted) checkTrustedFolder(this.folder);
  }

  /** The file; undefined if the program on disk may be another one by now. */
  #place(): string | undefined {
    if (this.#path !== undefined) return this.#path;
    const program = this.program();
    return program === undefined ? undefined : this.#path = `${this.folder}/${fileNameOf(program)}.code`;
  }
}
