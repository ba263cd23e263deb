// A kernel that a guest has made to cost time: every name exists, every pointer leads on to another
// object, lists and trees have no end, types have thousands of members in front of those that are
// asked for, and its image is full of beginnings of types and of tables of symbols.

import { ANCHOR } from "../../../src/inside/linux/kernel/kernel-image.ts";
import type { KernelPlace, LinuxKernel } from "../../../src/inside/linux/kernel/kernel.ts";
import type { PhysicalMemory } from "../../../src/inside/linux/kernel/memory.ts";
import { SOUGHT } from "../../../src/inside/linux/kernel/sought.ts";
import { type SymbolList, SymbolTable } from "../../../src/inside/symbols/symbol-table.ts";
import { once } from "../../../src/kit/support/values/once.ts";
import { MiB, PAGE_SIZE } from "../../../src/kit/support/values/sizes.ts";
import { ARRAY, BtfWriter, INT, STRUCT } from "./btf-types.ts";
import { learnedKernel } from "./learned-kernel.ts";

const GIB = 1 << 30, FLOAT = 16;
/** 39 bits of address: one table of blocks of 1 GiB. T1SZ, and TG1 of 4 KiB. */
const TCR = 25n << 16n | 2n << 30n, START = 0xffff_ff80_0000_0000n;
const TABLE = 0, IMAGE = GIB, OBJECTS = 2 * GIB;
const IMAGE_AT = START + BigInt(IMAGE), OBJECTS_AT = START + BigInt(OBJECTS);
/** Bytes of an object, and how many there are: 64 MiB. */
const STRIDE = 512, COUNT = 131_072;
const TEXT = 0x100, TEXT_SIZE = 255;

/** The address of an object; after the last one comes the first. */
const objectAt = (number: number): bigint => OBJECTS_AT + BigInt(number % COUNT * STRIDE);

/** Words of an object, which members of structures can be. */
export const SLOTS = {
  next: (number: number) => objectAt(number + 1),
  far: (number: number) => objectAt(number * 7919 + 1),
  first: () => objectAt(0),
  self: objectAt,
  zero: () => 0n,
  one: () => 1n,
  some: () => 20n,
  many: () => 0xffffn,
  all: () => (1n << 64n) - 1n,
  mapleNode: (number: number) => objectAt(2 * number + 1) | 0x12n,
  mapleLeaf: (number: number) => objectAt(number + 1) | 0xan,
  arrayNode: (number: number) => objectAt(number + 1) | 2n,
  text: (number: number) => objectAt(number) + BigInt(TEXT),
  unmapped: () => START,
  program: () => 0x1000n,
} as const;
export type Slot = keyof typeof SLOTS;

/** Members by `structure.path`, and what each is. */
export type Members = ReadonlyMap<string, Slot>;

/** Members that nobody looks for, in front of the others. */
const IN_FRONT = 8000;

/** The types of these members. */
function typesOf(members: Members): Uint8Array {
  const writer = new BtfWriter(), slots = Object.keys(SLOTS);
  let last = 0;
  const type = (...args: Parameters<BtfWriter["type"]>) => (writer.type(...args), ++last);
  const word = type("word", INT, 0, 8, 64), vast = type("", ARRAY, 0, 0, word, word, 0xffff_ffff);
  const same = writer.string("m"), front = type("", STRUCT, IN_FRONT, 8, ...Array.from({ length: IN_FRONT }, () => [same, word, 0]).flat());
  const characters = type("", ARRAY, 0, 0, type("char", INT, 0, 1, 8), word, TEXT_SIZE);
  interface Level extends Map<string, Level | Slot> {}
  const structs: Level = new Map();
  for (const [path, slot] of members) {
    const steps = path.split("."), leaf = steps.pop() ?? "";
    let level = structs;
    for (const step of steps) {
      let inner = level.get(step);
      if (!(inner instanceof Map)) level.set(step, inner = new Map());
      level = inner;
    }
    if (leaf !== "" && !level.has(leaf)) level.set(leaf, slot);
  }
  const write = (name: string, level: Level): number => {
    // Members with an index are elements of arrays, each at the same place.
    const all = new Map<string, number[]>();
    for (const [step, inner] of level) {
      const [, own, index] = /^(\w+)((?:\[\d+\])?)$/.exec(step) ?? [];
      if (own === undefined || all.has(own)) continue;
      const isWord = typeof inner === "string", isText = isWord && inner === "text" && /name|comm|desc|version|release/.test(step);
      const target = isText ? characters : isWord ? word : write("", inner);
      const element = index === "" ? target : type("", ARRAY, 0, 0, isWord ? vast : target, word, 0xffff_ffff);
      const offset = isText ? TEXT : isWord ? 8 * slots.indexOf(inner) : 0;
      all.set(own, [writer.string(own), /slot|pivot|vectors|clock_base/.test(own) ? vast : element, 8 * offset]);
    }
    const hidden = type("", STRUCT, all.size, 0, ...[...all.values()].flat());
    return type(name, STRUCT, 2, 0, 0, front, 0, 0, hidden, 0);
  };
  for (const [name, level] of structs) if (level instanceof Map) write(name, level);
  return writer.bytes();
}

