// The page tables of the machine's pool, and which of them are promised: an address space pays for
// every table that its mappings can come to need, so that none lacks one later.

import { Vmid } from "../../abi/rpc/messages/vm.ts";
import { type IpaBits, rootTables, type Stage2Table } from "../../../cpu/core/interface.ts";
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
  /** Of those, the tables that VMs beyond the platform's can have. */
  #leftForVms: number;

  /**
   * @param bits width of IPAs
   * @param limitOfVms tables that all VMs beyond the platform's can have
   */
  constructor(readonly source: Stage2Source, readonly faults: Faults, readonly bits: IpaBits, readonly limitOfVms?: number) {
    this.#left = source.available;
    this.#leftForVms = limitOfVms ?? Infinity;
  }

  /** Tables that can still be promised. */
  get left(): number {
    return this.#left;
  }

  /** Tables that can still be promised to the VM of this VMID. */
  leftFor(vmid: number): number {
    return isPlatform(vmid) ? this.#left : Math.min(this.#left, this.#leftForVms);
  }

  /** Use of the tables against the limit of VMs, for display; empty if the VM has none. */
  useText(vmid: number): string {
    if (this.limitOfVms === undefined || isPlatform(vmid)) return "";
    return `: ${this.usedByVms} of ${this.limitOfVms} are in use; the host's memory is not the limit`;
  }

  /** Tables that are promised to VMs, if there is a limit. */
  get usedByVms(): number {
    return this.limitOfVms === undefined ? 0 : this.limitOfVms - this.#leftForVms;
  }

  /** Tables in the root of an address space. */
  get root(): number {
    return rootTables(this.bits);
  }

  /** The root of new tables; they were promised. */
  create(): Stage2Table | undefined {
    return this.source.create(this.bits);
  }

  /** Reserves this many tables for a VM; false, with nothing reserved, when there are fewer. */
  promise(count: number, vmid: number): boolean {
    if (count > this.leftFor(vmid) || this.faults.failsAllocation("tables", count)) return false;
    this.#left -= count;
    if (!isPlatform(vmid)) this.#leftForVms -= count;
    return true;
  }

  /** Tables that were promised to a VM are not needed any more. */
  giveBack(count: number, vmid: number): void {
    this.#left += count;
    if (!isPlatform(vmid)) this.#leftForVms += count;
  }

  /** No table is reserved without an address space. */
  clear(): void {
    this.#left = this.source.available;
    this.#leftForVms = this.limitOfVms ?? Infinity;
  }
}

/** Whether a VM is the Resource Manager's or the primary one. */
function isPlatform(vmid: number): boolean {
  return vmid === Vmid.ResourceManager || vmid === Vmid.Hlos;
}
