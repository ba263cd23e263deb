// Types of variables in debug information: names, sizes, members (DWARF 5, chapter 5).

import { Attribute, Encoding, Tag } from "../../kit/formats/dwarf/constants.ts";
import { DwarfError } from "../../kit/formats/dwarf/cursor.ts";
import type { DebugEntry } from "../../kit/formats/dwarf/entries.ts";
import type { Work } from "../../kit/support/values/work.ts";
import type { DebugInfo } from "./debug-info.ts";

/** Types of types: a `const` of a `typedef` of a pointer, and so on. */
const DEPTH_MAX = 32;
/** Types that one name consists of, and its characters: types may be made of themselves. */
const PARTS_MAX = 256, NAME_MAX = 1024;
/** Entries in an array's type: one for each dimension. */
const DIMENSIONS_MAX = 32;
const POINTER_SIZE = 8;
/** Bytes of one variable. */
const SIZE_MAX = 1e9;
const QUALIFIERS: ReadonlyMap<number, string> = new Map([
  [Tag.ConstType, "const"],
  [Tag.VolatileType, "volatile"],
  [Tag.RestrictType, "restrict"],
  [Tag.AtomicType, "_Atomic"],
]);
const RECORDS: ReadonlyMap<number, string> = new Map([[Tag.StructureType, "struct"], [Tag.UnionType, "union"], [Tag.ClassType, "class"]]);
/** DW_AT_bit_offset, which version 5 has replaced: from the most significant bit of the storage. */
const OLD_BIT_OFFSET = 0x0c;

/** A type of the guest's program; an undefined entry is `void`. */
export class GuestType {
  constructor(readonly info: DebugInfo, readonly entry: DebugEntry | undefined) {}

  /** The type that an entry has. */
  static of(info: DebugInfo, entry: DebugEntry): GuestType {
    const found = info.attribute(entry, Attribute.Type);
    return new GuestType(info, found && info.referred(found.entry, Attribute.Type));
  }

  /** The type that a pointer points to, an array consists of, or a `typedef` stands for. */
  get target(): GuestType {
    return new GuestType(this.info, this.entry && this.info.referred(this.entry, Attribute.Type));
  }

  /** Without names and qualifiers. */
  get plain(): GuestType {
    let type: GuestType = new GuestType(this.info, this.entry);
    for (let depth = 0; type.entry && (type.entry.tag === Tag.Typedef || QUALIFIERS.has(type.entry.tag)); depth++) {
      if (depth > DEPTH_MAX) throw new DwarfError("a type that is made of itself");
      type = type.target;
    }
    return type;
  }

  get tag(): number | undefined {
    return this.entry?.tag;
  }

  get isPointer(): boolean {
    return this.tag === Tag.PointerType || this.tag === Tag.ReferenceType;
  }

  get isRecord(): boolean {
    return this.tag !== undefined && RECORDS.has(this.tag);
  }

  /** DW_ATE of a base type. */
  get encoding(): number | undefined {
    return this.entry && this.entry.unit.number(this.entry.values.get(Attribute.Encoding));
  }

  get isSigned(): boolean {
    return this.encoding === Encoding.Signed || this.encoding === Encoding.SignedCharacter;
  }

  get isCharacter(): boolean {
    return this.tag === Tag.BaseType && (this.encoding === Encoding.SignedCharacter || this.encoding === Encoding.UnsignedCharacter);
  }

  /** In C's syntax, with "…" for what is too long. */
  get name(): string {
    const name = this.#name(0, { left: PARTS_MAX });
    return name.length > NAME_MAX ? `${name.slice(0, NAME_MAX)}…` : name;
  }

