// Compiled regions in the cache folder (`code/`): a run begins with what earlier ones have
// translated. The key of an entry is everything that the region's module was made from, so that an
// entry that is found is also right. A program has several files (code-file.ts). New entries go
// into the one that was written last, until that is large: little is read and written at a time.
// Where the folder has too much, the files that were written first go, whichever program's.
// Writers to this folder are trusted (docs/threat-model.md).

import { type CodeBacking, type CodeSignature, equal, type RegionModule } from "../../../cpu/core/boot.ts";
import { type ListedFile, newestFirst, readIfThere, unlessGone } from "../../../kit/support/files/cache.ts";
import { writeCached } from "../../../kit/support/files/files.ts";
import { readPart } from "../../../kit/support/files/open-file.ts";
import { checkTrustedFolder } from "../../../kit/support/files/own-files.ts";
import { unlessUnusable } from "../../../kit/support/files/unusable.ts";
import { hashOfWords } from "../../../kit/support/values/word-hash.ts";
import { decodeEntry, decodeFile, encodeEntry, encodeFile, type EntryRow, readRows, type StoredEntry } from "./code-file.ts";
import { fileNameOf } from "./generating-program.ts";

/** Bytes of the folder at most. A boot of Debian has 8 MB, 29 programs in one run have 53. */
const FOLDER_BYTES = 0x800_0000;
/** Files at most: a run opens those of its program. */
const MOST_FILES = 64;
/** Share of a folder's bytes in a file to which more is added. */
const FILE_SHARE = 1 / 16;
/**
 * Share of a folder's bytes that a process writes at most: one with more code than there is room
 * for would otherwise push out what its next run begins with, and no run would find anything.
 */
const OWN_SHARE = 1 / 2;
/** Bytes of a file that are read at a time: a run uses neighbors, from either end. */
const PIECE = 0x4_0000;
/**
 * Milliseconds from a new module until it is written, and from one time to the next at least as
 * many times as long as writing takes.
 */
const UNSAVED_TIME = 5000, REST = 400;
const ENDING = ".code";
/** The loss where the folder cannot be used, in warnings. */
const LOSS = "compiled code is not kept";

/** A module that is in no file yet. */
interface FreshModule {
  readonly signature: CodeSignature;
  readonly module: RegionModule;
}

/** A file, which another process may replace or remove. */
interface CodeFile {
  readonly path: string;
  readonly size: number;
  /** Different for each file that has had this path. */
  readonly identity: string;
}

/** A row, and the file that has its entry. */
interface EntryPlace extends EntryRow {
  readonly file: CodeFile;
}

/** A part of a file. */
interface FilePiece {
  readonly file: CodeFile;
  readonly at: number;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** The regions in one folder. */
export class CodeCache implements CodeBacking {
  /** Of all files, once they were looked for. */
  #places: Map<number, EntryPlace> | undefined;
  /** The part of a file that was read last. */
  #piece: FilePiece | undefined;
  readonly #fresh = new Map<number, FreshModule>();
  /** Bytes of Wasm in these, and in what this process has written. */
  #unsaved = 0;
  #written = 0;
  /** When they are to be written, and when that may be next: what `performance.now` says then. */
  #due = 0;
  #rested = 0;
  #known: string | undefined;

  /**
   * @param program identity of the program that generates; undefined if it is not known
   * @param capacity bytes of the folder at most
   * @param trusted whether the folder was checked already
   */
  constructor(
    readonly folder: string,
    readonly program: () => string | undefined,
    readonly capacity: number = FOLDER_BYTES,
    readonly trusted = false,
  ) {}

