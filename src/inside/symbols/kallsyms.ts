// The symbol table that a Linux kernel carries in its read-only data (kernel/kallsyms.c in its
// sources), found without the kernel's help: names are stored as numbers of tokens, and the table
// of the 256 tokens has single digits in a row, which is unique.
//
// All layouts have names and markers (the offset of each 256th name) before the tokens, and an
// index of the tokens after them. Until 6.3 offsets, the address that they count from, and the
// number of names are before the names; later offsets and address follow the index; in the newest
// kernels an offset counts from its own place. CONFIG_KALLSYMS_ABSOLUTE_PERCPU, which only x86 has,
// is not read.
//
// Xen has such a table as well (tools/symbols.c in its sources), in the layout of old kernels: the
// addresses themselves, of 64 bits, are before the number of names.
//
// The memory is a guest's, which may have made it to cost time: places where a table may begin,
// names, their characters, and steps of the search are bounded, and the search is in pieces, so
// that a session answers meanwhile.

import { UPPER_HALF } from "../../kit/formats/page-tables.ts";
import { firstIndex } from "../../kit/support/values/in-order.ts";
import { ByHash, HASH_BASE, hashOf } from "../../kit/support/values/hashed.ts";
import { type GuestSymbol, isCode, type SymbolList } from "./symbol-table.ts";
import { MiB, PAGE_SIZE } from "../../kit/support/values/sizes.ts";
import { type InPieces, Work } from "../../kit/support/values/work.ts";

/** Memory that is contiguous at virtual addresses. */
export interface KernelMemory {
  /** Address of the first byte. */
  readonly base: bigint;
  readonly bytes: Uint8Array;
  /** Where it is mapped is not known: the base is 0, and addresses in it are anywhere. */
  readonly unplaced?: true;
}

const TOKENS = 256;
const PAGE = BigInt(PAGE_SIZE);
const NAMES_PER_MARKER = 256;
const MINIMUM_SYMBOLS = 1000;
/** Bytes that 256 names take at most, and how far before the tokens the markers are looked for. */
const MOST_BEHIND_MARKER = 0x1_0000, MARKERS_WINDOW = 8 * MiB;
/** Tokens of digits, each one byte and a zero: those of 0 to 8, as no name of Xen has a 9. */
const DIGITS = 9, DIGITS_SIZE = 2 * DIGITS;
const FIRST_DIGIT = "0".charCodeAt(0);
/** Bytes of a token. */
const TOKEN_MAX = 64;
/** Bytes between places that are read: at least one of them, and its next, is in the digits. */
const STRIDE = 16;
/** Places with digits that are tried: a kernel has one. */
const PLACES_MAX = 32;
/** Symbols of a kernel, characters of a name (KSYM_NAME_LEN is 512), and of all names. */
const SYMBOLS_MAX = 1 << 20, NAME_MAX = 512, NAMES_MAX = 64 * MiB;
/** Steps of the search after the digits were found: a kernel takes some five million. */
const STEPS_MAX = 64 * MiB;
/** Type and name of the symbol where the linker puts the first mapped code. */
const START_OF_CODE = "T_stext";
/** Tables begin at multiples of this, or of half of it; those of Xen at multiples of the other. */
const ALIGNMENT = 8, XEN_ALIGNMENT = 256;

/** Memory that a search would take too long in. */
class TooMuch extends Error {}

/** The symbols of the kernel in this memory, which is not kept; undefined without any. */
export function* readKallsyms(memory: KernelMemory): InPieces<Kallsyms | undefined> {
  const work = new Work(Math.ceil(memory.bytes.length / STRIDE) + STEPS_MAX, () => new TooMuch());
  try {
    let places = 0;
    for (const digits of findDigits(memory.bytes, work)) {
      if (digits === undefined) {
        yield;
        continue;
      }
      const symbols = yield* readAt(memory, digits, work);
      if (symbols || ++places === PLACES_MAX) return symbols;
    }
    return undefined;
  } catch (error) {
    if (!(error instanceof TooMuch)) throw error;
    return undefined;
  }
}

