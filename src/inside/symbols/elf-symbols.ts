// Symbols of ELF64 files for AArch64, read and written (ELF-64 Object File Format 1.5, sections 3
// and 4).

import { DEBUG_SECTIONS, isDebugSection } from "../../kit/formats/dwarf/sections.ts";
import { EM_AARCH64, ET_EXEC, isElf } from "../../kit/formats/elf.ts";
import { type ElfSection, readElfSections, StringTable } from "../../kit/formats/elf-sections.ts";
import { MiB } from "../../kit/support/values/sizes.ts";
import { type GuestSymbol, isCode } from "./symbol-table.ts";
import { joined } from "../../kit/support/values/bytes.ts";
import { UserError } from "../../kit/support/problem.ts";

const HEADER_SIZE = 64, SECTION_SIZE = 64;
/** Bytes of an entry of a symbol table. */
export const SYMBOL_SIZE = 24;
export const SectionType = { SymbolTable: 2, Strings: 3, NoBits: 8, DynamicSymbols: 11 } as const;
export const SectionFlags = { Write: 1, Alloc: 2, Execute: 4 } as const;
/** Numbers from `Reserved` on are not of sections. */
export const SectionIndex = { Undefined: 0, Reserved: 0xff00, Absolute: 0xfff1 } as const;
export const SymbolType = { NoType: 0, Object: 1, Function: 2 } as const;
const Binding = { Local: 0, Global: 1, Weak: 2 } as const;
/** `e_type`, and that of an object file. */
const E_TYPE = 16, ET_REL = 1;
/** The structure that makes an object a module of a kernel. */
const THIS_MODULE = ".gnu.linkonce.this_module";
/** Files of symbols that a session takes, and bytes of them. */
export const SYMBOL_FILES = 1024, SYMBOL_BYTES = 512 * MiB;
/** Bytes of debug information that are kept: it is sent to the machine, and saved with it. */
const DEBUG_MAX = 192 * MiB;
const PROGRAM_BITS = 1;
/** How far a written section reaches after its last symbol, whose size is unknown. */
const LAST_SIZE = 4096n;
/** Areas of code or data of a written file: numbers of sections from 0xff00 on are reserved. */
const AREAS_MAX = 0xfe00;

/** An entry of a symbol table. */
export interface ElfSymbol {
  /** Where its name is in the string table. */
  readonly nameAt: number;
  readonly binding: number;
  readonly type: number;
  /** Number of its section, or one of `SectionIndex`. */
  readonly section: number;
  readonly value: bigint;
  readonly size: bigint;
}

/** The entries of a symbol table, in its order. */
export function* elfSymbols(table: Uint8Array): Generator<ElfSymbol> {
  const view = new DataView(table.buffer, table.byteOffset, table.length);
  for (let at = 0; at + SYMBOL_SIZE <= table.length; at += SYMBOL_SIZE) {
    yield {
      nameAt: view.getUint32(at, true),
      binding: table[at + 4] >> 4,
      type: table[at + 4] & 0xf,
      section: view.getUint16(at + 6, true),
      value: view.getBigUint64(at + 8, true),
      size: view.getBigUint64(at + 16, true),
    };
  }
}

const isObject = (file: Uint8Array) => new DataView(file.buffer, file.byteOffset).getUint16(E_TYPE, true) === ET_REL;

/** Whether a file is the object of a kernel's module. */
export function isModuleFile(file: Uint8Array): boolean {
  return isElf(file) && isObject(file) && readElfSections(file).some(({ name }) => name === THIS_MODULE);
}

/**
 * The symbols of code and data of an executable or object. Objects and functions with a size come
 * before labels, as the first symbol at an address gives it its name.
 * @throws Error that names the defect of the file, or that it has no symbols.
 */
export function readElfSymbols(bytes: Uint8Array): GuestSymbol[] {
  const sections = readElfSections(bytes);
  const table = sections.find(({ type }) => type === SectionType.SymbolTable) ??
    sections.find(({ type }) => type === SectionType.DynamicSymbols);
  if (!table) throw new UserError("ELF file has no symbols", "it was stripped");
  const strings = sections[table.link];
  if (strings?.type !== SectionType.Strings) throw new Error("ELF symbol table names no string table");
  const names = new StringTable(strings.bytes);
  const sized: GuestSymbol[] = [], labels: GuestSymbol[] = [];
  for (const { nameAt, binding, type, section, value, size } of elfSymbols(table.bytes)) {
    if (type > SymbolType.Function || section === SectionIndex.Undefined) continue;
    const letter = letterOf(binding, section === SectionIndex.Absolute ? undefined : sections[section]);
    const isSized = type !== SymbolType.NoType && size > 0n;
    (isSized ? sized : labels).push({ name: names.at(nameAt), address: value, type: letter });
  }
  return [...sized, ...labels];
}

