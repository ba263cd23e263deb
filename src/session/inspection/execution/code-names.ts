// Names of the code of a machine's VMs, also after they have ended: a kernel's symbols are in the
// memory of its VM, which the VM then loses.

import type { DebugEntry } from "../../../kit/formats/dwarf/entries.ts";
import { nameWithModule } from "../../../inside/symbols/symbol-table.ts";
import { placeIn, type VmSymbols } from "../../../inside/symbols/vm-symbols.ts";
import { type CodeNames, ModuleCode } from "./module-code.ts";

/** The names that are known now; a kernel's are read from its memory. */
export function namesOf(symbols: VmSymbols, vm: string, modules = new ModuleCode(symbols)): CodeNames {
  const tables = symbols.ofKernel(vm);
  modules.now(vm, symbols.loaded(vm));
  const ofModules = modules.namesOf(vm);
  return { ...ofModules, tables: [...tables, ...ofModules.tables], infos: [...symbols.infosOfKernel(vm), ...ofModules.infos] };
}

/** The parts of a machine that name code. */
interface NamedSystem {
  readonly symbols: VmSymbols;
  readonly ends: { onChange(listener: (vm: string, now: "begins" | "ends") => void): void };
}

export class CodeNaming {
  readonly #ended = new Map<string, CodeNames>();

  /** @param system has not run yet */
  constructor(readonly system: NamedSystem, readonly modules: ModuleCode) {
    system.ends.onChange((vm, now) => {
      if (now === "ends") this.#ended.set(vm, this.#now(vm));
    });
  }

  of(vm: string): CodeNames {
    return this.#ended.get(vm) ?? this.#now(vm);
  }

  #now(vm: string): CodeNames {
    return namesOf(this.system.symbols, vm, this.modules);
  }
}

/** The name of code that has none. */
export const UNKNOWN = "?";

/** The function at an address, after those that are inlined there, the innermost first. */
export function functionsAt({ tables, infos }: CodeNames, address: bigint): string[] {
  const info = infos.find((one) => one.lineAt(address) !== undefined), scope = info?.scopeAt(address);
  const name = (entry: DebugEntry) => info?.tried(() => info.nameOf(entry));
  const inlined = scope?.inlined.map((entry) => name(entry) ?? UNKNOWN).reverse() ?? [];
  const place = placeIn(tables, address);
  return [...inlined, (place ? nameWithModule(place.symbol) : scope && name(scope.function)) ?? UNKNOWN];
}
