// The entries of .debug_info: units, abbreviations, and attributes by their forms (DWARF 5,
// chapter 7.5; versions 2 to 5).

import { Attribute, Form, UnitType } from "./constants.ts";
import { Cursor, DwarfError } from "./cursor.ts";
import type { DebugSection, DwarfSections } from "./sections.ts";

/** Attributes of one entry: compilers write some twenty. */
const ATTRIBUTES_MAX = 200;
/** Entries of one unit. */
const ENTRIES_MAX = 5_000_000;

/** The value of an attribute, as its form says what it is. */
export type Value =
  | { readonly kind: "address"; readonly address: bigint }
  /** `signed`: the form says so; otherwise the attribute has to. */
  | { readonly kind: "constant"; readonly value: bigint; readonly signed: boolean }
  | { readonly kind: "block"; readonly bytes: Uint8Array }
  | { readonly kind: "string"; readonly text: string }
  /** Offset of an entry in .debug_info. */
  | { readonly kind: "reference"; readonly offset: number }
  /** Offset in another section. */
  | { readonly kind: "offset"; readonly offset: number }
  /** Number in a table whose place the unit's first entry says. */
  | { readonly kind: "index"; readonly table: "string" | "address" | "ranges" | "locations"; readonly index: number }
  /** A value of a file that is not here. */
  | { readonly kind: "elsewhere" };

interface Abbreviation {
  readonly tag: number;
  readonly children: boolean;
  readonly attributes: readonly { readonly attribute: number; readonly form: number; readonly implicit: bigint }[];
}

type Abbreviations = ReadonlyMap<number, Abbreviation>;

/** An entry. */
export interface Entry {
  readonly unit: Unit;
  /** In .debug_info. */
  readonly offset: number;
  readonly tag: number;
  readonly values: ReadonlyMap<number, Value>;
  readonly parent: Entry | undefined;
  readonly children: Entry[];
}

/** The abbreviation tables of a file. */
export class AbbreviationTables {
  readonly #tables = new Map<number, Abbreviations>();
  /** Bytes that may still be read: tables that overlap are not the work of a compiler. */
  #left: number;

  constructor(readonly sections: DwarfSections) {
    this.#left = 2 * sections.bytes(".debug_abbrev").length;
  }

  /** @throws DwarfError */
  at(offset: number): Abbreviations {
    const known = this.#tables.get(offset);
    if (known) return known;
    const cursor = new Cursor(this.sections.bytes(".debug_abbrev"), ".debug_abbrev", offset);
    const table = new Map<number, Abbreviation>();
    for (let code = cursor.count(); code !== 0; code = cursor.count()) {
      const tag = cursor.count(), children = cursor.u8() !== 0;
      const attributes = [];
      for (;;) {
        const attribute = cursor.count(), form = cursor.count();
        if (attribute === 0 && form === 0) break;
        attributes.push({ attribute, form, implicit: form === Form.ImplicitConstant ? cursor.sleb() : 0n });
        if (attributes.length > ATTRIBUTES_MAX) throw new DwarfError(`.debug_abbrev: more than ${ATTRIBUTES_MAX} attributes of one entry`);
      }
      table.set(code, { tag, children, attributes });
    }
    this.#left -= cursor.at - offset;
    if (this.#left < 0) throw new DwarfError(".debug_abbrev: tables overlap");
    this.#tables.set(offset, table);
    return table;
  }
}

/** A unit: what one run of a compiler has made. */
export class Unit {
  readonly version: number;
  readonly wide: boolean;
  readonly type: number;
  /** After its header, in .debug_info. */
  readonly #first: number;
  /** Its end, in .debug_info. */
  readonly end: number;
  readonly #abbreviations: Abbreviations;
  /** The unit's own entry, without its children. */
  readonly root: Entry;
  readonly #bases: { readonly [T in Extract<Value, { kind: "index" }>["table"]]: number };

