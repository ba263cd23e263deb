// The symbol table that a Linux kernel carries in its read-only data (kernel/kallsyms.c in its
// sources), found without the kernel's help: names are stored as numbers of tokens, and the table
// of the 256 tokens has single digits in a row, which is unique.
//
// All layouts have names and markers (the offset of each 256th name) before the tokens, and an
// index of the tokens after them. Until 6.3 offsets, the address that they count from, and the
// number of names are before the names; later offsets and address follow the index; in the newest
// kernels an offset counts from its own place. CONFIG_KALLSYMS_ABSOLUTE_PERCPU, which only x86 has,
// is not read.

import type { GuestSymbol } from "./symbol-table.ts";
import { PAGE_SIZE } from "../support/sizes.ts";

/** Memory that is contiguous at virtual addresses. */
export interface KernelMemory {
  /** Address of the first byte. */
  readonly base: bigint;
  readonly bytes: Uint8Array;
}

const TOKENS = 256;
const PAGE = BigInt(PAGE_SIZE);
const NAMES_PER_MARKER = 256;
const MINIMUM_SYMBOLS = 1000;
/** Bytes that 256 names take at most, and how far before the tokens the markers are looked for. */
const MOST_BEHIND_MARKER = 0x1_0000, MARKERS_WINDOW = 0x80_0000;
const DIGITS = new TextEncoder().encode("0\x001\x002\x003\x004\x005\x006\x007\x008\x009\0");
const FIRST_DIGIT = "0".charCodeAt(0);
/** Bytes before the first digit that the other tokens below it may take. */
const TOKEN_WINDOW = 2048;
/** Type and name of the symbol where the linker puts the first mapped code. */
const START_OF_CODE = "T_stext";
/** Tables begin at multiples of this, or of half of it. */
const ALIGNMENT = 8;

/** The symbols of the kernel in this memory; undefined without any. */
export function readKallsyms(memory: KernelMemory): GuestSymbol[] | undefined {
  const { bytes } = memory;
  for (let at = find(bytes, DIGITS, 0); at >= 0; at = find(bytes, DIGITS, at + 1)) {
    const symbols = readAt(memory, at);
    if (symbols) return symbols;
  }
  return undefined;
}

