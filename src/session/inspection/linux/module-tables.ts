// The symbols of the modules that kernels in VMs have loaded now.

import type { SymbolTable } from "../../../inside/symbols/symbol-table.ts";
import type { AddressSpace } from "../../../machine/hypervisor/inspect.ts";
import type { View } from "../readers/inspected.ts";
import { findReading } from "./read-linux.ts";

interface AtInstant {
  /** Of the machine (`Machine.places`), and its virtual time. */
  readonly place: number;
  readonly time: number;
  readonly tables: readonly SymbolTable[];
}

/** Of one machine. An answer that names many addresses looks for modules once. */
export class ModuleTables {
  readonly #known = new WeakMap<AddressSpace, AtInstant>();

  constructor(readonly view: () => View) {}

  /**
   * One for each module of a VM's kernel, the latest first.
   * @throws SymbolSearch
   */
  of(vm: string): readonly SymbolTable[] {
    const view = this.view(), { machine } = view.hypervisor;
    const space = view.system.symbols.vcpus(vm).find(({ addressSpace }) => addressSpace)?.addressSpace;
    if (!space) return [];
    const known = this.#known.get(space);
    if (known && known.place === machine.places && known.time === machine.time) return known.tables;
    const reading = findReading(view, space), tables = reading?.kernel.modules.in(reading.memory).map(({ table }) => table) ?? [];
    if (reading) this.#known.set(space, { place: machine.places, time: machine.time, tables });
    return tables;
  }
}
