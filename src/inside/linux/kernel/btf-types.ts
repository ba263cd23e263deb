// The types of a kernel's BTF as types of C, and its names: structures, typedefs, values of
// enumerations, functions, and the variables that each CPU has, which alone BTF describes.

import type { Work } from "../../../kit/support/values/work.ts";
import type { TypedNumber } from "../../expressions/arithmetic.ts";
import {
  type CMember,
  type CType,
  isRecord,
  plainOf,
  POINTER_SIZE,
  type TypeKind,
  typeName,
  UNKNOWN,
  VARIADIC,
  VOID,
} from "../../expressions/c-types.ts";
import { type Btf, Kind, PER_PART, TYPE_SIZE, type TypeEntry } from "./btf.ts";

const KINDS: Readonly<Record<number, TypeKind>> = {
  [Kind.Pointer]: "pointer",
  [Kind.Array]: "array",
  [Kind.Struct]: "struct",
  [Kind.Union]: "union",
  [Kind.Enum]: "enum",
  [Kind.Enum64]: "enum",
  [Kind.Typedef]: "alias",
  [Kind.Volatile]: "qualified",
  [Kind.Const]: "qualified",
  [Kind.Restrict]: "qualified",
  [Kind.FuncProto]: "function",
  [Kind.Float]: "floating",
};
const QUALIFIERS: Readonly<Record<number, string>> = { [Kind.Volatile]: "volatile", [Kind.Const]: "const", [Kind.Restrict]: "restrict" };
/** Bits of the word after an integer: it has a sign, it is a `bool`. */
const SIGNED = 1 << 24, BOOLEAN = 1 << 26;
/** `char` is encoded as any number. */
const CHARACTERS: ReadonlySet<string> = new Set(["char", "signed char"]);
/** Types in each other, and those whose sizes one type's is made of. */
const DEPTH_MAX = 32;
/** Bytes of a type. */
const SIZE_MAX = 2 ** 40;
/** Names that were looked for and are remembered. */
const NAMES_MAX = 4096;
const TAGS: Readonly<Record<string, ReadonlySet<number>>> = {
  struct: new Set([Kind.Struct]),
  union: new Set([Kind.Union]),
  enum: new Set([Kind.Enum, Kind.Enum64]),
};
const TYPEDEFS: ReadonlySet<number> = new Set([Kind.Typedef]), ENUMS = TAGS.enum;
const SECTIONS: ReadonlySet<number> = new Set([Kind.Section]), PER_CPU = ".data..percpu";
const VARIABLES: ReadonlySet<number> = new Set([Kind.Variable]), FUNCTIONS: ReadonlySet<number> = new Set([Kind.Function]);

/** The types of one kernel; each number is one type. */
export class BtfTypes {
  readonly #types = new Map<number, CType>();
  readonly #named = new Map<string, number | undefined>();
  readonly #constants = new Map<string, TypedNumber | undefined>();
  #perCpu: ReadonlyMap<string, number> | undefined;

  constructor(readonly btf: Btf) {}

  /** The type of a number; 0 is `void`. Tags such as `__rcu` are left out. */
  of(number: number): CType {
    const known = this.#types.get(number);
    if (known) return known;
    let at = number;
    for (let depth = 0; at > 0 && at <= this.btf.count && this.btf.entry(at).kind === Kind.TypeTag && depth < DEPTH_MAX; depth++) {
      at = this.btf.entry(at).value;
    }
    const type = at === 0 ? VOID : at > this.btf.count ? UNKNOWN : new BtfType(this, this.btf.entry(at));
    this.#types.set(number, type);
    return type;
  }

  /** A structure, union or enumeration with its tag, or a typedef. */
  type(tag: string | undefined, name: string, work: Work): CType | undefined {
    const number = this.#find(name, tag === undefined ? TYPEDEFS : TAGS[tag], work);
    return number === undefined ? undefined : this.of(number);
  }

  /** The type of a variable that each CPU has. */
  variable(name: string, work: Work): CType | undefined {
    return this.#valueOf(name, VARIABLES, work);
  }

  /** Where a variable that each CPU has is, from the start of all of them. */
  perCpu(name: string, work: Work): number | undefined {
    return (this.#perCpu ??= new Map(this.#readPerCpu(work))).get(name);
  }

  *#readPerCpu(work: Work): Generator<readonly [name: string, offset: number]> {
    const { btf } = this, section = this.#find(PER_CPU, SECTIONS, work), { at, parts } = section ? btf.entry(section) : { at: 0, parts: 0 };
    for (let part = 0, entry = at + TYPE_SIZE; part < parts; part++, entry += PER_PART[Kind.Section]) {
      work.spend();
      const number = btf.word(entry);
      if (number > 0 && number <= btf.count) yield [btf.text(btf.entry(number).name), btf.word(entry + 4)];
    }
  }

  /** The type of a function. */
  function(name: string, work: Work): CType | undefined {
    return this.#valueOf(name, FUNCTIONS, work);
  }