/** Where the tokens of the digits begin, in order; undefined where a piece ends. */
function* findDigits(bytes: Uint8Array, work: Work): Generator<number | undefined> {
  let last = -1;
  for (let page = 0; page < bytes.length; page += PAGE_SIZE) {
    work.spend(PAGE_SIZE / STRIDE);
    if (work.pauses) yield;
    const end = Math.min(page + PAGE_SIZE, bytes.length - 1);
    for (let at = digitAt(bytes, page, end); at < end; at = digitAt(bytes, at + STRIDE, end)) {
      const start = bytes[at] === 0 ? at + 1 - 2 * (bytes[at + 1] - FIRST_DIGIT) : at - 2 * (bytes[at] - FIRST_DIGIT);
      if (start <= last || start + DIGITS_SIZE > bytes.length) continue;
      let count = 0;
      while (count < DIGITS_SIZE && bytes[start + count] === (count % 2 ? 0 : FIRST_DIGIT + count / 2)) count++;
      work.spend(count);
      if (work.pauses) yield;
      if (count === DIGITS_SIZE) yield last = start;
    }
  }
}

/**
 * The first place, in steps of `STRIDE`, with a digit and a zero in any order; without one, `end`
 * or more.
 */
function digitAt(bytes: Uint8Array, from: number, end: number): number {
  let at = from;
  for (; at < end; at += STRIDE) {
    const one = bytes[at], next = bytes[at + 1];
    // One of them is zero: they are the digit together.
    if ((one === 0 || next === 0) && (one | next) - FIRST_DIGIT >>> 0 < DIGITS) break;
  }
  return at;
}

function* readAt(memory: KernelMemory, digits: number, work: Work): InPieces<Kallsyms | undefined> {
  const { bytes } = memory, view = viewOf(bytes);
  const tokens = findTokens(bytes, digits, work), names = tokens && (yield* findNames(view, tokens, work));
  if (!tokens || !names) return undefined;
  const code = yield* indexOfName(START_OF_CODE, view, names, tokens, work);
  const layout = code === undefined ? undefined : yield* findLayout(memory, names, tokens, code, work);
  return layout && (yield* Kallsyms.read(view, names, tokens, layout, work));
}

/** The tokens and their surroundings. */
interface Tokens {
  readonly start: number;
  readonly texts: readonly string[];
  /** Offset after the index. */
  readonly end: number;
}

/**
 * The table that has the digits at this place, and its index: the offset of each token in 16 bits.
 */
function findTokens(bytes: Uint8Array, digits: number, work: Work): Tokens | undefined {
  work.spend(TOKENS * (TOKEN_MAX + 1));
  // The first token begins after the end of the one before it, if there were one, which is not
  // known: any place is possible from which on there are as many ends as tokens before the digits.
  let before = digits, ends = 0, latest = -1;
  for (; before > 0 && digits - before <= FIRST_DIGIT * (TOKEN_MAX + 1); before--) {
    if (bytes[before - 1] !== 0) continue;
    if (++ends === FIRST_DIGIT) latest = before - 1;
    if (ends > FIRST_DIGIT) break;
  }
  if (latest < 0) return undefined;
  for (let start = latest & -4; start >= Math.max(before, latest - TOKEN_MAX); start -= 4) {
    work.spend(TOKENS * (TOKEN_MAX + 1));
    const tokens = tokensFrom(bytes, start);
    if (!tokens) continue;
    for (const alignment of [ALIGNMENT, ALIGNMENT / 2, XEN_ALIGNMENT]) {
      const index = alignUp(tokens.end, alignment);
      if (hasIndex(bytes, index, tokens.offsets)) return { start, texts: tokens.texts, end: index + 2 * TOKENS };
    }
  }
  return undefined;
}

function tokensFrom(bytes: Uint8Array, start: number): { texts: string[]; offsets: number[]; end: number } | undefined {
  const texts: string[] = [], offsets: number[] = [];
  let at = start;
  for (let number = 0; number < TOKENS; number++) {
    const end = bytes.subarray(at, at + TOKEN_MAX + 1).indexOf(0);
    if (end < 0) return undefined;
    offsets.push(at - start);
    texts.push(String.fromCharCode(...bytes.subarray(at, at + end)));
    at += end + 1;
  }
  return { texts, offsets, end: at };
}

