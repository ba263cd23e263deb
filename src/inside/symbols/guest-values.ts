// Values of a guest's variables: where they are in a call frame, and their text.

import { Attribute, Encoding, Tag } from "../../kit/formats/dwarf/constants.ts";
import { DwarfError } from "../../kit/formats/dwarf/cursor.ts";
import type { DebugEntry } from "../../kit/formats/dwarf/entries.ts";
import { type FrameState, locate, type Location } from "../../kit/formats/dwarf/expressions.ts";
import { expressionAt } from "../../kit/formats/dwarf/lists.ts";
import { fromLittleEndian } from "../../kit/support/values/bytes.ts";
import { Work } from "../../kit/support/values/work.ts";
import { type DebugInfo, rangesBudget } from "./debug-info.ts";
import { GuestType } from "./guest-types.ts";
import { type GuestFrame, type ReadGuest, readNumber } from "./unwind.ts";

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
/** Variables of a frame, and parts of a value. */
const VARIABLES_MAX = 4096, PARTS_MAX = 4096;
/** Bytes of a value in several places. */
const PIECES_MAX = 65_536;
/** Entries in a structure and in those without a name in it: members, types, functions. */
const CHILDREN_MAX = 65_536;
export const LOST = "<optimized out>";
const UNREADABLE = "<not mapped>";

/** A typed place in a frame. */
export interface GuestValue {
  readonly type: GuestType;
  /** Undefined: the compiler has kept no value here. */
  readonly where: Location | undefined;
  /** Bits of a bit field, within `where`. */
  readonly bits?: { readonly offset: number; readonly size: number };
}

export interface NamedValue extends GuestValue {
  readonly name: string;
  readonly kind: "argument" | "local" | "static" | "member" | "element";
  /** The expression that gives it again. */
  readonly path: string;
}

export class FrameValues {
  /**
   * @param depth how many of the functions inlined at the address are inner frames
   */
  constructor(
    readonly info: DebugInfo,
    readonly frame: GuestFrame,
    readonly depth: number,
    readonly read: ReadGuest,
    readonly nameOf: (address: bigint) => string | undefined,
  ) {}