  #valueOf(name: string, kinds: ReadonlySet<number>, work: Work): CType | undefined {
    const number = this.#find(name, kinds, work);
    return number === undefined ? undefined : this.of(this.btf.entry(number).value);
  }

  #find(name: string, kinds: ReadonlySet<number>, work: Work): number | undefined {
    return remembered(this.#named, `${[...kinds].join()} ${name}`, () => this.btf.named(name, kinds, work));
  }

  /** The value of an enumeration's name. */
  constant(name: string, work: Work): TypedNumber | undefined {
    return remembered(this.#constants, name, () => {
      const found = this.btf.enumerator(name, ENUMS, work);
      return found && { type: this.of(found.number), number: found.value };
    });
  }
}

function remembered<T>(known: Map<string, T | undefined>, name: string, find: () => T | undefined): T | undefined {
  if (!known.has(name)) {
    if (known.size === NAMES_MAX) known.clear();
    known.set(name, find());
  }
  return known.get(name);
}

class BtfType implements CType {
  readonly kind: TypeKind;
  #members: readonly CMember[] | undefined;
  /** Where names are, by value: an array may have an element for each look-up. */
  #enumerators: ReadonlyMap<bigint, number> | undefined;

  constructor(readonly types: BtfTypes, readonly entry: TypeEntry) {
    const { kind, at, flag } = entry;
    if (kind === Kind.Int) this.kind = this.#kindOfInteger(types.btf.word(at + TYPE_SIZE));
    else this.kind = kind === Kind.Forward ? flag ? "union" : "struct" : KINDS[kind] ?? "unknown";
  }

  #kindOfInteger(encoding: number): TypeKind {
    return (encoding & BOOLEAN) !== 0 ? "boolean" : CHARACTERS.has(this.own ?? "") ? "character" : "integer";
  }

  get own(): string | undefined {
    const { kind, name } = this.entry;
    return QUALIFIERS[kind] ?? (name === 0 ? undefined : this.types.btf.text(name));
  }

  get name(): string {
    return typeName(this);
  }

  get plain(): CType {
    return plainOf(this);
  }

  get target(): CType {
    const { kind, at, value } = this.entry;
    if (kind === Kind.Array) return this.types.of(this.types.btf.word(at + TYPE_SIZE));
    return kind === Kind.Int || kind === Kind.Float || isRecord(this) || this.kind === "enum" ? VOID : this.types.of(value);
  }

  get isSigned(): boolean {
    const { kind, at, flag } = this.entry;
    return kind === Kind.Int ? (this.types.btf.word(at + TYPE_SIZE) & SIGNED) !== 0 : this.kind === "enum" && flag;
  }

  get length(): number | undefined {
    const { kind, at } = this.entry;
    return kind === Kind.Array ? this.types.btf.word(at + TYPE_SIZE + 8) : undefined;
  }

  get parameters(): Iterable<CType> {
    const { at, parts } = this.entry, { btf } = this.types;
    if (this.kind !== "function") return [];
    return Array.from({ length: parts }).keys().map((part) => {
      const type = btf.word(at + TYPE_SIZE + 8 * part + 4);
      return type === 0 ? VARIADIC : this.types.of(type);
    });
  }

  size(depth = 0): number | undefined {
    const { entry: { kind, value }, length } = this;
    if (depth === DEPTH_MAX) return undefined;
    if (kind === Kind.Pointer) return POINTER_SIZE;
    if (this.kind === "alias" || this.kind === "qualified") return sizeWithin(this.target, depth);
    if (length !== undefined) {
      const element = sizeWithin(this.target, depth), size = element === undefined ? undefined : element * length;
      return size !== undefined && size <= SIZE_MAX ? size : undefined;
    }
    return kind === Kind.FuncProto || kind === Kind.Forward || this.kind === "unknown" ? undefined : value;
  }

  members(work: Work): Iterable<CMember> {
    if (!isRecord(this) || this.entry.kind === Kind.Forward) return [];
    // They are read once, but each walk counts them: structures may be in each other.
    work.spend(this.entry.parts);
    return this.#members ??= this.#readMembers();
  }

  #readMembers(): CMember[] {
    const { types, types: { btf }, entry: { at, kind, parts, flag } } = this, size = PER_PART[kind];
    return Array.from({ length: parts }, (_, part): CMember => {
      const { name, type, bit, width } = btf.member(at + TYPE_SIZE + part * size, flag);
      return {
        name: name === 0 ? undefined : btf.text(name),
        type: types.of(type),
        offset: bit >>> 3,
        bits: width === 0 ? undefined : { offset: bit, size: width },
      };
    });
  }

  enumerator(value: bigint): string | undefined {
    if (this.kind !== "enum") return undefined;
    const name = (this.#enumerators ??= this.#readEnumerators()).get(value);
    return name === undefined ? undefined : this.types.btf.text(name);
  }

  #readEnumerators(): ReadonlyMap<bigint, number> {
    const { types: { btf }, entry: { at, kind, parts, flag } } = this, names = new Map<bigint, number>();
    for (let part = 0, member = at + TYPE_SIZE; part < parts; part++, member += PER_PART[kind]) {
      const value = btf.valueOf(member, kind, flag);
      if (!names.has(value)) names.set(value, btf.word(member));
    }
    return names;
  }
}

const sizeWithin = (type: CType, depth: number) => type instanceof BtfType ? type.size(depth + 1) : type.size();
