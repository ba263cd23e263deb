// The data of a kernel's image without a symbol table: exported symbols, and addresses that
// functions use.
//
// An exported symbol is an entry of three words (kernel: include/linux/export-internal.h): the
// distances to the symbol, to its name and to its namespace, each from the word itself. Entries are
// one after the other, so one leads to all. A name may be the end of a longer one.

import { ByHash, hashOf, hashOfTextAt, isTextAt } from "../../../kit/support/values/hashed.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import type { InPieces, Work } from "../../../kit/support/values/work.ts";
import { COPIED_PAGE, type VirtualMemory } from "./memory.ts";

const PAGE = BigInt(PAGE_SIZE);
/** Pages of code and read-only data. */
const PAGES_MAX = 16_384;
/** The table is before its names, and not far. */
const STRINGS_REACH = 0x40_0000;
const ENTRY_WORDS = 3;
/** Places that may have the anchor's name. */
const PLACES_MAX = 16;
/** Entries of a table: a kernel exports some thousands, others some tens. */
const ENTRIES_MIN = 512, ENTRIES_MAX = 1 << 17;
/** A symbol that every kernel exports. */
export const ANCHOR = "init_task";
/** Bytes of a function that are searched for addresses. */
const FUNCTION_MAX = 4096;
/** Places of a search that are counted together, as one step for so many of them. */
const TOGETHER = 4096, PLACES_PER_STEP = 64;

/** Read-only memory from one address on. */
export interface KernelImage {
  readonly base: bigint;
  readonly bytes: Uint8Array;
  /** Whether the bytes are the guest's own, instead of a copy. */
  readonly isShared: boolean;
}

/**
 * The mapped pages from an address on, no more than there is RAM, as one page may be mapped many
 * times; a copy if they do not follow one another in memory, which costs far more.
 */
export function* readImage(memory: VirtualMemory, start: bigint): InPieces<KernelImage> {
  const base = start & ~(PAGE - 1n), first = memory.page(base), { work } = memory;
  if (!first) return { base, bytes: new Uint8Array(), isShared: false };
  const { buffer, byteOffset } = first, pages: DataView[] = [], most = Math.min(PAGES_MAX, pagesOf(memory));
  let inOrder = true;
  for (let page: DataView | undefined = first; page && pages.length < most; page = memory.page(base + BigInt(pages.length) * PAGE)) {
    inOrder &&= page.buffer === buffer && page.byteOffset === byteOffset + pages.length * PAGE_SIZE;
    pages.push(page);
    if (work.pauses) yield;
  }
  const size = pages.length * PAGE_SIZE;
  if (inOrder) return { base, bytes: new Uint8Array(buffer, byteOffset, size), isShared: true };
  const bytes = new Uint8Array(size);
  for (const [index, page] of pages.entries()) {
    work.spend(COPIED_PAGE);
    if (work.pauses) yield;
    bytes.set(new Uint8Array(page.buffer, page.byteOffset, PAGE_SIZE), index * PAGE_SIZE);
  }
  return { base, bytes, isShared: false };
}

function pagesOf({ physical }: VirtualMemory): number {
  let pages = 0;
  for (const { size } of physical.ranges()) pages += size / PAGE_SIZE;
  return pages;
}

/**
 * Whether an image is what another answer reads: a copy is, as what it was made of does not change.
 */
export function isStillThere(memory: VirtualMemory, { base, bytes: { buffer, byteOffset, length }, isShared }: KernelImage): boolean {
  return !isShared || [0, length - PAGE_SIZE].every((at) => {
    const page = memory.page(base + BigInt(at));
    return page?.buffer === buffer && page.byteOffset === byteOffset + at;
  });
}

/** A run of entries, in words: its first one, and after its last one. */
interface Run {
  readonly first: number;
  readonly end: number;
}

/** The table of exported symbols of an image. */
export class ExportedSymbols {
  readonly #byName: ByHash;

  private constructor(readonly run: Run, hashes: Int32Array) {
    this.#byName = new ByHash(hashes);
  }

  /** @param data where the code has ended, in bytes */
  static *read({ bytes }: KernelImage, data: number, work: Work): InPieces<ExportedSymbols> {
    const words = wordsOf(bytes), run = yield* longestRun(bytes, words, data, work);
    const hashes = new Int32Array((run.end - run.first) / ENTRY_WORDS);
    for (let entry = 0, word = run.first; word < run.end; entry++, word += ENTRY_WORDS) {
      hashes[entry] = hashOfTextAt(bytes, nameAt(words, word), work) ?? 0;
      if (work.pauses) yield;
    }
    return new ExportedSymbols(run, hashes);
  }

  /**
   * The address of a symbol; undefined if it is not exported.
   * @param image the same, perhaps later
   */
  find({ base, bytes }: KernelImage, name: string): bigint | undefined {
    const words = wordsOf(bytes), wordOf = (entry: number) => this.run.first + entry * ENTRY_WORDS;
    const entry = this.#byName.find(hashOf(name), (entry) => isTextAt(bytes, nameAt(words, wordOf(entry)), name));
    if (entry < 0) return undefined;
    const word = wordOf(entry);
    return base + BigInt(4 * word + words[word]);
  }
}

