// The symbols of each VM: those of ELF files that were added, and those of a running Linux kernel,
// which are found in its memory on demand.

import { type DebugCore, hasEl2Guest, hostRegime, Pstate } from "../../cpu/core/interface.ts";
import type { Hypervisor, Vcpu } from "../../machine/hypervisor/inspect.ts";
import type { LineRange } from "../../kit/formats/dwarf/line-table.ts";
import { type AddressRange, rangesOf } from "../../kit/formats/dwarf/lists.ts";
import { UPPER_HALF } from "../../kit/formats/page-tables.ts";
import { type DebugInfo, rangesBudget } from "./debug-info.ts";
import { GivenFile } from "./given-file.ts";
import { isModuleFile } from "./elf-symbols.ts";
import { isNowhere, type LoadedSymbols, ModuleFile, type PlacedModule } from "./module-file.ts";
import { readKallsyms } from "./kallsyms.ts";
import { levelOf, LevelSymbols } from "./level-symbols.ts";
import { hasKernelMemory, isMapped, kernelVectors, readKernelMemory, vectorsOf } from "./kernel-memory.ts";
import { type InPieces, whole } from "../../kit/support/values/work.ts";
import { placeText, type SymbolPlace, SymbolTable } from "./symbol-table.ts";

/**
 * Instructions of a vCPU after which a kernel has its place; where none is found before, it is
 * sought again then, and after twice as many each.
 */
const BOOTED = 20e6;

/** Characters of a source line. */
const LINE_MAX = 200;

/** A search for a kernel's symbols that an answer needs: the caller does it, and asks again. */
export class SymbolSearch extends Error {
  /** @param pieces of the search; the symbols that it finds stay known */
  constructor(readonly pieces: InPieces<unknown>) {
    super("the symbols of a kernel are sought first");
  }
}

/** How searches for kernels' symbols are done. The caller gets a `SymbolSearch`. */
export type Searching = "at once" | "by the caller" | "never";

/** Names of one machine's guests. */
export class VmSymbols {
  readonly #given = new Map<string, GivenFile[]>();
  /** Texts of source files by name; their lines, once one was asked for. */
  #sources: Readonly<Record<string, string>> = {};
  readonly #lines = new Map<string, readonly string[]>();
  /** Files of modules, the latest first. */
  readonly #moduleFiles = new Map<string, ModuleFile[]>();
  /** How far kernels have moved themselves, by tables of stage 2. */
  readonly #moved = new Map<number, bigint>();
  /**
   * A kernel's symbols, by the tables of stage 2 that its VM has: another life of the VM has
   * others.
   */
  readonly #kernels = new Map<number, SymbolTable>();
  /** Kernels that were found while a vCPU boots them, by its vectors: they may move themselves. */
  readonly #young = new Map<number, { readonly vcpu: Vcpu; readonly vectors: bigint }>();
  /** Where no kernel was found: tables of stage 2 and vectors. */
  readonly #none = new Set<string>();
  /** Instructions after which a kernel is sought while it boots, by tables of stage 2. */
  readonly #soughtAt = new Map<number, number>();
  /** Searches that have begun, by what is searched; for symbols the tables of stage 2. */
  readonly #searches = new Map<unknown, SymbolSearch>();
  #searching: Searching = "at once";
  /** Of hypervisors at EL2, and of their guests. */
  readonly #levels: LevelSymbols;

  /**
   * @param modulesOf modules that the kernel of a VM has loaded, at this instant: it loads and
   *   unloads them while it runs
   */
  constructor(
    readonly core: DebugCore,
    readonly hypervisor: () => Hypervisor,
    readonly modulesOf: (vm: string) => readonly LoadedSymbols[] = () => [],
  ) {
    this.#levels = new LevelSymbols(core, hypervisor, (of, pieces) => this.search(of, pieces));
  }

