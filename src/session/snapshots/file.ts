// Snapshot files (docs/snapshots.md): a magic number, then sections. The header says in JSON what
// is inside, the plan and the fields are plain data and an archive, pages of RAM are in chunks,
// and the end holds the SHA-256 of everything before it. A file that is read is hostile: sizes are
// bounded before anything is allocated, and whatever is wrong is a `SnapshotError` with file,
// offset and rule.

import * as v from "valibot";
import { type MemoryMap, memoryMap, RAM_BASE } from "../../machine/hardware/memory-map.ts";
import { decodePlain, encodePlain } from "../../machine/hardware/plain.ts";
import type { Maker } from "../../kit/support/files/maker.ts";
import { files } from "../../kit/support/files/files.ts";
import { beginningOf, readToEnd } from "../../kit/support/files/named-file.ts";
import { fill } from "../../kit/support/files/open-file.ts";
import type { SavedPlan } from "../../model/plans/saved-plan.ts";
import { decodeMemory, encodeMemory } from "../assembly/system/run-memory.ts";
import { Page, PageMap } from "../state/page-map.ts";
import { ownFile, SNAPSHOT_START } from "../../kit/support/files/written-files.ts";
import { isZeroPage } from "../state/pages.ts";
import type { RunMemory } from "../assembly/system/system.ts";
import type { SystemState } from "../state/system-state.ts";
import { KiB, MiB, PAGE_SIZE } from "../../kit/support/values/sizes.ts";
import { node } from "../../kit/support/node-modules.ts";
import { asProblem, problemOf, type Said, UserError, within } from "../../kit/support/problem.ts";
import type { WayOut } from "../../kit/support/text/way-out.ts";

const SCHEMA = "el2.snapshot/2", FORMER = "el2.snapshot/1";
const MAGIC = new TextEncoder().encode(SNAPSHOT_START);
/**
 * Bytes before the content of a section: kind, coding, two zero bytes, stored size, content size,
 * CRC-32 of what is stored.
 */
const SECTION_HEADER = 16;

/**
 * Sections; the observations come before the TLBs, those before the pages. TLBs and pages may be
 * missing, and there may be several of pages.
 */
const Kind = { Header: 1, Plan: 2, Fields: 3, Pages: 4, End: 5, Memory: 6, Tlbs: 7 } as const;
type Kind = typeof Kind[keyof typeof Kind];

/** Most bytes of a section's content. */
const LIMITS: Readonly<Record<Kind, number>> = {
  [Kind.Header]: 64 * KiB,
  [Kind.Plan]: 2048 * MiB - 1,
  [Kind.Fields]: 1024 * MiB,
  [Kind.Pages]: 2 * MiB,
  [Kind.End]: 32,
  [Kind.Memory]: 64 * MiB,
  [Kind.Tlbs]: 64 * MiB,
};

const Coding = { Plain: 0, Gzip: 1 } as const;
/**
 * Values of a plan, for those who go through it: plans have some hundred, and lists of a snapshot
 * that anybody may have written could be in each other many times.
 */
const PLAN_VALUES_MAX = 100_000;
/** Fast; higher levels cost much time for little room. */
const GZIP_LEVEL = 1;
const PAGES_PER_CHUNK = 256;
/** gzip is worth its time from this size on. */
const GZIP_MIN = 256;

/**
 * A file that is not a snapshot, of another form, truncated or changed; the message is for its
 * user.
 */
export class SnapshotError extends UserError {}

/** The description of a snapshot, which is readable without loading it. */
export interface SnapshotHeader extends Maker {
  readonly schema: typeof SCHEMA;
  /** The guests: names for display. */
  readonly title: string;
  /** Virtual time in ns, and instructions that the guests had retired. */
  readonly ns: string;
  readonly insn: string;
  readonly cpus: number;
  /** Bytes of RAM, and pages of it that are not zero. */
  readonly memory: number;
  readonly pages: number;
}

/** The content of a snapshot's file. */
export type SnapshotFile = Omit<Snapshot, "saved"> & {
  /** `SavedPlan`, if the file is right: anybody may have written it. */
  readonly saved: unknown;
};

