// The symbols of each VM: those of ELF files that were added, and those of a running Linux kernel,
// which are found in its memory on demand.

import type { DebugCore } from "../core/interface.ts";
import type { Hypervisor } from "../hypervisor/hypervisor.ts";
import type { Vcpu } from "../hypervisor/scheduling/vcpu.ts";
import { readElfSymbols } from "./elf-symbols.ts";
import { readKallsyms } from "./kallsyms.ts";
import { readKernelMemory } from "./kernel-memory.ts";
import { SymbolTable } from "./symbol-table.ts";

/** Names of one machine's guests. */
export class VmSymbols {
  readonly #given = new Map<string, SymbolTable[]>();
  /**
   * A kernel's symbols, by the tables of stage 2 that its VM has: another life of the VM has
   * others.
   */
  readonly #kernels = new Map<number, SymbolTable>();
  /** Where no kernel was found: tables of stage 2 and VBAR_EL1. */
  readonly #none = new Set<string>();

  constructor(readonly core: DebugCore, readonly hypervisor: () => Hypervisor) {}

  /**
   * Adds the symbols of an ELF file to a VM; later ones take precedence.
   * @throws Error that names the defect of the file
   */
  give(vm: string, file: Uint8Array, source: string): void {
    this.#given.set(vm, [new SymbolTable(readElfSymbols(file), source), ...this.#given.get(vm) ?? []]);
  }

  /**
   * All that can be known of a VM. The first time, this looks through its kernel's memory, which
   * takes a second at most.
   */
  all(vm: string): SymbolTable[] {
    const kernel = this.#kernel(vm, true);
    return [...this.#given.get(vm) ?? [], ...kernel ? [kernel] : []];
  }

  /** The symbols known so far. */
  known(vm: string): SymbolTable[] {
    const kernel = this.#kernel(vm, false);
    return [...this.#given.get(vm) ?? [], ...kernel ? [kernel] : []];
  }

  /** `cpu_do_idle+0x14`, by what is known already. */
  nameOf(vm: string, address: bigint): string | undefined {
    return nameIn(this.known(vm), address);
  }

  #kernel(vm: string, look: boolean): SymbolTable | undefined {
    for (const vcpu of this.vcpus(vm)) {
      const { stage2 } = vcpu.registers;
      const found = this.#kernels.get(stage2);
      if (found) return found;
      if (!look) continue;
      const key = `${stage2} ${vcpu.registers.getRegister("VBAR_EL1")}`;
      if (this.#none.has(key)) continue;
      const memory = readKernelMemory(this.core, this.hypervisor().machine.ram, vcpu);
      const symbols = memory && readKallsyms(memory);
      if (!symbols) {
        if (memory) this.#none.add(key);
        continue;
      }
      const table = new SymbolTable(symbols, "kallsyms");
      this.#kernels.set(stage2, table);
      return table;
    }
    return undefined;
  }

  /** The vCPUs of a VM that execute instructions, by index. */
  vcpus(vm: string): Vcpu[] {
    const { scheduler, names } = this.hypervisor();
    const of = ({ native, life, addressSpace }: Vcpu) =>
      native === undefined && life !== "exited" && addressSpace !== undefined && names.vm(addressSpace.vmid) === vm;
    return [...scheduler.vcpus].filter(of).sort((a, b) => a.index - b.index);
  }
}

/** The name of an address in the first table that has one. */
export function nameIn(tables: readonly SymbolTable[], address: bigint): string | undefined {
  for (const table of tables) {
    const name = table.nameOf(address);
    if (name !== undefined) return name;
  }
  return undefined;
}