  /**
   * Adds the symbols of an ELF file to a VM; later ones take precedence.
   * @throws Error that names the defect of the file
   */
  give(vm: string, file: Uint8Array, source: string): void {
    if (isModuleFile(file)) return void this.#moduleFiles.set(vm, [new ModuleFile(file, source), ...this.#filesOfModules(vm)]);
    this.#given.set(vm, [new GivenFile(file, source), ...this.#given.get(vm) ?? []]);
    // How far a kernel has moved follows from its file, which may be the new one.
    this.#moved.clear();
  }

  /** Gives texts of source files, by the names that debug information has for them. */
  giveSources(sources: Readonly<Record<string, string>>): void {
    this.#sources = sources;
  }

  /** The text of a source line, which counts from 1; undefined if its file is not known. */
  textOf(file: string, line: number): string | undefined {
    let lines = this.#lines.get(file);
    if (!lines) {
      if (!Object.hasOwn(this.#sources, file)) return undefined;
      this.#lines.set(file, lines = this.#sources[file].split("\n"));
    }
    return lines[line - 1]?.trim().slice(0, LINE_MAX);
  }

  /**
   * How far a VM's kernel has moved itself from where its ELF file was linked; undefined: not known
   * yet.
   */
  moved(vm: string): bigint | undefined {
    const given = this.#given.get(vm);
    if (!given) return undefined;
    for (const vcpu of this.#withKernel(vm)) {
      const { registers } = vcpu, known = this.#moved.get(registers.stage2);
      if (known !== undefined) return known;
      const vectors = kernelVectors(vcpu);
      const moved = given.map((file) => file.movedBy(vectors)).find((by) => by !== undefined);
      if (moved === undefined) continue;
      this.#moved.set(registers.stage2, moved);
      return moved;
    }
    return undefined;
  }

  #placed(vm: string) {
    const moved = this.moved(vm) ?? 0n;
    return (this.#given.get(vm) ?? []).map((file) => file.at(moved));
  }

  /** The debug information of a VM's ELF files. */
  infos(vm: string): readonly DebugInfo[] {
    return [...this.infosOfKernel(vm), ...this.#placedModules(vm).flatMap(({ info }) => info ?? [])];
  }

  /** All without the modules of the kernel. */
  infosOfKernel(vm: string): readonly DebugInfo[] {
    return this.#placed(vm).flatMap(({ info }) => info ?? []);
  }

  #filesOfModules(vm: string): readonly ModuleFile[] {
    return this.#moduleFiles.get(vm) ?? [];
  }

  /** Modules that are loaded now; none while no kernel is known. */
  loaded(vm: string): readonly LoadedSymbols[] {
    return this.#kernel(vm, false) ? this.modulesOf(vm) : [];
  }

  /** The file of a module that is loaded, if it was given. */
  placedModule(vm: string, loaded: LoadedSymbols): PlacedModule | undefined {
    return this.#filesOfModules(vm).find((file) => file.fits(loaded))?.at(loaded);
  }

  /** Modules that are loaded now, by their files, or else as the kernel has them. */
  #modules(vm: string): SymbolTable[] {
    return this.loaded(vm).map((loaded) => this.placedModule(vm, loaded)?.table ?? loaded.table);
  }

  /** Files of modules that are loaded now. */
  #placedModules(vm: string): PlacedModule[] {
    return this.#filesOfModules(vm).length ? this.loaded(vm).flatMap((loaded) => this.placedModule(vm, loaded) ?? []) : [];
  }

  /** Why files are not used for modules that are loaded, by name: they are of another build. */
  misfits(vm: string): Map<string, string> {
    const files = this.#filesOfModules(vm), found = new Map<string, string>();
    if (!files.length) return found;
    for (const loaded of this.loaded(vm)) {
      const of = files.filter((file) => file.isOf(loaded)), name = loaded.table.module?.name ?? "?";
      if (!of.length || of.some((file) => file.fits(loaded))) continue;
      const ids = `its build id is ${of[0].buildId ?? "absent"}, that of the module in memory ${loaded.buildId ?? "absent"}`;
      found.set(name, `the file of module ${name} is of another build: ${ids}`);
    }
    return found;
  }

