// The symbols of code that is neither a VM's own nor its kernel's: of the hypervisor at EL2 of its
// CPUs, and of the kernels of that one's guests. They are read from memory, as a kernel's are: Xen
// has such a table, and Linux's part at EL2 is in the kernel's (docs/design/el2.md §11).

import { type DebugCore, el2Regime, hostRegime, isBelowEl2, type Regime, regimeOf } from "../../cpu/core/interface.ts";
import type { Hypervisor, Vcpu } from "../../machine/hypervisor/inspect.ts";
import { PAGE_SIZE } from "../../kit/support/values/sizes.ts";
import type { InPieces } from "../../kit/support/values/work.ts";
import { readKallsyms } from "./kallsyms.ts";
import { hasKernelMemory, kernelVectors, readKernelMemory } from "./kernel-memory.ts";
import { movedTable, movedToEl2 } from "./moved-symbols.ts";
import { SymbolTable } from "./symbol-table.ts";

/** Tables that are kept: guests come and go, and each life of one may have its kernel elsewhere. */
const KEPT = 64;
/** Instructions after which memory without a table is searched again, and twice as many. */
const LATER = 20e6;

/** A program that a vCPU executes at another level than its VM's kernel. */
export type CodeLevel = "hypervisor" | "guest";

/** The level of the code that a vCPU executes; undefined: its VM's own. */
export function levelOf({ registers }: Vcpu): CodeLevel | undefined {
  if (!registers.hasEl2) return undefined;
  if (isBelowEl2(registers)) return "guest";
  return hasHypervisor(registers) && regimeOf(registers) === el2Regime(registers) ? "hypervisor" : undefined;
}

/** Whether EL2 runs a hypervisor, and not a host's kernel. */
const hasHypervisor = (registers: Vcpu["registers"]) => registers.hasEl2 && hostRegime(registers) === "EL1&0";

/** Does a search, or has its caller do that: `VmSymbols.search`. */
type Search = <T>(of: unknown, pieces: () => InPieces<T>) => T | undefined;

/** The tables of one machine. */
export class LevelSymbols {
  /** By `keyOf`. */
  readonly #read = new Map<string, SymbolTable>();
  /** Where none was found, and from which instruction of the vCPU on it is sought again. */
  readonly #soughtAt = new Map<string, number>();
  /** A kernel's symbols at EL2, by their vectors there. */
  readonly #moved = new WeakMap<SymbolTable, Map<bigint, SymbolTable | undefined>>();

  constructor(readonly core: DebugCore, readonly hypervisor: () => Hypervisor, readonly search: Search) {}

  /** The symbols of the guest that a vCPU executes, from its kernel's memory. */
  guest(vcpu: Vcpu): SymbolTable | undefined {
    return this.#own(vcpu, "EL1&0");
  }

  /** Those of the hypervisor, which may be a part of the kernel that has this table. */
  ofHypervisor(vcpu: Vcpu, kernels: readonly SymbolTable[]): readonly SymbolTable[] {
    if (!hasHypervisor(vcpu.registers)) return [];
    const moved = this.ofKernelAtEl2(vcpu, kernels);
    if (moved.length) return moved;
    const own = this.#own(vcpu, el2Regime(vcpu.registers));
    return own ? [own] : [];
  }

  /** The symbols of kernels where EL2 executes their part. */
  ofKernelAtEl2(vcpu: Vcpu, kernels: readonly SymbolTable[]): readonly SymbolTable[] {
    return hasHypervisor(vcpu.registers) ? kernels.flatMap((kernel) => this.#movedOf(vcpu, kernel) ?? []) : [];
  }

  /** Symbols of a kernel where EL2 of a vCPU executes its part; undefined: it does not. */
  #movedOf(vcpu: Vcpu, kernel: SymbolTable): SymbolTable | undefined {
    const vbar = vcpu.registers.getRegister("VBAR_EL2"), known = this.#moved.get(kernel) ?? new Map<bigint, SymbolTable | undefined>();
    this.#moved.set(kernel, known);
    if (known.has(vbar)) return known.get(vbar);
    const moved = movedToEl2(kernel, vbar, (size) => this.#memoryAt(vcpu, vbar, size));
    if (known.size >= KEPT) known.clear();
    known.set(vbar, moved === undefined ? undefined : movedTable(kernel, moved));
    return known.get(vbar);
  }

  /** Memory of EL2 inside a page. */
  #memoryAt({ registers }: Vcpu, address: bigint, size: number): DataView | undefined {
    const { ram } = this.hypervisor().machine, found = this.core.questions.inspect(registers, address, "read", el2Regime(registers));
    if (!found.ok || found.pa % PAGE_SIZE + size > PAGE_SIZE || !ram.contains(found.pa, size)) return undefined;
    const bytes = ram.bytes(found.pa, size);
    return new DataView(bytes.buffer, bytes.byteOffset, size);
  }

  /** The table in the memory of a regime. */
  #own(vcpu: Vcpu, regime: Regime): SymbolTable | undefined {
    const { registers, usage: { instructions } } = vcpu, key = keyOf(vcpu, regime), known = this.#read.get(key);
    if (known) return known;
    if (instructions < (this.#soughtAt.get(key) ?? 0)) return undefined;
    if (!hasKernelMemory(this.core, this.hypervisor().machine.ram, vcpu, regime)) return undefined;
    return this.search(`${registers.stage2} ${key}`, () => this.#search(vcpu, regime, key));
  }

  *#search(vcpu: Vcpu, regime: Regime, key: string): InPieces<SymbolTable | undefined> {
    const memory = yield* readKernelMemory(this.core, this.hypervisor().machine.ram, vcpu, false, regime);
    const symbols = memory && (yield* readKallsyms(memory));
    if (!symbols) {
      if (this.#soughtAt.size >= KEPT) this.#soughtAt.clear();
      this.#soughtAt.set(key, Math.max(LATER, 2 * vcpu.usage.instructions));
      return undefined;
    }
    const table = new SymbolTable(symbols, "kallsyms");
    if (this.#read.size >= KEPT) this.#read.clear();
    this.#read.set(key, table);
    return table;
  }
}

/** A program by its vectors, and a guest by its tables of stage 2, too. */
function keyOf(vcpu: Vcpu, regime: Regime): string {
  const { registers } = vcpu, guest = regime === "EL1&0" ? registers.getRegister("VTTBR_EL2") : "";
  return `${registers.stage2} ${guest} ${kernelVectors(vcpu, regime)}`;
}
