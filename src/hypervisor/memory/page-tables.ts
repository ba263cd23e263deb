// The page tables of the machine's pool, and which of them are promised: an address space pays for
// every table that its mappings can come to need, so that none lacks one later.

import { type IpaBits, rootTables, type Stage2Table } from "../../core/interface.ts";
import type { Faults } from "../services/faults.ts";

/** Where page tables come from: `Stage2Pool` of the core. */
export interface Stage2Source {
  /** Undefined when tables have run out. */
  create(bits?: IpaBits): Stage2Table | undefined;
  /** Tables that are not in use. */
  readonly available: number;
}

/** The tables of one machine. */
export class PageTables {
  #left: number;

  /** @param bits width of IPAs */
  constructor(readonly source: Stage2Source, readonly faults: Faults, readonly bits: IpaBits) {
    this.#left = source.available;
  }

  /** Tables that can still be promised. */
  get left(): number {
    return this.#left;
  }

  /** Tables in the root of an address space. */
  get root(): number {
    return rootTables(this.bits);
  }

  /** The root of new tables; they were promised. */
  create(): Stage2Table | undefined {
    return this.source.create(this.bits);
  }

  /** Reserves this many tables; false, with nothing reserved, when there are fewer. */
  promise(count: number): boolean {
    if (count > this.#left || this.faults.failsAllocation("tables", count)) return false;
    this.#left -= count;
    return true;
  }

  /** Tables that were promised are not needed any more. */
  giveBack(count: number): void {
    this.#left += count;
  }

  /** No table is reserved without an address space. */
  clear(): void {
    this.#left = this.source.available;
  }
}