  /** Names of the modules whose files meet a condition, loaded or not. */
  modulesWith(vm: string, has: (file: PlacedModule) => boolean): string[] {
    const files = this.#filesOfModules(vm);
    /** A file with debug information alone is beside the one that was loaded. */
    const nameOf = ({ name, buildId }: ModuleFile) =>
      name ?? (buildId === undefined ? undefined : files.find((other) => other.name !== undefined && other.buildId === buildId)?.name);
    const names = files.flatMap((file) => has(file.unplaced) ? nameOf(file) ?? [] : []);
    return [...new Set(names)];
  }

  /** The source line of an address, where a file has it. */
  lineAt(vm: string, address: bigint): LineRange | undefined {
    for (const info of this.infos(vm)) {
      const line = info.lineAt(address);
      if (line) return line;
    }
    return undefined;
  }

  /** `FILE:LINE` of an address, if a file has it. */
  sourceOf(vm: string, address: bigint): string | undefined {
    const line = this.lineAt(vm, address);
    return line && `${line.file}:${line.line}`;
  }

  /** The address ranges of the function at an address, where a file has it. */
  functionAt(vm: string, address: bigint): AddressRange[] {
    for (const info of this.infos(vm)) {
      const scope = info.scopeAt(address);
      if (scope) return info.tried(() => [...rangesOf(scope.function, rangesBudget())]) ?? [];
    }
    return [];
  }

  /** Where the code of a source line begins; empty if no file has the line. */
  codeOf(vm: string, file: string, line: number): readonly bigint[] {
    for (const info of this.infos(vm)) {
      const code = info.codeOf(file, line);
      // Code of a module that is not loaded has no address.
      const addresses = code?.addresses.filter((address) => !isNowhere(address)) ?? [];
      if (addresses.length) return addresses;
    }
    return [];
  }

