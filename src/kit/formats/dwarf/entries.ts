// The entries of .debug_info: units, and their entries with attributes (DWARF 5, section 7.5;
// versions 2 to 5).

import { type Abbreviation, type Abbreviations, type AbbreviationTables } from "./abbreviations.ts";
import { Attribute, UnitType } from "./constants.ts";
import { Cursor, DwarfError } from "./cursor.ts";
import { type IndexTable, readForm, type Value } from "./forms.ts";
import type { DwarfSections } from "./sections.ts";
import { Work } from "../../support/values/work.ts";

/**
 * Entries of one unit, and their values that have bytes: some hundred MB of memory. A compiler's
 * unit has some ten thousand.
 */
export const UNIT_MAX = 8_000_000;

/** The attributes of an entry. */
export interface Values {
  get(attribute: number): Value | undefined;
}

export interface DebugEntry {
  readonly unit: Unit;
  /** In .debug_info. */
  readonly offset: number;
  readonly tag: number;
  readonly values: Values;
  readonly parent: DebugEntry | undefined;
  readonly children: readonly DebugEntry[];
}

interface UnitEntries {
  /** The first, with the others below it. */
  readonly root: DebugEntry;
  /** Entries, and their values that have bytes. */
  readonly size: number;
}

/** Children of entries that have none. */
const CHILDLESS: readonly DebugEntry[] = [];

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
  readonly root: DebugEntry;
  readonly #bases: { readonly [T in IndexTable]: number };

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
    if (this.version < 2 || this.version > 5) throw new DwarfError(`.debug_info has version ${this.version}`, "2 to 5 can be read");
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
    const root = this.#read(header, undefined, this.#budget());
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

  #budget(): Work {
    return new Work(UNIT_MAX, () => new DwarfError(`.debug_info: a unit of more than ${UNIT_MAX} entries and values`));
  }

  /** @throws DwarfError */
  entries(): UnitEntries {
    const cursor = new Cursor(this.sections.bytes(".debug_info"), ".debug_info", this.#first, this.end);
    const work = this.#budget();
    let root: DebugEntry | undefined, parent: DebugEntry | undefined, size = 0;
    while (cursor.more) {
      const read = this.#read(cursor, parent, work);
      if (!read) {
        // The end of a list of children.
        parent = parent?.parent;
        if (!parent) break;
        continue;
      }
      const { entry, abbreviation } = read;
      size += 1 + abbreviation.attributes.length;
      if (!root) root = entry;
      else if (!parent) break;
      (parent?.children as DebugEntry[] | undefined)?.push(entry);
      if (abbreviation.children) parent = entry;
      else if (entry === root) break;
    }
    if (!root) throw new DwarfError(".debug_info: a unit without an entry");
    return { root, size };
  }

  #read(cursor: Cursor, parent: DebugEntry | undefined, work: Work): { entry: DebugEntry; abbreviation: Abbreviation } | undefined {
    const offset = cursor.at, code = cursor.count();
    if (code === 0) return undefined;
    const abbreviation = this.#abbreviations.get(code);
    if (!abbreviation) throw new DwarfError(`.debug_info: no abbreviation ${code} at 0x${offset.toString(16)}`);
    const { tag, attributes, children } = abbreviation;
    work.spend(1 + attributes.length);
    const values = this.#values(cursor, abbreviation);
    return { entry: { unit: this, offset, tag, values, parent, children: children ? [] : CHILDLESS }, abbreviation };
  }

  /** Memory of an entry is in proportion to its bytes: values without bytes are shared. */
  #values(cursor: Cursor, { attributes, fixed }: Abbreviation): Values {
    if (attributes.length === 0) return fixed;
    const own = new Map<number, Value>();
    for (const { attribute, form } of attributes) own.set(attribute, readForm(cursor, form, this));
    return fixed.size === 0 ? own : { get: (attribute) => own.get(attribute) ?? fixed.get(attribute) };
  }

  /** A value of a table by its number. */
  address(value: Value | undefined): bigint | undefined {
    if (value?.kind === "address") return value.address + this.sections.moved;
    if (value?.kind !== "index" || value.table !== "address") return undefined;
    return this.addressAt(value.index);
  }

  /** An address of .debug_addr. */
  addressAt(index: number): bigint {
    return new Cursor(this.sections.bytes(".debug_addr"), ".debug_addr", this.#bases.address + 8 * index).u64() + this.sections.moved;
  }

  /**
   * A text.
   * @throws DwarfError
   */
  text(value: Value | undefined): string | undefined {
    if (value?.kind === "string") return new Cursor(this.sections.bytes(value.section), value.section, value.offset).text();
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