  load(signature: CodeSignature): RegionModule | undefined {
    const key = hashOfWords(signature), fresh = this.#fresh.get(key);
    if (fresh && equal(fresh.signature, signature)) return fresh.module;
    const entry = unlessUnusable(LOSS, () => this.#stored(key));
    return entry && decodeEntry(entry, signature);
  }

  keep(signature: CodeSignature, module: RegionModule): void {
    if (this.#written + this.#unsaved >= this.capacity * OWN_SHARE) return;
    const now = performance.now();
    this.#fresh.set(hashOfWords(signature), { signature, module });
    if (!this.#unsaved) this.#due = Math.max(now + UNSAVED_TIME, this.#rested);
    this.#unsaved += module.bytes.length;
    if (now >= this.#due || this.#unsaved >= this.capacity * FILE_SHARE) this.save();
  }

  /** Writes what is new. */
  save(): void {
    if (!this.#unsaved) return;
    this.#written += this.#unsaved;
    this.#unsaved = 0;
    const began = performance.now();
    unlessUnusable(LOSS, () => this.#write());
    this.#fresh.clear();
    const ended = performance.now();
    this.#rested = ended + REST * (ended - began);
  }

  /** Adds what is new to the last file, or makes another one where that is large. */
  #write(): void {
    const program = this.#program();
    if (program === undefined) return;
    this.#check();
    const entries = Array.from(this.#fresh.values(), ({ signature, module }) => encodeEntry(signature, module));
    const room = entries.reduce((left, { content }) => left - content.length, this.capacity * FILE_SHARE);
    const last = this.#files(program).at(0), others = last && last.size <= room ? entriesOf(last.path) : undefined;
    const path = last && others ? last.path : `${this.folder}/${fileNameOf(program, crypto.randomUUID())}${ENDING}`;
    const kept = others?.filter(({ key }) => !this.#fresh.has(key)) ?? [];
    writeCached(path, encodeFile([...kept, ...entries]), MOST_FILES, this.capacity);
    if (this.#places) index(path, this.#places);
  }

  /** An entry of a file. */
  #stored(key: number): StoredEntry | undefined {
    const place = this.#indexed().get(key);
    if (!place) return undefined;
    const entry = this.#inPiece(place) ?? this.#readAround(place);
    if (entry) return entry;
    // Another process has replaced or removed the file.
    this.#places = undefined;
    const again = this.#indexed().get(key);
    return again && this.#readAround(again);
  }

  #inPiece(place: EntryPlace): StoredEntry | undefined {
    const piece = this.#piece, from = place.at - (piece?.at ?? 0);
    if (piece?.file !== place.file || from < 0 || from + place.length > piece.bytes.length) return undefined;
    return { key: place.key, hash: place.hash, content: piece.bytes.subarray(from, from + place.length) };
  }

  /** Reads the part of a file around an entry; undefined if it is another file by now. */
  #readAround(place: EntryPlace): StoredEntry | undefined {
    this.#check();
    const { file, at, length } = place;
    const start = Math.max(0, at - PIECE / 2), end = Math.min(file.size, Math.max(start + PIECE, at + length));
    return opened(file.path, (open, { identity }) => {
      if (identity !== file.identity) return undefined;
      this.#piece = { file, at: start, bytes: readPart(open, start, end - start) };
      return this.#inPiece(place);
    });
  }

  #indexed(): ReadonlyMap<number, EntryPlace> {
    if (this.#places) return this.#places;
    // Where the folder cannot be used, this is asked once.
    const places = this.#places = new Map<number, EntryPlace>(), program = this.#program();
    if (program === undefined) return places;
    this.#check();
    // Of equal entries the later one counts.
    for (const { path } of this.#files(program).toReversed()) index(path, places);
    return places;
  }

  /** The files of a program, the one that was written last first. */
  #files(program: string): ListedFile[] {
    const start = `${fileNameOf(program)}-`;
    return newestFirst(this.folder).filter(({ name }) => name.startsWith(start) && name.endsWith(ENDING));
  }

  /**
   * The content of this folder is executed.
   * @throws NotOurs if others can change it
   */
  #check(): void {
    if (!this.trusted) checkTrustedFolder(this.folder);
  }

  /** The program; undefined if that on disk may be another one by now. */
  #program(): string | undefined {
    return this.#known ??= this.program();
  }
}

/** Puts the entries of a file into an index. */
function index(path: string, places: Map<number, EntryPlace>): void {
  opened(path, (open, file) => {
    for (const row of readRows(open, file.size)) places.set(row.key, { ...row, file });
  });
}

/** Opens a file for some work; undefined if it is gone. */
function opened<T>(path: string, work: (open: Deno.FsFile, file: CodeFile) => T): T | undefined {
  return unlessGone(() => {
    using open = Deno.openSync(path);
    const { dev, ino, size, mtime } = open.statSync();
    return work(open, { path, size, identity: [dev, ino, size, mtime?.getTime()].join() });
  });
}

/** The entries of a file; undefined if it is gone. */
function entriesOf(path: string): StoredEntry[] | undefined {
  const bytes = readIfThere(path);
  return bytes && decodeFile(bytes);
}
