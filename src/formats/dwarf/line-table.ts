// The line tables of .debug_line: which source line the instruction at an address belongs to (DWARF
// 5, section 6.2; versions 2 to 5).

import { Form } from "./constants.ts";
import { Cursor, DwarfError } from "./cursor.ts";
import { type AddressRange, rangeAt, sortByStart } from "./lists.ts";
import type { DwarfSections } from "./sections.ts";

/** A source line. Lines and columns count from 1; 0 is none. */
export interface SourceLine {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

/** Addresses of one line, without a gap; `end` is not included. */
export interface LineRange extends SourceLine {
  readonly start: bigint;
  readonly end: bigint;
  /** Whether a statement begins at the start. */
  readonly statement: boolean;
}

/** Contents of a file entry (DW_LNCT). */
const Content = { Path: 1, Folder: 2 } as const;
const Standard = {
  Copy: 1,
  AdvancePc: 2,
  AdvanceLine: 3,
  SetFile: 4,
  SetColumn: 5,
  NegateStatement: 6,
  BasicBlock: 7,
  ConstantAddPc: 8,
  FixedAdvancePc: 9,
} as const;
const Extended = { EndSequence: 1, SetAddress: 2, DefineFile: 3 } as const;
/** Fields of one entry of a file table: the standard has five. */
const FIELDS_MAX = 16;
/** Bytes of one sequence. */
const OFFSET_MAX = 0x7fff_ffff;
/** Values of a row in `rows`. */
const ROW = 5;
const Column = { Offset: 0, File: 1, Line: 2, Column: 3, Statement: 4 } as const;

/** Instructions in the order of addresses, without a gap. */
interface Sequence extends AddressRange {
  /** Offset from the start, file, line, column, statement. */
  readonly rows: Int32Array;
}

/** One line table: that of a unit. */
export class LineTable {
  readonly files: readonly string[];
  readonly sequences: readonly Sequence[];

  /**
   * @param at its offset in .debug_line
   * @param folder in which the unit was compiled
   * @throws DwarfError
   */
  constructor(sections: DwarfSections, at: number, folder: string) {
    const section = new Cursor(sections.bytes(".debug_line"), ".debug_line", at);
    const { size, wide } = section.length();
    const unit = section.part(size);
    const version = unit.u16();
    if (version < 2 || version > 5) throw new DwarfError(`.debug_line has version ${version}; 2 to 5 can be read`);
    if (version >= 5) unit.skip(2);
    const program = new Cursor(unit.bytes, unit.name, unit.offset(wide) + unit.at, unit.end);
    const header: Header = {
      minimum: unit.u8(),
      // Operations of one instruction: more than one on VLIW machines only.
      skipped: version >= 4 ? unit.skip(1) : 0,
      statement: unit.u8() !== 0,
      lineBase: unit.i8(),
      lineRange: unit.u8(),
      opcodeBase: unit.u8(),
    };
    if (header.lineRange === 0) throw new DwarfError(".debug_line has a line range of 0");
    const lengths = [0, ...Array.from({ length: Math.max(0, header.opcodeBase - 1) }, () => unit.u8())];
    this.files = version >= 5 ? filesOf5(sections, unit, wide, folder) : filesOf2(unit, folder);
    this.sequences = sortByStart(run(program, header, lengths));
  }

  /** The line of an address. */
  at(address: bigint): LineRange | undefined {
    const sequence = rangeAt(this.sequences, address);
    if (!sequence) return undefined;
    const last = rowAt(sequence.rows, Number(address - sequence.start));
    // Of several rows at one address, the last that begins a statement counts, as in gdb.
    let row = last;
    while (row > 0 && !isStatement(sequence, row) && offsetOf(sequence, row - 1) === offsetOf(sequence, last)) row--;
    return this.#range(sequence, isStatement(sequence, row) ? row : last, offsetOf(sequence, last + 1));
  }

  /** Every row, by address within each sequence. */
  *ranges(): Generator<LineRange> {
    for (const sequence of this.sequences) {
      const count = sequence.rows.length / ROW;
      // Where several rows have one address, all of them reach to the next address.
      for (let row = 0, next = 0; row < count; row++) {
        if (next <= row) next = row + 1;
        while (next < count && offsetOf(sequence, next) === offsetOf(sequence, row)) next++;
        const range = this.#range(sequence, row, offsetOf(sequence, next));
        if (range.end > range.start) yield range;
      }
    }
  }

  #range({ start, rows }: Sequence, row: number, end: number): LineRange {
    const of = (column: number) => rows[row * ROW + column];
    return {
      file: this.files[of(Column.File)] ?? "",
      line: of(Column.Line),
      column: of(Column.Column),
      statement: of(Column.Statement) !== 0,
      start: start + BigInt(of(Column.Offset)),
      end: start + BigInt(end),
    };
  }
}

const isStatement = ({ rows }: Sequence, row: number) => rows[row * ROW + Column.Statement] !== 0;

/** Where a row begins; after the last one, the end of the sequence. */
function offsetOf({ start, end, rows }: Sequence, row: number): number {
  return row * ROW < rows.length ? rows[row * ROW] : Number(end - start);
}

/** The last row at or before an offset. */
function rowAt(rows: Int32Array, offset: number): number {
  let low = 0, high = rows.length / ROW;
  while (low < high) {
    const middle = low + high >> 1;
    if (rows[middle * ROW] <= offset) low = middle + 1;
    else high = middle;
  }
  return Math.max(0, low - 1);
}

interface Header {
  readonly minimum: number;
  readonly skipped: number;
  readonly statement: boolean;
  readonly lineBase: number;
  readonly lineRange: number;
  readonly opcodeBase: number;
}

