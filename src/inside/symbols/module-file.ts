// The object file of a kernel's module (`drv.ko`, `drv.ko.debug`) for one that is loaded. Its
// sections are where the kernel has put them, which follows from the symbols that both have. Its
// debug information is relocated to there (ELF for the Arm 64-bit Architecture, section 5.7). A
// file is used only for a module with the same build id.

import { DEBUG_SECTIONS } from "../../kit/formats/dwarf/sections.ts";
import { type ElfSection, readElfSections, StringTable } from "../../kit/formats/elf-sections.ts";
import { UserError } from "../../kit/support/problem.ts";
import { MiB } from "../../kit/support/values/sizes.ts";
import { DebugInfo } from "./debug-info.ts";
import { type ElfSymbol, elfSymbols, letterOf, SectionFlags, SectionIndex, SectionType, SymbolType } from "./elf-symbols.ts";
import { type GuestSymbol, type ModuleBounds, partAt, SymbolTable } from "./symbol-table.ts";

/** A module that a kernel has loaded. */
export interface LoadedSymbols {
  readonly table: SymbolTable;
  /** In its memory, in hexadecimal; undefined without one. */
  readonly buildId: string | undefined;
  /** Addresses of its sections by their names, once the kernel has them in /sys/module. */
  readonly sections: ReadonlyMap<string, bigint>;
}

/** A file where the module is. */
export interface PlacedModule {
  readonly table: SymbolTable;
  readonly info: DebugInfo | undefined;
}

/** Bytes of a file: it is sent to the machine, and saved with it. */
const FILE_MAX = 192 * MiB;
const RELOCATION_SIZE = 24;
/** Relocations of debug information. */
const Relocation = { Abs64: 257, Abs32: 258, Prel64: 260, Prel32: 261 } as const;
/** The sections that name a module. */
const MODULE_INFO = ".modinfo", BUILD_ID = ".note.gnu.build-id";
/** Header of that note, with the owner "GNU". */
const NOTE_HEADER = 16;
/**
 * Sections that are not loaded, such as those of an initialization that is over, are at addresses
 * that no CPU has: of 52 bits and more, without the sign of a kernel's.
 */
const NOWHERE = 0x00f0_0000_0000_0000n, NOWHERE_BITS = 32n;

/** Whether an address is in a section that is not loaded. */
export const isNowhere = (address: bigint): boolean => address >= NOWHERE && address < NOWHERE << 1n;

interface FileSymbol extends ElfSymbol {
  readonly name: string;
}

export class ModuleFile {
  readonly #sections: readonly ElfSection[];
  readonly #symbols: readonly FileSymbol[];
  /** The module's name; undefined in a file with debug information alone. */
  readonly name: string | undefined;
  readonly buildId: string | undefined;
  readonly #placed = new WeakMap<LoadedSymbols, PlacedModule>();
  #unplaced: PlacedModule | undefined;

  /** @throws Error that names the defect of the file */
  constructor(file: Uint8Array, readonly source: string) {
    if (file.length > FILE_MAX) {
      throw new UserError(`a module's file has more than ${FILE_MAX / MiB} MiB`, "strip what is not debug information");
    }
    this.#sections = readElfSections(file);
    this.#symbols = symbolsOf(this.#sections);
    const texts = new TextDecoder().decode(this.#section(MODULE_INFO)?.bytes).split("\0");
    this.name = texts.find((text) => text.startsWith("name="))?.slice("name=".length);
    const note = this.#section(BUILD_ID)?.bytes;
    this.buildId = note && note.length > NOTE_HEADER ? note.subarray(NOTE_HEADER).toHex() : undefined;
  }

  #section(name: string): ElfSection | undefined {
    return this.#sections.find((section) => section.name === name && section.type !== SectionType.NoBits);
  }

  /** Whether it is of a module, whatever its build. */
  isOf({ table, buildId }: LoadedSymbols): boolean {
    return this.name === undefined ? buildId !== undefined && buildId === this.buildId : table.module?.name === this.name;
  }

  /** Whether it is of the same build. */
  fits(loaded: LoadedSymbols): boolean {
    return this.isOf(loaded) && loaded.buildId === this.buildId && this.buildId !== undefined;
  }

  /** The file for a module that it fits. */
  at(loaded: LoadedSymbols): PlacedModule {
    let placed = this.#placed.get(loaded);
    if (!placed) this.#placed.set(loaded, placed = this.#place(this.#bases(loaded), loaded.table.module));
    return placed;
  }

  /** The file while its module is not loaded: no address is one of the guest's. */
  get unplaced(): PlacedModule {
    return this.#unplaced ??= this.#place(new Map(), undefined);
  }

