// The format of a file of compiled regions (code-cache.ts): eight bytes of magic, the hash of the
// index, its length, the index, then the entries. Numbers have four bytes, in the order of the
// computer; hashes are floats of eight bytes. The index has for each entry the hash of its
// signature, its length and the hash of its content. An entry: the lengths of signature, sizes and
// gaps, all of them, the binary module. The hashes find damage.

import { type CodeSignature, equal, type RegionModule } from "../../../cpu/core/boot.ts";
import { sameBytes } from "../../../kit/support/values/bytes.ts";
import { readPart } from "../../../kit/support/files/open-file.ts";
import { HASH_SIZE, hashOfBytes, hashOfWords } from "../../../kit/support/values/word-hash.ts";

const MAGIC = new TextEncoder().encode("EL2CODE\n");
const LENGTH_AT = MAGIC.length + HASH_SIZE;
const INDEX_AT = LENGTH_AT + 4;
const ROW_SIZE = 8 + 4 + HASH_SIZE;

/** An entry as a file has it. */
export interface StoredEntry {
  readonly key: number;
  readonly hash: number;
  readonly content: Uint8Array<ArrayBuffer>;
}

/** Place of an entry in a file. */
export interface EntryRow extends Omit<StoredEntry, "content"> {
  readonly at: number;
  readonly length: number;
}

export function encodeEntry(signature: CodeSignature, { bytes, sizes, gaps }: RegionModule): StoredEntry {
  const numbers = Int32Array.from([signature.length, sizes.length, gaps.length, ...signature, ...sizes, ...gaps]);
  const content = new Uint8Array(numbers.byteLength + bytes.length);
  content.set(new Uint8Array(numbers.buffer));
  content.set(bytes, numbers.byteLength);
  return { key: hashOfWords(signature), hash: hashOfBytes(content), content };
}

/** The module of an entry, if that is complete and has this signature. */
export function decodeEntry({ hash, content }: StoredEntry, signature: CodeSignature): RegionModule | undefined {
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

/** The signature in an entry that is not damaged. */
export function signatureIn({ content }: StoredEntry): CodeSignature {
  const [words] = new Int32Array(content.slice(0, 4).buffer);
  return new Int32Array(content.slice(12, 12 + 4 * words).buffer);
}

/** The bytes of a file with these entries. */
export function encodeFile(entries: readonly StoredEntry[]): Uint8Array<ArrayBuffer> {
  const index = ROW_SIZE * entries.length;
  const bytes = new Uint8Array(entries.reduce((sum, { content }) => sum + content.length, INDEX_AT + index));
  const view = new DataView(bytes.buffer);
  bytes.set(MAGIC);
  view.setUint32(LENGTH_AT, index, true);
  let row = INDEX_AT, at = INDEX_AT + index;
  for (const { key, hash, content } of entries) {
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
function rowsOf(head: Uint8Array, size: number): EntryRow[] {
  const end = head.length, view = new DataView(head.buffer, head.byteOffset);
  if (hashOfBytes(head.subarray(LENGTH_AT)) !== view.getFloat64(MAGIC.length, true)) return [];
  const rows: EntryRow[] = [];
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

/** The rows of an open file of `size` bytes; none if its index is damaged. */
export function readRows(file: Deno.FsFile, size: number): EntryRow[] {
  const index = indexLength(readPart(file, 0, INDEX_AT), size);
  return index === undefined ? [] : rowsOf(readPart(file, 0, INDEX_AT + index), size);
}
