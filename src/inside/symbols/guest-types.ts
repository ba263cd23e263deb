// Types of variables in debug information: names, sizes, members (DWARF 5, chapter 5).

import { Attribute, Encoding, Tag } from "../../kit/formats/dwarf/constants.ts";
import type { DebugEntry } from "../../kit/formats/dwarf/entries.ts";
import type { Work } from "../../kit/support/values/work.ts";
import { type CMember, type CType, isPointer, isRecord, plainOf, POINTER_SIZE, type TypeKind, typeName } from "../expressions/c-types.ts";
import type { DebugInfo } from "./debug-info.ts";

/** Types of types: a `const` of a `typedef` of a pointer, and so on. */
const DEPTH_MAX = 32;
/** Entries in an array's type: one for each dimension. */
const DIMENSIONS_MAX = 32;
/** Bytes of one variable. */
const SIZE_MAX = 1e9;
const QUALIFIERS: ReadonlyMap<number, string> = new Map([
  [Tag.ConstType, "const"],
  [Tag.VolatileType, "volatile"],
  [Tag.RestrictType, "restrict"],
  [Tag.AtomicType, "_Atomic"],
]);
/** DW_AT_bit_offset, which version 5 has replaced: from the most significant bit of the storage. */
const OLD_BIT_OFFSET = 0x0c;

/** The kinds of types by their tags; base types have theirs by their encoding. */
const KINDS: ReadonlyMap<number, TypeKind> = new Map([
  [Tag.PointerType, "pointer"],
  [Tag.ReferenceType, "reference"],
  [Tag.ArrayType, "array"],
  [Tag.StructureType, "struct"],
  [Tag.UnionType, "union"],
  [Tag.ClassType, "class"],
  [Tag.EnumerationType, "enum"],
  [Tag.SubroutineType, "function"],
  [Tag.Typedef, "alias"],
]);
const BASE_KINDS: ReadonlyMap<number | undefined, TypeKind> = new Map([
  [Encoding.SignedCharacter, "character"],
  [Encoding.UnsignedCharacter, "character"],
  [Encoding.Boolean, "boolean"],
  [Encoding.Float, "floating"],
]);

/** A type of the guest's program; an undefined entry is `void`. */
export class GuestType implements CType {
  /** @param dimension of an array of several, the first of those that are left */
  constructor(readonly info: DebugInfo, readonly entry: DebugEntry | undefined, readonly dimension = 0) {}

  /** The type that an entry has. */
  static of(info: DebugInfo, entry: DebugEntry): GuestType {
    const found = info.attribute(entry, Attribute.Type);
    return new GuestType(info, found && info.referred(found.entry, Attribute.Type));
  }

  get kind(): TypeKind {
    const { entry } = this;
    if (!entry) return "void";
    if (QUALIFIERS.has(entry.tag)) return "qualified";
    return entry.tag === Tag.BaseType ? BASE_KINDS.get(this.#encoding) ?? "integer" : KINDS.get(entry.tag) ?? "unknown";
  }

  get own(): string | undefined {
    return this.entry && (QUALIFIERS.get(this.entry.tag) ?? this.info.nameOf(this.entry));
  }

  get name(): string {
    return typeName(this);
  }

  get target(): GuestType {
    const { info, entry, dimension } = this;
    if (dimension + 1 < this.#dimensions.length) return new GuestType(info, entry, dimension + 1);
    return new GuestType(info, entry && info.referred(entry, Attribute.Type));
  }

  get plain(): CType {
    return plainOf(this);
  }

  /** DW_ATE of a base type. */
  get #encoding(): number | undefined {
    return this.entry && this.entry.unit.number(this.entry.values.get(Attribute.Encoding));
  }

  get isSigned(): boolean {
    return this.#encoding === Encoding.Signed || this.#encoding === Encoding.SignedCharacter;
  }

  get parameters(): Iterable<GuestType> {
    return (this.entry?.children ?? []).values().map((one) => GuestType.of(this.info, one));
  }

  size(depth = 0): number | undefined {
    const { entry, kind } = this;
    if (!entry || depth > DEPTH_MAX) return undefined;
    const own = this.dimension === 0 ? entry.unit.number(entry.values.get(Attribute.ByteSize)) : undefined;
    if (own !== undefined) return own <= SIZE_MAX ? own : undefined;
    if (isPointer(this)) return POINTER_SIZE;
    if (kind === "alias" || kind === "qualified") return this.target.size(depth + 1);
    const { length } = this, element = length === undefined ? undefined : this.target.size(depth + 1);
    const size = element === undefined || length === undefined ? undefined : element * length;
    return size !== undefined && size <= SIZE_MAX ? size : undefined;
  }

  get length(): number | undefined {
    return this.#dimensions[this.dimension];
  }

  /** Elements by dimension of an array; undefined if the type does not say. */
  get #dimensions(): readonly (number | undefined)[] {
    const { entry } = this;
    if (entry?.tag !== Tag.ArrayType) return [];
    const ranges = entry.children.slice(0, DIMENSIONS_MAX).filter(({ tag }) => tag === Tag.SubrangeType);
    return ranges.map(({ unit, values }) => {
      const count = unit.number(values.get(Attribute.Count)), upper = unit.number(values.get(Attribute.UpperBound));
      return count ?? (upper === undefined ? undefined : upper + 1);
    });
  }

  *members(work: Work): Generator<CMember> {
    if (!this.entry || !isRecord(this)) return;
    for (const entry of this.entry.children) {
      work.spend();
      if (entry.tag === Tag.Member) yield memberOf(this.info, entry);
    }
  }

  enumerator(value: bigint): string | undefined {
    const found = this.entry?.children.find((one) => one.tag === Tag.Enumerator && enumeratorValue(one) === value);
    return found && this.info.nameOf(found);
  }
}

function memberOf(info: DebugInfo, entry: DebugEntry): CMember {
  const { unit, values } = entry, type = GuestType.of(info, entry);
  const offset = unit.number(values.get(Attribute.MemberLocation)) ?? 0;
  const size = unit.number(values.get(Attribute.BitSize)), at = unit.number(values.get(Attribute.DataBitOffset));
  const old = unit.number(values.get(OLD_BIT_OFFSET));
  const storage = unit.number(values.get(Attribute.ByteSize)) ?? type.size();
  const bit = at ?? (old !== undefined && storage !== undefined && size !== undefined ? 8 * (offset + storage) - old - size : 8 * offset);
  return { name: info.nameOf(entry), type, offset, bits: size === undefined ? undefined : { offset: bit, size } };
}

export function enumeratorValue({ values }: DebugEntry): bigint | undefined {
  const value = values.get(Attribute.ConstantValue);
  return value?.kind === "constant" ? value.value : undefined;
}