function hasIndex(bytes: Uint8Array, at: number, offsets: readonly number[]): boolean {
  if (at + 2 * TOKENS > bytes.length) return false;
  const view = viewOf(bytes);
  return offsets.every((offset, number) => view.getUint16(at + 2 * number, true) === offset);
}

/** Where the compressed names are, and how many. */
interface Names {
  readonly start: number;
  readonly count: number;
}

/** Names come before the markers, and those before the tokens. */
function* findNames(view: DataView, { start }: Tokens, work: Work): InPieces<Names | undefined> {
  for (const markers of findMarkers(view, start, work)) {
    if (markers === undefined) {
      yield;
      continue;
    }
    const behindLast = markers.at - view.getUint32(markers.at + 4 * (markers.count - 1), true);
    for (let names = behindLast & -4; names > behindLast - MOST_BEHIND_MARKER && names >= 0; names -= 4) {
      const count = yield* countNames(view, names, markers, work);
      if (count !== undefined) return { start: names, count };
    }
  }
  return undefined;
}

interface Markers {
  readonly at: number;
  readonly count: number;
}

/**
 * Words before the tokens that begin with 0 and rise by what 256 names may take. In 6.1 to 6.3
 * there is a table by name in between. Undefined where a piece ends.
 */
function* findMarkers(view: DataView, end: number, work: Work): Generator<Markers | undefined> {
  const rises = (at: number) => {
    work.spend();
    const by = view.getUint32(at + 4, true) - view.getUint32(at, true);
    return by >= 2 * NAMES_PER_MARKER && by < MOST_BEHIND_MARKER;
  };
  for (let at = (end & -4) - 8; at >= Math.max(0, end - MARKERS_WINDOW); at -= 4) {
    work.spend();
    if (work.pauses) yield;
    if (view.getUint32(at, true) !== 0 || !rises(at)) continue;
    let count = 1;
    while (at + 4 * count + 4 <= end && rises(at + 4 * count - 4)) {
      count++;
      if (work.pauses) yield;
    }
    if (count > MINIMUM_SYMBOLS / NAMES_PER_MARKER) yield { at, count };
  }
}

/**
 * How many names lead from marker to marker up to where the markers begin; undefined if they do
 * not.
 */
function* countNames(view: DataView, start: number, markers: Markers, work: Work): InPieces<number | undefined> {
  let at = start, count = 0;
  while (markers.at - at >= ALIGNMENT || markers.at > at && view.getUint8(at) !== 0) {
    work.spend();
    if (count % NAMES_PER_MARKER === 0) {
      if (work.pauses) yield;
      const marker = count / NAMES_PER_MARKER;
      if (marker >= markers.count || view.getUint32(markers.at + 4 * marker, true) !== at - start) return undefined;
    }
    const { length, body } = nameAt(view, at);
    if (length === 0) {
      if (alignUp(at, XEN_ALIGNMENT) !== markers.at) return undefined;
      break;
    }
    at = body + length;
    count++;
  }
  return at <= markers.at && count >= MINIMUM_SYMBOLS && count <= SYMBOLS_MAX ? count : undefined;
}

/**
 * A name is a length in one byte, or two where bit 7 of the first is set (since 6.1), and that many
 * tokens.
 */
function nameAt(view: DataView, at: number): { length: number; body: number } {
  const low = view.getUint8(at);
  if (low < 0x80) return { length: low, body: at + 1 };
  return { length: low & 0x7f | view.getUint8(at + 1) << 7, body: at + 2 };
}

/**
 * The number of the symbol with this type and name. Names are compared token by token, without
 * making the others.
 */
