// The debug information of one ELF file: lines, functions, variables and call frames by address.
// Tables are read when they are asked for. Damaged parts are left out.

import { Attribute, Tag, UnitType } from "../formats/dwarf/constants.ts";
import { Cursor, DwarfError } from "../formats/dwarf/cursor.ts";
import { AbbreviationTables, type Entry, Unit } from "../formats/dwarf/entries.ts";
import { FrameTable } from "../formats/dwarf/frames.ts";
import { type LineRange, LineTable } from "../formats/dwarf/line-table.ts";
import { type AddressRange, rangeAt, rangesOf, sortByStart } from "../formats/dwarf/lists.ts";
import { debugSections, type DwarfSections } from "../formats/dwarf/sections.ts";
import { readElfSections } from "../formats/elf-sections.ts";

export type { LineRange };

/** Ranges of all units: more are not the work of a compiler. */
const RANGES_MAX = 4_000_000;
/** Units whose entries are kept, and line tables. */
const KEPT_UNITS = 16, KEPT_TABLES = 256;
/** Entries that refer to each other, such as a type's `const` and `typedef`. */
const REFERENCES_MAX = 32;

/** An address in a file, as its function and the functions inlined there have it. */
export interface CodeScope {
  readonly function: Entry;
  /** Functions that were inlined at the address, from the outermost. */
  readonly inlined: readonly Entry[];
  /** Blocks around the address within the innermost function, from the outermost. */
  readonly blocks: readonly Entry[];
}

/** Code of a line. */
export interface LineCode {
  readonly file: string;
  readonly line: number;
  /** Start of each piece of its code. */
  readonly addresses: readonly bigint[];
}

/** The debug information of a file. */
export class DebugInfo {
  readonly sections: DwarfSections;
  readonly #units: Unit[] = [];
  /** By start. */
  readonly #ranges: (AddressRange & { readonly unit: Unit })[] = [];
  readonly #entries = new Map<Unit, { readonly root: Entry; readonly byOffset: ReadonlyMap<number, Entry> }>();
  readonly #tables = new Map<number, LineTable | undefined>();
  #frames: FrameTable | undefined;
  readonly #defects = new Set<string>();

  constructor(sections: DwarfSections) {
    this.sections = sections;
    this.#readUnits();
  }

  /** That of an ELF file; undefined if it has none. */
  static of(file: Uint8Array): DebugInfo | undefined {
    const sections = debugSections(readElfSections(file));
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

  /** The line of an address. */
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
    for (const unit of this.#units) {
      const table = this.#lines(unit), wanted = new Set(table?.files.filter((file) => samePath(file, path)));
      if (!table || wanted.size === 0) continue;
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

  /** Every source file. */
  files(): string[] {
    const files = new Set<string>();
    for (const unit of this.#units) for (const file of this.#lines(unit)?.files ?? []) if (file !== "") files.add(file);
    return [...files].sort();
  }

  /** The functions at an address. */
  scopeAt(address: bigint): CodeScope | undefined {
    const unit = this.#unitAt(address);
    if (!unit) return undefined;
    return this.tried(() => {
      const inside = (entry: Entry) => rangesOf(entry).some(({ start, end }) => address >= start && address < end);
      const found = functionsOf(this.entriesOf(unit)).find(inside);
      if (!found) return undefined;
      const inlined: Entry[] = [];
      let blocks: Entry[] = [];
      for (let scope: Entry | undefined = found; scope;) {
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
  entriesOf(unit: Unit): Entry {
    return this.#read(unit).root;
  }

  /**
   * The entry that an attribute refers to.
   * @throws DwarfError
   */
  referred(entry: Entry, attribute: number): Entry | undefined {
    const value = entry.values.get(attribute);
    if (value?.kind !== "reference") return undefined;
    const inside = value.offset >= entry.unit.offset && value.offset < entry.unit.end;
    const unit = inside ? entry.unit : this.#units.find(({ offset, end }) => value.offset >= offset && value.offset < end);
    return unit && this.#read(unit).byOffset.get(value.offset);
  }

  /**
   * An attribute of an entry, or of the one that it is an instance of.
   * @throws DwarfError
   */
  attribute(entry: Entry, attribute: number): { readonly entry: Entry; readonly value: ReturnType<Entry["values"]["get"]> } | undefined {
    for (let one: Entry | undefined = entry, count = 0; one && count < REFERENCES_MAX; count++) {
      const value = one.values.get(attribute);
      if (value) return { entry: one, value };
      one = this.referred(one, Attribute.AbstractOrigin) ?? this.referred(one, Attribute.Specification);
    }
    return undefined;
  }

  /** @throws DwarfError */
  nameOf(entry: Entry): string | undefined {
    const found = this.attribute(entry, Attribute.Name);
    return found && found.entry.unit.text(found.value);
  }

  /** Where an inlined function was called. */
  callOf(entry: Entry): { readonly file: string; readonly line: number } | undefined {
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
    this.tried(() => {
      for (const info = new Cursor(this.sections.bytes(".debug_info"), ".debug_info"); info.more;) {
        const { at } = info;
        info.skip(info.length().size);
        const unit = this.tried(() => new Unit(this.sections, abbreviations, at));
        if (!unit || unit.type !== UnitType.Compile && unit.type !== UnitType.Partial) continue;
        this.#units.push(unit);
        for (const range of this.tried(() => rangesOf(unit.root)) ?? []) this.#ranges.push({ ...range, unit });
        if (this.#ranges.length > RANGES_MAX) throw new DwarfError(`more than ${RANGES_MAX} address ranges of units`);
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
    const table = this.tried(() => new LineTable(this.sections, at, unit.text(values.get(Attribute.CompilationFolder)) ?? ""));
    keep(this.#tables, KEPT_TABLES, at, table);
    return table;
  }

  #read(unit: Unit) {
    const known = this.#entries.get(unit);
    if (known) return known;
    const root = unit.entries();
    const byOffset = new Map<number, Entry>();
    for (const pending = [root]; pending.length;) {
      const entry = pending.pop()!;
      byOffset.set(entry.offset, entry);
      for (const child of entry.children) pending.push(child);
    }
    const read = { root, byOffset };
    keep(this.#entries, KEPT_UNITS, unit, read);
    return read;
  }

  /** Of several starts in one function, the first: a breakpoint is wanted once. */
  #entrances(starts: readonly bigint[]): bigint[] {
    const byFunction = new Map<Entry | bigint, bigint>();
    for (const start of [...starts].sort((a, b) => a < b ? -1 : a > b ? 1 : 0)) {
      const scope = this.scopeAt(start);
      const owner = scope?.inlined.at(-1) ?? scope?.function ?? start;
      if (!byFunction.has(owner)) byFunction.set(owner, start);
    }
    return [...byFunction.values()];
  }
}

/** Keeps a value, and forgets the oldest where there are too many. */
function keep<K, V>(map: Map<K, V>, most: number, key: K, value: V): void {
  if (map.size >= most) map.delete(map.keys().next().value!);
  map.set(key, value);
}

/** The functions of a unit: they may be inside namespaces and classes. */
function functionsOf(root: Entry): Entry[] {
  const found: Entry[] = [];
  for (const pending = [root]; pending.length;) {
    for (const child of pending.pop()!.children) {
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