const joined = (folder: string, name: string) => name.startsWith("/") || folder === "" ? name : `${folder}/${name}`;

/** Paths by number, which begin at 1. */
function filesOf2(unit: Cursor, folder: string): string[] {
  const folders = [folder];
  for (let name = unit.text(); name !== ""; name = unit.text()) folders.push(joined(folder, name));
  const files = [""];
  for (let name = unit.text(); name !== ""; name = unit.text()) {
    files.push(joined(folders[unit.count()] ?? "", name));
    unit.uleb();
    unit.uleb();
  }
  return files;
}

/** Paths by number, which begin at 0. */
function filesOf5(sections: DwarfSections, unit: Cursor, wide: boolean, folder: string): string[] {
  const folders = entriesOf5(sections, unit, wide).map(({ path }) => joined(folder, path));
  return entriesOf5(sections, unit, wide).map((entry) => joined(folders[entry.folder] ?? "", entry.path));
}

function entriesOf5(sections: DwarfSections, unit: Cursor, wide: boolean): { path: string; folder: number }[] {
  const fields = unit.u8();
  if (fields > FIELDS_MAX) throw new DwarfError(`.debug_line: a file entry of ${fields} fields`);
  const formats = Array.from({ length: fields }, () => [unit.count(), unit.count()] as const);
  const count = unit.count();
  const entries: { path: string; folder: number }[] = [];
  for (let index = 0; index < count; index++) {
    const { at } = unit;
    const entry = { path: "", folder: 0 };
    for (const [content, form] of formats) {
      const value = fieldOf(sections, unit, form, wide);
      if (content === Content.Path && typeof value === "string") entry.path = value;
      else if (content === Content.Folder && typeof value === "number") entry.folder = value;
    }
    // An entry without bytes could be counted without end.
    if (unit.at === at) throw new DwarfError(".debug_line: file entries without contents");
    entries.push(entry);
  }
  return entries;
}

/** A field of a file entry. */
function fieldOf(sections: DwarfSections, unit: Cursor, form: number, wide: boolean): string | number | undefined {
  switch (form) {
    case Form.String:
      return unit.text();
    case Form.LineString:
      return new Cursor(sections.bytes(".debug_line_str"), ".debug_line_str", unit.offset(wide)).text();
    case Form.StringPointer:
      return new Cursor(sections.bytes(".debug_str"), ".debug_str", unit.offset(wide)).text();
    case Form.Unsigned:
      return unit.count();
    case Form.Data1:
      return unit.u8();
    case Form.Data2:
      return unit.u16();
    case Form.Data4:
      return unit.u32();
    case Form.Data8:
      unit.skip(8);
      return undefined;
    case Form.Data16:
      unit.skip(16);
      return undefined;
    case Form.Block:
      unit.skip(unit.count());
      return undefined;
    default:
      throw new DwarfError(`.debug_line: form 0x${form.toString(16)} in a file entry`);
  }
}

/** Executes the line number program. */
function run(program: Cursor, header: Header, lengths: readonly number[]): Sequence[] {
  const { minimum, lineBase, lineRange, opcodeBase } = header;
  const sequences: Sequence[] = [];
  let start = 0n, offset = 0, file = 1, line = 1, column = 0, statement = header.statement, rows: number[] = [], ordered = true;
  const begin = () => {
    start = 0n;
    offset = column = 0;
    file = line = 1;
    statement = header.statement;
    rows = [];
    ordered = true;
  };
  const emit = () => {
    if (rows.length && rows[rows.length - ROW] > offset) ordered = false;
    rows.push(offset, file, line, column, Number(statement));
  };
  const advance = (by: number) => {
    offset += by * minimum;
    if (offset > OFFSET_MAX) throw new DwarfError(".debug_line: an address is out of range");
  };
  while (program.more) {
    const opcode = program.u8();
    if (opcode >= opcodeBase) {
      const adjusted = opcode - opcodeBase;
      advance(Math.floor(adjusted / lineRange));
      line += lineBase + adjusted % lineRange;
      emit();
    } else if (opcode === 0) {
      const operand = program.part(program.count());
      const extended = operand.more ? operand.u8() : 0;
      if (extended === Extended.EndSequence) {
        // Addresses that fall belong to no code that was linked.
        if (rows.length && offset > 0 && ordered) sequences.push({ start, end: start + BigInt(offset), rows: Int32Array.from(rows) });
        begin();
      } else if (extended === Extended.SetAddress) {
        const address = operand.u64();
        if (rows.length) {
          const moved = address - start;
          if (moved < 0n || moved > OFFSET_MAX) ordered = false;
          else offset = Number(moved);
        } else {
          start = address;
          offset = 0;
        }
      }
    } else {
      switch (opcode) {
        case Standard.Copy:
          emit();
          break;
        case Standard.AdvancePc:
          advance(program.count());
          break;
        case Standard.AdvanceLine:
          line += Number(program.sleb());
          break;
        case Standard.SetFile:
          file = program.count();
          break;
        case Standard.SetColumn:
          column = program.count();
          break;
        case Standard.NegateStatement:
          statement = !statement;
          break;
        case Standard.ConstantAddPc:
          advance(Math.floor((255 - opcodeBase) / lineRange));
          break;
        case Standard.FixedAdvancePc:
          offset = Math.min(OFFSET_MAX, offset + program.u16());
          break;
        default:
          for (let operands = lengths[opcode] ?? 0; operands > 0; operands--) program.uleb();
      }
    }
  }
  return sequences;
}
