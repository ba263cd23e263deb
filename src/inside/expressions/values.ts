// Values of C's types in a guest, in memory or in registers, with their parts and their text.

import { DwarfError } from "../../kit/formats/dwarf/cursor.ts";
import type { Location } from "../../kit/formats/dwarf/expressions.ts";
import { fromLittleEndian } from "../../kit/support/values/bytes.ts";
import { Work } from "../../kit/support/values/work.ts";
import { type CType, isPointer, isRecord } from "./c-types.ts";

/** Text of a value. */
const TEXT_MAX = 160;
/** Structures without a name in each other. */
const NESTED_MAX = 8;
/** Elements of an array that are listed. */
const ELEMENTS_MAX = 1000;
/** Bytes of a text in guest memory that are shown. */
const STRING_MAX = 96;
/** Bytes of one scalar. */
const SCALAR_MAX = 16;
/** Parts of a value. */
const PARTS_MAX = 4096;
/** Bytes of a value in several places. */
const PIECES_MAX = 65_536;
/** Entries in a structure and in those without a name in it: members, types, functions. */
const CHILDREN_MAX = 65_536;
const LOST = "<optimized out>";
const UNREADABLE = "<not mapped>";

/** A typed place, or a value. */
export interface TypedValue {
  readonly type: CType;
  /** Undefined: the compiler has kept no value here. */
  readonly where: Location | undefined;
  /** Bits of a bit field, within `where`. */
  readonly bits?: { readonly offset: number; readonly size: number };
}

export interface NamedValue extends TypedValue {
  readonly name: string;
  readonly kind: "argument" | "local" | "static" | "member" | "element";
  /** The expression that gives it again. */
  readonly path: string;
}

/** Reads guest memory at a virtual address; undefined if it is not all RAM. */
export type ReadGuest = (address: bigint, size: number) => Uint8Array | undefined;

export class Values {
  /**
   * @param registers of a frame, by DWARF's numbers; undefined: lost
   */
  constructor(
    readonly read: ReadGuest,
    readonly nameOf: (address: bigint) => string | undefined,
    readonly registers: readonly (bigint | undefined)[] = [],
  ) {}

  /**
   * The parts of a value: members, elements, or the target of a pointer.
   * @param most how many at most
   */
  parts(value: TypedValue, path: string, most = PARTS_MAX): NamedValue[] {
    return [...this.#parts(value, path).take(most)];
  }

  *#parts({ type, where }: TypedValue, path: string): Generator<NamedValue> {
    const plain = type.plain;
    if (isRecord(plain)) return yield* this.#members(plain, where, path);
    if (plain.kind === "array") {
      for (let index = 0, count = elements(plain); index < count; index++) {
        const element = this.element({ type, where }, index, path);
        if (element) yield element;
      }
      return;
    }
    const target = isPointer(plain) && plain.target.plain.size() !== undefined ? this.dereference({ type, where }) : undefined;
    if (!target) return;
    // The members of a structure are of interest, not the structure.
    if (isRecord(target.type.plain)) yield* this.#members(target.type.plain, target.where, path, "->");
    else yield { ...target, name: `*${path}`, kind: "element", path: `*(${path})` };
  }

  /** How many parts a value has. */
  count({ type }: TypedValue): number {
    const plain = type.plain;
    if (isRecord(plain)) return countOf(plain.members(membersBudget()));
    if (plain.kind === "array") return elements(plain);
    if (!isPointer(plain)) return 0;
    const target = plain.target.plain;
    return isRecord(target) ? countOf(target.members(membersBudget())) : Number(target.size() !== undefined);
  }

