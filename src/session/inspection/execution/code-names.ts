// Names of the code of a machine's VMs, also after they have ended: a kernel's symbols are in the
// memory of its VM, which the VM then loses.

import type { DebugEntry } from "../../../kit/formats/dwarf/entries.ts";
import type { DebugInfo } from "../../../inside/symbols/debug-info.ts";
import { nameWithModule, type SymbolTable } from "../../../inside/symbols/symbol-table.ts";
import { placeIn, type VmSymbols } from "../../../inside/symbols/vm-symbols.ts";

export interface CodeNames {
  readonly tables: readonly SymbolTable[];
  readonly infos: readonly DebugInfo[];
}

/** The names that are known now; a kernel's are read from its memory. */
export const namesOf = (symbols: VmSymbols, vm: string): CodeNames => ({ tables: symbols.all(vm), infos: symbols.infos(vm) });

/** The parts of a machine that name code. */
interface NamedSystem {
  readonly symbols: VmSymbols;
  readonly ends: { onChange(listener: (vm: string, now: "begins" | "ends") => void): void };
}

export class CodeNaming {
  readonly #ended = new Map<string, CodeNames>();

  /** @param system has not run yet */
  constructor(readonly system: NamedSystem) {
    system.ends.onChange((vm, now) => {
      if (now === "ends") this.#ended.set(vm, namesOf(system.symbols, vm));
    });
  }

  of(vm: string): CodeNames {
    return this.#ended.get(vm) ?? namesOf(this.system.symbols, vm);
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
