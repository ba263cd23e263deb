// The rules of a board: what a configuration needs to know of it, without loading its devices.

import type { Contents } from "./layout.ts";

/** Keys of `[vm.NAME]` that some boards do not have. */
const BOARD_KEYS = [
  ...["base", "bios", "bios_vars", "cpu_frequencies", "datamatch_flag", "firmware", "msi", "schedule", "swiotlb", "windows"],
  "without_access_platform",
] as const;
export type BoardKey = typeof BOARD_KEYS[number];

/** The rules of a configuration for a VM on the board. */
export interface BoardRules {
  /** The VMM of others whose platform it is, as messages name it; undefined for el2's own. */
  readonly vmm?: string;
  /** The keys of `BOARD_KEYS` that it has. */
  readonly keys: readonly BoardKey[];
  /** Its serial ports, if it has them without being asked. */
  readonly ports?: string;
  /** Where RAM begins by default, and where if the VM starts in flash: IPAs. */
  readonly ram: number;
  readonly flashRam?: number;
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
