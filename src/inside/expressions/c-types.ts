// Types of C, wherever they were read: what expressions and values need of them. Types of debug
// information and of BTF are such types, and those that an expression makes, such as a pointer.

import type { Work } from "../../kit/support/values/work.ts";

/** `alias` is a typedef, `qualified` is const and the like: both stand for their target. */
export type TypeKind =
  | ("void" | "integer" | "character" | "boolean" | "floating" | "enum" | "pointer" | "reference" | "array")
  | ("struct" | "union" | "class" | "function" | "alias" | "qualified" | "unknown");

export interface CType {
  readonly kind: TypeKind;
  /** Its name without `struct` and the like, or the qualifier; undefined: it has none. */
  readonly own: string | undefined;
  /** In C's syntax. */
  readonly name: string;
  /** Without typedefs and qualifiers. */
  readonly plain: CType;
  /** The target of a pointer, elements of an array, result of a function, or what it stands for. */
  readonly target: CType;
  readonly isSigned: boolean;
  /** Elements of an array; undefined: the type does not say. */
  readonly length: number | undefined;
  /** Of a function. */
  readonly parameters: Iterable<CType>;
  /** Bytes; undefined if that is not known. */
  size(): number | undefined;
  /**
   * Members of a structure or union.
   * @param work counts entries
   */
  members(work: Work): Iterable<CMember>;
  /** The name of an enumeration's value. */
  enumerator(value: bigint): string | undefined;
}

/** A member: `offset` in bytes. */
export interface CMember {
  /** Undefined: its members belong to the type itself. */
  readonly name: string | undefined;
  readonly type: CType;
  readonly offset: number;
  /** Of a bit field: its first bit from the start of the structure, and how many. */
  readonly bits: { readonly offset: number; readonly size: number } | undefined;
}

export const isRecord = ({ kind }: CType): boolean => kind === "struct" || kind === "union" || kind === "class";
export const isPointer = ({ kind }: CType): boolean => kind === "pointer" || kind === "reference";
/** Whether C calculates with its values. */
export const isArithmetic = ({ kind }: CType): boolean =>
  kind === "integer" || kind === "character" || kind === "boolean" || kind === "enum";

/** Types of types: a `const` of a `typedef` of a pointer, and so on. */
const DEPTH_MAX = 32;
/** Types that one name consists of, and its characters: types may be made of themselves. */
const PARTS_MAX = 256, NAME_MAX = 1024;
export const POINTER_SIZE = 8;

/** A type without typedefs and qualifiers; unknown where a type is made of itself. */
export function plainOf(type: CType): CType {
  let plain = type;
  for (let depth = 0; plain.kind === "alias" || plain.kind === "qualified"; depth++) {
    if (depth === DEPTH_MAX) return UNKNOWN;
    plain = plain.target;
  }
  return plain;
}

/** The name of a type in C's syntax, with "…" for what is too long. */
export function typeName(type: CType): string {
  const name = partName(type, 0, { left: PARTS_MAX });
  return name.length > NAME_MAX ? `${name.slice(0, NAME_MAX)}…` : name;
}

/** @param parts types that may still be named */
function partName(type: CType, depth: number, parts: { left: number }): string {
  if (depth > DEPTH_MAX || parts.left-- <= 0) return "…";
  const inner = (one: CType) => partName(one, depth + 1, parts), { kind, own } = type;
  switch (kind) {
    case "void":
      return "void";
    case "qualified":
      return isPointer(type.target) ? `${inner(type.target)}${own}` : `${own} ${inner(type.target)}`;
    case "struct":
    case "union":
    case "class":
    case "enum":
      return `${kind} ${own ?? "{…}"}`;
    case "pointer": {
      const target = inner(type.target);
      return type.target.kind === "function" ? target.replace(" (", " (*)(") : `${target}${target.endsWith("*") ? "" : " "}*`;
    }
    case "reference":
      return `${inner(type.target)} &`;
    case "array": {
      let element = type, dimensions = "";
      for (; element.kind === "array" && parts.left-- > 0; element = element.target) dimensions += `[${element.length ?? ""}]`;
      return `${inner(element)}${dimensions}`;
    }
    case "function": {
      const names: string[] = [];
      for (const one of type.parameters) {
        names.push(parts.left <= 0 ? "…" : inner(one));
        if (parts.left <= 0) break;
      }
      return `${inner(type.target)} (${names.join(", ")})`;
    }
    default:
      return own ?? "?";
  }
}

/** A type that is not in any file: of C itself, or made by an expression. */
class MadeType implements CType {
  constructor(
    readonly kind: TypeKind,
    readonly own: string | undefined,
    readonly bytes: number | undefined,
    readonly isSigned = false,
    readonly made: { readonly target?: CType; readonly length?: number } = {},
  ) {}

  get name(): string {
    return typeName(this);
  }

