// A dump: the memory of one or several files, read page by page as it is asked for. Only the pages
// that were read last are kept, and the image of its kernel, which all answers need.

import { type PhysicalMemory, TooMuch } from "../linux/kernel/memory.ts";
import { isZone } from "../linux/pstore/ramoops.ts";
import { isElf } from "../../kit/formats/elf.ts";
import { ownFile } from "../../kit/support/files/written-files.ts";
import { type Problem, within } from "../../kit/support/problem.ts";
import { hex } from "../../kit/support/text/number-text.ts";
import { MiB, PAGE_SIZE } from "../../kit/support/values/sizes.ts";
import { readElfCore } from "./elf-core.ts";
import { DumpError, type DumpSource, type FileMemory, type MemoryRun, plainMemory, runAt, type SavedCpu } from "./file-memory.ts";
import { isFlattened, putTogether } from "./flattened.ts";
import { isKdump, readKdump } from "./kdump.ts";
import { isLime, readLime } from "./lime.ts";

/** Pages that are kept for the next answer, and that one answer may read from files. */
const KEPT_PAGES = 8192, ANSWER_PAGES = 24_576;
/** Bytes that a search through memory reads, and how many at once. */
const SEARCHED = 512 * MiB, PIECE = MiB;
/** Pages that cannot be read, of which the reason is kept. */
const DAMAGE_MAX = 1024;
/** Bytes of a file by which its form is known. */
const BEGINNING = 64;

/** A file, and where its first byte is in memory if it is raw. */
export interface NamedDump {
  readonly source: DumpSource;
  readonly address: number | undefined;
}

export class Dump {
  readonly memory: DumpMemory;

  private constructor(readonly files: readonly FileMemory[]) {
    this.memory = new DumpMemory(files);
  }

  /** @throws DumpError that names the file, the place and the reason */
  static open(files: readonly NamedDump[]): Dump {
    const dump = new Dump(files.map(readDump)), { runs } = dump.memory;
    for (const [index, { address }] of runs.entries()) {
      const before = runs[index - 1];
      if (before && before.address + before.size > address) {
        throw new DumpError(`two files have memory at ${hex(address)}`, "give each its own address: FILE@ADDRESS");
      }
    }
    if (!runs.length) throw new DumpError(`${files.map(({ source }) => source.name).join(", ")}: no memory is in it`);
    return dump;
  }

  /** Registers of its CPUs. */
  get cpus(): readonly SavedCpu[] {
    return this.files.flatMap(({ cpus }) => cpus);
  }

  /** The text of VMCOREINFO, where a file has it apart. */
  get info(): string | undefined {
    return this.files.find(({ info }) => info !== undefined)?.info;
  }

  /** The form of its files, such as "ELF core file". */
  get form(): string {
    return [...new Set(this.files.map(({ form }) => form))].join(", ");
  }

  /** Bytes of memory that its files say they have, and end before. */
  get missing(): number {
    return Math.ceil(this.files.reduce((sum, { missing }) => sum + missing, 0) / PAGE_SIZE) * PAGE_SIZE;
  }
}

function beginningOf(source: DumpSource): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(Math.min(BEGINNING, source.size));
  source.read(0, bytes);
  return bytes;
}

/** @throws DumpError */
function readDump({ source, address }: NamedDump): FileMemory {
  if (address !== undefined) return plainMemory(source, "raw memory", [{ address, offset: 0, size: source.size }]);
  const bytes = beginningOf(source);
  if (isFlattened(bytes)) {
    const whole = putTogether(source);
    if (isKdump(beginningOf(whole))) return readKdump(whole);
    throw new DumpError(`${source.name}: byte 4096: flattened, and not a compressed dump`);
  }
  if (isKdump(bytes)) return readKdump(source);
  if (isElf(bytes)) return readElfCore(source);
  if (isLime(bytes)) return readLime(source);
  if (isZone(bytes)) return plainMemory(source, "region of ramoops", [{ address: 0, offset: 0, size: source.size }]);
  const own = ownFile(bytes, source.name);
  if (own) throw new DumpError(within(source.name, own));
  throw new DumpError(
    source.size === 0
      ? `${source.name}: the file is empty`
      : `${source.name}: byte 0: not a dump that el2 knows: an ELF core file, kdump's compressed form, LiME's, or a region of ramoops`,
    `if it is raw memory, name its first address, as in ${source.name}@0x80000000`,
  );
}