/** Instructions of a function that names one object after the other: ADRP, then ADD. */
function code(view: DataView, from: number, to: number): void {
  for (let at = from; at < to; at += 8) {
    const pages = (OBJECTS - IMAGE) / PAGE_SIZE + (at >> 3);
    view.setUint32(at, (0x9000_0000 | (pages & 3) << 29 | (pages >> 2 & 0x7_ffff) << 5) >>> 0, true);
    view.setUint32(at + 4, 0x9100_0000 | (at & 0xf80) << 10, true);
  }
}

/** Headers of types that do not end where they say, each 36 bytes after the other. */
function headers(view: DataView, from: number, count: number, types: number): number {
  const floats = from + 36 * count, end = floats + 12 * types;
  for (let index = 0; index < count; index++) {
    const at = from + 36 * index, over = Math.ceil((floats - at - 36) / 12);
    const size = 12 * (types >> 1) + 5 * 12 - 4;
    [0x1_eb9f, 24, 0, size, size, 1, 0, 4 << 24 | Math.min(over, 0xffff), 8].forEach((word, place) =>
      view.setUint32(at + 4 * place, word, true)
    );
  }
  for (let at = floats; at < end; at += 12) view.setUint32(at + 4, FLOAT << 24, true);
  return end;
}

/** Words that each seem to be an entry whose name is the anchor's; the name is after them. */
function entries(view: DataView, from: number, count: number): number {
  const name = from + 4 * count;
  for (let at = from; at < name; at += 4) view.setInt32(at, name - at, true);
  new TextEncoder().encodeInto(`${ANCHOR}\0`, new Uint8Array(view.buffer, name, 16));
  return name + 16;
}

export interface Hostile {
  readonly members: Members;
  /** Whether tables have all symbols, or those of functions alone: data are sought. */
  readonly symbols: "all" | "functions";
  /** Headers of types and words of exports that the image has. */
  readonly image?: { readonly headers: number; readonly types: number; readonly exports: number };
}

const FUNCTION = 4096;

/** Where it is. */
export function hostilePlace({ members, symbols, image }: Hostile): KernelPlace {
  const types = typesOf(members), size = (image ? 48 * MiB : 0) + Math.ceil((4 * PAGE_SIZE + types.length) / PAGE_SIZE) * PAGE_SIZE;
  const bytes = new Uint8Array(size), view = new DataView(bytes.buffer);
  code(view, 0, FUNCTION);
  let at = 2 * FUNCTION;
  if (image) at = entries(view, headers(view, at, image.headers, image.types), image.exports);
  bytes.set(types, Math.ceil(at / 4) * 4);
  const functions = new Set(Object.values(SOUGHT).flatMap((sought) => sought.functions)), data = new Map<string, bigint>();
  const list: SymbolList = {
    length: 2,
    address: (index) => IMAGE_AT + BigInt(index * FUNCTION),
    after: (address) => address < IMAGE_AT ? 0 : address < IMAGE_AT + BigInt(FUNCTION) ? 1 : 2,
    isCode: () => true,
    symbol: () => ({ name: "x".repeat(512), type: "t", address: IMAGE_AT }),
    find(name) {
      if (name === "_stext" || functions.has(name)) return { name, type: "T", address: IMAGE_AT };
      if (name === "__start_BTF" || symbols === "functions") return undefined;
      const address = data.get(name) ?? objectAt(data.size);
      data.set(name, address);
      return { name, type: "D", address };
    },
  };
  return { physical: memoryOf(bytes), registers: { ttbr1: BigInt(TABLE), tcr: TCR }, tables: [new SymbolTable(list, "hostile")] };
}

/** The objects, which all such kernels have. */
const objects = once(() => {
  const bytes = new Uint8Array(COUNT * STRIDE), words = new BigUint64Array(bytes.buffer), values = Object.values(SLOTS);
  const text = new TextEncoder().encode("/a".repeat(TEXT_SIZE)).subarray(0, TEXT_SIZE);
  for (let number = 0; number < COUNT; number++) {
    values.forEach((value, index) => words[number * STRIDE / 8 + index] = value(number));
    bytes.set(text, number * STRIDE + TEXT);
  }
  return bytes;
});

function memoryOf(image: Uint8Array<ArrayBuffer>): PhysicalMemory {
  const table = new Uint8Array(PAGE_SIZE), entries = new DataView(table.buffer);
  for (const block of [IMAGE, OBJECTS]) entries.setBigUint64(8 * (block / GIB), BigInt(block) | 1n, true);
  const regions = [{ ipa: TABLE, bytes: table }, { ipa: IMAGE, bytes: image }, { ipa: OBJECTS, bytes: objects() }];
  return {
    page(ipa) {
      const region = regions.find((one) => ipa >= one.ipa && ipa + PAGE_SIZE <= one.ipa + one.bytes.length);
      return region?.bytes.subarray(ipa - region.ipa, ipa - region.ipa + PAGE_SIZE);
    },
    ranges: () => regions.map(({ ipa, bytes }) => ({ ipa, size: bytes.length })),
  };
}

export const hostileKernel = (hostile: Hostile): { kernel: LinuxKernel; physical: PhysicalMemory } => {
  const place = hostilePlace(hostile);
  return { kernel: learnedKernel(place), physical: place.physical };
};
