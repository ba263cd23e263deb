// Writers of archives whose bytes depend on their content alone: tar (POSIX.1-1988 ustar), ar
// (deb(5)), gzip.

import { gzipSync } from "node:zlib";
import { joined } from "../../src/support/bytes.ts";
import { MiB } from "../../src/support/sizes.ts";

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

const BLOCK = 512;
const NAME_MAX = 100, PREFIX_MAX = 155;

/** The parts of a tar archive. @param modified of all entries, seconds since 1970 */
function blocksOf(entries: readonly Entry[], modified: number): Uint8Array[] {
  const blocks = entries.flatMap((entry) => {
    const size = entry.data?.length ?? 0;
    const padding = new Uint8Array(-size & BLOCK - 1);
    return [header(entry, size, modified), entry.data ?? new Uint8Array(), padding];
  });
  return [...blocks, new Uint8Array(2 * BLOCK)];
}

function header({ path, data, target, executable }: Entry, size: number, modified: number): Uint8Array {
  const folder = data === undefined && target === undefined;
  const bytes = new Uint8Array(BLOCK);
  const text = (at: number, value: string) => bytes.set(new TextEncoder().encode(value), at);
  const octal = (at: number, width: number, value: number) => text(at, value.toString(8).padStart(width - 1, "0"));
  const [prefix, name] = splitPath(folder ? `${path}/` : path);
  text(0, name);
  octal(100, 8, target !== undefined ? 0o777 : folder || executable ? 0o755 : 0o644);
  octal(108, 8, 0);
  octal(116, 8, 0);
  octal(124, 12, size);
  octal(136, 12, modified);
  text(148, "        ");
  text(156, target !== undefined ? "2" : folder ? "5" : "0");
  text(157, target ?? "");
  text(257, "ustar\x0000root");
  text(297, "root");
  text(345, prefix);
  text(148, `${bytes.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, "0")}\0 `);
  return bytes;
}

/** Prefix and name of a header. @throws Error if the path fits in no header */
function splitPath(path: string): [prefix: string, name: string] {
  if (path.length <= NAME_MAX) return ["", path];
  const at = path.indexOf("/", path.length - NAME_MAX - 1);
  if (at <= 0 || at > PREFIX_MAX || at === path.length - 1) throw new Error(`${path}: too long for a tar header`);
  return [path.slice(0, at), path.slice(at + 1)];
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
