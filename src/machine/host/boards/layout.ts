// Places in a VM: its memory, its regions, and its interrupt lines.

import type { VmPlan } from "./vm-plan.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

/** Offsets in a VM's memory. */
export interface VmLayout {
  /** Undefined without an initial ramdisk. */
  readonly initrd: number | undefined;
  /**
   * Where the Resource Manager puts the firmware, below 0 if that is before the RAM; undefined
   * without firmware.
   */
  readonly firmware: number | undefined;
  readonly devicetree: number;
}

/** The content of a VM's memory at its start. */
export type Contents = Pick<VmPlan, "image" | "firmware" | "initrd" | "base" | "swiotlb" | "pstore" | "devicetreeFirst" | "flash">;

/** A region of a VM's memory, as its VMM names it to the driver. */
export interface VmRegion {
  readonly purpose: "firmware" | "ram" | "pstore" | "pool" | "window";
  readonly base: number;
  readonly size: number;
}

/** Whether a VMM reaches a region in any case, as it does not reach lent memory. */
export const isShared = ({ purpose }: Pick<VmRegion, "purpose">): boolean => purpose === "pool" || purpose === "pstore";

/** Addresses and bytes. */
export interface Range {
  readonly base: number;
  readonly size: number;
}

/** The offset of an address in a range; undefined outside. */
export function offsetIn({ base, size }: Range, address: number): number | undefined {
  return address >= base && address < base + size ? address - base : undefined;
}

/** An interrupt line that the VMM drives. */
export interface BoardLine {
  readonly spi: number;
  readonly edge: boolean;
}

/** Bytes in whole pages. */
export function wholePages(bytes: number): number {
  return Math.ceil(bytes / PAGE_SIZE) * PAGE_SIZE;
}

/** RAM in one piece, and its windows. */
export function ramRegions({ base, memory, windows = [] }: Pick<VmPlan, "base" | "memory" | "windows">): VmRegion[] {
  return [{ purpose: "ram", base, size: memory }, ...windows.map((window) => ({ purpose: "window" as const, ...window }))];
}