  /**
   * All that can be known of a VM. The first time, this looks through its kernel's memory, which
   * takes a second at most, all pieces together.
   */
  all(vm: string): SymbolTable[] {
    return [...this.ofKernel(vm), ...this.#modules(vm)];
  }

  /** All without the modules of the kernel: what stays while it runs. */
  ofKernel(vm: string): SymbolTable[] {
    return this.#tables(vm, true);
  }

  /**
   * Whether an address is a program's, or has a name in what stays while the kernel runs. Others
   * are those of modules.
   */
  isLasting(vm: string, address: bigint): boolean {
    return address < UPPER_HALF || nameIn(this.ofKernel(vm), address) !== undefined;
  }

  /** The symbols known so far, and those of modules that a known kernel has loaded. */
  known(vm: string): SymbolTable[] {
    return [...this.#tables(vm, false), ...this.#modules(vm)];
  }

  /** The symbols of a VM's kernel, which are learned once it has begun to boot. */
  kernelOf(vm: string): SymbolTable | undefined {
    return this.#kernel(vm, false) ?? (this.#learn(vm) ? this.#kernel(vm, false) : undefined);
  }

  #tables(vm: string, look: boolean): SymbolTable[] {
    const kernel = this.#kernel(vm, look);
    return [...this.#placed(vm).map(({ table }) => table), ...kernel ? [kernel] : this.#ownHypervisor(vm, look)];
  }

  /** The symbols of a hypervisor that is the VM's own program. */
  #ownHypervisor(vm: string, look: boolean): readonly SymbolTable[] {
    const [vcpu] = look ? this.vcpus(vm) : [];
    return vcpu ? this.#levels.ofHypervisor(vcpu, []) : [];
  }

  /**
   * The symbols of the code that a vCPU executes: of its VM, of the part of its kernel or another
   * hypervisor at EL2, or of the kernel of a guest of that.
   */
  ofCode(vcpu: Vcpu): readonly SymbolTable[] {
    const vm = this.#vmOf(vcpu);
    switch (levelOf(vcpu)) {
      case undefined:
        return this.all(vm);
      case "hypervisor": {
        const own = this.ofKernel(vm);
        return [...this.#placed(vm).map(({ table }) => table), ...this.#levels.ofHypervisor(vcpu, own)];
      }
      case "guest":
        return this.ofGuest(vcpu);
    }
  }

  /** Those of a VM's kernel where its part at EL2 has them, if it has one. */
  ofEl2(vm: string): readonly SymbolTable[] {
    const [vcpu] = this.vcpus(vm);
    return vcpu ? this.#levels.ofKernelAtEl2(vcpu, this.ofKernel(vm)) : [];
  }

  /** The symbols of the guest that EL2 of a vCPU has now. */
  ofGuest(vcpu: Vcpu): readonly SymbolTable[] {
    const guest = this.#levels.guest(vcpu);
    return guest ? [guest] : [];
  }

  /** The symbol of an address of the code that a vCPU executes. */
  nameIn(vcpu: Vcpu, address: bigint): string | undefined {
    return levelOf(vcpu) === undefined ? this.nameOf(this.#vmOf(vcpu), address) : nameIn(this.ofCode(vcpu), address);
  }

  #vmOf({ addressSpace }: Vcpu): string {
    return addressSpace ? this.hypervisor().names.vm(addressSpace.vmid) : "?";
  }

  /** The vCPUs of a VM by which its kernel's memory can be read now. */
  #withKernel(vm: string): Vcpu[] {
    return this.vcpus(vm).filter(hasKernelOf);
  }

  /**
   * `cpu_do_idle+0x14`. A kernel's symbols are learned from its memory once it has begun to boot,
   * which takes some hundred milliseconds once; those of its modules when an address is not in the
   * kernel itself.
   */
  nameOf(vm: string, address: bigint): string | undefined {
    const name = nameIn(this.#tables(vm, false), address);
    if (name !== undefined || address < UPPER_HALF) return name;
    const learned = this.#learn(vm) ? nameIn(this.#tables(vm, false), address) : undefined;
    return learned ?? nameIn(this.#modules(vm), address);
  }

  /**
   * Does work, with searches for kernels' symbols done in this way.
   * @throws SymbolSearch if they are done by the caller
   */
  asked<T>(searching: Searching, work: () => T): T {
    const before = this.#searching;
    this.#searching = searching;
    try {
      return work();
    } finally {
      this.#searching = before;
    }
  }

  /** Whether the kernel of a VM has become known. */
  #learn(vm: string): boolean {
    for (const vcpu of this.#withKernel(vm)) {
      const { stage2 } = vcpu.registers, { instructions } = vcpu.usage;
      if (this.#kernels.has(stage2)) return false;
      if (instructions < (this.#soughtAt.get(stage2) ?? 0)) continue;
      const later = (hasMemory: boolean) => hasMemory && this.#soughtAt.set(stage2, Math.max(BOOTED, 2 * instructions));
      if (this.#search(vcpu, later)) return true;
    }
    return false;
  }

  /** The symbols of a kernel that has not moved itself since they were found. */
  #found(vcpu: Vcpu): SymbolTable | undefined {
    const { stage2, pstate } = vcpu.registers, young = this.#young.get(stage2);
    if (young?.vcpu === vcpu && (pstate & Pstate.ElMask) !== 0 && hasKernelOf(vcpu)) {
      const stays = isMapped(this.core, this.hypervisor().machine.ram, vcpu, young.vectors);
      if (!stays) this.#kernels.delete(stage2);
      if (!stays || vcpu.usage.instructions >= BOOTED) this.#young.delete(stage2);
    }
    return this.#kernels.get(stage2);
  }

  #kernel(vm: string, look: boolean): SymbolTable | undefined {
    const ready = look ? this.#withKernel(vm) : [];
    for (const vcpu of this.vcpus(vm)) {
      const found = this.#found(vcpu), { stage2 } = vcpu.registers;
      if (found) return found;
      if (!ready.includes(vcpu)) continue;
      const key = `${stage2} ${kernelVectors(vcpu)}`;
      if (this.#none.has(key)) continue;
      const table = this.#search(vcpu, (hasMemory) => hasMemory && this.#none.add(key));
      if (table) return table;
    }
    return undefined;
  }

  /**
   * The kernel's symbols from its memory, if there are any. Without such memory there is nothing to
   * search, and nobody has to wait.
   * @param fruitless called where none are found
   */
  #search(vcpu: Vcpu, fruitless: (hasMemory: boolean) => void): SymbolTable | undefined {
    if (this.#searching === "never") return undefined;
    if (!hasKernelMemory(this.core, this.hypervisor().machine.ram, vcpu)) return void fruitless(false);
    const stands = this.#searching === "at once";
    return this.search(vcpu.registers.stage2, () => this.#read(vcpu, stands, fruitless));
  }

  /**
   * The result of a search that is done at once; undefined where none is done.
   * @param of what is searched, for those who ask meanwhile
   * @throws SymbolSearch if the caller does it, who asks again
   */
  search<T>(of: unknown, pieces: () => InPieces<T>): T | undefined {
    if (this.#searching === "never") return undefined;
    if (this.#searching === "at once") return whole(pieces());
    let search = this.#searches.get(of);
    if (!search) this.#searches.set(of, search = new SymbolSearch(this.#until(of, pieces())));
    throw search;
  }

  *#until<T>(of: unknown, pieces: InPieces<T>): InPieces<T> {
    try {
      return yield* pieces;
    } finally {
      this.#searches.delete(of);
    }
  }

  *#read(vcpu: Vcpu, stands: boolean, fruitless: (hasMemory: boolean) => void): InPieces<SymbolTable | undefined> {
    const { stage2 } = vcpu.registers, vectors = vectorsOf(vcpu), isYoung = vcpu.usage.instructions < BOOTED;
    const memory = yield* readKernelMemory(this.core, this.hypervisor().machine.ram, vcpu, stands);
    const symbols = memory && (yield* readKallsyms(memory));
    if (!symbols) return void fruitless(memory !== undefined);
    const table = new SymbolTable(symbols, "kallsyms");
    this.#kernels.set(stage2, table);
    if (isYoung) this.#young.set(stage2, { vcpu, vectors });
    return table;
  }

  /** The vCPUs of a VM that execute instructions, by index. */
  vcpus(vm: string): Vcpu[] {
    const { scheduler, names } = this.hypervisor();
    const of = ({ native, life, addressSpace }: Vcpu) =>
      native === undefined && life.stage !== "exited" && addressSpace !== undefined && names.vm(addressSpace.vmid) === vm;
    return [...scheduler.vcpus].filter(of).sort((a, b) => a.index - b.index);
  }
}

/** Whether a vCPU's registers have the translation of its VM's kernel, and not that of a guest. */
export const hasKernelOf = ({ registers }: Vcpu) => hostRegime(registers) !== "EL1&0" || !hasEl2Guest(registers);

/** The place of an address in the first table that has one. */
export function placeIn(tables: readonly SymbolTable[], address: bigint): SymbolPlace | undefined {
  for (const table of tables) {
    const place = table.at(address);
    if (place) return place;
  }
  return undefined;
}

/** Whether the first table with a place for an address has data there. */
export const isDataIn = (tables: readonly SymbolTable[], address: bigint): boolean =>
  tables.find((table) => table.at(address))?.isData(address) ?? false;

/** The text of that place, such as `cpu_do_idle+0x14`. */
export function nameIn(tables: readonly SymbolTable[], address: bigint): string | undefined {
  const place = placeIn(tables, address);
  return place && placeText(place);
}
