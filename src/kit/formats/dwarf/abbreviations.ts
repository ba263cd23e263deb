// The abbreviations of .debug_abbrev: tags and attributes of entries by number (DWARF 5, section
// 7.5.3).

import { Form } from "./constants.ts";
import { Cursor, DwarfError } from "./cursor.ts";
import { fixedValue, type Value } from "./forms.ts";
import type { DwarfSections } from "./sections.ts";

/** Attributes of one entry: compilers write some twenty. */
const ATTRIBUTES_MAX = 200;

/** How entries of a kind are written. */
export interface Abbreviation {
  readonly tag: number;
  readonly children: boolean;
  /** Attributes that have bytes in each entry, in the order of these. */
  readonly attributes: readonly { readonly attribute: number; readonly form: number }[];
  /** Values that all these entries share, as they take no bytes. */
  readonly fixed: ReadonlyMap<number, Value>;
}

export type Abbreviations = ReadonlyMap<number, Abbreviation>;

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
    try {
      for (let code = cursor.count(); code !== 0; code = cursor.count()) {
        table.set(code, readAbbreviation(cursor));
        if (cursor.at - offset > this.#left) throw new DwarfError(".debug_abbrev: tables overlap");
      }
    } finally {
      this.#left -= cursor.at - offset;
    }
    this.#tables.set(offset, table);
    return table;
  }
}

function readAbbreviation(cursor: Cursor): Abbreviation {
  const tag = cursor.count(), children = cursor.u8() !== 0;
  const attributes: { attribute: number; form: number }[] = [], fixed = new Map<number, Value>();
  for (;;) {
    const attribute = cursor.count(), form = cursor.count();
    if (attribute === 0 && form === 0) return { tag, children, attributes, fixed };
    const value = fixedValue(form, form === Form.ImplicitConstant ? cursor.sleb() : 0n);
    if (value) fixed.set(attribute, value);
    else attributes.push({ attribute, form });
    if (attributes.length + fixed.size > ATTRIBUTES_MAX) {
      throw new DwarfError(`.debug_abbrev: more than ${ATTRIBUTES_MAX} attributes of one entry`);
    }
  }
}
