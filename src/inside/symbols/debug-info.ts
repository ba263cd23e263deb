// The debug information of one ELF file: lines, functions, variables and call frames by address.
// Tables are read when they are asked for. Damaged parts are left out.

import { Attribute, Tag, UnitType } from "../../kit/formats/dwarf/constants.ts";
import { Cursor, DwarfError } from "../../kit/formats/dwarf/cursor.ts";
import { AbbreviationTables } from "../../kit/formats/dwarf/abbreviations.ts";
import { type DebugEntry, Unit, UNIT_MAX } from "../../kit/formats/dwarf/entries.ts";
import type { Value } from "../../kit/formats/dwarf/forms.ts";
import { FrameTable } from "../../kit/formats/dwarf/frames.ts";
import { type LineRange, LineTable } from "../../kit/formats/dwarf/line-table.ts";
import { type AddressRange, rangeAt, rangesOf, sortByStart } from "../../kit/formats/dwarf/lists.ts";
import { debugSections, type DwarfSections } from "../../kit/formats/dwarf/sections.ts";
import { type ElfSection, readElfSections } from "../../kit/formats/elf-sections.ts";
import { Work } from "../../kit/support/values/work.ts";

export type { LineRange };

/** Entries of all units that are kept, with their values, and line tables. */
const KEPT_MAX = UNIT_MAX, KEPT_TABLES = 256;
/** Bytes of line tables, as a multiple of their section's: those of a compiler do not overlap. */
const LINES_FACTOR = 2;
/**
 * Ranges of lists that are read for one address: those of a unit's functions, which have some
 * thousand. Many functions may name one long list.
 */
const RANGES_MAX = 1_000_000;
/** Entries that refer to each other, such as a type's `const` and `typedef`. */
const REFERENCES_MAX = 32;

/** An address in a file, as its function and the functions inlined there have it. */
interface CodeScope {
  readonly function: DebugEntry;
  /** Functions that were inlined at the address, from the outermost. */
  readonly inlined: readonly DebugEntry[];
  /** Blocks around the address within the innermost function, from the outermost. */
  readonly blocks: readonly DebugEntry[];
}

interface LineCode {
  readonly file: string;
  readonly line: number;
  /** Start of each piece of its code. */
  readonly addresses: readonly bigint[];
}

/** Entries of a unit that were read. */
interface KnownUnit {
  readonly root: DebugEntry;
  /** Entries and values. */
  readonly size: number;
  readonly byOffset: ReadonlyMap<number, DebugEntry>;
}

/** The debug information of a file. */
export class DebugInfo {
  readonly sections: DwarfSections;
  readonly #units: Unit[] = [];
  /** By start. */
  readonly #ranges: (AddressRange & { readonly unit: Unit })[] = [];
  readonly #entries = new Map<Unit, KnownUnit>();
  /** Sum of their sizes. */
  #kept = 0;
  readonly #tables = new Map<number, LineTable | undefined>();
  /** Where line tables that were read begin, and how many bytes more may have others. */
  readonly #tablesAt = new Set<number>();
  #linesLeft: number;
  #frames: FrameTable | undefined;
  readonly #defects = new Set<string>();

  constructor(sections: DwarfSections) {
    this.sections = sections;
    this.#linesLeft = LINES_FACTOR * sections.bytes(".debug_line").length;
    this.#readUnits();
  }

  /** That of an ELF file whose program is `moved` from where it was linked; undefined: none. */
  static of(file: Uint8Array, moved = 0n): DebugInfo | undefined {
    return DebugInfo.ofSections(readElfSections(file), moved);
  }

  /** The same, of its sections. */
  static ofSections(all: readonly ElfSection[], moved = 0n): DebugInfo | undefined {
    const sections = debugSections(all, moved);
    const has = ([".debug_info", ".debug_frame", ".eh_frame"] as const).some((name) => sections.bytes(name).length > 0);
    return has ? new DebugInfo(sections) : undefined;
  }