function* indexOfName(wanted: string, view: DataView, names: Names, { texts }: Tokens, work: Work): InPieces<number | undefined> {
  let at = names.start;
  for (let number = 0; number < names.count; number++) {
    const { length, body } = nameAt(view, at);
    let matched = 0, index = 0;
    for (; index < length; index++) {
      const text = texts[view.getUint8(body + index)];
      if (!wanted.startsWith(text, matched)) break;
      matched += text.length;
    }
    work.spend(1 + index);
    if (work.pauses) yield;
    if (index === length && matched === wanted.length) return number;
    at = body + length;
  }
  return undefined;
}

/** Types that a symbol can have (nm(1)), the common ones first. */
const TYPES = "tTrdDbBRaAwWvVuUcCiInNpsSgG-?";
/** The hashes of symbols' types and names, which follow from those of the tokens. */
function hashesOf(names: DataView, starts: Uint32Array, tokens: readonly string[]): Int32Array {
  const hashed = Int32Array.from(tokens, (text) => hashOf(text));
  const powers = Int32Array.from(tokens, (text) => [...text].reduce((power) => Math.imul(power, HASH_BASE), 1));
  const hashes = new Int32Array(starts.length);
  for (let number = 0; number < starts.length; number++) {
    const { length, body } = nameAt(names, starts[number]);
    let hash = 0;
    for (let index = body; index < body + length; index++) {
      const token = names.getUint8(index);
      hash = Math.imul(hash, powers[token]) + hashed[token] | 0;
    }
    hashes[number] = hash;
  }
  return hashes;
}

/**
 * A kernel's symbols as they are in its memory. A name is made from its tokens when it is asked
 * for; a symbol is found by the hash of its type and name, which follows from those of the tokens.
 */
export class Kallsyms implements SymbolList {
  #byHash: ByHash | undefined;
  /** By token: whether a name that begins with it is one of code. */
  readonly #isCode: readonly boolean[];

  private constructor(
    readonly names: DataView,
    readonly starts: Uint32Array,
    readonly tokens: readonly string[],
    readonly base: bigint,
    readonly offsets: Float64Array,
  ) {
    this.#isCode = tokens.map((token) => isCode(token.charAt(0)));
  }

  /** Undefined if names are longer than those of a kernel. */
  static *read(
    view: DataView,
    { start, count }: Names,
    { texts, start: end }: Tokens,
    layout: Layout,
    work: Work,
  ): InPieces<Kallsyms | undefined> {
    const names = viewOf(new Uint8Array(view.buffer, view.byteOffset + start, end - start).slice());
    const starts = new Uint32Array(count), offsets = new Float64Array(count);
    const lengths = Int32Array.from(texts, (text) => text.length);
    let at = 0, left = NAMES_MAX;
    for (let number = 0; number < count; number++) {
      const { length, body } = nameAt(names, at), next = body + length;
      let size = 0;
      for (let index = body; index < next; index++) size += lengths[names.getUint8(index)];
      work.spend(1 + length);
      if (work.pauses) yield;
      left -= size;
      if (size > NAME_MAX || length > NAME_MAX || left < 0) return undefined;
      starts[number] = at;
      offsets[number] = layout.offset(number);
      at = next;
    }
    return new Kallsyms(names, starts, texts, layout.base, offsets);
  }

  get length(): number {
    return this.starts.length;
  }

  address(index: number): bigint {
    return this.base + BigInt(this.offsets[index]);
  }

  after(address: bigint): number {
    const { offsets } = this, offset = Number(address - this.base);
    return firstIndex(offsets.length, (index) => offsets[index] > offset);
  }

  isCode(index: number): boolean {
    const { body } = nameAt(this.names, this.starts[index]);
    return this.#isCode[this.names.getUint8(body)];
  }

  symbol(index: number): GuestSymbol {
    const text = this.#text(index);
    return { name: text.slice(1), type: text.slice(0, 1), address: this.address(index) };
  }

  find(name: string): GuestSymbol | undefined {
    let lowest = -1;
    for (const type of TYPES) {
      const index = this.#indexOf(type + name);
      if (index >= 0 && (lowest < 0 || index < lowest)) lowest = index;
    }
    return lowest < 0 ? undefined : this.symbol(lowest);
  }

