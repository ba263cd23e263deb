// Compiled regions in the cache folder (`code/`): a run begins with what earlier ones have
// translated. There is one file per program. The key of an entry is everything that the region's
// module was made from, so that an entry that is found is also right.
//
// The file: eight bytes of magic, the SHA-256 of the index, its length, the index, then the
// entries. Numbers have four bytes, in the order of the computer. The index has for each entry a
// hash of its signature (eight bytes, a float), its length and the SHA-256 of its content. An
// entry: the lengths of signature, sizes and gaps, all of them, the binary module. The digests find
// damage. Writers to this folder are trusted (docs/threat-model.md).

import { createHash } from "node:crypto";
import { type CodeBacking, type CodeSignature, equal, hashOf } from "../core/translator/region-store.ts";
import type { RegionModule } from "../core/translator/region-module.ts";
import { sameBytes } from "../support/bytes.ts";
import { readIfThere } from "../support/cache.ts";
import { writeCached } from "../support/files.ts";
import { checkTrustedFolder } from "../support/own-files.ts";
import { unlessUnusable } from "../support/unusable.ts";

/** Bytes of a file at most. */
const FILE_BYTES = 0x80_0000;
/** Most files, so that a few versions of el2 have theirs. */
const KEPT = 4;
/**
 * Bytes of new modules after which they are written, and milliseconds after the first of them.
 */
const UNSAVED_BYTES = 0x4_0000, UNSAVED_TIME = 2000;

const MAGIC = new TextEncoder().encode("EL2CODE\n");
const DIGEST_SIZE = 32;
const LENGTH_AT = MAGIC.length + DIGEST_SIZE;
const INDEX_AT = LENGTH_AT + 4;
const ROW_SIZE = 8 + 4 + DIGEST_SIZE;

/** An entry as a file has it. */
interface StoredEntry {
  readonly key: number;
  readonly digest: Uint8Array;
  readonly content: Uint8Array<ArrayBuffer>;
}

function digestOf(bytes: Uint8Array): Uint8Array {
  return createHash("sha256").update(bytes).digest();
}

/** An entry for a module. */
function encodeEntry(signature: CodeSignature, { bytes, sizes, gaps }: RegionModule): StoredEntry {
  const numbers = Int32Array.from([signature.length, sizes.length, gaps.length, ...signature, ...sizes, ...gaps]);
  const content = new Uint8Array(numbers.byteLength + bytes.length);
  content.set(new Uint8Array(numbers.buffer));
  content.set(bytes, numbers.byteLength);
  return { key: hashOf(signature), digest: digestOf(content), content };
}

/** The module of an entry, if that is complete and has this signature. */
function decodeEntry({ digest, content }: StoredEntry, signature: CodeSignature): RegionModule | undefined {
  if (content.length < 12 || !sameBytes(digestOf(content), digest)) return undefined;
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
  for (const { key, digest, content } of taken) {
    view.setFloat64(row, key, true);
    view.setUint32(row + 8, content.length, true);
    bytes.set(digest, row + 12);
    row += ROW_SIZE;
    bytes.set(content, at);
    at += content.length;
  }
  bytes.set(digestOf(bytes.subarray(LENGTH_AT, INDEX_AT + index)), MAGIC.length);
  return bytes;
}

/** The entries of a file, which may each be damaged; none if its index is. */
export function decodeFile(bytes: Uint8Array<ArrayBuffer>): StoredEntry[] {
  if (bytes.length < INDEX_AT || !sameBytes(bytes.subarray(0, MAGIC.length), MAGIC)) return [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length), index = view.getUint32(LENGTH_AT, true);
  const end = INDEX_AT + index;
  if (end > bytes.length || !sameBytes(digestOf(bytes.subarray(LENGTH_AT, end)), bytes.subarray(MAGIC.length, LENGTH_AT))) return [];
  const entries: StoredEntry[] = [];
  for (let row = INDEX_AT, at = end; row + ROW_SIZE <= end; row += ROW_SIZE) {
    const length = view.getUint32(row + 8, true);
    // The end of a file that was cut off.
    if (at + length > bytes.length) break;
    entries.push({
      key: view.getFloat64(row, true),
      digest: bytes.subarray(row + 12, row + ROW_SIZE),
      content: bytes.subarray(at, at + length),
    });
    at += length;
  }
  return entries;
}

/** The regions in one folder. */
export class CodeCache implements CodeBacking {
  /** The entries of the file, by hash, once it was read. */
  #stored: Map<number, StoredEntry> | undefined;
  /** Entries that this process has used or made, the latest last. */
  readonly #used = new Map<number, StoredEntry>();
  #unsaved = 0;
  #since = 0;
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
    const stored = this.#stored ??= this.#read(), key = hashOf(signature);
    const entry = stored.get(key) ?? this.#used.get(key), module = entry && decodeEntry(entry, signature);
    if (entry && module) this.#use(entry);
    return module;
  }

  keep(signature: CodeSignature, module: RegionModule): void {
    const entry = encodeEntry(signature, module);
    this.#use(entry);
    if (!this.#unsaved) this.#since = performance.now();
    this.#unsaved += entry.content.length;
    if (this.#unsaved >= UNSAVED_BYTES || performance.now() - this.#since >= UNSAVED_TIME) this.save();
  }

  /** Writes what is new: what this process used before what others have written meanwhile. */
  save(): void {
    if (!this.#unsaved) return;
    this.#unsaved = 0;
    unlessUnusable("compiled code is not kept", () => {
      const path = this.#place();
      if (path === undefined) return;
      const others = [...this.#read().values()].filter(({ key }) => !this.#used.has(key));
      writeCached(path, encodeFile([...[...this.#used.values()].toReversed(), ...others], this.capacity), KEPT);
    });
  }

  #use(entry: StoredEntry): void {
    this.#used.delete(entry.key);
    this.#used.set(entry.key, entry);
  }

  #read(): Map<number, StoredEntry> {
    const bytes = unlessUnusable("compiled code is not kept", () => {
      const path = this.#place();
      if (path === undefined) return undefined;
      // The content of this folder is executed.
      if (!this.trusted) checkTrustedFolder(this.folder);
      return readIfThere(path);
    });
    return new Map(bytes ? decodeFile(bytes).map((entry) => [entry.key, entry]) : []);
  }

  /** The file; undefined if the program on disk may be another one by now. */
  #place(): string | undefined {
    if (this.#path !== undefined) return this.#path;
    const program = this.program();
    return program === undefined ? undefined : this.#path = `${this.folder}/${createHash("sha256").update(program).digest("hex")}.code`;
  }
}