/** The longest run of entries of which one has the anchor's name. */
function* longestRun(bytes: Uint8Array, words: Int32Array, data: number, work: Work): InPieces<Run> {
  let longest: Run = { first: 0, end: 0 }, places = 0;
  for (const place of placesOf(bytes, new TextEncoder().encode(`${ANCHOR}\0`), work, data)) {
    if (place === undefined) {
      if (work.pauses) yield;
      continue;
    }
    if (++places > PLACES_MAX) break;
    // From the name backward: the table is just before the names. An entry has three words, so
    // every third word of a run begins one.
    const known: (Run | undefined)[] = [];
    for (let word = (place >> 2) - 1, last = Math.max(1, (place - STRINGS_REACH) >> 2); word >= last; word--) {
      if ((word & TOGETHER - 1) === 0) {
        work.spend(TOGETHER / PLACES_PER_STEP);
        if (work.pauses) yield;
      }
      if (4 * word + words[word] !== place) continue;
      const before = known[word % ENTRY_WORDS];
      if (before && word > before.first) continue;
      const run = yield* runAt(bytes, words, word - 1, work);
      known[word % ENTRY_WORDS] = run;
      if (run.end - run.first > longest.end - longest.first) longest = run;
      if (run.end - run.first >= ENTRIES_MIN * ENTRY_WORDS) return longest;
    }
  }
  return longest;
}

/** The run of entries around a word that begins one, or would. */
function* runAt(bytes: Uint8Array, words: Int32Array, word: number, work: Work): InPieces<Run> {
  let first = word, end = word, entries = 0;
  const counts = () => {
    if (++entries % TOGETHER === 0) work.spend(TOGETHER / PLACES_PER_STEP);
    return entries <= ENTRIES_MAX;
  };
  while (counts() && isEntry(bytes, words, first - ENTRY_WORDS)) first -= ENTRY_WORDS;
  if (work.pauses) yield;
  while (counts() && isEntry(bytes, words, end)) end += ENTRY_WORDS;
  return { first, end };
}

/** Where the name of an entry is. */
const nameAt = (words: Int32Array, word: number): number => 4 * (word + 1) + words[word + 1];

/** Whether a word begins an entry: its name begins with a letter. */
function isEntry(bytes: Uint8Array, words: Int32Array, word: number): boolean {
  if (word < 0 || word + ENTRY_WORDS > words.length) return false;
  const first = bytes[nameAt(words, word)];
  return first === UNDERLINE || (first & ~0x20) >= CAPITAL_A && (first & ~0x20) <= CAPITAL_Z;
}

const wordsOf = ({ buffer, byteOffset, length }: Uint8Array) => new Int32Array(buffer, byteOffset, length >> 2);

/**
 * Where bytes are in others: compared at the last one, which says how far the next place is.
 * Undefined where a piece may end.
 */
export function* placesOf(bytes: Uint8Array, wanted: Uint8Array, work: Work, from = 0): Generator<number | undefined> {
  const last = wanted.length - 1, skips = new Uint8Array(256).fill(wanted.length);
  for (let index = 0; index < last; index++) skips[wanted[index]] = last - index;
  let tried = 0;
  for (let at = from + last; at < bytes.length; at += skips[bytes[at]]) {
    let same = 0;
    while (same <= last && bytes[at - same] === wanted[last - same]) same++;
    if ((++tried & TOGETHER - 1) === 0) {
      work.spend(TOGETHER / PLACES_PER_STEP);
      yield undefined;
    }
    if (same > last) yield at - last;
  }
}

const CAPITAL_A = 0x41, CAPITAL_Z = 0x5a, UNDERLINE = 0x5f;

/**
 * Addresses that the instructions from `start` up to `end` make, in their order: of ADRP, and of
 * ADD, loads and stores with an offset from it (Arm ARM C6.2). Registers that other instructions
 * write are taken for what they were: the caller knows what it looks for.
 */
export function addressesIn({ base, bytes }: KernelImage, start: bigint, end: bigint, work: Work): bigint[] {
  const first = Number(start - base), last = Math.min(Number(end - base), first + FUNCTION_MAX, bytes.length - 3);
  const registers = new Map<number, bigint>(), found = new Set<bigint>();
  if (first < 0 || first % 4 !== 0 || last <= first) return [];
  work.spend((last - first) / 4);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = first; at < last; at += 4) {
    const word = view.getUint32(at, true), rd = word & 0x1f;
    if (is(word, 0x9f00_0000, ADRP)) {
      const pages = BigInt.asIntN(21, BigInt((word >>> 5 & 0x7_ffff) << 2 | word >>> 29 & 3));
      registers.set(rd, (base + BigInt(at) & ~0xfffn) + (pages << 12n));
      continue;
    }
    const from = registers.get(word >>> 5 & 0x1f), immediate = word >>> 10 & 0xfff;
    if (from === undefined) continue;
    if (is(word, 0xffc0_0000, ADD)) {
      registers.set(rd, from + BigInt(immediate));
      found.add(from + BigInt(immediate));
    } else if (is(word, 0x3f00_0000, LOAD_STORE)) found.add(from + (BigInt(immediate) << BigInt(word >>> 30)));
    else if (is(word, 0x3f20_0c00, BEFORE)) {
      const address = from + BigInt.asIntN(9, BigInt(word >>> 12));
      registers.set(word >>> 5 & 0x1f, address);
      found.add(address);
    } else if (is(word, 0x7f80_0000, PAIR)) found.add(from + 8n * BigInt.asIntN(7, BigInt(word >>> 15)));
  }
  return [...found];
}

const ADRP = 0x9000_0000, ADD = 0x9100_0000, LOAD_STORE = 0x3900_0000;
/** A load or store that adds an offset to its base before. */
const BEFORE = 0x3800_0c00;
/** LDP and STP of words or doublewords. */
const PAIR = 0x2900_0000;

const is = (word: number, mask: number, encoding: number) => (word & mask) >>> 0 === encoding;
