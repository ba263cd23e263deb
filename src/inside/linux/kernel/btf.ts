// BTF, the layout of all structures that a kernel carries in its read-only data
// (Documentation/bpf/btf.rst in its sources): a header, types of varying size that are numbered by
// their order, and strings. The bytes are a guest's: numbers of types may lead anywhere or in
// circles, so ways are bounded; each type and member that is looked at is counted, and sizes and
// lengths are no more than a kernel's can be.

import { joined } from "../../../kit/support/values/bytes.ts";
import { ByHash, hashOf, hashOfTextAt, isTextAt } from "../../../kit/support/values/hashed.ts";
import { MiB } from "../../../kit/support/values/sizes.ts";
import { textOf } from "./memory.ts";
import type { InPieces, Work } from "../../../kit/support/values/work.ts";

const MAGIC = 0xeb9f, VERSION = 1;
/** Bytes of the header: later ones may have more. */
const HEADER_SIZE = 24, HEADER_MAX = 64;
/** Bytes of types and of strings; a kernel has three million of each. */
const SECTION_MAX = 16 * MiB;
const TYPES_MAX = 1 << 20;
export const TYPE_SIZE = 12;
/** Types that are counted together. */
const TOGETHER = 256;

/** Kinds of types. */
export const Kind = {
  Int: 1,
  Pointer: 2,
  Array: 3,
  Struct: 4,
  Union: 5,
  Enum: 6,
  Forward: 7,
  Typedef: 8,
  Volatile: 9,
  Const: 10,
  Restrict: 11,
  Function: 12,
  FuncProto: 13,
  Variable: 14,
  Section: 15,
  Float: 16,
  DeclTag: 17,
  TypeTag: 18,
  Enum64: 19,
} as const;

/** Bytes that follow a type: fixed, and for each of its parts. */
const FIXED: Readonly<Record<number, number>> = { [Kind.Int]: 4, [Kind.Array]: 12, [Kind.Variable]: 4, [Kind.DeclTag]: 4 };
export const PER_PART: Readonly<Record<number, number>> = {
  [Kind.Struct]: 12,
  [Kind.Union]: 12,
  [Kind.Enum]: 8,
  [Kind.FuncProto]: 8,
  [Kind.Section]: 12,
  [Kind.Enum64]: 12,
};
/** Enumerations whose values have 32 bits. */
const PLAIN_ENUMS: ReadonlySet<number> = new Set([Kind.Enum]);
/** Last known kind. */
const KIND_LAST = 19;
/** Names in front of a type, each for another one, and structures without a name in each other. */
const WAY_MAX = 16;
/**
 * Members that a search for one looks at: members without a name may lead to the same structure
 * again and again. The largest structure of a kernel has some hundred.
 */
const MEMBERS_MAX = 1 << 14;
/** Bytes of a type, and elements of an array. */
const SIZE_MAX = 64 * MiB, LENGTH_MAX = 1 << 16;
const POINTER_SIZE = 8;
/** Characters of a name. */
const NAME_MAX = 512;

/** Where a member is, from the start of its structure. */
export interface TypeField {
  /** Bytes. */
  readonly offset: number;
  /** Bytes. */
  readonly size: number;
  /** Of a bit field: its lowest bit after `offset`, and how many. */
  readonly bits?: { readonly shift: number; readonly width: number };
  /** Its structure or union, by number. */
  readonly type: number;
}

/** A type as it is written: where it begins, and the words that all have. */
export interface TypeEntry {
  readonly at: number;
  readonly kind: number;
  /** Where its name is; 0: it has none. */
  readonly name: number;
  readonly parts: number;
  readonly flag: boolean;
  /** Its size, or the number of the type that it is for. */
  readonly value: number;
}

/** A member as it is written. */
interface MemberEntry {
  /** Where its name is; 0: it has none. */
  readonly name: number;
  /** Its type, by number. */
  readonly type: number;
  /** Its first bit from the start of the structure. */
  readonly bit: number;
  /** Bits of a bit field; 0 for any other member. */
  readonly width: number;
}

/** Where types and strings are, in bytes. */
interface Sections {
  readonly start: number;
  readonly end: number;
  readonly strings: number;
  readonly size: number;
}

