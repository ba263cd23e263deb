// The line tables of .debug_line: which source line the instruction at an address belongs to (DWARF
// 5, section 6.2; versions 2 to 5).

import { Form } from "./constants.ts";
import { Cursor, DwarfError } from "./cursor.ts";
import { type AddressRange, rangeAt, sortByStart } from "./lists.ts";
import type { DebugSection, DwarfSections } from "./sections.ts";
import { MiB } from "../../support/values/sizes.ts";
import { Work } from "../../support/values/work.ts";

/** A source line. Lines and columns count from 1; 0 is none. */
interface SourceLine {
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
  ConstantAddPc: 8,
  FixedAdvancePc: 9,
} as const;
const Extended = { EndSequence: 1, SetAddress: 2 } as const;
/** Fields of one entry of a file table: the standard has five. */
const FIELDS_MAX = 16;
/** Characters of all paths, with their folders: a least, and a multiple of the table's bytes. */
const PATHS_LEAST = MiB, PATHS_FACTOR = 64;
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
    if (version < 2 || version > 5) throw new DwarfError(`.debug_line has version ${version}`, "2 to 5 can be read");
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
      lengths: [0],
    };
    if (header.lineRange === 0) throw new DwarfError(".debug_line has a line range of 0");
    header.lengths.push(...Array.from({ length: Math.max(0, header.opcodeBase - 1) }, () => unit.u8()));
    const most = PATHS_LEAST + PATHS_FACTOR * size;
    const paths = new Work(most, () => new DwarfError(`.debug_line: paths of more than ${most} characters`));
    this.files = version >= 5 ? filesOf5(sections, unit, wide, folder, paths) : filesOf2(unit, folder, paths);
    this.sequences = sortByStart(new LineProgram(program, header, sections.moved).run());
  }

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
  /** Operands of the standard opcodes. */
  readonly lengths: number[];
}

/** @param paths counts their characters: many files may name one long folder */
function joined(folder: string, name: string, paths: Work): string {
  const path = name.startsWith("/") || folder === "" ? name : `${folder}/${name}`;
  paths.spend(path.length);
  return path;
}

/** Paths by number, which begin at 1. */
function filesOf2(unit: Cursor, folder: string, paths: Work): string[] {
  const folders = [folder];
  for (let name = unit.text(); name !== ""; name = unit.text()) folders.push(joined(folder, name, paths));
  const files = [""];
  for (let name = unit.text(); name !== ""; name = unit.text()) {
    files.push(joined(folders[unit.count()] ?? "", name, paths));
    unit.uleb();
    unit.uleb();
  }
  return files;
}

/** Paths by number, which begin at 0. */
function filesOf5(sections: DwarfSections, unit: Cursor, wide: boolean, folder: string, paths: Work): string[] {
  const folders = entriesOf5(sections, unit, wide, paths).map(({ path }) => joined(folder, path, paths));
  return entriesOf5(sections, unit, wide, paths).map((entry) => joined(folders[entry.folder] ?? "", entry.path, paths));
}

function entriesOf5(sections: DwarfSections, unit: Cursor, wide: boolean, paths: Work): { path: string; folder: number }[] {
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
      if (typeof value === "string") paths.spend(value.length);
      if (content === Content.Path && typeof value === "string") entry.path = value;
      else if (content === Content.Folder && typeof value === "number") entry.folder = value;
    }
    // An entry without bytes could be counted without end.
    if (unit.at === at) throw new DwarfError(".debug_line: file entries without contents");
    entries.push(entry);
  }
  return entries;
}

type LineField = string | number | undefined;

/** A field of a file entry by its form. */
const FIELDS: Readonly<Record<number, (unit: Cursor, sections: DwarfSections, wide: boolean) => LineField>> = {
  [Form.String]: (unit) => unit.text(),
  [Form.LineString]: (unit, sections, wide) => textAt(sections, ".debug_line_str", unit.offset(wide)),
  [Form.StringPointer]: (unit, sections, wide) => textAt(sections, ".debug_str", unit.offset(wide)),
  [Form.Unsigned]: (unit) => unit.count(),
  [Form.Data1]: (unit) => unit.u8(),
  [Form.Data2]: (unit) => unit.u16(),
  [Form.Data4]: (unit) => unit.u32(),
  [Form.Data8]: (unit) => skipped(unit, 8),
  [Form.Data16]: (unit) => skipped(unit, 16),
  [Form.Block]: (unit) => skipped(unit, unit.count()),
};