  *#members(
    plain: CType,
    where: Location | undefined,
    path: string,
    arrow = ".",
    depth = 0,
    work = membersBudget(),
  ): Generator<NamedValue> {
    if (depth > NESTED_MAX) return;
    const inner = /^[\w.[\]>-]+$/.test(path) ? path : `(${path})`;
    for (const { name, type, offset, bits } of plain.members(work)) {
      const place = bits ? where : this.#at(where, offset, type.size());
      // Members of a structure without a name are used as if they were its owner's.
      if (name === undefined) yield* this.#members(type.plain, place, path, arrow, depth + 1, work);
      else yield { name, kind: "member" as const, path: `${inner}${arrow}${name}`, type, where: place, ...bits && { bits } };
    }
  }

  /** An element of an array, or of what a pointer points to. */
  element({ type, where }: TypedValue, index: number, path: string): NamedValue | undefined {
    const plain = type.plain;
    const inner = plain.kind === "array" ? elementOf(plain) : plain.target, size = inner?.size();
    if (!inner || size === undefined) return undefined;
    const named = { name: `[${index}]`, kind: "element" as const, path: `${path}[${index}]`, type: inner };
    if (plain.kind === "array") return { ...named, where: this.#at(where, index * size, size) };
    const address = isPointer(plain) ? this.number({ type, where }) : undefined;
    if (address === undefined) return undefined;
    return { ...named, where: { kind: "memory", address: BigInt.asUintN(64, address + BigInt(index * size)) } };
  }

  member(value: TypedValue, name: string): NamedValue | undefined {
    return this.#parts(value, "").take(PARTS_MAX).find((one) => one.name === name);
  }

  dereference(value: TypedValue): TypedValue | undefined {
    const plain = value.type.plain, address = isPointer(plain) ? this.number(value) : undefined;
    return address === undefined ? undefined : { type: plain.target, where: { kind: "memory", address } };
  }

  #at(where: Location | undefined, offset: number, size: number | undefined): Location | undefined {
    if (where?.kind === "memory") return { kind: "memory", address: BigInt.asUintN(64, where.address + BigInt(offset)) };
    const bytes = size === undefined || offset < 0 ? undefined : this.#bytes(where, offset + size);
    return bytes && { kind: "bytes", bytes: bytes.subarray(offset) };
  }

  #bytes(where: Location | undefined, size: number): Uint8Array | undefined {
    switch (where?.kind) {
      case undefined:
        return undefined;
      case "memory":
        return this.read(where.address, size);
      case "register": {
        const value = this.registers[where.register];
        return value === undefined ? undefined : littleEndian(value, size);
      }
      case "value":
        return littleEndian(where.value, size);
      case "bytes":
        return where.bytes.length >= size ? where.bytes.subarray(0, size) : undefined;
      case "pieces": {
        if (size > PIECES_MAX) return undefined;
        const bytes = new Uint8Array(size);
        let done = 0;
        for (const piece of where.pieces) {
          const part = this.#bytes(piece.location, Math.min(piece.size, size - done));
          if (!part) return undefined;
          bytes.set(part, done);
          done += part.length;
        }
        return done === size ? bytes : undefined;
      }
    }
  }

  /** The value of a scalar as a number: signed where its type is. */
  number(value: TypedValue): bigint | undefined {
    const plain = value.type.plain, size = plain.size();
    if (size === undefined || size > SCALAR_MAX || isRecord(plain) || plain.kind === "array") return undefined;
    if (value.bits) {
      const { offset, size: bits } = value.bits, first = Math.floor(offset / 8);
      if (bits > 8 * SCALAR_MAX) return undefined;
      const count = Math.ceil((offset % 8 + bits) / 8), bytes = this.#bytes(this.#at(value.where, first, count), count);
      if (!bytes) return undefined;
      const number = BigInt.asUintN(bits, fromLittleEndian(bytes) >> BigInt(offset % 8));
      return plain.isSigned ? BigInt.asIntN(bits, number) : number;
    }
    const bytes = this.#bytes(value.where, size);
    if (!bytes) return undefined;
    return plain.isSigned ? BigInt.asIntN(8 * size, fromLittleEndian(bytes)) : fromLittleEndian(bytes);
  }

  text(value: TypedValue, depth = 0): string {
    const { type, where } = value;
    if (!where) return LOST;
    const plain = type.plain, size = plain.size();
    if (isRecord(plain) || plain.kind === "array") return this.#compound(value, plain, depth);
    if (plain.kind === "function" && where.kind === "memory") return this.#function(type, where.address);
    if (size === undefined) return "<incomplete type>";
    const number = this.number(value);
    if (number === undefined) return where.kind === "memory" ? UNREADABLE : LOST;
    if (isPointer(plain)) return this.#pointer(plain, number);
    if (plain.kind === "enum") {
      const name = plain.enumerator(number);
      return name === undefined ? String(number) : `${name} (${number})`;
    }
    if (plain.kind === "boolean") return number === 0n ? "false" : "true";
    if (plain.kind === "floating") return floating(number, size);
    return plain.kind === "character" && number >= 32n && number < 127n
      ? `${number} '${String.fromCharCode(Number(number))}'`
      : String(number);
  }

  #function(type: CType, address: bigint): string {
    const name = this.nameOf(address);
    return `{${type.name}} 0x${address.toString(16)}${name === undefined ? "" : ` <${name}>`}`;
  }

  #pointer(plain: CType, number: bigint): string {
    const address = `0x${number.toString(16)}`, text = this.#quoted(plain, number, STRING_MAX);
    if (text !== undefined) return `${address} ${text}`;
    const name = this.nameOf(number);
    return name === undefined ? address : `${address} <${name}>`;
  }

  /**
   * The text of an array of characters, or of those that a pointer leads to, up to a zero;
   * undefined for other types, and where nothing can be read.
   */
  string(value: TypedValue, most: number): string | undefined {
    const { plain } = value.type, isArray = plain.kind === "array";
    if (plain.target.plain.kind !== "character") return undefined;
    const address = !isArray ? this.number(value) : value.where?.kind === "memory" ? value.where.address : undefined;
    if (address === undefined || address === 0n) return undefined;
    const bytes = this.#characters(address, isArray ? Math.min(plain.length ?? most, most) : most);
    return bytes && DECODER.decode(Uint8Array.from(bytes.all));
  }

  /** The characters at an address, in quotes, if a pointer or an array is of characters. */
  #quoted(plain: CType, address: bigint, most: number): string | undefined {
    if (plain.target.plain.kind !== "character" || address === 0n) return undefined;
    const found = this.#characters(address, most);
    return found && `${JSON.stringify(DECODER.decode(Uint8Array.from(found.all)))}${found.isWhole ? "" : "…"}`;
  }

  /** Characters up to a zero; undefined where none can be read. */
  #characters(address: bigint, most: number): { readonly all: number[]; readonly isWhole: boolean } | undefined {
    const all: number[] = [];
    while (all.length < most) {
      const [byte] = this.read(BigInt.asUintN(64, address + BigInt(all.length)), 1) ?? [];
      if (byte === undefined) return all.length === 0 ? undefined : { all, isWhole: false };
      if (byte === 0) return { all, isWhole: true };
      all.push(byte);
    }
    return { all, isWhole: false };
  }

  #compound(value: TypedValue, plain: CType, depth: number): string {
    if (depth > 2 || plain.kind === "array" && !elementOf(plain)) return "{…}";
    if (plain.kind === "array" && plain.target.plain.kind === "character" && value.where?.kind === "memory") {
      return this.#quoted(plain, value.where.address, STRING_MAX) ?? UNREADABLE;
    }
    let text = "";
    for (const part of this.#parts(value, "").take(TEXT_MAX)) {
      const own = this.text(part, depth + 1);
      text += `${text === "" ? "" : ", "}${isRecord(plain) ? `${part.name} = ` : ""}${own}`;
      if (text.length > TEXT_MAX) return `{${text.slice(0, TEXT_MAX)}…}`;
    }
    return `{${text}}`;
  }
}