/** Memory of files by physical address. */
export class DumpMemory implements PhysicalMemory {
  readonly #pages = new Map<number, Uint8Array>();
  #left = ANSWER_PAGES;
  /** Why pages could not be read, by address. */
  readonly damage = new Map<number, Problem>();
  /** A part of it that is read as a whole. */
  #held: { readonly address: number; readonly bytes: Uint8Array } = { address: 0, bytes: new Uint8Array() };
  readonly runs: readonly MemoryRun[];

  constructor(readonly files: readonly FileMemory[]) {
    this.runs = files.flatMap(({ runs }) => runs).toSorted((one, other) => one.address - other.address);
  }

  /** Bytes that are kept in memory. */
  get kept(): number {
    return this.#pages.size * PAGE_SIZE + this.#held.bytes.length;
  }

  /** Another answer begins, which may read as many pages as the one before. */
  renew(): void {
    this.#left = ANSWER_PAGES;
  }

  /** @throws TooMuch once an answer has read too many */
  page(ipa: number): Uint8Array | undefined {
    const { address, bytes } = this.#held;
    if (ipa >= address && ipa + PAGE_SIZE <= address + bytes.length) return bytes.subarray(ipa - address, ipa - address + PAGE_SIZE);
    const known = this.#pages.get(ipa);
    if (known) return known;
    const file = this.#fileAt(ipa);
    if (!file) return undefined;
    if (this.#left-- <= 0) throw new TooMuch();
    const page = new Uint8Array(PAGE_SIZE);
    if (!this.#tried(file, ipa, page)) return undefined;
    for (const [oldest] of this.#pages) {
      if (this.#pages.size < KEPT_PAGES) break;
      this.#pages.delete(oldest);
    }
    this.#pages.set(ipa, page);
    return page;
  }

  *ranges(): Iterable<{ readonly ipa: number; readonly size: number }> {
    for (const { address, size } of this.runs) yield { ipa: address, size };
  }

  /**
   * Pages for a search through memory, each valid until the next one. Large memory is not searched
   * to its end.
   */
  *written(): Iterable<Uint8Array> {
    const piece = new Uint8Array(PIECE);
    let left = SEARCHED;
    for (const { address, size } of this.runs) {
      for (let done = 0; done < size; done += PIECE) {
        const length = Math.min(PIECE, size - done);
        if ((left -= length) < 0) return;
        this.read(address + done, piece.subarray(0, length));
        for (let at = 0; at < length; at += PAGE_SIZE) yield piece.subarray(at, at + PAGE_SIZE);
      }
    }
  }

  /** Whole pages of one run. Those that cannot be read are zero. */
  read(address: number, into: Uint8Array): void {
    const file = this.#fileAt(address);
    if (!file || this.#tried(file, address, into)) return;
    into.fill(0);
    for (let at = 0; at < into.length; at += PAGE_SIZE) this.#tried(file, address + at, into.subarray(at, at + PAGE_SIZE));
  }

  /** Whether pages could be read. */
  #tried(file: FileMemory, address: number, into: Uint8Array): boolean {
    try {
      file.read(address, into);
      return true;
    } catch (error) {
      if (!(error instanceof DumpError)) throw error;
      if (into.length === PAGE_SIZE && this.damage.size < DAMAGE_MAX) this.damage.set(address, error.problem);
      into.fill(0);
      return false;
    }
  }

  /** Keeps a part of the memory as one piece, as much of it as is in one run. */
  hold(address: number, size: number): Uint8Array {
    const run = runAt(this.runs, address), bytes = new Uint8Array(run ? Math.min(size, run.address + run.size - address) : 0);
    if (bytes.length) this.read(address, bytes);
    this.#held = { address, bytes };
    return bytes;
  }

  /** The part that is kept as one piece. */
  get held(): { readonly address: number; readonly bytes: Uint8Array } {
    return this.#held;
  }

  #fileAt(address: number): FileMemory | undefined {
    return this.files.find(({ runs }) => runAt(runs, address));
  }
}