export interface Snapshot {
  readonly header: SnapshotHeader;
  /** The plan from which the machine was made. */
  readonly saved: SavedPlan;
  readonly state: SystemState;
  /** The observations of the run up to here: events, reasons. */
  readonly memory: RunMemory;
}

const decimal = v.pipe(v.string(), v.regex(/^\d{1,20}$/));
const count = v.pipe(v.number(), v.safeInteger(), v.minValue(0));
const HEADER = v.strictObject({
  schema: v.literal(SCHEMA),
  version: v.string(),
  engine: v.optional(v.string()),
  commit: v.optional(v.string()),
  released: v.optional(v.literal(true)),
  title: v.string(),
  ns: decimal,
  insn: decimal,
  cpus: count,
  memory: count,
  pages: count,
});

export function snapshotHeader(fields: Omit<SnapshotHeader, "schema" | keyof Maker>): SnapshotHeader {
  return { schema: SCHEMA, ...files().maker(), ...fields };
}

/**
 * Writes a snapshot in pieces: each step takes some milliseconds, and yields how many of all pages
 * are done. The file gets its name when it is complete; an older file stays until then, and if the
 * steps are abandoned or fail nothing is left.
 * @param packed whether sections are compressed
 * @param newest how many files the cache keeps that it goes into
 * @throws Error if the file cannot be written.
 */
export function* writeSnapshot(path: string, snapshot: Snapshot, packed = true, newest?: number): Generator<number> {
  using file = files().whole(path, { newest });
  yield* snapshotParts((bytes) => file.write(bytes), snapshot, packed);
  file.commit();
}

/** The bytes of a snapshot go to `put`, in the steps of `writeSnapshot`. */
export function* snapshotParts(
  put: (bytes: Uint8Array) => void,
  { header, saved, state, memory }: SnapshotFile,
  packed: boolean,
): Generator<number> {
  const sum = node.crypto.createHash("sha256");
  const write = (bytes: Uint8Array) => {
    sum.update(bytes);
    put(bytes);
  };
  const section = (kind: Kind, content: Uint8Array, pack = packed) => {
    const small = pack && content.length >= GZIP_MIN ? node.zlib.gzipSync(content, { level: GZIP_LEVEL }) : content;
    const coding = small.length < content.length ? Coding.Gzip : Coding.Plain;
    const stored = coding === Coding.Gzip ? small : content;
    write(sectionHeader(kind, coding, stored, content.length));
    write(stored);
  };
  write(MAGIC);
  section(Kind.Header, new TextEncoder().encode(JSON.stringify(header)), false);
  section(Kind.Plan, encodePlain(saved));
  section(Kind.Fields, state.fields);
  section(Kind.Memory, encodeMemory(memory));
  if (state.tlbs) section(Kind.Tlbs, state.tlbs);
  let done = 0;
  for (const chunk of chunksOf(state.pages)) {
    section(Kind.Pages, encodePages(chunk));
    yield done += chunk.length;
  }
  section(Kind.End, sum.copy().digest(), false);
}

/** Hears how many of a snapshot's pages were read. */
export type Reading = (pages: number, all: number) => void;

/**
 * @param own the file is in the user's own cache: checksums of sections find accidents, and the one
 * of the whole file, against others, is left out
 * @param bytes its content, if known
 * @throws SnapshotError, or the system's error on the file.
 */
export function readSnapshot(path: string, own = false, bytes: Uint8Array = readToEnd(path), reading?: Reading): SnapshotFile {
  const reader = new SectionReader(path, bytes);
  const header = parseHeader(reader);
  const map = reader.decoded("header", () => memoryMap(header.memory));
  if (header.pages > pagesOf(map)) reader.fail(`its header says ${header.pages} pages`, `its machine has ${pagesOf(map)}`);
  const encoded = reader.section(Kind.Plan);
  const saved = reader.decoded("plan", () => decodePlain(encoded, PLAN_VALUES_MAX));
  const fields = reader.section(Kind.Fields);
  const observed = reader.section(Kind.Memory);
  const memory = reader.decoded("list of events", () => decodeMemory(observed));
  const tlbs = reader.kind === Kind.Tlbs ? reader.section(Kind.Tlbs) : undefined;
  const pages = new Map<number, Page>();
  for (let last = -1; reader.kind === Kind.Pages;) {
    last = decodePages(reader, reader.section(Kind.Pages), { pages, map, own }, last);
    reading?.(pages.size, header.pages);
    if (pages.size > header.pages) reader.fail(`it has more than the ${header.pages} pages of its header`);
  }
  if (pages.size !== header.pages) reader.fail(`it has ${pages.size} pages, its header says ${header.pages}`);
  if (own) reader.section(Kind.End);
  else reader.end();
  return { header, saved, state: { fields, pages: PageMap.EMPTY.with(pages), tlbs }, memory };
}

