// Values of attributes by their forms (DWARF 5, section 7.5.5; versions 2 to 5).

import { Form } from "./constants.ts";
import { type Cursor, DwarfError } from "./cursor.ts";
import type { DebugSection } from "./sections.ts";

/** Tables whose place the unit's first entry says. */
export type IndexTable = "string" | "address" | "ranges" | "locations";

/** The value of an attribute, as its form says what it is. */
export type Value =
  | { readonly kind: "address"; readonly address: bigint }
  /** `signed`: the form says so; otherwise the attribute has to. */
  | { readonly kind: "constant"; readonly value: bigint; readonly signed: boolean }
  | { readonly kind: "block"; readonly bytes: Uint8Array }
  /** Where a text begins, which many entries may name: it is read when it is asked for. */
  | { readonly kind: "string"; readonly section: DebugSection; readonly offset: number }
  /** Offset of an entry in .debug_info. */
  | { readonly kind: "reference"; readonly offset: number }
  /** Offset in another section. */
  | { readonly kind: "offset"; readonly offset: number }
  | { readonly kind: "index"; readonly table: IndexTable; readonly index: number }
  /** A value of a file that is not here. */
  | { readonly kind: "elsewhere" };

/** The unit that forms depend on: its offset in .debug_info, its format and its version. */
interface FormUnit {
  readonly offset: number;
  readonly wide: boolean;
  readonly version: number;
}

type ReadForm = (cursor: Cursor, unit: FormUnit) => Value;

const ELSEWHERE: Value = { kind: "elsewhere" };
const FLAG_PRESENT: Value = { kind: "constant", value: 1n, signed: false };

function constant(read: (cursor: Cursor) => bigint, signed = false): ReadForm {
  return (cursor) => ({ kind: "constant", value: read(cursor), signed });
}

function block(size: (cursor: Cursor) => number): ReadForm {
  return (cursor) => ({ kind: "block", bytes: cursor.block(size(cursor)) });
}

function textOf(section: DebugSection): ReadForm {
  return (cursor, { wide }) => ({ kind: "string", section, offset: cursor.offset(wide) });
}

function index(table: IndexTable, size?: number): ReadForm {
  return (cursor) => ({ kind: "index", table, index: size === undefined ? cursor.count() : Number(cursor.sized(size)) });
}

/** A reference within the unit. */
function reference(read: (cursor: Cursor) => number): ReadForm {
  return (cursor, { offset }) => ({ kind: "reference", offset: offset + read(cursor) });
}

function elsewhere(skip: (cursor: Cursor, unit: FormUnit) => void): ReadForm {
  return (cursor, unit) => {
    skip(cursor, unit);
    return ELSEWHERE;
  };
}

const FORMS: Readonly<Record<number, ReadForm>> = {
  [Form.Address]: (cursor) => ({ kind: "address", address: cursor.u64() }),
  [Form.Block1]: block((cursor) => cursor.u8()),
  [Form.Block2]: block((cursor) => cursor.u16()),
  [Form.Block4]: block((cursor) => cursor.u32()),
  [Form.Block]: block((cursor) => cursor.count()),
  [Form.Expression]: block((cursor) => cursor.count()),
  [Form.Data16]: block(() => 16),
  [Form.Data1]: constant((cursor) => BigInt(cursor.u8())),
  [Form.Flag]: constant((cursor) => BigInt(cursor.u8())),
  [Form.Data2]: constant((cursor) => BigInt(cursor.u16())),
  // Before version 4, this form also is an offset in another section.
  [Form.Data4]: constant((cursor) => BigInt(cursor.u32())),
  [Form.Data8]: constant((cursor) => cursor.u64()),
  [Form.Signed]: constant((cursor) => cursor.sleb(), true),
  [Form.Unsigned]: constant((cursor) => cursor.uleb()),
  [Form.FlagPresent]: () => FLAG_PRESENT,
  [Form.String]: (cursor) => ({ kind: "string", section: ".debug_info", offset: cursor.skipText() }),
  [Form.StringPointer]: textOf(".debug_str"),
  [Form.LineString]: textOf(".debug_line_str"),
  [Form.StringIndex]: index("string"),
  [Form.StringIndex1]: index("string", 1),
  [Form.StringIndex2]: index("string", 2),
  [Form.StringIndex3]: index("string", 3),
  [Form.StringIndex4]: index("string", 4),
  [Form.AddressIndex]: index("address"),
  [Form.AddressIndex1]: index("address", 1),
  [Form.AddressIndex2]: index("address", 2),
  [Form.AddressIndex3]: index("address", 3),
  [Form.AddressIndex4]: index("address", 4),
  [Form.RangeListIndex]: index("ranges"),
  [Form.LocationListIndex]: index("locations"),
  [Form.Reference1]: reference((cursor) => cursor.u8()),
  [Form.Reference2]: reference((cursor) => cursor.u16()),
  [Form.Reference4]: reference((cursor) => cursor.u32()),
  [Form.Reference8]: reference((cursor) => cursor.small(cursor.u64())),
  [Form.ReferenceUnsigned]: reference((cursor) => cursor.count()),
  [Form.ReferenceAddress]: (cursor, { version, wide }) => ({
    kind: "reference",
    offset: version === 2 ? cursor.small(cursor.u64()) : cursor.offset(wide),
  }),
  [Form.SectionOffset]: (cursor, { wide }) => ({ kind: "offset", offset: cursor.offset(wide) }),
  [Form.ReferenceSignature]: elsewhere((cursor) => cursor.skip(8)),
  [Form.ReferenceSupplementary8]: elsewhere((cursor) => cursor.skip(8)),
  [Form.ReferenceSupplementary4]: elsewhere((cursor) => cursor.skip(4)),
  [Form.StringSupplementary]: elsewhere((cursor, { wide }) => cursor.offset(wide)),
  [Form.Indirect]: (cursor, unit) => {
    const actual = cursor.count();
    if (actual === Form.Indirect || actual === Form.ImplicitConstant) throw new DwarfError(".debug_info: an indirect form in itself");
    return readForm(cursor, actual, unit);
  },
};

/**
 * The value of a form.
 * @throws DwarfError
 */
export function readForm(cursor: Cursor, form: number, unit: FormUnit): Value {
  const read = FORMS[form];
  if (!read) throw new DwarfError(`.debug_info: form 0x${form.toString(16)} is unknown`);
  return read(cursor, unit);
}

/**
 * The value of a form that takes no bytes of an entry; undefined for others.
 * @param implicit the value in the abbreviation
 */
export function fixedValue(form: number, implicit: bigint): Value | undefined {
  if (form === Form.FlagPresent) return FLAG_PRESENT;
  return form === Form.ImplicitConstant ? { kind: "constant", value: implicit, signed: true } : undefined;
}