  get plain(): CType {
    return this;
  }

  get target(): CType {
    return this.made.target ?? VOID;
  }

  get length(): number | undefined {
    return this.made.length;
  }

  get parameters(): Iterable<CType> {
    return [];
  }

  size(): number | undefined {
    return this.bytes;
  }

  members(): Iterable<CMember> {
    return [];
  }

  enumerator(): string | undefined {
    return undefined;
  }
}

export const VOID: CType = new MadeType("void", "void", undefined);
export const UNKNOWN: CType = new MadeType("unknown", undefined, undefined);
/** The last parameter of a function that takes any number of them. */
export const VARIADIC: CType = new MadeType("unknown", "...", undefined);

export const pointerTo = (target: CType): CType => new MadeType("pointer", undefined, POINTER_SIZE, false, { target });

/** An array, whose size is not known where that of its elements is not. */
export function arrayOf(target: CType, length: number | undefined): CType {
  const element = target.size();
  const bytes = element === undefined || length === undefined ? undefined : element * length;
  return new MadeType("array", undefined, Number.isSafeInteger(bytes) ? bytes : undefined, false, { target, length });
}

const integer = (own: string, bytes: number, isSigned: boolean) => new MadeType("integer", own, bytes, isSigned);

/** The types of C by the AArch64 procedure call standard, where `char` has no sign. */
export const INT: CType = integer("int", 4, true), UNSIGNED_INT: CType = integer("unsigned int", 4, false);
export const LONG: CType = integer("long", 8, true), UNSIGNED_LONG: CType = integer("unsigned long", 8, false);
const CHAR = new MadeType("character", "char", 1);
const SHORT = integer("short", 2, true), UNSIGNED_SHORT = integer("unsigned short", 2, false);
const SIGNED_CHAR = new MadeType("character", "signed char", 1, true), UNSIGNED_CHAR = integer("unsigned char", 1, false);
const LONG_LONG = integer("long long", 8, true), UNSIGNED_LONG_LONG = integer("unsigned long long", 8, false);
const INT128 = integer("__int128", 16, true), UNSIGNED_INT128 = integer("unsigned __int128", 16, false);

/** By their words in order of the alphabet, without `int` where another word says the size. */
const BASIC: Readonly<Record<string, CType>> = {
  "void": VOID,
  "_Bool": new MadeType("boolean", "_Bool", 1),
  "bool": new MadeType("boolean", "bool", 1),
  "char": CHAR,
  "char signed": SIGNED_CHAR,
  "char unsigned": UNSIGNED_CHAR,
  "short": SHORT,
  "short signed": SHORT,
  "short unsigned": UNSIGNED_SHORT,
  "int": INT,
  "signed": INT,
  "unsigned": UNSIGNED_INT,
  "long": LONG,
  "long signed": LONG,
  "long unsigned": UNSIGNED_LONG,
  "long long": LONG_LONG,
  "long long signed": LONG_LONG,
  "long long unsigned": UNSIGNED_LONG_LONG,
  "__int128": INT128,
  "__int128 signed": INT128,
  "__int128 unsigned": UNSIGNED_INT128,
  "float": new MadeType("floating", "float", 4, true),
  "double": new MadeType("floating", "double", 8, true),
};

/** Words that name a type of C together. */
export const BASIC_WORDS: ReadonlySet<string> = new Set(Object.keys(BASIC).flatMap((name) => name.split(" ")));

/** The type that some words name together; undefined if C has no such type. */
export function basicType(words: readonly string[]): CType | undefined {
  const sized = words.length > 1 ? words.filter((word) => word !== "int") : words;
  const key = sized.length ? [...sized].sort().join(" ") : "int";
  return Object.hasOwn(BASIC, key) ? BASIC[key] : undefined;
}

/** Names of the kernel's and the library's headers, for programs whose files do not have them. */
const FIXED: Readonly<Record<string, CType>> = {
  u8: UNSIGNED_CHAR,
  u16: UNSIGNED_SHORT,
  u32: UNSIGNED_INT,
  u64: UNSIGNED_LONG_LONG,
  s8: SIGNED_CHAR,
  s16: SHORT,
  s32: INT,
  s64: LONG_LONG,
  uint8_t: UNSIGNED_CHAR,
  uint16_t: UNSIGNED_SHORT,
  uint32_t: UNSIGNED_INT,
  uint64_t: UNSIGNED_LONG,
  int8_t: SIGNED_CHAR,
  int16_t: SHORT,
  int32_t: INT,
  int64_t: LONG,
  size_t: UNSIGNED_LONG,
  uintptr_t: UNSIGNED_LONG,
};

/** The type of a name that many headers declare alike. */
export const fixedType = (name: string): CType | undefined => Object.hasOwn(FIXED, name) ? FIXED[name] : undefined;