  /** Defects that were found so far. */
  get defects(): readonly string[] {
    return [...this.#defects];
  }

  /** Where a function's caller has its registers. */
  get frames(): FrameTable | undefined {
    return this.#frames ??= this.tried(() => new FrameTable(this.sections));
  }

  lineAt(address: bigint): LineRange | undefined {
    const unit = this.#unitAt(address);
    return unit && this.#lines(unit)?.at(address);
  }

  /**
   * The code of a line of a file; of the next line that has code where this one has none. Paths
   * agree where one ends with the other.
   */
  codeOf(path: string, line: number): LineCode | undefined {
    let best: { file: string; line: number; starts: Set<bigint> } | undefined;
    for (const table of this.#allLines()) {
      const wanted = new Set(table.files.filter((file) => samePath(file, path)));
      if (wanted.size === 0) continue;
      let last: LineRange | undefined;
      for (const range of table.ranges()) {
        const continues = last?.end === range.start && last.line === range.line && last.file === range.file;
        last = range;
        if (continues || !range.statement || range.line < line || !wanted.has(range.file)) continue;
        if (!best || range.line < best.line) best = { file: range.file, line: range.line, starts: new Set() };
        if (range.line === best.line) best.starts.add(range.start);
      }
    }
    return best && { file: best.file, line: best.line, addresses: this.#entrances([...best.starts]) };
  }

  /** The rows of all line tables: of a line, each piece of its code. */
  *lines(): Generator<LineRange> {
    for (const table of this.#allLines()) yield* table.ranges();
  }

  files(): string[] {
    const files = new Set<string>();
    for (const table of this.#allLines()) for (const file of table.files) if (file !== "") files.add(file);
    return [...files].sort();
  }

  /** The functions at an address. */
  scopeAt(address: bigint): CodeScope | undefined {
    const unit = this.#unitAt(address);
    if (!unit) return undefined;
    return this.tried(() => {
      const work = rangesBudget();
      const inside = (entry: DebugEntry) => rangesOf(entry, work).some(({ start, end }) => address >= start && address < end);
      const found = functionsOf(this.entriesOf(unit)).find(inside);
      if (!found) return undefined;
      const inlined: DebugEntry[] = [];
      let blocks: DebugEntry[] = [];
      for (let scope: DebugEntry | undefined = found; scope;) {
        scope = scope.children.find((one) => (one.tag === Tag.InlinedSubroutine || one.tag === Tag.LexicalBlock) && inside(one));
        if (!scope) break;
        if (scope.tag === Tag.LexicalBlock) blocks.push(scope);
        else {
          inlined.push(scope);
          blocks = [];
        }
      }
      return { function: found, inlined, blocks };
    });
  }

  /**
   * The first entry of a unit, with all others below it.
   * @throws DwarfError
   */
  entriesOf(unit: Unit): DebugEntry {
    return this.#read(unit).root;
  }

  /**
   * The entries at the top of the units: types, variables, functions.
   * @param work counts bytes of units
   */
  *declarations(work: Work): Generator<DebugEntry> {
    for (const unit of this.#units) {
      work.spend(unit.end - unit.offset);
      yield* this.tried(() => this.entriesOf(unit))?.children ?? [];
    }
  }

  /**
   * The entry that an attribute refers to.
   * @throws DwarfError
   */
  referred(entry: DebugEntry, attribute: number): DebugEntry | undefined {
    const value = entry.values.get(attribute);
    if (value?.kind !== "reference") return undefined;
    const inside = value.offset >= entry.unit.offset && value.offset < entry.unit.end;
    const unit = inside ? entry.unit : this.#unitOf(value.offset);
    return unit && this.#read(unit).byOffset.get(value.offset);
  }

  /**
   * An attribute of an entry, or of the one that it is an instance of.
   * @throws DwarfError
   */
  attribute(entry: DebugEntry, attribute: number): { readonly entry: DebugEntry; readonly value: Value | undefined } | undefined {
    for (let one: DebugEntry | undefined = entry, count = 0; one && count < REFERENCES_MAX; count++) {
      const value = one.values.get(attribute);
      if (value) return { entry: one, value };
      one = this.referred(one, Attribute.AbstractOrigin) ?? this.referred(one, Attribute.Specification);
    }
    return undefined;
  }

  /** @throws DwarfError */
  nameOf(entry: DebugEntry): string | undefined {
    const found = this.attribute(entry, Attribute.Name);
    return found && found.entry.unit.text(found.value);
  }

  /** Where an inlined function was called. */
  callOf(entry: DebugEntry): { readonly file: string; readonly line: number } | undefined {
    const { unit, values } = entry;
    const file = unit.number(values.get(Attribute.CallFile)), line = unit.number(values.get(Attribute.CallLine));
    const name = file === undefined ? undefined : this.#lines(unit)?.files[file];
    return name === undefined || line === undefined ? undefined : { file: name, line };
  }

  /** Does something with the file; undefined, with the defect noted, where it is broken there. */
  tried<T>(work: () => T): T | undefined {
    try {
      return work();
    } catch (error) {
      if (!(error instanceof DwarfError)) throw error;
      this.#defects.add(error.message);
      return undefined;
    }
  }

  #readUnits(): void {
    const abbreviations = new AbbreviationTables(this.sections);
    // Each range has two bytes at least, which no other one has.
    const bytes = ([".debug_info", ".debug_ranges", ".debug_rnglists"] as const).map((name) => this.sections.bytes(name).length);
    const work = new Work(bytes.reduce((sum, length) => sum + length), () => new DwarfError("units share their address ranges"));
    this.tried(() => {
      for (const info = new Cursor(this.sections.bytes(".debug_info"), ".debug_info"); info.more;) {
        const { at } = info;
        info.skip(info.length().size);
        const unit = this.tried(() => new Unit(this.sections, abbreviations, at));
        if (!unit || unit.type !== UnitType.Compile && unit.type !== UnitType.Partial) continue;
        this.#units.push(unit);
        this.tried(() => {
          for (const { start, end } of rangesOf(unit.root, work)) this.#ranges.push({ start, end, unit });
        });
      }
    });
    sortByStart(this.#ranges);
  }

  #unitAt(address: bigint): Unit | undefined {
    return rangeAt(this.#ranges, address)?.unit;
  }

  #lines(unit: Unit): LineTable | undefined {
    const { values } = unit.root;
    const at = this.tried(() => unit.listAt(values.get(Attribute.StatementList)));
    if (at === undefined) return undefined;
    if (this.#tables.has(at)) return this.#tables.get(at);
    const table = this.tried(() => {
      this.#count(at);
      return new LineTable(this.sections, at, unit.text(values.get(Attribute.CompilationFolder)) ?? "");
    });
    const [oldest] = this.#tables.keys();
    if (this.#tables.size >= KEPT_TABLES) this.#tables.delete(oldest);
    this.#tables.set(at, table);
    return table;
  }

  /** @throws DwarfError if the line tables so far have more bytes than their section explains */
  #count(at: number): void {
    if (this.#tablesAt.has(at)) return;
    this.#tablesAt.add(at);
    this.#linesLeft -= new Cursor(this.sections.bytes(".debug_line"), ".debug_line", at).length().size;
    if (this.#linesLeft < 0) throw new DwarfError(".debug_line: tables overlap");
  }

  /** Every line table once: units may share one. */
  *#allLines(): Generator<LineTable> {
    const seen = new Set<number>();
    for (const unit of this.#units) {
      const at = this.tried(() => unit.listAt(unit.root.values.get(Attribute.StatementList)));
      if (at === undefined || seen.has(at)) continue;
      seen.add(at);
      const table = this.#lines(unit);
      if (table) yield table;
    }
  }

  /** The unit that has an offset of .debug_info. */
  #unitOf(offset: number): Unit | undefined {
    let low = 0, high = this.#units.length;
    while (low < high) {
      const middle = low + high >> 1;
      if (this.#units[middle].offset <= offset) low = middle + 1;
      else high = middle;
    }
    const found = this.#units[low - 1];
    return found && offset < found.end ? found : undefined;
  }

  #read(unit: Unit): KnownUnit {
    const known = this.#entries.get(unit);
    if (known) return known;
    const { root, size } = unit.entries();
    const byOffset = new Map<number, DebugEntry>();
    const pending: DebugEntry[] = [];
    for (let entry: DebugEntry | undefined = root; entry; entry = pending.pop()) {
      byOffset.set(entry.offset, entry);
      for (const child of entry.children) pending.push(child);
    }
    const read = { root, size, byOffset };
    for (this.#kept += size; this.#kept > KEPT_MAX && this.#entries.size;) {
      const [[oldest, { size: freed }]] = this.#entries;
      this.#kept -= freed;
      this.#entries.delete(oldest);
    }
    this.#entries.set(unit, read);
    return read;
  }

  /** Of several starts in one function, the first: a breakpoint is wanted once. */
  #entrances(starts: readonly bigint[]): bigint[] {
    const byFunction = new Map<DebugEntry | bigint, bigint>();
    for (const start of [...starts].sort((a, b) => a < b ? -1 : a > b ? 1 : 0)) {
      const scope = this.scopeAt(start);
      const owner = scope?.inlined.at(-1) ?? scope?.function ?? start;
      if (!byFunction.has(owner)) byFunction.set(owner, start);
    }
    return [...byFunction.values()];
  }
}

/** Ranges that may be read for one question. */
export function rangesBudget(): Work {
  return new Work(RANGES_MAX, () => new DwarfError(`more than ${RANGES_MAX} ranges of functions or variables`));
}

/** The functions of a unit: they may be inside namespaces and classes. */
function functionsOf(root: DebugEntry): DebugEntry[] {
  const found: DebugEntry[] = [];
  const pending: DebugEntry[] = [];
  for (let entry: DebugEntry | undefined = root; entry; entry = pending.pop()) {
    for (const child of entry.children) {
      if (child.tag === Tag.Subprogram) found.push(child);
      else if (child.children.length && child.tag !== Tag.InlinedSubroutine && child.tag !== Tag.LexicalBlock) pending.push(child);
    }
  }
  return found;
}

/** Whether two paths name the same file: one ends with the other. */
export function samePath(one: string, other: string): boolean {
  if (one === "" || other === "") return false;
  const a = parts(one), b = parts(other), count = Math.min(a.length, b.length);
  return a.slice(-count).join("/") === b.slice(-count).join("/");
}

/** The parts of a path, without `.` and `..`. */
function parts(path: string): string[] {
  const parts: string[] = [];
  for (const part of path.split(/[\\/]/)) {
    if (part === ".." && parts.length > 0 && parts.at(-1) !== "..") parts.pop();
    else if (part !== "." && part !== "") parts.push(part);
  }
  return parts;
}