function sectionsOf(header: Uint8Array): Sections | undefined {
  if (header.length < HEADER_SIZE) return undefined;
  const view = viewOf(header);
  if (view.getUint16(0, true) !== MAGIC || view.getUint8(2) !== VERSION) return undefined;
  const length = view.getUint32(4, true), typesAt = view.getUint32(8, true), types = view.getUint32(12, true);
  const stringsAt = view.getUint32(16, true), strings = view.getUint32(20, true);
  if (length < HEADER_SIZE || length > HEADER_MAX || typesAt !== 0 || types === 0 || types > SECTION_MAX || types % 4 !== 0) {
    return undefined;
  }
  if (stringsAt < types || stringsAt > SECTION_MAX || strings === 0 || strings > SECTION_MAX) return undefined;
  return { start: length, end: length + types, strings: length + stringsAt, size: length + stringsAt + strings };
}

/** Bytes of all parts. */
const sizeOf = (parts: readonly Uint8Array[]): number => parts.reduce((sum, { length }) => sum + length, 0);

const viewOf = (bytes: Uint8Array) => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);

/** The types of a kernel. */
export class Btf {
  readonly #view: DataView;
  /** Offset of each type by its number, from 1. */
  readonly #types: Uint32Array;
  /** Structures and unions that have names, in their order, and by their names. */
  readonly #structs: Uint32Array;
  readonly #named: ByHash;
  /** Paths by structure. They are el2's own, so they are few. */
  readonly #fields = new Map<string, Map<string, TypeField | undefined>>();
  /** Members that the present search may still look at. */
  #left = 0;

  private constructor(
    readonly bytes: Uint8Array,
    readonly count: number,
    types: Uint32Array,
    structs: Uint32Array,
    hashes: Int32Array,
    readonly strings: number,
  ) {
    this.#view = viewOf(bytes);
    this.#types = types;
    this.#structs = structs;
    this.#named = new ByHash(hashes);
  }

  /** Bytes of the whole, by its header; undefined where no header is. */
  static size(header: Uint8Array): number | undefined {
    return sectionsOf(header)?.size;
  }

  /**
   * Reads them; undefined if they do not hold together.
   * @param copies whether the bytes may change later, so that a copy is kept
   */
  static *read(bytes: Uint8Array, work: Work, copies = false): InPieces<Btf | undefined> {
    const sections = sectionsOf(bytes);
    if (!sections || sections.size > bytes.length) return undefined;
    const types = yield* countTypes(bytes, sections, work);
    if (!types) return undefined;
    const kept = copies ? bytes.slice(0, sections.size) : bytes;
    const { start, end, strings } = sections, { count, named } = types, view = viewOf(kept);
    const offsets = new Uint32Array(count + 1), structs = new Uint32Array(named), hashes = new Int32Array(named);
    let number = 0, known = 0, at = start;
    for (; at + TYPE_SIZE <= end && number < count; at = nextType(view, at)) {
      offsets[++number] = at;
      if (!isNamedStruct(view, at) || known === named) continue;
      const hash = hashOfTextAt(kept, strings + view.getUint32(at, true), work);
      if (work.pauses) yield;
      if (hash === undefined) continue;
      structs[known] = number;
      hashes[known++] = hash;
    }
    // The guest may have changed them between the pieces.
    if (at !== end) return undefined;
    return new Btf(kept, number, offsets, structs.subarray(0, known), hashes.subarray(0, known), strings);
  }

  /** These types and then those of a module, whose numbers and strings follow the ones here. */
  *continued(module: Uint8Array, work: Work): InPieces<Btf | undefined> {
    const own = sectionsOf(this.bytes), more = sectionsOf(module);
    if (!own || !more || more.size > module.length) return undefined;
    const all = [[this.bytes, own], [module, more]] as const;
    const types = all.map(([bytes, { start, end }]) => bytes.subarray(start, end));
    const strings = all.map(([bytes, { strings, size }]) => bytes.subarray(strings, size));
    const header = new Uint8Array(HEADER_SIZE), view = viewOf(header), [typesSize, stringsSize] = [types, strings].map(sizeOf);
    view.setUint16(0, MAGIC, true);
    view.setUint8(2, VERSION);
    [HEADER_SIZE, 0, typesSize, typesSize, stringsSize].forEach((value, index) => view.setUint32(4 + 4 * index, value, true));
    return yield* Btf.read(joined([header, ...types, ...strings]), work);
  }

  /** A word of a type's, at an offset that its entry leads to. */
  word(at: number): number {
    return this.#view.getUint32(at, true);
  }

