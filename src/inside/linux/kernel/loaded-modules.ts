// The modules that a Linux kernel has loaded, with their symbols: `struct module` in the kernel's
// list, and the symbol table that each keeps in memory (struct mod_kallsyms: ELF's symbols with
// their final addresses, names, letters). A table is kept while its module stays; which modules
// there are is read anew for each answer.
//
// The memory is a guest's: members of the list and symbols are bounded, and steps are those of the
// answer that needs them. What cannot be read is left out.

import { MODULE_LOADS } from "../../../model/queries/stop-rule.ts";
import { type ElfSymbol, elfSymbols, SectionIndex, SYMBOL_SIZE, SymbolType } from "../../symbols/elf-symbols.ts";
import type { LoadedSymbols } from "../../symbols/module-file.ts";
import { type GuestSymbol, type ModuleBounds, type ModulePart, partAt, SymbolTable } from "../../symbols/symbol-table.ts";
import { BadMemory, FAILURE, TooMuch, type VirtualMemory } from "./memory.ts";
import { NoType, Struct } from "./types.ts";

/** Requirements on the kernel. */
interface ModulesKernel {
  find(memory: VirtualMemory, symbol: string): bigint | undefined;
  /** @throws NoType */
  struct(memory: VirtualMemory, type: string, address: bigint): Struct;
}

/** A module whose code is where it stays: `live`, `coming` or `going`. */
export interface LoadedModule extends ModuleBounds, LoadedSymbols {}

interface Known extends LoadedModule {
  /** Tells it from another module at the same place. */
  readonly key: string;
}

/** `module.state` of one that is not in its place yet. */
export const UNFORMED = 3;
/** Modules, kinds of memory of one, its symbols, and bytes of their names. */
const MODULES_MAX = 4096, PARTS_MAX = 16, SYMBOLS_MAX = 65_536, NAMES_MAX = 1 << 20;
/** A name's characters. */
const NAME_MAX = 512;
/** Steps for a symbol. */
const SYMBOL_STEPS = 3;
/** Bytes at either end of a symbol table that tell it from another one. */
const SAMPLE = 384;
/** Marks of the assembler, such as $x, are not names; nor is what no compiler writes. */
const NAME = /^[\x21-\x23\x25-\x7e][\x21-\x7e]*$/;

/** The address of `MODULE_LOADS` in a kernel; undefined without it. */
export const loadsAt = (kernel: SymbolTable): bigint | undefined => kernel.find(MODULE_LOADS)?.address;

export class LoadedModules {
  #known: readonly Known[] = [];
  readonly #read = new WeakMap<VirtualMemory, readonly Known[]>();

  constructor(readonly kernel: ModulesKernel) {}

  /**
   * Those that are loaded, the latest first; none where they cannot be read. The same array while
   * they are the same.
   */
  in(memory: VirtualMemory): readonly LoadedModule[] {
    let found = this.#read.get(memory);
    if (!found) {
      found = this.#find(memory);
      const before = this.#known;
      if (found.length === before.length && found.every((one, index) => one === before[index])) found = before;
      this.#known = found;
      this.#read.set(memory, found);
    }
    return found;
  }

  #find(memory: VirtualMemory): Known[] {
    const found: Known[] = [], seen = new Set<bigint>();
    unlessBad(memory, () => {
      const head = this.kernel.find(memory, "modules");
      if (head === undefined) return;
      const offset = this.kernel.struct(memory, "module", 0n).addressOf("list");
      const next = (at: bigint) => this.kernel.struct(memory, "list_head", at).pointer("next");
      for (let at = next(head); at !== head && at !== 0n && !seen.has(at) && seen.size < MODULES_MAX; at = next(at)) {
        seen.add(at);
        const module = unlessBad(memory, () => this.#moduleAt(memory, this.kernel.struct(memory, "module", at - offset)));
        if (module) found.push(module);
      }
    });
    return found;
  }

  #moduleAt(memory: VirtualMemory, module: Struct): Known | undefined {
    if (module.number("state") >= UNFORMED) return undefined;
    const { address } = module, name = module.text("name"), parts = partsOf(module).filter(({ start, end }) => end > start);
    const place = tableOf(module), sample = place && sampleOf(memory, place);
    const attributes = module.has("sect_attrs") ? module.pointer("sect_attrs") : 0n;
    const key = JSON.stringify([
      name,
      ...[address, attributes, ...parts.flatMap(({ start, end }) => [start, end])].map(String),
      place?.key,
      sample,
    ]);
    const known = this.#known.find((one) => one.key === key);
    if (known) return known;
    const symbols = place && unlessBad(memory, () => readTable(memory, place, name, parts)) || [];
    const buildId = unlessBad(memory, () => buildIdIn(memory, parts));
    const sections = attributes === 0n
      ? undefined
      : unlessBad(memory, () => sectionsOf(this.kernel.struct(memory, ATTRIBUTES, attributes)));
    return {
      key,
      name,
      parts,
      table: new SymbolTable(symbols, `module ${name}`, { name, parts }),
      buildId,
      sections: sections ?? new Map(),
    };
  }
}

/** Memory of a module, its code first: empty where it has none, or none any more. */
export function partsOf(module: Struct): ModulePart[] {
  const parts = module.has("mem")
    ? Array.from({ length: Math.min(module.lengthOf("mem"), PARTS_MAX) }, (_, index) => `mem[${index}]`)
    : ["core_layout", "init_layout"];
  return parts.map((part) => {
    const start = module.big(`${part}.base`);
    return { start, end: start + module.big(`${part}.size`) };
  });
}

/** A note with a build id: lengths of owner and id, its kind, the owner "GNU". */
const NOTE = [4, 20, 3, 0x0055_4e47], ID_SIZE = 20;
/** Bytes of a module that are searched for it. */
const SEARCHED_MAX = 16 << 20;