  /**
   * @param offset of its header in .debug_info
   * @throws DwarfError
   */
  constructor(readonly sections: DwarfSections, tables: AbbreviationTables, readonly offset: number) {
    const info = new Cursor(sections.bytes(".debug_info"), ".debug_info", offset);
    const { size, wide } = info.length();
    this.wide = wide;
    const header = info.part(size);
    this.end = header.end;
    this.version = header.u16();
    if (this.version < 2 || this.version > 5) throw new DwarfError(`.debug_info has version ${this.version}; 2 to 5 can be read`);
    let abbreviations: number, addressSize: number;
    if (this.version >= 5) {
      this.type = header.u8();
      addressSize = header.u8();
      abbreviations = header.offset(wide);
      if (this.type === UnitType.Skeleton || this.type === UnitType.SplitCompile) header.skip(8);
      else if (this.type === UnitType.Type || this.type === UnitType.SplitType) {
        header.skip(8);
        header.offset(wide);
      }
    } else {
      this.type = UnitType.Compile;
      abbreviations = header.offset(wide);
      addressSize = header.u8();
    }
    if (addressSize !== 8) throw new DwarfError(`.debug_info has addresses of ${addressSize} bytes, not 8`);
    this.#first = header.at;
    this.#abbreviations = tables.at(abbreviations);
    const root = this.#read(header, undefined);
    if (!root) throw new DwarfError(".debug_info: a unit without an entry");
    this.root = root.entry;
    const base = (attribute: number, otherwise: number) => {
      const value = this.root.values.get(attribute);
      return value?.kind === "offset" ? value.offset : otherwise;
    };
    // Without the attribute a table begins after its header.
    const none = this.version >= 5 ? wide ? 16 : 8 : 0, lists = this.version >= 5 ? wide ? 20 : 12 : 0;
    this.#bases = {
      string: base(Attribute.StringOffsetsBase, none),
      address: base(Attribute.AddressBase, none),
      ranges: base(Attribute.RangeListsBase, lists),
      locations: base(Attribute.LocationListsBase, lists),
    };
  }

  /**
   * All entries, as the children of the first.
   * @throws DwarfError
   */
  entries(): Entry {
    const cursor = new Cursor(this.sections.bytes(".debug_info"), ".debug_info", this.#first, this.end);
    let root: Entry | undefined, parent: Entry | undefined, count = 0;
    while (cursor.more) {
      const read = this.#read(cursor, parent);
      if (!read) {
        // The end of a list of children.
        parent = parent?.parent;
        if (!parent) break;
        continue;
      }
      if (++count > ENTRIES_MAX) throw new DwarfError(`.debug_info: a unit of more than ${ENTRIES_MAX} entries`);
      if (!root) root = read.entry;
      else if (!parent) break;
      parent?.children.push(read.entry);
      if (read.children) parent = read.entry;
      else if (read.entry === root) break;
    }
    if (!root) throw new DwarfError(".debug_info: a unit without an entry");
    return root;
  }

  #read(cursor: Cursor, parent: Entry | undefined): { entry: Entry; children: boolean } | undefined {
    const offset = cursor.at, code = cursor.count();
    if (code === 0) return undefined;
    const abbreviation = this.#abbreviations.get(code);
    if (!abbreviation) throw new DwarfError(`.debug_info: no abbreviation ${code} at 0x${offset.toString(16)}`);
    const values = new Map<number, Value>();
    for (const { attribute, form, implicit } of abbreviation.attributes) values.set(attribute, this.#value(cursor, form, implicit));
    return { entry: { unit: this, offset, tag: abbreviation.tag, values, parent, children: [] }, children: abbreviation.children };
  }

  #value(cursor: Cursor, form: number, implicit: bigint): Value {
    const { wide } = this;
    const constant = (value: bigint, signed = false): Value => ({ kind: "constant", value, signed });
    const block = (size: number): Value => ({ kind: "block", bytes: cursor.block(size) });
    const string = (name: DebugSection): Value => ({
      kind: "string",
      text: new Cursor(this.sections.bytes(name), name, cursor.offset(wide)).text(),
    });
    const reference = (offset: number): Value => ({ kind: "reference", offset: this.offset + offset });
    const index = (table: Extract<Value, { kind: "index" }>["table"], size?: number): Value => ({
      kind: "index",
      table,
      index: size === undefined ? cursor.count() : Number(cursor.sized(size)),
    });
    switch (form) {
      case Form.Address:
        return { kind: "address", address: cursor.u64() };
      case Form.Block1:
        return block(cursor.u8());
      case Form.Block2:
        return block(cursor.u16());
      case Form.Block4:
        return block(cursor.u32());
      case Form.Block:
      case Form.Expression:
        return block(cursor.count());
      case Form.Data16:
        return block(16);
      case Form.Data1:
      case Form.Flag:
        return constant(BigInt(cursor.u8()));
      case Form.Data2:
        return constant(BigInt(cursor.u16()));
      case Form.Data4:
        // Before version 4, this form also is an offset in another section.
        return constant(BigInt(cursor.u32()));
      case Form.Data8:
        return constant(cursor.u64());
      case Form.Signed:
        return constant(cursor.sleb(), true);
      case Form.Unsigned:
        return constant(cursor.uleb());
      case Form.ImplicitConstant:
        return constant(implicit, true);
      case Form.FlagPresent:
        return constant(1n);
      case Form.String:
        return { kind: "string", text: cursor.text() };
      case Form.StringPointer:
        return string(".debug_str");
      case Form.LineString:
        return string(".debug_line_str");
      case Form.StringIndex:
        return index("string");
      case Form.StringIndex1:
        return index("string", 1);
      case Form.StringIndex2:
        return index("string", 2);
      case Form.StringIndex3:
        return index("string", 3);
      case Form.StringIndex4:
        return index("string", 4);
      case Form.AddressIndex:
        return index("address");
      case Form.AddressIndex1:
        return index("address", 1);
      case Form.AddressIndex2:
        return index("address", 2);
      case Form.AddressIndex3:
        return index("address", 3);
      case Form.AddressIndex4:
        return index("address", 4);
      case Form.RangeListIndex:
        return index("ranges");
      case Form.LocationListIndex:
        return index("locations");
      case Form.Reference1:
        return reference(cursor.u8());
      case Form.Reference2:
        return reference(cursor.u16());
      case Form.Reference4:
        return reference(cursor.u32());
      case Form.Reference8:
        return reference(cursor.small(cursor.u64()));
      case Form.ReferenceUnsigned:
        return reference(cursor.count());
      case Form.ReferenceAddress:
        return { kind: "reference", offset: this.version === 2 ? cursor.small(cursor.u64()) : cursor.offset(wide) };
      case Form.SectionOffset:
        return { kind: "offset", offset: cursor.offset(wide) };
      case Form.ReferenceSignature:
      case Form.ReferenceSupplementary8:
        cursor.skip(8);
        return { kind: "elsewhere" };
      case Form.ReferenceSupplementary4:
        cursor.skip(4);
        return { kind: "elsewhere" };
      case Form.StringSupplementary:
        cursor.offset(wide);
        return { kind: "elsewhere" };
      case Form.Indirect: {
        const actual = cursor.count();
        if (actual === Form.Indirect || actual === Form.ImplicitConstant) throw new DwarfError(".debug_info: an indirect form in itself");
        return this.#value(cursor, actual, 0n);
      }
      default:
        throw new DwarfError(`.debug_info: form 0x${form.toString(16)} is unknown`);
    }
  }