/** Pages that a machine has. */
function pagesOf({ primarySize, hypervisorBase, ramEnd }: MemoryMap): number {
  return (primarySize + ramEnd - hypervisorBase) / PAGE_SIZE;
}

function isInRam({ primaryEnd, hypervisorBase, ramEnd }: MemoryMap, page: number): boolean {
  const address = page * PAGE_SIZE;
  return address >= RAM_BASE && address < primaryEnd || address >= hypervisorBase && address < ramEnd;
}

/** Whether a file says that it is a snapshot. */
export function isSnapshot(path: string): boolean {
  // The later reader of the file reports why it cannot be read.
  const start = beginningOf(path, MAGIC.length);
  return start !== undefined && startsWith(start, MAGIC);
}

/**
 * The header alone, without the check of the whole file's checksum.
 * @throws SnapshotError
 */
export function readSnapshotHeader(path: string, bytes: Uint8Array = readBeginning(path)): SnapshotHeader {
  return parseHeader(new SectionReader(path, bytes));
}

function readBeginning(path: string): Uint8Array {
  using file = Deno.openSync(path);
  const bytes = new Uint8Array(MAGIC.length + SECTION_HEADER + LIMITS[Kind.Header]);
  return bytes.subarray(0, fill(file, bytes));
}

function parseHeader(reader: SectionReader): SnapshotHeader {
  return reader.decoded("header", () => {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(reader.section(Kind.Header));
    const header = JSON.parse(text);
    if (header?.schema !== FORMER) return v.parse(HEADER, header);
    const what = `it was saved by el2 ${header.version} in the form ${FORMER}, this el2 reads ${SCHEMA}`;
    return reader.fail(what, "load it with the el2 that saved it, or save the machine again");
  });
}

/** A file that is cut into sections. */
class SectionReader {
  #at = 0;

  constructor(readonly path: string, readonly bytes: Uint8Array) {
    if (!startsWith(bytes, MAGIC)) this.fail(ownFile(bytes, path) ?? "not an el2 snapshot");
    this.#at = MAGIC.length;
  }

