// The content of a VM's memory at its start, by address.

import { writeDevicetree } from "../devicetree/writer.ts";
import { boardOf } from "./boards.ts";
import type { DriverTraits, VirtioModel } from "./boards/nodes.ts";
import type { VmPlan } from "./data/plan.ts";

/** Bytes, and their offset in the VM's memory. */
export interface Content {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/**
 * Image, initial ramdisk and devicetree of a plan. The gaps are zero.
 * @param objects its virtio devices, if the hypervisor has their registers
 */
export function vmContents(plan: VmPlan, objects: readonly VirtioModel[] = [], driver: DriverTraits = {}): Content[] {
  const layout = boardOf(plan).layout(plan);
  const devicetree = devicetreeOf(plan, objects, driver);
  return [
    { offset: plan.image.offset, bytes: plan.image.bytes },
    ...layout.initrd === undefined || plan.initrd === undefined ? [] : [{ offset: layout.initrd, bytes: plan.initrd }],
    // Firmware in flash searches the start of RAM.
    ...plan.flash === undefined ? [] : [{ offset: 0, bytes: devicetree }],
    { offset: layout.devicetree, bytes: devicetree },
  ];
}

/** The devicetree of a plan, as its VMM writes it. */
export function devicetreeOf(plan: VmPlan, objects: readonly VirtioModel[] = [], driver: DriverTraits = {}): Uint8Array {
  if (plan.devicetree !== undefined) return plan.devicetree;
  const board = boardOf(plan);
  return writeDevicetree(board.devicetree(plan, board.layout(plan), objects, driver));
}