  /** The text at an offset of the strings, up to a zero. */
  text(offset: number): string {
    const start = this.strings + offset;
    return textOf(this.bytes.subarray(start, start + NAME_MAX));
  }

  /** The first type of a name and one of some kinds; undefined without one. */
  named(name: string, kinds: ReadonlySet<number>, work: Work): number | undefined {
    for (let number = 1; number <= this.count; number++) {
      if (number % TOGETHER === 0) work.spend(TOGETHER >> 3);
      const entry = this.entry(number);
      if (kinds.has(entry.kind) && this.#isString(entry.name, name)) return number;
    }
    return undefined;
  }

  /** The type of a number from 1 to `count`. */
  entry(number: number): TypeEntry {
    const at = this.#types[number], info = this.word(at + 4);
    const name = this.word(at), value = this.word(at + 8);
    return { at, kind: info >>> 24 & 0x1f, name, parts: info & 0xffff, flag: info >>> 31 === 1, value };
  }

  /**
   * The member at an offset that its structure's entry leads to.
   * @param hasWidths the flag of that entry
   */
  member(at: number, hasWidths: boolean): MemberEntry {
    const word = this.word(at + 8), bit = hasWidths ? word & 0xff_ffff : word, width = hasWidths ? word >>> 24 : 0;
    return { name: this.word(at), type: this.word(at + 4), bit, width };
  }

  /** The structure or union of a name; of several the first. */
  #find(name: string): number | undefined {
    return this.#structs[this.#named.find(hashOf(name), (index) => this.#isString(this.entry(this.#structs[index]).name, name))];
  }

