// A VM's kernel as it loads modules: a look at each, before code of the module is executed. Nothing
// stops, and the run is the same.

import { loadsAt } from "../../../inside/linux/kernel/loaded-modules.ts";
import type { SymbolTable } from "../../../inside/symbols/symbol-table.ts";
import type { BreakPlace } from "../../../model/queries/stop-rule.ts";
import { QueryError } from "../readers/inspected.ts";

/** A debugger's control of the VM. */
interface LookingControl {
  look(address: bigint, act: () => void): void;
  unlook(address: bigint): void;
}

/**
 * The place of a name in modules as they are now: it has no addresses while it waits for one.
 * @param before as it was
 */
export function placeNow(placeOf: (at: string) => BreakPlace, at: string, before: BreakPlace): BreakPlace {
  try {
    return placeOf(at);
  } catch (error) {
    if (!(error instanceof QueryError) || !before.modules) throw error;
    // No module has the bare name now, or the VM has no vCPU.
    return { ...before, addresses: [] };
  }
}

export class ModuleLoads {
  #kernel: SymbolTable | undefined;
  #at: bigint | undefined;

  /**
   * @param kernelOf the symbols of the VM's kernel, as far as they are known
   * @param loaded called for each module, and for a kernel that is new
   */
  constructor(
    readonly control: LookingControl,
    readonly kernelOf: () => SymbolTable | undefined,
    readonly loaded: () => void,
  ) {}

  /** Looks in the kernel that the VM has now: another one than before, or one not known before. */
  follow(): void {
    const kernel = this.kernelOf();
    if (kernel === this.#kernel) return;
    this.end();
    this.#kernel = kernel;
    this.#at = kernel && loadsAt(kernel);
    if (this.#at !== undefined) this.control.look(this.#at, this.loaded);
    if (kernel) this.loaded();
  }

  /** Looks no longer. */
  end(): void {
    if (this.#at !== undefined) this.control.unlook(this.#at);
    this.#kernel = this.#at = undefined;
  }
}

/** A control of the VM that stops at places. */
interface StoppingControl extends LookingControl {
  insertAhead(address: bigint): void;
  remove(address: bigint): void;
}

/** A place in modules at which a control stops, wherever the kernel has them. */
export class FollowedPlace {
  readonly #loads: ModuleLoads;

  constructor(
    readonly system: { placeOf(at: string): BreakPlace; kernelOf(vm: string): SymbolTable | undefined },
    readonly at: string,
    public place: BreakPlace,
    readonly control: StoppingControl,
  ) {
    this.#loads = new ModuleLoads(control, () => system.kernelOf(place.vm), () => this.#find());
  }

  /** To be called before the machine continues for some turns: its kernel may be another one. */
  turns(): void {
    this.#loads.follow();
  }

  /** Whether the place is at an address now: other code may be there since. */
  isAt(pc: bigint): boolean {
    this.#find();
    return this.place.addresses.includes(pc);
  }

  #find(): void {
    const { addresses } = this.place;
    this.place = placeNow(this.system.placeOf, this.at, this.place);
    for (const address of addresses) if (!this.place.addresses.includes(address)) this.control.remove(address);
    for (const address of this.place.addresses) if (!addresses.includes(address)) this.control.insertAhead(address);
  }
}
