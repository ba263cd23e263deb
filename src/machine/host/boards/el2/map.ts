// Layout of a VM of el2's own board: its memory, and the addresses of its devices.
//
//   IPA                              in the VM's memory (one parcel, lent by the host)
//   0x0800_0000  GICD                 image.offset          image (Linux: at text_offset)
//   0x080a_0000  GICR, one per vCPU   ...                   free
//   0x0900_0000  PL011, its console   below the next        initial ramdisk, page aligned
//   0x0a00_0000  virtio-mmio slots    below the next        firmware of a protected VM, whole pages
//   0x4000_0000  (info page)          end - 64 KiB          devicetree, with room for the additions
//                                                           of the Resource Manager
//   base         RAM
//
// Addresses of devices are those of QEMU's `virt` machine; accesses below 0x4000_0000 that the
// hypervisor does not serve exit to the VMM (docs/spec/resource-manager.md §8.2, VMMIO range).

import { type Contents, type VmLayout, wholePages } from "../layout.ts";
import type { VmPlan } from "../vm-plan.ts";
import { PAGE_SIZE } from "../../../../kit/support/values/sizes.ts";

/** Bytes for the devicetree and what the Resource Manager adds to it. */
export const DEVICETREE_SIZE = 0x1_0000;

/** GICv3 frames: the distributor, and one redistributor (RD and SGI frame) for each vCPU. */
export const VM_GICD_BASE = 0x0800_0000;
export const VM_GICD_SIZE = 0x1_0000;
export const VM_GICR_BASE = 0x080a_0000;
export const VM_GICR_SIZE = 0x2_0000;

/** The console. Its interrupt is SPI 1. */
export const VM_PL011_BASE = 0x0900_0000;
export const VM_PL011_SIZE = 0x1000;
export const VM_PL011_SPI = 1;

/**
 * Virtio devices: slots of virtio-mmio, as QEMU's `virt` has them, each with the SPI of its number
 * from here on.
 */
export const VM_VIRTIO_BASE = 0x0a00_0000;
export const VM_VIRTIO_STRIDE = 0x200;
export const VM_VIRTIO_SPI = 16;
/** GenieZone's VMs have 32 shared interrupts. */
export const VM_VIRTIO_SLOTS = 16;

/** Address of a slot. */
export function virtioBase(slot: number): number {
  return VM_VIRTIO_BASE + slot * VM_VIRTIO_STRIDE;
}

/** Bytes of memory that a VM needs at least for what it is loaded with. */
export function el2Needs({ image, firmware, initrd }: Contents): number {
  return wholePages(image.offset + image.size) + wholePages(initrd?.length ?? 0) + wholePages(firmware?.size ?? 0) + DEVICETREE_SIZE;
}

/** Lays out a VM with at least that many bytes. */
export function el2Layout(plan: Contents & Pick<VmPlan, "memory">): VmLayout {
  const devicetree = plan.memory - DEVICETREE_SIZE;
  const firmware = plan.firmware && devicetree - wholePages(plan.firmware.size);
  const initrd = plan.initrd && Math.floor(((firmware ?? devicetree) - plan.initrd.length) / PAGE_SIZE) * PAGE_SIZE;
  return { initrd, firmware, devicetree };
}
