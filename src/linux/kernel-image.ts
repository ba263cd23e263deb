// The data of a kernel's image without a symbol table: exported symbols, and addresses that
// functions use.
//
// An exported symbol is an entry of three words (kernel: include/linux/export-internal.h): the
// distances to the symbol, to its name and to its namespace, each from the word itself. Entries are
// one after the other, so one leads to all. A name may be the end of a longer one.

import { PAGE_SIZE } from "../support/sizes.ts";
import type { VirtualMemory } from "./memory.ts";

const PAGE = BigInt(PAGE_SIZE);
/** Pages of code and read-only data. */
const PAGES_MAX = 16_384;
const ENTRY_SIZE = 12, NAME_MAX = 128;
/** A symbol that every kernel exports. */
const ANCHOR = "init_task";
/** Bytes of a function that are searched for addresses. */
const FUNCTION_MAX = 4096;

/** Read-only memory from one address on. */
export interface KernelImage {
  readonly base: bigint;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** The mapped pages from an address on. */
export function readImage(memory: VirtualMemory, start: bigint): KernelImage {
  const base = start & ~(PAGE - 1n);
  let pages = 0;
  while (pages < PAGES_MAX && memory.page(base + BigInt(pages) * PAGE)) pages++;
  return { base, bytes: memory.bytes(base, pages * PAGE_SIZE) };
}

/** The exported symbols; empty where no table is found. */
export function exportedSymbols({ base, bytes }: KernelImage): Map<string, bigint> {
  const found = new Map<string, bigint>();
  const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
  for (const name of placesOf(bytes, `${ANCHOR}\0`)) {
    for (let word = 1; word < words.length; word++) {
      if (4 * word + words[word] !== name) continue;
      for (const step of [-ENTRY_SIZE, ENTRY_SIZE]) {
        for (let at = 4 * (word - 1); at >= 0 && at + ENTRY_SIZE <= bytes.length; at += step) {
          const text = nameAt(bytes, at + 4 + words[(at >> 2) + 1]);
          if (text === undefined) break;
          found.set(text, base + BigInt(at + words[at >> 2]));
        }
      }
      if (found.size > 1) return found;
    }
  }
  return found;
}

function nameAt(bytes: Uint8Array, at: number): string | undefined {
  if (at < 0 || at >= bytes.length) return undefined;
  let text = "";
  for (let index = at; index < bytes.length && text.length < NAME_MAX; index++) {
    const byte = bytes[index];
    if (byte === 0) return text === "" ? undefined : text;
    if (byte <= 0x20 || byte > 0x7e) return undefined;
    text += String.fromCharCode(byte);
  }
  return undefined;
}

/** Where a text of ASCII is. */
export function* placesOf(bytes: Uint8Array, text: string): Generator<number> {
  const all = new TextDecoder("latin1").decode(bytes);
  for (let at = all.indexOf(text); at >= 0; at = all.indexOf(text, at + 1)) yield at;
}

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