  /** The number of the first symbol with this type and name; -1: none. */
  #indexOf(text: string): number {
    this.#byHash ??= new ByHash(hashesOf(this.names, this.starts, this.tokens));
    return this.#byHash.find(hashOf(text), (index) => this.#is(index, text));
  }

  /** Whether a symbol has this type and name, which is compared token by token. */
  #is(index: number, text: string): boolean {
    const { length, body } = nameAt(this.names, this.starts[index]);
    let matched = 0;
    for (let at = body; at < body + length; at++) {
      const token = this.tokens[this.names.getUint8(at)];
      if (!text.startsWith(token, matched)) return false;
      matched += token.length;
    }
    return matched === text.length;
  }

  #text(index: number): string {
    const { length, body } = nameAt(this.names, this.starts[index]);
    let text = "";
    for (let at = body; at < body + length; at++) text += this.tokens[this.names.getUint8(at)];
    return text;
  }
}

/** Addresses of symbols by number. */
interface Layout {
  readonly base: bigint;
  /** From `base`, in bytes. */
  offset(index: number): number;
}

/**
 * The first layout that has the start of the code, symbol `code`, in this memory and every address
 * in order.
 */
function* findLayout(
  memory: KernelMemory,
  { start, count }: Names,
  { end }: Tokens,
  code: number,
  work: Work,
): InPieces<Layout | undefined> {
  const size = alignUp(4 * count, ALIGNMENT), behind = [alignUp(end, ALIGNMENT), end], before = start - 2 * ALIGNMENT;
  const layouts = [
    based(memory, before - size, before, count),
    ...behind.map((at) => based(memory, at, at + size, count)),
    // They are aligned to 4 bytes: a table that began after the first entry would be in order, too.
    ...behind.toReversed().map((at) => selfRelative(memory, at, count)),
    absolute(memory, start - XEN_ALIGNMENT, count),
  ];
  for (const layout of layouts) if (layout && (yield* inOrder(memory, layout, count, code, work))) return layout;
  return undefined;
}

function based({ bytes }: KernelMemory, offsets: number, base: number, count: number): Layout | undefined {
  const view = viewOf(bytes);
  if (offsets < 0 || base + 8 > bytes.length || offsets + 4 * count > bytes.length) return undefined;
  return { base: view.getBigUint64(base, true), offset: (index) => view.getUint32(offsets + 4 * index, true) };
}

function selfRelative({ base, bytes }: KernelMemory, offsets: number, count: number): Layout | undefined {
  const view = viewOf(bytes);
  if (offsets + 4 * count > bytes.length) return undefined;
  return { base, offset: (index) => offsets + 4 * index + view.getInt32(offsets + 4 * index, true) };
}

/** Xen's: addresses, and their number at `end`. */
function absolute({ bytes }: KernelMemory, end: number, count: number): Layout | undefined {
  const view = viewOf(bytes), first = end - alignUp(8 * count, XEN_ALIGNMENT);
  if (first < 0 || view.getUint32(end, true) !== count) return undefined;
  const base = view.getBigUint64(first, true);
  return { base, offset: (index) => Number(view.getBigUint64(first + 8 * index, true) - base) };
}

/** Addresses never fall, and the code begins with a page in this memory. */
function* inOrder({ base, bytes, unplaced }: KernelMemory, layout: Layout, count: number, code: number, work: Work): InPieces<boolean> {
  const start = layout.base + BigInt(layout.offset(code));
  const isInside = start >= base && start < base + BigInt(bytes.length);
  if (start % PAGE || !isInside && !(unplaced && start >= UPPER_HALF)) return false;
  let last = layout.offset(0), index = 1;
  for (; index < count && layout.offset(index) >= last; index++) {
    last = layout.offset(index);
    work.spend();
    if (work.pauses) yield;
  }
  const first = layout.base + BigInt(layout.offset(0));
  return index === count && first >= 0n && layout.base + BigInt(last) < 1n << 64n;
}

const alignUp = (at: number, alignment: number) => Math.ceil(at / alignment) * alignment;
const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