  /** A value of a table by its number. */
  address(value: Value | undefined): bigint | undefined {
    if (value?.kind === "address") return value.address;
    if (value?.kind !== "index" || value.table !== "address") return undefined;
    return this.addressAt(value.index);
  }

  /** An address of .debug_addr. */
  addressAt(index: number): bigint {
    return new Cursor(this.sections.bytes(".debug_addr"), ".debug_addr", this.#bases.address + 8 * index).u64();
  }

  /** A text. */
  text(value: Value | undefined): string | undefined {
    if (value?.kind === "string") return value.text;
    if (value?.kind !== "index" || value.table !== "string") return undefined;
    const size = this.wide ? 8 : 4;
    const at = new Cursor(this.sections.bytes(".debug_str_offsets"), ".debug_str_offsets", this.#bases.string + size * value.index).offset(
      this.wide,
    );
    return new Cursor(this.sections.bytes(".debug_str"), ".debug_str", at).text();
  }

  /** The offset of a list in its section: of ranges, or of locations. */
  listAt(value: Value | undefined): number | undefined {
    if (value?.kind === "offset") return value.offset;
    if (value?.kind === "constant" && this.version < 4) return Number(value.value);
    if (value?.kind !== "index" || value.table !== "ranges" && value.table !== "locations") return undefined;
    const base = this.#bases[value.table], size = this.wide ? 8 : 4;
    const name = value.table === "ranges" ? ".debug_rnglists" : ".debug_loclists";
    return base + new Cursor(this.sections.bytes(name), name, base + size * value.index).offset(this.wide);
  }

  /** A number that counts. */
  number(value: Value | undefined): number | undefined {
    if (value?.kind !== "constant") return undefined;
    return value.value >= 0n && value.value <= 0xffff_ffff_ffffn ? Number(value.value) : undefined;
  }
}