  /** The type that typedefs and qualifiers lead to; 0: none. */
  #plain(number: number): number {
    for (let way = 0, at = number; way < WAY_MAX; way++) {
      if (at === 0 || at > this.count) return 0;
      const { kind, value } = this.entry(at);
      const named = kind >= Kind.Typedef && kind <= Kind.Restrict || kind === Kind.TypeTag;
      if (!named) return at;
      at = value;
    }
    return 0;
  }

  /** Bytes of a type; 0 if it has none, or more than a kernel's. */
  #size(number: number, way = 0): number {
    const type = this.#plain(number);
    if (type === 0 || way === WAY_MAX) return 0;
    const { at, kind, value } = this.entry(type);
    if (kind === Kind.Pointer) return POINTER_SIZE;
    if (kind === Kind.FuncProto) return 0;
    const size = kind === Kind.Array ? this.#length(at) * this.#size(this.word(at + TYPE_SIZE), way + 1) : value;
    return size <= SIZE_MAX ? size : 0;
  }

  /** Elements of the array at an offset. */
  #length(at: number): number {
    return Math.min(this.word(at + TYPE_SIZE + 8), LENGTH_MAX);
  }

  /** Bytes of a structure; undefined without one of this name. */
  sizeOf(struct: string): number | undefined {
    const type = this.#find(struct);
    return type === undefined ? undefined : this.#size(type);
  }

  /**
   * A member by its path, such as `se.sum_exec_runtime`, `mem[0].base`; members of structures
   * without a name are those of the structure that has them. Undefined without one.
   */
  field(struct: string, path: string, work: Work): TypeField | undefined {
    let fields = this.#fields.get(struct);
    if (!fields) this.#fields.set(struct, fields = new Map());
    const known = fields.get(path);
    if (known || fields.has(path)) return known;
    const start = this.#find(struct);
    let found: TypeField | undefined = start === undefined ? undefined : { offset: 0, size: 0, type: start };
    for (const step of path.matchAll(/([^.[\]]+)|\[(\d+)\]/g)) {
      if (!found) break;
      this.#left = MEMBERS_MAX;
      found = step[1] !== undefined ? this.#member(found, step[1], 0, work) : this.#element(found, Number(step[2]));
    }
    fields.set(path, found);
    return found;
  }

  #member(of: TypeField, name: string, depth: number, work: Work): TypeField | undefined {
    const type = this.#plain(of.type);
    if (type === 0 || depth === WAY_MAX) return undefined;
    const { at, kind, parts, flag } = this.entry(type);
    if (kind !== Kind.Struct && kind !== Kind.Union || (this.#left -= parts + 1) < 0) return undefined;
    work.spend(1 + (parts >> 3));
    const hidden: TypeField[] = [];
    for (let part = 0, member = at + TYPE_SIZE; part < parts; part++, member += PER_PART[kind]) {
      const { name: nameAt, type: target, bit, width } = this.member(member, flag), offset = of.offset + (bit >>> 3);
      if (nameAt === 0) hidden.push({ offset, size: 0, type: target });
      else if (this.#isString(nameAt, name)) {
        return { offset, size: this.#size(target), type: target, ...width > 0 && { bits: { shift: bit & 7, width } } };
      }
    }
    for (const one of hidden) {
      const found = this.#member(one, name, depth + 1, work);
      if (found) return found;
    }
    return undefined;
  }

  #isString(offset: number, text: string): boolean {
    return isTextAt(this.bytes, this.strings + offset, text);
  }

  #element(of: TypeField, index: number): TypeField | undefined {
    const type = this.#plain(of.type);
    if (type === 0) return undefined;
    const { at, kind } = this.entry(type);
    if (kind !== Kind.Array || index >= this.#length(at)) return undefined;
    const element = this.word(at + TYPE_SIZE), size = this.#size(element);
    return { offset: of.offset + index * size, size, type: element };
  }

  /** Elements of an array; 0 of anything else. */
  lengthOf({ type: number }: TypeField): number {
    const type = this.#plain(number);
    if (type === 0) return 0;
    const { at, kind } = this.entry(type);
    return kind === Kind.Array ? this.#length(at) : 0;
  }

  /** The value of an enumeration's name; undefined if no enumeration has this name. */
  constant(name: string, work: Work): number | undefined {
    const value = this.enumerator(name, PLAIN_ENUMS, work)?.value;
    return value === undefined ? undefined : Number(BigInt.asIntN(32, value));
  }

  /** The first enumeration of some kinds that has a name, and its value. */
  enumerator(name: string, kinds: ReadonlySet<number>, work: Work): { readonly number: number; readonly value: bigint } | undefined {
    for (let number = 1; number <= this.count; number++) {
      const { at, kind, parts, flag } = this.entry(number);
      if (number % TOGETHER === 0) work.spend(TOGETHER >> 3);
      if (!kinds.has(kind)) continue;
      work.spend(parts >> 3);
      for (let part = 0, member = at + TYPE_SIZE; part < parts; part++, member += PER_PART[kind]) {
        if (this.#isString(this.word(member), name)) return { number, value: this.valueOf(member, kind, flag) };
      }
    }
    return undefined;
  }

  /** The value of an enumeration's part. */
  valueOf(part: number, kind: number, isSigned: boolean): bigint {
    const low = BigInt(this.word(part + 4));
    if (kind !== Kind.Enum64) return isSigned ? BigInt.asIntN(32, low) : low;
    const wide = BigInt(this.word(part + 8)) << 32n | low;
    return isSigned ? BigInt.asIntN(64, wide) : wide;
  }
}

/** Bytes of a type of each kind with its fixed part, and of each further part. */
const SIZES = Uint8Array.from({ length: 32 }, (_, kind) => TYPE_SIZE + (FIXED[kind] ?? 0));
const PART_SIZES = Uint8Array.from({ length: 32 }, (_, kind) => PER_PART[kind] ?? 0);

const nextType = (view: DataView, at: number): number => {
  const info = view.getUint32(at + 4, true), kind = info >>> 24 & 0x1f;
  return at + SIZES[kind] + PART_SIZES[kind] * (info & 0xffff);
};

function isNamedStruct(view: DataView, at: number): boolean {
  const kind = view.getUint32(at + 4, true) >>> 24 & 0x1f;
  return (kind === Kind.Struct || kind === Kind.Union) && view.getUint32(at, true) !== 0;
}

/**
 * How many types follow each other up to the end, and how many are structures with a name;
 * undefined if they do not.
 */
function* countTypes(bytes: Uint8Array, { start, end }: Sections, work: Work): InPieces<{ count: number; named: number } | undefined> {
  const view = viewOf(bytes);
  let at = start, count = 0, named = 0;
  while (at + TYPE_SIZE <= end && count < TYPES_MAX) {
    const kind = view.getUint32(at + 4, true) >>> 24 & 0x1f;
    if (kind === 0 || kind > KIND_LAST) return undefined;
    if (isNamedStruct(view, at)) named++;
    at = nextType(view, at);
    if (++count % TOGETHER !== 0) continue;
    work.spend(TOGETHER >> 2);
    if (work.pauses) yield;
  }
  return at === end ? { count, named } : undefined;
}
