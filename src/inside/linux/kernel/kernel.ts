// A Linux kernel that is found in a VM's memory: its symbols, types and release. They are
// kept as long as the kernel runs; answers are read anew each time.

import { type Tables, tablesOf } from "../../../kit/formats/page-tables.ts";
import type { SymbolTable } from "../../symbols/symbol-table.ts";
import { type InPieces, whole, Work } from "../../../kit/support/values/work.ts";
import { Btf } from "./btf.ts";
import { addressesIn, ANCHOR, ExportedSymbols, isStillThere, type KernelImage, readImage } from "./kernel-image.ts";
import { LoadedModules } from "./loaded-modules.ts";
import { BadMemory, FAILURE, type PhysicalMemory, STEPS_MAX, TooMuch, type TranslationRegisters, VirtualMemory } from "./memory.ts";
import { SOUGHT, type Sought } from "./sought.ts";
import { NoType, Struct, type Types } from "./types.ts";
import { VmCoreInfo } from "./vmcoreinfo.ts";

/** A symbol that the kernel's memory does not tell. */
export class NoSymbol extends Error {
  constructor(readonly missing: string) {
    super(`no symbol ${missing}`);
  }
}

/** Where a kernel is sought. */
export interface KernelPlace {
  readonly physical: PhysicalMemory;
  readonly registers: TranslationRegisters;
  readonly tables: readonly SymbolTable[];
}

/** First code of a kernel's image that stays. */
const CODE = ["_stext", "_text", "vectors"];
const HEADER = 64, WORD = 8;
/** `.BTF` begins at a multiple of this. */
const ALIGNMENT = 4;
/** The magic, version and flags of BTF's header as a word. */
const BTF_WORD = 0x0001_eb9f;
/** With page-table isolation, the tables of user space lie two pages before those of the kernel. */
const TRAMPOLINE_PAGES = 2;
/** Steps of the search for its types and exported symbols, which is done in pieces. */
const SEARCH_MAX = 16 * STEPS_MAX;
/** Steps for a place that may have a header, and for a name that is looked up in tables. */
const HEADER_STEPS = 4, NAME_STEPS = 16;

export class LinuxKernel {
  #btf: Btf | undefined;
  #image: KernelImage | undefined;
  #exported: ExportedSymbols | undefined;
  #info: VmCoreInfo | undefined;
  readonly #constants = new Map<string, number | undefined>();
  /** Those that were found: others may be known later. */
  readonly #symbols = new Map<string, bigint>();
  /** Those that an answer has not found, and whether it has looked for VMCOREINFO. */
  readonly #absent = new WeakMap<VirtualMemory, Set<string>>();
  readonly #withoutInfo = new WeakSet<VirtualMemory>();
  readonly modules: LoadedModules = new LoadedModules(this);

  private constructor(
    readonly symbols: readonly SymbolTable[],
    readonly tables: Tables,
    readonly tcr: bigint,
    /** Where its code begins. */
    readonly code: bigint,
  ) {}

  /** Undefined where no kernel's code is mapped. It has to learn before others ask for types. */
  static find({ physical, registers, tables: symbols }: KernelPlace): LinuxKernel | undefined {
    const code = CODE.map((name) => resolve(symbols, name)).find((address) => address !== undefined);
    const { ttbr1, tcr } = registers, tables = tablesOf(ttbr1, tcr, true);
    if (code === undefined) return undefined;
    for (const root of [tables.root, tables.root + (TRAMPOLINE_PAGES << tables.granule)]) {
      const kernel: LinuxKernel = new LinuxKernel(symbols, { ...tables, root }, tcr, code);
      if (kernel.memory(physical).has(code, ALIGNMENT)) return kernel;
    }
    return undefined;
  }

  /** Finds its types and exported symbols: those that a search of bounded length finds. */
  *learn(physical: PhysicalMemory): InPieces<void> {
    try {
      yield* this.#learn(new VirtualMemory(physical, this.tables, new Work(SEARCH_MAX, () => new TooMuch())));
    } catch (error) {
      if (!(error instanceof TooMuch)) throw error;
    }
  }

  *#learn(memory: VirtualMemory): InPieces<void> {
    const { symbols, code } = this, start = resolve(symbols, "__start_BTF");
    if (start !== undefined) this.#btf = yield* btfAt(memory, start);
    if (this.#btf && resolve(symbols, ANCHOR) !== undefined) return;
    const image = this.#image = yield* readImage(memory, code);
    this.#btf ??= yield* btfIn(image, memory.work);
    this.#exported = yield* ExportedSymbols.read(image, this.#data(image), memory.work);
  }

  /** Undefined if its memory has none. */
  get btf(): Btf | undefined {
    return this.#btf;
  }

  /** Whether a CPU uses its tables: a kernel that boots has others first. */
  isUsedBy(registers: TranslationRegisters): boolean {
    const { root, granule } = this.tables, used = tablesOf(registers.ttbr1, registers.tcr, true).root;
    return used === root || used === root - (TRAMPOLINE_PAGES << granule);
  }

  /** An answer's view of the memory. */
  memory(physical: PhysicalMemory): VirtualMemory {
    return new VirtualMemory(physical, this.tables, new Work(STEPS_MAX, () => new TooMuch()));
  }