function textAt(sections: DwarfSections, name: DebugSection, at: number): string {
  return new Cursor(sections.bytes(name), name, at).text();
}

function skipped(unit: Cursor, size: number): undefined {
  unit.skip(size);
}

function fieldOf(sections: DwarfSections, unit: Cursor, form: number, wide: boolean): LineField {
  const read = FIELDS[form];
  if (!read) throw new DwarfError(`.debug_line: form 0x${form.toString(16)} in a file entry`);
  return read(unit, sections, wide);
}

/** A line number program while it is executed, with the registers of section 6.2.2. */
class LineProgram {
  readonly sequences: Sequence[] = [];
  #start = 0n;
  #offset = 0;
  #rows: number[] = [];
  /** Whether addresses have not fallen so far. */
  #ordered = true;
  file = 1;
  line = 1;
  column = 0;
  statement: boolean;

  /** @param moved how far the program is from where it was linked */
  constructor(readonly cursor: Cursor, readonly header: Header, readonly moved: bigint) {
    this.statement = header.statement;
  }

  run(): Sequence[] {
    const { cursor, header: { opcodeBase, lineBase, lineRange, lengths } } = this;
    while (cursor.more) {
      const opcode = cursor.u8();
      if (opcode >= opcodeBase) {
        const adjusted = opcode - opcodeBase;
        this.advance(Math.floor(adjusted / lineRange));
        this.line += lineBase + adjusted % lineRange;
        this.emit();
      } else if (opcode === 0) {
        const operand = cursor.part(cursor.count());
        if (operand.more) EXTENDED[operand.u8()]?.(this, operand);
      } else if (STANDARD[opcode]) STANDARD[opcode](this);
      else for (let operands = lengths[opcode] ?? 0; operands > 0; operands--) cursor.uleb();
    }
    return this.sequences;
  }

  emit(): void {
    const rows = this.#rows;
    if (rows.length && rows[rows.length - ROW] > this.#offset) this.#ordered = false;
    rows.push(this.#offset, this.file, this.line, this.column, Number(this.statement));
  }

  /** Moves on by instructions. */
  advance(by: number): void {
    this.#offset += by * this.header.minimum;
    if (this.#offset > OFFSET_MAX) throw new DwarfError(".debug_line: an address is out of range");
  }

  /** Moves on by bytes. */
  advanceBytes(by: number): void {
    this.#offset = Math.min(OFFSET_MAX, this.#offset + by);
  }

  /** @param linked as the file has it */
  setAddress(linked: bigint): void {
    const address = linked + this.moved;
    if (!this.#rows.length) {
      this.#start = address;
      this.#offset = 0;
      return;
    }
    const offset = address - this.#start;
    if (offset < 0n || offset > OFFSET_MAX) this.#ordered = false;
    else this.#offset = Number(offset);
  }

  endSequence(): void {
    // Addresses that fall belong to no code that was linked.
    if (this.#rows.length && this.#offset > 0 && this.#ordered) {
      const end = this.#start + BigInt(this.#offset);
      this.sequences.push({ start: this.#start, end, rows: Int32Array.from(this.#rows) });
    }
    this.#start = 0n;
    this.#offset = this.column = 0;
    this.file = this.line = 1;
    this.statement = this.header.statement;
    this.#rows = [];
    this.#ordered = true;
  }
}

const STANDARD: Readonly<Record<number, (program: LineProgram) => void>> = {
  [Standard.Copy]: (program) => program.emit(),
  [Standard.AdvancePc]: (program) => program.advance(program.cursor.count()),
  [Standard.AdvanceLine]: (program) => {
    program.line += Number(program.cursor.sleb());
  },
  [Standard.SetFile]: (program) => {
    program.file = program.cursor.count();
  },
  [Standard.SetColumn]: (program) => {
    program.column = program.cursor.count();
  },
  [Standard.NegateStatement]: (program) => {
    program.statement = !program.statement;
  },
  [Standard.ConstantAddPc]: (program) => {
    const { opcodeBase, lineRange } = program.header;
    program.advance(Math.floor((255 - opcodeBase) / lineRange));
  },
  [Standard.FixedAdvancePc]: (program) => program.advanceBytes(program.cursor.u16()),
};

const EXTENDED: Readonly<Record<number, (program: LineProgram, operand: Cursor) => void>> = {
  [Extended.EndSequence]: (program) => program.endSequence(),
  [Extended.SetAddress]: (program, operand) => program.setAddress(operand.u64()),
};