  /** The kind that the next section declares. */
  get kind(): number {
    return this.bytes[this.#at] ?? 0;
  }

  fail(rule: Said, wayOut?: WayOut): never {
    throw new SnapshotError(within(`${this.path}: at byte ${this.#at}`, asProblem(rule)), wayOut);
  }

  /** Errors of `work` on content are errors of the file. */
  decoded<T>(what: string, work: () => T): T {
    try {
      return work();
    } catch (error) {
      if (error instanceof SnapshotError) throw error;
      return this.fail(problemOf(error, `its ${what} cannot be read`));
    }
  }

  /** The content of the next section, which is of this kind. */
  section(kind: Kind): Uint8Array {
    const { bytes } = this;
    if (this.#at + SECTION_HEADER > bytes.length) this.fail("the file is truncated");
    const view = new DataView(bytes.buffer, bytes.byteOffset + this.#at, SECTION_HEADER);
    const coding = view.getUint8(1), stored = view.getUint32(4, true), size = view.getUint32(8, true), crc = view.getUint32(12, true);
    if (view.getUint8(0) !== kind) this.fail(`section ${view.getUint8(0)} found instead of ${kind}`);
    if (view.getUint16(2, true) !== 0 || coding > Coding.Gzip || coding === Coding.Plain && stored !== size) this.fail("no section header");
    if (size > LIMITS[kind] || stored > size) this.fail(`a section of ${size} bytes in ${stored}`, `at most ${LIMITS[kind]} are possible`);
    const start = this.#at + SECTION_HEADER;
    if (start + stored > bytes.length) this.fail("the file is truncated");
    const content = bytes.subarray(start, start + stored);
    if (node.zlib.crc32(content) !== crc) this.fail("a checksum is wrong", "the file was changed");
    const result = coding === Coding.Gzip ? this.#unpacked(content, size) : content;
    this.#at = start + stored;
    return result;
  }

  /** The last section: the checksum of all before, with nothing after it. */
  end(): void {
    const before = this.bytes.subarray(0, this.#at);
    const sum = this.section(Kind.End);
    const right = node.crypto.createHash("sha256").update(before).digest();
    if (sum.length !== right.length || !startsWith(sum, right)) this.fail("the checksum of the file is wrong", "it was changed");
    if (this.#at !== this.bytes.length) this.fail("data after the end");
  }

  #unpacked(content: Uint8Array, size: number): Uint8Array {
    const { buffer, byteOffset, length } = this.decoded("section", () => node.zlib.gunzipSync(content, { maxOutputLength: size }));
    // Not a Buffer, whose slices are not copies.
    const result = new Uint8Array(buffer, byteOffset, length);
    if (result.length !== size) this.fail(`a section has ${result.length} bytes and says ${size}`);
    return result;
  }
}

function sectionHeader(kind: Kind, coding: number, stored: Uint8Array, size: number): Uint8Array {
  if (size > LIMITS[kind]) {
    throw new UserError(`a snapshot's section ${kind} would have ${size} bytes`, `at most ${LIMITS[kind]} are possible`);
  }
  const bytes = new Uint8Array(SECTION_HEADER);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, kind);
  view.setUint8(1, coding);
  view.setUint32(4, stored.length, true);
  view.setUint32(8, size, true);
  view.setUint32(12, node.zlib.crc32(stored), true);
  return bytes;
}

function* chunksOf(pages: PageMap): Generator<(readonly [number, Page])[]> {
  let chunk: (readonly [number, Page])[] = [];
  for (const entry of pages) {
    chunk.push(entry);
    if (chunk.length < PAGES_PER_CHUNK) continue;
    yield chunk;
    chunk = [];
  }
  if (chunk.length) yield chunk;
}

/** A count, the page numbers, the pages. */
function encodePages(pages: readonly (readonly [number, Page])[]): Uint8Array {
  const bytes = new Uint8Array(4 + pages.length * (4 + PAGE_SIZE));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, pages.length, true);
  const start = 4 + 4 * pages.length;
  for (const [index, [page, content]] of pages.entries()) {
    view.setUint32(4 + 4 * index, page, true);
    bytes.set(content.bytes, start + index * PAGE_SIZE);
  }
  return bytes;
}

/** Pages that are being read. */
interface ReadPages {
  readonly pages: Map<number, Page>;
  readonly map: MemoryMap;
  /** The file is in the user's own cache. */
  readonly own: boolean;
}

/** Takes the pages of a chunk, which come after page `last`. Returns the number of the last one. */
function decodePages(reader: SectionReader, bytes: Uint8Array, { pages, map, own }: ReadPages, last: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const count = bytes.length < 4 ? 0 : view.getUint32(0, true);
  if (count === 0 || count > PAGES_PER_CHUNK || bytes.length !== 4 + count * (4 + PAGE_SIZE)) reader.fail("not a chunk of pages");
  for (let index = 0; index < count; index++) {
    const page = view.getUint32(4 + 4 * index, true);
    if (page <= last) reader.fail("pages are not in ascending order");
    if (!isInRam(map, page)) reader.fail(`page 0x${page.toString(16)} is not in its machine's memory`);
    last = page;
    const start = 4 + 4 * count + index * PAGE_SIZE;
    // A copy, as a page may live longer than others; pages of the user's own snapshot all live as
    // long as the file's bytes.
    const content = own ? bytes.subarray(start, start + PAGE_SIZE) : bytes.slice(start, start + PAGE_SIZE);
    if (!own && isZeroPage(content)) reader.fail(`page 0x${page.toString(16)} is zero, and must not be stored`);
    pages.set(page, new Page(content));
  }
  return last;
}

const startsWith = (bytes: Uint8Array, start: Uint8Array) => start.every((byte, index) => bytes[index] === byte);
