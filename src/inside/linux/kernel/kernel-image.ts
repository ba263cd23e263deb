// The data of a kernel's image without a symbol table: exported symbols, and addresses that
// functions use.
//
// An exported symbol is an entry of three words (kernel: include/linux/export-internal.h): the
// distances to the symbol, to its name and to its namespace, each from the word itself. Entries are
// one after the other, so one leads to all. A name may be the end of a longer one.

import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";
import type { VirtualMemory } from "./memory.ts";

const PAGE = BigInt(PAGE_SIZE);
/** Pages of code and read-only data. */
const PAGES_MAX = 16_384;
/** The table is before its names, and not far. */
const STRINGS_REACH = 0x40_0000;
const ENTRY_WORDS = 3;
/** Places that may have the anchor's name. */
const PLACES_MAX = 16;
/** Entries of a table: a kernel exports some thousands, others some tens. */
const ENTRIES_MIN = 512;
/** A symbol that every kernel exports. */
const ANCHOR = "init_task";
/** Bytes of a function that are searched for addresses. */
const FUNCTION_MAX = 4096;

/** Read-only memory from one address on. */
export interface KernelImage {
  readonly base: bigint;
  readonly bytes: Uint8Array;
  /** Whether the bytes are the guest's own, instead of a copy. */
  readonly isShared: boolean;
}

/**
 * The mapped pages from an address on; a copy if they do not follow one another in memory, which
 * costs far more.
 */
export function readImage(memory: VirtualMemory, start: bigint): KernelImage {
  const base = start & ~(PAGE - 1n), first = memory.page(base);
  if (!first) return { base, bytes: new Uint8Array(), isShared: false };
  const { buffer, byteOffset } = first;
  let pages = 0, inOrder = true;
  for (let page: DataView | undefined = first; page && pages < PAGES_MAX; page = memory.page(base + BigInt(pages) * PAGE)) {
    inOrder &&= page.buffer === buffer && page.byteOffset === byteOffset + pages * PAGE_SIZE;
    pages++;
  }
  const size = pages * PAGE_SIZE, bytes = inOrder ? new Uint8Array(buffer, byteOffset, size) : memory.bytes(base, size);
  return { base, bytes, isShared: inOrder };
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

/** Where the table of exported symbols of an image is. */
export class ExportedSymbols {
  /** Words of its first entry, and after its last one. */
  #first = 0;
  #end = 0;

  /** @param data where the code has ended, in bytes */
  constructor({ bytes }: KernelImage, data: number) {
    const words = wordsOf(bytes), isEntry = (word: number) => this.#isEntry(bytes, words, word);
    let places = 0;
    for (const place of placesOf(bytes.subarray(data), new TextEncoder().encode(`${ANCHOR}\0`))) {
      const name = data + place;
      if (++places > PLACES_MAX) return;
      // From the name backward: the table is just before the names.
      for (let word = (name >> 2) - 1, last = Math.max(1, (name - STRINGS_REACH) >> 2); word >= last; word--) {
        if (4 * word + words[word] !== name) continue;
        let first = word - 1, end = first;
        while (isEntry(first - ENTRY_WORDS)) first -= ENTRY_WORDS;
        while (isEntry(end)) end += ENTRY_WORDS;
        if (end - first > this.#end - this.#first) [this.#first, this.#end] = [first, end];
        if (end - first >= ENTRIES_MIN * ENTRY_WORDS) return;
      }
    }
  }

  /** Whether a word begins an entry: its name begins with a letter. */
  #isEntry(bytes: Uint8Array, words: Int32Array, word: number): boolean {
    if (word < 0 || word + ENTRY_WORDS > words.length) return false;
    const first = bytes[4 * (word + 1) + words[word + 1]];
    return first === UNDERLINE || (first & ~0x20) >= CAPITAL_A && (first & ~0x20) <= CAPITAL_Z;
  }

  /**
   * The address of a symbol; undefined if it is not exported.
   * @param image the same, perhaps later
   */
  find({ base, bytes }: KernelImage, name: string): bigint | undefined {
    const wanted = new TextEncoder().encode(`${name}\0`), words = wordsOf(bytes), end = Math.min(this.#end, words.length);
    for (let word = this.#first; word + ENTRY_WORDS <= end; word += ENTRY_WORDS) {
      const at = 4 * (word + 1) + words[word + 1];
      if (wanted.every((byte, index) => bytes[at + index] === byte)) return base + BigInt(4 * word + words[word]);
    }
    return undefined;
  }
}

const wordsOf = ({ buffer, byteOffset, length }: Uint8Array) => new Int32Array(buffer, byteOffset, length >> 2);

/** Where bytes are in others: compared at the last one, which says how far the next place is. */
export function* placesOf(bytes: Uint8Array, wanted: Uint8Array): Generator<number> {
  const last = wanted.length - 1, skips = new Uint8Array(256).fill(wanted.length);
  for (let index = 0; index < last; index++) skips[wanted[index]] = last - index;
  for (let at = last; at < bytes.length; at += skips[bytes[at]]) {
    let same = 0;
    while (same <= last && bytes[at - same] === wanted[last - same]) same++;
    if (same > last) yield at - last;
  }
}

const CAPITAL_A = 0x41, CAPITAL_Z = 0x5a, UNDERLINE = 0x5f;

/**
 * Addresses that the instructions from `start` up to `end` make, in their order: of ADRP, and of
 * ADD, loads and stores with an offset from it (Arm ARM C6.2). Registers that other instructions
 * write are taken for what they were: the caller knows what it looks for.
 */
export function addressesIn({ base, bytes }: KernelImage, start: bigint, end: bigint): bigint[] {
  const first = Number(start - base), last = Math.min(Number(end - base), first + FUNCTION_MAX, bytes.length - 3);
  const registers = new Map<number, bigint>(), found = new Set<bigint>();
  if (first < 0 || first % 4 !== 0) return [];
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