  /** The memory of a process, by the IPA of its first table. */
  userMemory(memory: VirtualMemory, root: number): VirtualMemory {
    return new VirtualMemory(memory.physical, this.userTables(root), memory.work);
  }

  /** The tables of a process, by the IPA of the first. */
  userTables(root: number): Tables {
    return tablesOf(BigInt(root), this.tcr, false);
  }

  /**
   * VMCOREINFO; undefined before the kernel has written it. It is in the page that a pointer of the
   * kernel names, or else sought in all memory.
   */
  info(memory: VirtualMemory): VmCoreInfo | undefined {
    if (this.#info || this.#withoutInfo.has(memory)) return this.#info;
    // An answer looks for it once.
    this.#withoutInfo.add(memory);
    const pointer = this.#used(memory, "vmcoreinfo_data");
    return this.#info = pointer === undefined ? VmCoreInfo.find(memory.physical, memory.work) : VmCoreInfo.at(memory, memory.u64(pointer));
  }

  /** The value of an enumeration's name; undefined without it. */
  constant(name: string, work: Work): number | undefined {
    if (!this.#constants.has(name)) this.#constants.set(name, this.btf?.constant(name, work));
    return this.#constants.get(name);
  }

  /** BTF, or else what VMCOREINFO has: the log's structures. */
  types(memory: VirtualMemory): Types | undefined {
    return this.btf ?? this.info(memory);
  }

  /** The address of a symbol. @throws NoSymbol */
  address(memory: VirtualMemory, name: string): bigint {
    const found = this.find(memory, name);
    if (found === undefined) throw new NoSymbol(name);
    return found;
  }

  /** The same; undefined without it. */
  find(memory: VirtualMemory, name: string): bigint | undefined {
    const known = this.#symbols.get(name);
    if (known !== undefined) return known;
    let absent = this.#absent.get(memory);
    if (!absent) this.#absent.set(memory, absent = new Set());
    if (absent.has(name)) return undefined;
    absent.add(name);
    memory.work.spend(NAME_STEPS);
    const found = resolve(this.symbols, name) ?? this.info(memory)?.symbols.get(name) ?? this.#export(memory, name) ??
      this.#used(memory, name);
    if (found !== undefined) this.#symbols.set(name, found);
    return found;
  }

  /** Its code and read-only data. */
  imageOf(memory: VirtualMemory): KernelImage {
    const known = this.#image;
    return known && isStillThere(memory, known) ? known : this.#image = whole(readImage(memory, this.code));
  }

  #export(memory: VirtualMemory, name: string): bigint | undefined {
    return this.#exported?.find(this.imageOf(memory), name);
  }

  /** Bytes of an image before the end of its code. */
  #data({ base, bytes }: KernelImage): number {
    const end = resolve(this.symbols, "_etext");
    return end !== undefined && end >= base && end - base < BigInt(bytes.length) ? Number(end - base) : 0;
  }

  /** One that functions use which the symbols name. */
  #used(memory: VirtualMemory, name: string): bigint | undefined {
    const sought = SOUGHT[name];
    if (!sought) return undefined;
    const image = this.imageOf(memory);
    for (const code of sought.functions) {
      for (const table of this.symbols) {
        const start = table.find(code)?.address, end = start === undefined ? undefined : table.next(start);
        if (start === undefined || end === undefined) continue;
        for (const address of addressesIn(image, start, end, memory.work)) {
          for (let more = 0; more <= (sought.near ?? 0); more += WORD) {
            memory.work.spend();
            if (this.#fits(memory, sought, address + BigInt(more))) return address + BigInt(more);
          }
        }
      }
    }
    return undefined;
  }

  #fits(memory: VirtualMemory, sought: Sought, address: bigint): boolean {
    try {
      return sought.fits((type, at) => this.struct(memory, type, at), address, memory, (symbol) => this.find(memory, symbol));
    } catch (error) {
      if (!(error instanceof BadMemory || error instanceof NoType)) throw error;
      memory.work.owe(FAILURE);
      return false;
    }
  }

  /** A structure at an address. @throws NoType without types */
  struct(memory: VirtualMemory, type: string, address: bigint): Struct {
    const types = this.types(memory);
    if (!types) throw new NoType(type);
    return new Struct(memory, types, type, address);
  }
}

function resolve(tables: readonly SymbolTable[], name: string): bigint | undefined {
  for (const table of tables) {
    const found = table.find(name);
    if (found) return found.address;
  }
  return undefined;
}

function* btfAt(memory: VirtualMemory, address: bigint): InPieces<Btf | undefined> {
  const header = memory.mapped(address, HEADER), size = header && Btf.size(header);
  const bytes = size === undefined ? undefined : memory.mapped(address, size);
  return bytes && (yield* Btf.read(bytes, memory.work));
}

function* btfIn({ bytes }: KernelImage, work: Work): InPieces<Btf | undefined> {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >> 2);
  for (let at = words.indexOf(BTF_WORD); at >= 0; at = words.indexOf(BTF_WORD, at + 1)) {
    work.spend(HEADER_STEPS);
    if (work.pauses) yield;
    const found = yield* Btf.read(bytes.subarray(4 * at), work, true);
    if (found) return found;
  }
  return undefined;
}