  /** @param parts types that may still be named */
  #name(depth: number, parts: { left: number }): string {
    const { entry } = this;
    if (!entry) return "void";
    if (depth > DEPTH_MAX || parts.left-- <= 0) return "…";
    const own = this.info.nameOf(entry);
    const qualifier = QUALIFIERS.get(entry.tag);
    if (qualifier !== undefined) {
      const inner = this.target.#name(depth + 1, parts);
      return this.target.isPointer ? `${inner}${qualifier}` : `${qualifier} ${inner}`;
    }
    const record = RECORDS.get(entry.tag);
    if (record !== undefined) return `${record} ${own ?? "{…}"}`;
    switch (entry.tag) {
      case Tag.PointerType: {
        const inner = this.target.#name(depth + 1, parts);
        return this.target.tag === Tag.SubroutineType ? inner.replace(" (", " (*)(") : `${inner}${inner.endsWith("*") ? "" : " "}*`;
      }
      case Tag.ReferenceType:
        return `${this.target.#name(depth + 1, parts)} &`;
      case Tag.ArrayType:
        return `${this.target.#name(depth + 1, parts)}${this.dimensions.map((count) => `[${count ?? ""}]`).join("")}`;
      case Tag.EnumerationType:
        return `enum ${own ?? "{…}"}`;
      case Tag.SubroutineType:
        return `${this.target.#name(depth + 1, parts)} (${this.#parameters(entry, depth, parts)})`;
      default:
        return own ?? "?";
    }
  }

  #parameters({ children }: DebugEntry, depth: number, parts: { left: number }): string {
    const names: string[] = [];
    for (const one of children) {
      if (parts.left <= 0) return [...names, "…"].join(", ");
      names.push(GuestType.of(this.info, one).#name(depth + 1, parts));
    }
    return names.join(", ");
  }

  /** Bytes; undefined if that is not known. */
  size(depth = 0): number | undefined {
    const { entry } = this;
    if (!entry || depth > DEPTH_MAX) return undefined;
    const own = entry.unit.number(entry.values.get(Attribute.ByteSize));
    if (own !== undefined) return own <= SIZE_MAX ? own : undefined;
    if (this.isPointer) return POINTER_SIZE;
    if (entry.tag === Tag.Typedef || QUALIFIERS.has(entry.tag)) return this.target.size(depth + 1);
    if (entry.tag !== Tag.ArrayType) return undefined;
    const element = this.target.size(depth + 1);
    const size = this.dimensions.reduce<number | undefined>(
      (sum, count) => sum === undefined || count === undefined ? undefined : sum * count,
      element,
    );
    return size !== undefined && size <= SIZE_MAX ? size : undefined;
  }

  /** Elements by dimension of an array; undefined if the type does not say. */
  get dimensions(): readonly (number | undefined)[] {
    const { entry } = this;
    if (entry?.tag !== Tag.ArrayType) return [];
    const ranges = entry.children.slice(0, DIMENSIONS_MAX).filter(({ tag }) => tag === Tag.SubrangeType);
    return ranges.map(({ unit, values }) => {
      const count = unit.number(values.get(Attribute.Count)), upper = unit.number(values.get(Attribute.UpperBound));
      return count ?? (upper === undefined ? undefined : upper + 1);
    });
  }

  /**
   * Members of a structure or union.
   * @param work counts entries
   */
  *members(work: Work): Generator<GuestMember> {
    if (!this.entry || !this.isRecord) return;
    for (const entry of this.entry.children) {
      work.spend();
      if (entry.tag === Tag.Member) yield memberOf(this.info, entry);
    }
  }

  /** The name of an enumeration's value. */
  enumerator(value: bigint): string | undefined {
    const found = this.entry?.children.find((one) => one.tag === Tag.Enumerator && enumeratorValue(one) === value);
    return found && this.info.nameOf(found);
  }
}

/** A member: `offset` in bytes, or of a bit field in bits. */
interface GuestMember {
  /** Undefined: its members belong to the type itself. */
  readonly name: string | undefined;
  readonly type: GuestType;
  readonly offset: number;
  readonly bits: { readonly offset: number; readonly size: number } | undefined;
}

function memberOf(info: DebugInfo, entry: DebugEntry): GuestMember {
  const { unit, values } = entry, type = GuestType.of(info, entry);
  const offset = unit.number(values.get(Attribute.MemberLocation)) ?? 0;
  const size = unit.number(values.get(Attribute.BitSize)), at = unit.number(values.get(Attribute.DataBitOffset));
  const old = unit.number(values.get(OLD_BIT_OFFSET));
  const storage = unit.number(values.get(Attribute.ByteSize)) ?? type.size();
  const bit = at ?? (old !== undefined && storage !== undefined && size !== undefined ? 8 * (offset + storage) - old - size : 8 * offset);
  return { name: info.nameOf(entry), type, offset, bits: size === undefined ? undefined : { offset: bit, size } };
}

function enumeratorValue({ values }: DebugEntry): bigint | undefined {
  const value = values.get(Attribute.ConstantValue);
  return value?.kind === "constant" ? value.value : undefined;
}