  /** Addresses of sections, by number: most of the symbols that both have agree on them. */
  #bases({ table, sections }: LoadedSymbols): Map<number, bigint> {
    const loaded = new Map<string, bigint | undefined>(), votes = new Map<number, Map<bigint, number>>();
    for (const { name, address } of table.symbols) loaded.set(name, loaded.has(name) ? undefined : address);
    for (const { name, section, value } of this.#symbols) {
      const address = loaded.get(name);
      if (address === undefined || !this.#isLoaded(section)) continue;
      const base = address - value, of = votes.get(section) ?? new Map<bigint, number>();
      votes.set(section, of.set(base, (of.get(base) ?? 0) + 1));
    }
    const bases = new Map<number, bigint>();
    for (const [section, of] of votes) bases.set(section, [...of].reduce((best, one) => one[1] > best[1] ? one : best)[0]);
    for (const [index, { name }] of this.#sections.entries()) {
      const address = sections.get(name);
      if (address === undefined || !this.#isLoaded(index) || bases.has(index)) continue;
      // The kernel still lists sections of an initialization that is over: others may be there now.
      if (table.module && partAt(table.module.parts, address)) bases.set(index, address);
    }
    return bases;
  }

  #isLoaded(section: number): boolean {
    return (Number(this.#sections[section]?.flags ?? 0n) & SectionFlags.Alloc) !== 0;
  }

  #place(bases: ReadonlyMap<number, bigint>, module: ModuleBounds | undefined): PlacedModule {
    const baseOf = (section: number) => {
      if (!this.#isLoaded(section)) return 0n;
      return bases.get(section) ?? NOWHERE + (BigInt(section) << NOWHERE_BITS);
    };
    const sized: GuestSymbol[] = [], labels: GuestSymbol[] = [];
    for (const symbol of this.#symbols) {
      const { section, binding, name, value, size } = symbol;
      if (name === "" || !this.#isLoaded(section) || symbol.type > SymbolType.Function || module && !bases.has(section)) continue;
      const type = letterOf(binding, this.#sections[section]);
      (size > 0n ? sized : labels).push({ name, address: baseOf(section) + value, type, ...module && { module: module.name } });
    }
    return {
      table: new SymbolTable([...sized, ...labels], this.source, module),
      info: DebugInfo.ofSections(this.#relocated(baseOf)),
    };
  }

  /** The sections of debug information with the addresses of the symbols that they name. */
  #relocated(baseOf: (section: number) => bigint): ElfSection[] {
    const all = new Map(this.#sections.map((section) => [section.name, section]));
    return DEBUG_SECTIONS.flatMap((name) => {
      const section = all.get(name), relocations = all.get(`.rela${name}`);
      if (!section) return [];
      return [relocations ? { ...section, bytes: this.#relocate(section.bytes, relocations.bytes, baseOf) } : section];
    });
  }

  #relocate(bytes: Uint8Array, relocations: Uint8Array, baseOf: (section: number) => bigint): Uint8Array {
    const done = bytes.slice(), view = new DataView(done.buffer);
    const entries = new DataView(relocations.buffer, relocations.byteOffset, relocations.length);
    for (let at = 0; at + RELOCATION_SIZE <= entries.byteLength; at += RELOCATION_SIZE) {
      const offset = Number(entries.getBigUint64(at, true)), type = entries.getUint32(at + 8, true);
      const symbol = this.#symbols[entries.getUint32(at + 12, true)];
      const value = (symbol ? baseOf(symbol.section) + symbol.value : 0n) + entries.getBigInt64(at + 16, true);
      const size = type === Relocation.Abs64 || type === Relocation.Prel64 ? 8 : 4;
      if (offset + size > view.byteLength) continue;
      if (type === Relocation.Abs64) view.setBigUint64(offset, BigInt.asUintN(64, value), true);
      else if (type === Relocation.Abs32) view.setUint32(offset, Number(BigInt.asUintN(32, value)), true);
    }
    return done;
  }
}

/** The symbols of a file by number, as relocations have them. @throws Error: the defect */
function symbolsOf(sections: readonly ElfSection[]): FileSymbol[] {
  const table = sections.find(({ type }) => type === SectionType.SymbolTable), strings = table && sections[table.link];
  if (!table || !strings) throw new UserError("the module's file has no symbols", "it was stripped");
  const names = new StringTable(strings.bytes);
  return Array.from(elfSymbols(table.bytes), (symbol) => ({
    ...symbol,
    name: names.at(symbol.nameAt),
    section: symbol.section < SectionIndex.Reserved ? symbol.section : SectionIndex.Undefined,
  }));
}