function readAt(memory: KernelMemory, digits: number): GuestSymbol[] | undefined {
  const tables = findTokens(memory.bytes, digits);
  const names = tables && findNames(memory.bytes, tables);
  if (!tables || !names) return undefined;
  const texts = expand(memory.bytes, names, tables);
  const addresses = findAddresses(memory, names, tables, texts);
  return addresses?.map((address, index) => ({ name: texts[index].slice(1), type: texts[index][0], address }));
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
function findTokens(bytes: Uint8Array, digits: number): Tokens | undefined {
  const view = viewOf(bytes);
  for (let start = digits & -4; start >= Math.max(0, digits - TOKEN_WINDOW); start -= 4) {
    const tokens = tokensFrom(bytes, start);
    if (!tokens || tokens.offsets[FIRST_DIGIT] !== digits - start) continue;
    const index = alignUp(tokens.end, ALIGNMENT);
    for (const place of [index, alignUp(tokens.end, ALIGNMENT / 2)]) {
      if (place + 2 * TOKENS > bytes.length) continue;
      if (tokens.offsets.every((offset, number) => view.getUint16(place + 2 * number, true) === offset)) {
        return { start, texts: tokens.texts, end: place + 2 * TOKENS };
      }
    }
  }
  return undefined;
}

function tokensFrom(bytes: Uint8Array, start: number): { texts: string[]; offsets: number[]; end: number } | undefined {
  const texts: string[] = [], offsets: number[] = [];
  let at = start;
  for (let number = 0; number < TOKENS; number++) {
    const end = bytes.indexOf(0, at);
    if (end < 0 || end - at > 64) return undefined;
    offsets.push(at - start);
    texts.push(String.fromCharCode(...bytes.subarray(at, end)));
    at = end + 1;
  }
  return { texts, offsets, end: at };
}

/** Where the compressed names are, and how many. */
interface Names {
  readonly start: number;
  readonly count: number;
}

/** Names come before the markers, and those before the tokens. */
function findNames(bytes: Uint8Array, { start }: Tokens): Names | undefined {
  const view = viewOf(bytes);
  for (const markers of findMarkers(view, start)) {
    const behindLast = markers.at - view.getUint32(markers.at + 4 * (markers.count - 1), true);
    for (let names = behindLast & -4; names > behindLast - MOST_BEHIND_MARKER && names >= 0; names -= 4) {
      const count = countNames(view, names, markers);
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
 * there is a table by name in between.
 */
function* findMarkers(view: DataView, end: number): Generator<Markers> {
  const rises = (at: number) => {
    const by = view.getUint32(at + 4, true) - view.getUint32(at, true);
    return by >= 2 * NAMES_PER_MARKER && by < MOST_BEHIND_MARKER;
  };
  for (let at = (end & -4) - 8; at >= Math.max(0, end - MARKERS_WINDOW); at -= 4) {
    if (view.getUint32(at, true) !== 0 || !rises(at)) continue;
    let count = 1;
    while (at + 4 * count + 4 <= end && rises(at + 4 * count - 4)) count++;
    if (count > MINIMUM_SYMBOLS / NAMES_PER_MARKER) yield { at, count };
  }
}

/**
 * How many names lead from marker to marker up to where the markers begin; undefined if they do
 * not.
 */
function countNames(view: DataView, start: number, markers: Markers): number | undefined {
  let at = start, count = 0;
  while (markers.at - at >= ALIGNMENT || markers.at > at && view.getUint8(at) !== 0) {
    if (count % NAMES_PER_MARKER === 0) {
      const marker = count / NAMES_PER_MARKER;
      if (marker >= markers.count || view.getUint32(markers.at + 4 * marker, true) !== at - start) return undefined;
    }
    const { length, body } = nameAt(view, at);
    if (length === 0) return undefined;
    at = body + length;
    count++;
  }
  return at <= markers.at && count >= MINIMUM_SYMBOLS ? count : undefined;
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

/** Type letter and name of each symbol. */
function expand(bytes: Uint8Array, names: Names, { texts }: Tokens): string[] {
  const view = viewOf(bytes);
  const found: string[] = [];
  let at = names.start;
  for (let number = 0; number < names.count; number++) {
    const { length, body } = nameAt(view, at);
    let text = "";
    for (let index = body; index < body + length; index++) text += texts[bytes[index]];
    found.push(text);
    at = body + length;
  }
  return found;
}

/**
 * The address of each symbol, by the first layout that has the start of the code in this memory and
 * every address in order.
 */
function findAddresses(memory: KernelMemory, { start, count }: Names, { end }: Tokens, texts: readonly string[]): bigint[] | undefined {
  const size = alignUp(4 * count, ALIGNMENT), text = texts.indexOf(START_OF_CODE);
  if (text < 0) return undefined;
  const behind = [alignUp(end, ALIGNMENT), end];
  const before = start - 2 * ALIGNMENT;
  const layouts = [
    () => based(memory, before - size, before, count),
    ...behind.map((at) => () => based(memory, at, at + size, count)),
    ...behind.map((at) => () => selfRelative(memory, at, count)),
  ];
  for (const layout of layouts) {
    const addresses = layout();
    if (addresses && inOrder(memory, addresses, text)) return addresses;
  }
  return undefined;
}

function based({ bytes }: KernelMemory, offsets: number, base: number, count: number): bigint[] | undefined {
  const view = viewOf(bytes);
  if (offsets < 0 || base + 8 > bytes.length || offsets + 4 * count > bytes.length) return undefined;
  const from = view.getBigUint64(base, true);
  return Array.from({ length: count }, (_, index) => BigInt.asUintN(64, from + BigInt(view.getUint32(offsets + 4 * index, true))));
}

function selfRelative({ base, bytes }: KernelMemory, offsets: number, count: number): bigint[] | undefined {
  const view = viewOf(bytes);
  if (offsets + 4 * count > bytes.length) return undefined;
  return Array.from({ length: count }, (_, index) => {
    const at = offsets + 4 * index;
    return BigInt.asUintN(64, base + BigInt(at) + BigInt(view.getInt32(at, true)));
  });
}

/** Addresses never fall, and the code begins with a page in this memory. */
function inOrder({ base, bytes }: KernelMemory, addresses: readonly bigint[], text: number): boolean {
  const start = addresses[text];
  if (start % PAGE || start < base || start >= base + BigInt(bytes.length)) return false;
  return addresses.every((address, index) => index === 0 || address >= addresses[index - 1]);
}

/** Offset of the first `wanted` at or after `from`; -1: none. */
function find(bytes: Uint8Array, wanted: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(wanted[0], from); at >= 0; at = bytes.indexOf(wanted[0], at + 1)) {
    if (wanted.every((byte, index) => bytes[at + index] === byte)) return at;
  }
  return -1;
}

const alignUp = (at: number, alignment: number) => Math.ceil(at / alignment) * alignment;
const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
