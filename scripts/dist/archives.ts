// Writers of archives whose bytes depend on their content alone: tar (POSIX.1-1988 ustar), ar
// (deb(5)), gzip, zip (PKWARE APPNOTE 6.3.10).

import { crc32, gzipSync } from "node:zlib";
import { tarBlocks } from "../../src/kit/formats/tar-writer.ts";
import { joined } from "../../src/kit/support/values/bytes.ts";
import { filesBelow } from "./split.ts";
import { MiB } from "../../src/kit/support/values/sizes.ts";

/** A file, folder or symbolic link of an archive. Owner and group are root. */
export interface Entry {
  /** Without a slash in front. */
  readonly path: string;
  /** Of a file. */
  readonly data?: Uint8Array;
  /** Of a symbolic link. */
  readonly target?: string;
  readonly executable?: boolean;
}

/** The parts of a tar archive. @param modified of all entries, seconds since 1970 */
function blocksOf(entries: readonly Entry[], modified: number): Uint8Array[] {
  const permissions = ({ data, target, executable }: Entry) =>
    target !== undefined ? 0o777 : data === undefined || executable ? 0o755 : 0o644;
  return tarBlocks(entries.map((entry) => ({ ...entry, permissions: permissions(entry) })), modified);
}

/** The files below a folder, as entries of another place. @param prefix that with its slash */
export async function entriesBelow(folder: string, prefix: string): Promise<Entry[]> {
  const paths = await filesBelow(folder);
  return await Promise.all(paths.map(async (path) => ({ path: `${prefix}${path}`, data: await Deno.readFile(`${folder}/${path}`) })));
}

/** All folders above some files, each before what is in it, and the files, sorted. */
export function withFolders(files: readonly Entry[]): Entry[] {
  const folders = new Set(files.flatMap(({ path }) => {
    const parts = path.split("/").slice(0, -1);
    return parts.map((_, index) => parts.slice(0, index + 1).join("/"));
  }));
  return [...[...folders].map((path) => ({ path })), ...files].sort((a, b) => a.path < b.path ? -1 : 1);
}

/** An ar archive of files. */
export function ar(members: readonly { readonly name: string; readonly data: Uint8Array }[], modified: number): Uint8Array<ArrayBuffer> {
  const parts = members.flatMap(({ name, data }) => {
    const head = name.padEnd(16) + String(modified).padEnd(12) + "0     0     100644  " + String(data.length).padEnd(10) + "`\n";
    return [new TextEncoder().encode(head), data, new Uint8Array(data.length & 1).fill(10)];
  });
  return joined([new TextEncoder().encode("!<arch>\n"), ...parts]);
}

/** Fields of a zip archive's records: width in bytes, value. */
type Fields = readonly (readonly [width: 2 | 4, value: number])[];

function record(signature: number, fields: Fields): Uint8Array {
  const all: Fields = [[4, signature], ...fields], bytes = new Uint8Array(all.reduce((sum, [width]) => sum + width, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const [width, value] of all) {
    if (width === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value, true);
    at += width;
  }
  return bytes;
}

/** A zip archive, not compressed. @param modified of all files, seconds since 1970 */
export function zip(files: readonly { readonly path: string; readonly data: Uint8Array }[], modified: number): Uint8Array<ArrayBuffer> {
  const time = new Date(modified * 1000);
  const clock = time.getUTCHours() << 11 | time.getUTCMinutes() << 5 | time.getUTCSeconds() >> 1;
  const day = time.getUTCFullYear() - 1980 << 9 | time.getUTCMonth() + 1 << 5 | time.getUTCDate();
  const parts: Uint8Array[] = [], directory: Uint8Array[] = [];
  let at = 0;
  for (const { path, data } of files) {
    const name = new TextEncoder().encode(path);
    // Version needed, flags (names are UTF-8), method, time, day, CRC-32; then sizes and lengths.
    const shared: Fields = [[2, 10], [2, 0x800], [2, 0], [2, clock], [2, day], [4, crc32(data)]];
    const sizes: Fields = [[4, data.length], [4, data.length], [2, name.length], [2, 0]];
    directory.push(record(0x02014b50, [[2, 10], ...shared, ...sizes, [2, 0], [2, 0], [2, 0], [4, 0], [4, at]]), name);
    const entry = joined([record(0x04034b50, [...shared, ...sizes]), name, data]);
    parts.push(entry);
    at += entry.length;
  }
  const central = joined(directory), count = files.length;
  const end = record(0x06054b50, [[2, 0], [2, 0], [2, count], [2, count], [4, central.length], [4, at], [2, 0]]);
  return joined([...parts, central, end]);
}

/** gzip without name and time. Level 9 takes twice the time of 6 and saves 3 %. */
export function gzip(bytes: Uint8Array, level = 6): Uint8Array<ArrayBuffer> {
  return new Uint8Array(gzipSync(bytes, { level }));
}

/** A file of this size is compressed once for all archives that hold it. */
const LARGE = 16 * MiB;
const compressed = new WeakMap<Uint8Array, Uint8Array>();

/**
 * A tar archive in gzip. RFC 1952 §2.2: members follow one another, and expand to their texts
 * joined; each large file is a separate member.
 */
export function tarGzip(entries: readonly Entry[], modified: number): Uint8Array<ArrayBuffer> {
  const members: Uint8Array[] = [];
  let small: Uint8Array[] = [];
  const flush = () => {
    if (small.length) members.push(gzip(joined(small)));
    small = [];
  };
  for (const block of blocksOf(entries, modified)) {
    if (block.length < LARGE) {
      small.push(block);
      continue;
    }
    flush();
    const member = compressed.get(block) ?? gzip(block);
    compressed.set(block, member);
    members.push(member);
  }
  flush();
  return joined(members);
}