/**
 * An ELF file with only the symbols and the debug information of another; the object of a kernel's
 * module is as it was.
 * @throws Error that names the defect of the file, or that it has no symbols
 */
export function symbolsAlone(file: Uint8Array): Uint8Array<ArrayBuffer> {
  // Where a module is loaded is known only then.
  if (isModuleFile(file)) return file.slice();
  return writeElfSymbols(readElfSymbols(file), debugPart(file));
}

/** The same; undefined if the input is not ELF or has no symbols. */
export function compactSymbols(file: Uint8Array): Uint8Array<ArrayBuffer> | undefined {
  if (!isElf(file)) return undefined;
  try {
    return symbolsAlone(file);
  } catch {
    // An image runs without symbols as well; a file named for its symbols is checked elsewhere.
    return undefined;
  }
}

/** The sections of debug information, in the order of their use, up to the limit on their sum. */
function debugPart(file: Uint8Array): ElfSection[] {
  // Addresses of an object file are not those of the guest.
  if (isObject(file)) return [];
  const order = (name: string) => (DEBUG_SECTIONS as readonly string[]).indexOf(name);
  const byName = new Map(readElfSections(file).filter(isDebugSection).map((section) => [section.name, section]));
  const sections = [...byName.values()].sort((a, b) => order(a.name) - order(b.name));
  let left = DEBUG_MAX;
  return sections.filter(({ bytes }) => bytes.length <= left && (left -= bytes.length, true));
}

/** The letter of nm(1) for a symbol of a section; undefined: of an absolute one. */
export function letterOf(binding: number, section: ElfSection | undefined): string {
  if (binding === Binding.Weak) return "W";
  const flags = Number(section?.flags ?? 0n);
  const upper = !section
    ? "A"
    : flags & SectionFlags.Execute
    ? "T"
    : section.type === SectionType.NoBits
    ? "B"
    : flags & SectionFlags.Write
    ? "D"
    : "R";
  return binding === Binding.Local ? upper.toLowerCase() : upper;
}

/** An address range with only code, or only data. */
interface Area {
  readonly code: boolean;
  readonly start: bigint;
  end: bigint;
}

/** Number of the area that has an address, of areas in the order of their start; -1: none. */
function areaOf(areas: readonly Area[], address: bigint): number {
  let low = 0, high = areas.length;
  while (low < high) {
    const middle = low + high >> 1;
    if (areas[middle].start <= address) low = middle + 1;
    else high = middle;
  }
  return low > 0 && address < areas[low - 1].end ? low - 1 : -1;
}

/**
 * An ELF file with these symbols, and of contents at most debug information, for debuggers that
 * read code and data from the guest. Data symbols are read back as `B` or `b`.
 * @throws Error if code and data take turns more often than a file has sections
 */
export function writeElfSymbols(symbols: readonly GuestSymbol[], debug: readonly ElfSection[] = []): Uint8Array<ArrayBuffer> {
  const sorted = [...symbols].sort((a, b) => Number(a.address > b.address) - Number(a.address < b.address));
  const areas: Area[] = [];
  const strings = new Strings(), entries: Uint8Array[] = [];
  // Local symbols come first, and the table says where they end.
  let locals = 1;
  const entry = ({ name, address, type }: GuestSymbol, binding: number) => {
    const bytes = new Uint8Array(SYMBOL_SIZE), view = new DataView(bytes.buffer);
    const code = isCode(type);
    view.setUint32(0, strings.add(name), true);
    bytes[4] = binding << 4 | (code ? SymbolType.Function : SymbolType.Object);
    view.setUint16(6, type.toUpperCase() === "A" ? SectionIndex.Absolute : areaOf(areas, address) + 1, true);
    view.setBigUint64(8, address, true);
    entries.push(bytes);
  };
  for (const { address, type } of sorted) {
    if (type.toUpperCase() === "A") continue;
    const code = isCode(type), last = areas.at(-1);
    if (last?.code === code) last.end = address + LAST_SIZE;
    else {
      if (last && last.end > address) last.end = address;
      // Two symbols of different kinds at one address: the first names the area.
      if (last && last.end <= last.start) last.end = address + LAST_SIZE;
      else areas.push({ code, start: address, end: address + LAST_SIZE });
    }
  }
  if (areas.length > AREAS_MAX) throw new Error(`the symbols are in turn of code and of data, more than ${AREAS_MAX} times`);
  entries.push(new Uint8Array(SYMBOL_SIZE));
  for (const symbol of sorted) if (isLocal(symbol.type)) entry(symbol, Binding.Local);
  locals = entries.length;
  for (const symbol of sorted) if (!isLocal(symbol.type)) entry(symbol, symbol.type === "W" ? Binding.Weak : Binding.Global);
  return layOut(areas, entries, locals, strings, debug);
}

