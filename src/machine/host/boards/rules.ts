// The rules of a board: what a configuration needs to know of it, without loading its devices.

import type { Contents } from "./layout.ts";

/** The rules of a configuration for a VM on the board. */
export interface BoardRules {
  /** The VMM of others whose platform it is, as messages name it; undefined for el2's own. */
  readonly vmm?: string;
  /** Its serial ports, if it has them without being asked. */
  readonly ports?: string;
  /** Where RAM begins by default, and where if the VM starts in flash: IPAs. */
  readonly ram: number;
  readonly flashRam?: number;
  /** A VM's RAM can begin elsewhere. */
  readonly movesRam?: true;
  /** Functions of its PCI host can send interrupts to an ITS, or to a GICv2m frame. */
  readonly sendsMessages?: true;
  /** Where a BIOS is. */
  readonly bios?: "ram" | "flash";
  /** Bytes that a protected VM shares with its VMM by default. */
  readonly swiotlb?: number;
  /** Labels of links below this one are those of its interrupts. */
  readonly firstLabel: number;
  /** Bytes of the range in which the devicetree lies. */
  readonly devicetreeSize: number;
  /** Bytes of RAM that a VM needs at least for what it is loaded with. */
  needs(plan: Contents): number;
  /** Bytes of a VM's memory besides its RAM. */
  room(vm: { readonly isProtected: boolean; readonly hasBios: boolean }): number;
}