/** The type of an array's elements; those of a type without a size have none. */
function elementOf(array: CType): CType | undefined {
  return array.target.size() === undefined ? undefined : array.target;
}

/** Entries of structures that are read for the members of a value. */
function membersBudget(): Work {
  return new Work(CHILDREN_MAX, () => new DwarfError(`a structure of more than ${CHILDREN_MAX} members`));
}

function countOf(things: Iterable<unknown>): number {
  let count = 0;
  for (const _ of things) count++;
  return count;
}

/** How many elements of an array are shown. */
function elements(array: CType): number {
  return elementOf(array) ? Math.min(ELEMENTS_MAX, array.length ?? 0) : 0;
}

function littleEndian(value: bigint, size: number): Uint8Array | undefined {
  if (size > SCALAR_MAX) return undefined;
  const bytes = new Uint8Array(size);
  for (let index = 0, left = BigInt.asUintN(8 * size, value); index < size; index++, left >>= 8n) bytes[index] = Number(left & 0xffn);
  return bytes;
}

function floating(bits: bigint, size: number): string {
  const view = new DataView(new ArrayBuffer(8));
  view.setBigUint64(0, BigInt.asUintN(64, bits), true);
  return size === 8 ? String(view.getFloat64(0, true)) : size === 4 ? String(view.getFloat32(0, true)) : `0x${bits.toString(16)}`;
}

const DECODER = new TextDecoder();