  /** Arguments and local variables that are in scope, the innermost first, and the unit's own. */
  variables(): NamedValue[] {
    const { info, frame: { at } } = this, scope = info.scopeAt(at);
    if (!scope) return [];
    const chain = [scope.function, ...scope.inlined], shown = chain.length - 1 - this.depth;
    const owner = chain[Math.max(0, shown)];
    const blocks = this.depth === 0 ? [...scope.blocks].reverse() : [];
    const found: NamedValue[] = [];
    const seen = new Set<string>(), work = rangesBudget();
    const take = (entries: readonly DebugEntry[], isStatic = false) => {
      for (const entry of entries) {
        if (entry.tag !== Tag.Variable && entry.tag !== Tag.FormalParameter) continue;
        if (found.length === VARIABLES_MAX) return;
        const value = this.info.tried(() => this.#variable(entry, scope.function, isStatic, work));
        // An inner variable hides an outer one of the same name.
        if (!value || seen.has(value.name)) continue;
        seen.add(value.name);
        found.push(value);
      }
    };
    for (const block of blocks) take(block.children);
    take(owner.children);
    const unit = info.tried(() => info.entriesOf(scope.function.unit));
    if (unit) take(unit.children, true);
    return found;
  }

  find(name: string): NamedValue | undefined {
    return this.variables().find((one) => one.name === name);
  }

  #variable(entry: DebugEntry, owner: DebugEntry, isStatic: boolean, work: Work): NamedValue | undefined {
    const { info } = this, name = info.nameOf(entry);
    if (name === undefined) return undefined;
    const location = info.attribute(entry, Attribute.Location), constant = info.attribute(entry, Attribute.ConstantValue);
    // A declaration of what another unit has.
    if (isStatic && !location) return undefined;
    const kind = isStatic ? "static" : entry.tag === Tag.FormalParameter ? "argument" : "local";
    const type = GuestType.of(info, entry);
    if (!location && constant?.value?.kind === "constant") {
      return { name, kind, path: name, type, where: { kind: "value", value: BigInt.asUintN(64, constant.value.value) } };
    }
    const expression = location && expressionAt(location.entry.unit, location.value, this.frame.at, work);
    return { name, kind, path: name, type, where: expression && locate(expression, this.#state(owner, work)) };
  }

  #state(owner: DebugEntry, work: Work): FrameState {
    const { frame, read } = this;
    const base = expressionAt(owner.unit, owner.values.get(Attribute.FrameBase), frame.at, work);
    return {
      register: (number) => frame.registers[number],
      memory: (address, size) => readNumber(read, address, size),
      cfa: frame.cfa,
      frameBase: base,
      addressAt: (index) => owner.unit.addressAt(index),
      moved: owner.unit.sections.moved,
    };
  }

  /**
   * The parts of a value: members, elements, or the target of a pointer.
   * @param most how many at most
   */
  parts({ type, where }: GuestValue, path: string, most = PARTS_MAX): NamedValue[] {
    const plain = type.plain;
    if (plain.isRecord) return [...this.#members(plain, where, path).take(most)];
    if (plain.tag === Tag.ArrayType) {
      const count = Math.min(most, elements(plain));
      return Array.from({ length: count }, (_, index) => this.element({ type, where }, index, path) ?? []).flat();
    }
    if (!plain.isPointer || plain.target.plain.size() === undefined) return [];
    const target = this.dereference({ type, where });
    if (!target) return [];
    // The members of a structure are of interest, not the structure.
    return target.type.plain.isRecord
      ? [...this.#members(target.type.plain, target.where, path, "->").take(most)]
      : [{ ...target, name: `*${path}`, kind: "element", path: `*(${path})` }];
  }

  /** How many parts a value has. */
  count({ type }: GuestValue): number {
    const plain = type.plain;
    if (plain.isRecord) return countOf(plain.members(membersBudget()));
    if (plain.tag === Tag.ArrayType) return elements(plain);
    if (!plain.isPointer) return 0;
    const target = plain.target.plain;
    return target.isRecord ? countOf(target.members(membersBudget())) : Number(target.size() !== undefined);
  }

  *#members(
    plain: GuestType,
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
  element({ type, where }: GuestValue, index: number, path: string): NamedValue | undefined {
    const plain = type.plain;
    const inner = plain.tag === Tag.ArrayType ? elementType(plain) : plain.target, size = inner?.size();
    if (!inner || size === undefined) return undefined;
    const named = { name: `[${index}]`, kind: "element" as const, path: `${path}[${index}]`, type: inner };
    if (plain.tag === Tag.ArrayType) return { ...named, where: this.#at(where, index * size, size) };
    const address = plain.isPointer ? this.number({ type, where }) : undefined;
    if (address === undefined) return undefined;
    return { ...named, where: { kind: "memory", address: BigInt.asUintN(64, address + BigInt(index * size)) } };
  }

  member(value: GuestValue, name: string): NamedValue | undefined {
    return this.parts(value, "").find((one) => one.name === name);
  }

  dereference(value: GuestValue): GuestValue | undefined {
    const plain = value.type.plain, address = plain.isPointer ? this.number(value) : undefined;
    return address === undefined ? undefined : { type: plain.target, where: { kind: "memory", address } };
  }

  #at(where: Location | undefined, offset: number, size: number | undefined): Location | undefined {
    if (where?.kind === "memory") return { kind: "memory", address: BigInt.asUintN(64, where.address + BigInt(offset)) };
    const bytes = size === undefined ? undefined : this.#bytes(where, offset + size);
    return bytes && { kind: "bytes", bytes: bytes.subarray(offset) };
  }

  #bytes(where: Location | undefined, size: number): Uint8Array | undefined {
    switch (where?.kind) {
      case undefined:
        return undefined;
      case "memory":
        return this.read(where.address, size);
      case "register": {
        const value = this.frame.registers[where.register];
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
  number(value: GuestValue): bigint | undefined {
    const plain = value.type.plain, size = plain.size();
    if (size === undefined || size > SCALAR_MAX || plain.isRecord || plain.tag === Tag.ArrayType) return undefined;
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

  text(value: GuestValue, depth = 0): string {
    const { type, where } = value;
    if (!where) return LOST;
    const plain = type.plain, size = plain.size();
    if (plain.isRecord || plain.tag === Tag.ArrayType) return this.#compound(value, plain, depth);
    if (size === undefined) return "<incomplete type>";
    const number = this.number(value);
    if (number === undefined) return where.kind === "memory" ? UNREADABLE : LOST;
    if (plain.isPointer) return this.#pointer(plain, number);
    if (plain.tag === Tag.EnumerationType) {
      const name = plain.enumerator(number);
      return name === undefined ? String(number) : `${name} (${number})`;
    }
    if (plain.encoding === Encoding.Boolean) return number === 0n ? "false" : "true";
    if (plain.encoding === Encoding.Float) return floating(number, size);
    return plain.isCharacter && number >= 32n && number < 127n ? `${number} '${String.fromCharCode(Number(number))}'` : String(number);
  }

  #pointer(plain: GuestType, number: bigint): string {
    const address = `0x${number.toString(16)}`;
    if (plain.target.plain.isCharacter) {
      const text = number === 0n ? undefined : this.#string(number);
      return text === undefined ? address : `${address} ${text}`;
    }
    const name = this.nameOf(number);
    return name === undefined ? address : `${address} <${name}>`;
  }

  /** Text in guest memory, in quotes. */
  #string(address: bigint): string | undefined {
    let text = "";
    for (let index = 0; index < STRING_MAX; index++) {
      const [byte] = this.read(BigInt.asUintN(64, address + BigInt(index)), 1) ?? [];
      if (byte === undefined) return index === 0 ? undefined : `${JSON.stringify(text)}…`;
      if (byte === 0) return JSON.stringify(text);
      text += String.fromCharCode(byte);
    }
    return `${JSON.stringify(text)}…`;
  }

  #compound(value: GuestValue, plain: GuestType, depth: number): string {
    if (depth > 2 || plain.tag === Tag.ArrayType && !elementType(plain)) return "{…}";
    if (plain.tag === Tag.ArrayType && plain.target.plain.isCharacter && value.where?.kind === "memory") {
      return this.#string(value.where.address) ?? UNREADABLE;
    }
    let text = "";
    for (const part of this.parts(value, "", TEXT_MAX)) {
      const own = this.text(part, depth + 1);
      text += `${text === "" ? "" : ", "}${plain.isRecord ? `${part.name} = ` : ""}${own}`;
      if (text.length > TEXT_MAX) return `{${text.slice(0, TEXT_MAX)}…}`;
    }
    return `{${text}}`;
  }
}

/**
 * The type of an array's elements. Rows of an array of several dimensions have none, nor has an
 * array of a type without a size.
 */
function elementType(array: GuestType): GuestType | undefined {
  return array.dimensions.length > 1 || array.target.size() === undefined ? undefined : array.target;
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
function elements(array: GuestType): number {
  return elementType(array) ? Math.min(ELEMENTS_MAX, array.dimensions[0] ?? 0) : 0;
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