const isLocal = (type: string) => type !== type.toUpperCase();

class Strings {
  readonly #parts: Uint8Array[] = [Uint8Array.of(0)];
  #length = 1;

  /** Where the text begins. */
  add(text: string): number {
    const at = this.#length, bytes = new TextEncoder().encode(`${text}\0`);
    this.#parts.push(bytes);
    this.#length += bytes.length;
    return at;
  }

  get bytes(): Uint8Array {
    return joined(this.#parts);
  }
}

/** Header, symbols, strings, debug information, names of sections, section headers. */
function layOut(
  areas: readonly Area[],
  entries: readonly Uint8Array[],
  locals: number,
  strings: Strings,
  debug: readonly ElfSection[],
): Uint8Array<ArrayBuffer> {
  const symbols = joined(entries), texts = strings.bytes, names = new Strings();
  const headers: Uint8Array[] = [new Uint8Array(SECTION_SIZE)];
  const header = (
    name: string,
    type: number,
    fields: Partial<Record<"flags" | "address" | "offset" | "size" | "entry", bigint>>,
    link = 0,
    info = 0,
  ) => {
    const view = new DataView(new ArrayBuffer(SECTION_SIZE));
    view.setUint32(0, names.add(name), true);
    view.setUint32(4, type, true);
    view.setBigUint64(8, fields.flags ?? 0n, true);
    view.setBigUint64(16, fields.address ?? 0n, true);
    view.setBigUint64(24, fields.offset ?? 0n, true);
    view.setBigUint64(32, fields.size ?? 0n, true);
    view.setUint32(40, link, true);
    view.setUint32(44, info, true);
    view.setBigUint64(48, 1n, true);
    view.setBigUint64(56, fields.entry ?? 0n, true);
    headers.push(new Uint8Array(view.buffer));
  };
  areas.forEach(({ code, start, end }, index) => {
    const flags = BigInt(SectionFlags.Alloc | (code ? SectionFlags.Execute : SectionFlags.Write));
    header(`${code ? ".text" : ".data"}.${index}`, SectionType.NoBits, { flags, address: start, size: end - start });
  });
  const symbolsAt = HEADER_SIZE, textsAt = symbolsAt + symbols.length, debugAt = textsAt + texts.length;
  const namesAt = debugAt + debug.reduce((sum, { bytes }) => sum + bytes.length, 0);
  const size = (bytes: Uint8Array) => BigInt(bytes.length);
  const first = headers.length;
  header(
    ".symtab",
    SectionType.SymbolTable,
    { offset: BigInt(symbolsAt), size: size(symbols), entry: BigInt(SYMBOL_SIZE) },
    first + 1,
    locals,
  );
  header(".strtab", SectionType.Strings, { offset: BigInt(textsAt), size: size(texts) });
  let at = debugAt;
  for (const { name, address, bytes } of debug) {
    header(name, PROGRAM_BITS, { address, offset: BigInt(at), size: size(bytes) });
    at += bytes.length;
  }
  const lastName = ".shstrtab";
  const namesSize = names.bytes.length + lastName.length + 1;
  header(lastName, SectionType.Strings, { offset: BigInt(namesAt), size: BigInt(namesSize) });
  return joined([
    fileHeader(namesAt + namesSize, headers.length),
    symbols,
    texts,
    ...debug.map(({ bytes }) => bytes),
    names.bytes,
    ...headers,
  ]);
}

function fileHeader(sections: number, count: number): Uint8Array {
  const bytes = new Uint8Array(HEADER_SIZE), view = new DataView(bytes.buffer);
  bytes.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  view.setUint16(16, ET_EXEC, true);
  view.setUint16(18, EM_AARCH64, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(40, BigInt(sections), true);
  view.setUint16(52, HEADER_SIZE, true);
  view.setUint16(58, SECTION_SIZE, true);
  view.setUint16(60, count, true);
  view.setUint16(62, count - 1, true);
  return bytes;
}