/** The build id in a module's memory. */
function buildIdIn(memory: VirtualMemory, parts: readonly ModulePart[]): string | undefined {
  for (const { start, end } of parts) {
    const size = Number(end - start);
    if (size > SEARCHED_MAX) continue;
    const bytes = unlessBad(memory, () => memory.bytes(start, size & -4)), words = bytes && new Uint32Array(bytes.buffer);
    if (!words) continue;
    memory.work.spend(words.length >> 4);
    for (let at = words.indexOf(NOTE[3]); at >= 0; at = words.indexOf(NOTE[3], at + 1)) {
      if (at < 3 || NOTE.some((word, index) => words[at - 3 + index] !== word)) continue;
      return bytes.subarray(4 * at + 4, 4 * at + 4 + ID_SIZE).toHex();
    }
  }
  return undefined;
}

/** The attributes of sections in /sys/module; each was a structure with an address until 6.13. */
const ATTRIBUTES = "module_sect_attrs", ATTRIBUTE = "module_sect_attr", BINARY = "bin_attribute";
const SECTIONS_MAX = 256, SECTION_NAME_MAX = 256;

function sectionsOf(attributes: Struct): Map<string, bigint> {
  const { types, memory } = attributes, found = new Map<string, bigint>();
  const own = types.sizeOf(ATTRIBUTE), size = own ?? types.sizeOf(BINARY) ?? 0, first = attributes.addressOf("attrs");
  const count = Math.min(attributes.has("nsections") ? attributes.number("nsections") : SECTIONS_MAX, SECTIONS_MAX);
  for (let index = 0; index < count && size > 0; index++) {
    const one = new Struct(memory, types, own ? ATTRIBUTE : BINARY, first + BigInt(index * size));
    const name = one.textAt(own ? "battr.attr.name" : "attr.name", SECTION_NAME_MAX);
    if (name === undefined) break;
    found.set(name, one.big(own ? "address" : "private"));
  }
  return found;
}

/** Where the symbols of a module are. */
interface TablePlace {
  readonly key: string;
  readonly symbols: bigint;
  readonly names: bigint;
  readonly count: number;
  /** Their letters; 0: there are none. */
  readonly letters: bigint;
}

/** Undefined for a kernel without CONFIG_KALLSYMS. */
function tableOf(module: Struct): TablePlace | undefined {
  const table = module.has("kallsyms") ? module.at("kallsyms", "mod_kallsyms") : undefined;
  if (!table) return undefined;
  const symbols = table.pointer("symtab"), names = table.pointer("strtab"), count = Math.min(table.number("num_symtab"), SYMBOLS_MAX);
  const letters = table.has("typetab") ? table.pointer("typetab") : 0n;
  return { key: [symbols, names, count].join(), symbols, names, count, letters };
}

/** A checksum of both ends of a table: another module at the same place has another. */
function sampleOf(memory: VirtualMemory, { symbols, count }: TablePlace): string {
  const size = count * SYMBOL_SIZE, length = Math.min(SAMPLE, size);
  let sum = 0;
  for (const at of [symbols, symbols + BigInt(size - length)]) {
    for (const byte of memory.bytes(at, length)) sum = Math.imul(sum, 31) + byte | 0;
  }
  memory.work.spend(length >> 2);
  return sum.toString(16);
}

function readTable(memory: VirtualMemory, place: TablePlace, module: string, parts: readonly ModulePart[]): GuestSymbol[] {
  const { count, symbols, letters } = place, entries = [...elfSymbols(memory.bytes(symbols, count * SYMBOL_SIZE))];
  memory.work.spend(count * SYMBOL_STEPS);
  const types = letters === 0n ? undefined : memory.bytes(letters, count), names = namesOf(memory, place, entries);
  // Those with a size first: the first symbol at an address gives it its name.
  const sized: GuestSymbol[] = [], labels: GuestSymbol[] = [];
  for (const [index, { nameAt, type: kind, section, value: address, size }] of entries.entries()) {
    // Those of other modules have the address there.
    if (section === SectionIndex.Undefined || !partAt(parts, address)) continue;
    const name = nameFrom(names, nameAt);
    if (!NAME.test(name)) continue;
    const type = types ? String.fromCharCode(types[index]) : kind === SymbolType.Function ? "t" : "d";
    const isSized = kind !== SymbolType.NoType && size > 0n;
    (isSized ? sized : labels).push({ name, address, type, module });
  }
  return [...sized, ...labels];
}

/** The bytes of all names that the symbols have; the last name may be truncated. */
function namesOf(memory: VirtualMemory, { names }: TablePlace, symbols: readonly ElfSymbol[]): Uint8Array {
  const last = symbols.reduce((most, { nameAt }) => Math.max(most, nameAt), 0);
  const wanted = Math.min(last, NAMES_MAX);
  // The memory after the last name may not be mapped.
  const more = memory.has(names + BigInt(wanted), NAME_MAX) ? NAME_MAX : memory.text(names + BigInt(wanted), NAME_MAX).length;
  return memory.bytes(names, wanted + more);
}

function nameFrom(names: Uint8Array, start: number): string {
  let text = "";
  for (let at = start; at < names.length && text.length < NAME_MAX && names[at] !== 0; at++) text += String.fromCharCode(names[at]);
  return text;
}

/** The value of `read`; undefined if the memory cannot be read. */
function unlessBad<T>(memory: VirtualMemory, read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    // Without steps everything after fails too: an answer that follows has the others.
    if (!(error instanceof BadMemory || error instanceof NoType || error instanceof TooMuch)) throw error;
    memory.work.owe(FAILURE);
    return undefined;
  }
}
