// Layout of a VM: its memory, and the addresses of its devices.
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

import { FIRST_SPI } from "../devicetree/gic.ts";
import {
  CROSVM_DEVICETREE_SIZE,
  CROSVM_FIRMWARE,
  CROSVM_GICD,
  CROSVM_INITRD_ALIGNMENT,
  crosvmBar,
  crosvmGicr,
  crosvmPciSpi,
} from "./crosvm-map.ts";
import { QEMU_DEVICETREE_SIZE, QEMU_GICD, qemuGicr, qemuNeeds, qemuPciSpi, qemuPlaces } from "./qemu-virt-map.ts";
import { VirtioMmioRegister } from "../devices/virtio-mmio-registers.ts";
import { NOTIFY_MULTIPLIER, VIRTIO_BAR_NOTIFY, VIRTIO_BAR_SIZE } from "../devices/virtio-pci-registers.ts";
import type { VmPlan } from "./plan.ts";
import { PAGE_SIZE } from "../support/sizes.ts";

/** Bytes for the devicetree and what the resource manager adds to it. */
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

/** The SPI of a slot. */
export function virtioSpi(platform: VmPlan["platform"], slot: number): number {
  if (platform === "qemu-virt") return qemuPciSpi(slot);
  return platform === "crosvm" ? crosvmPciSpi(slot) : VM_VIRTIO_SPI + slot;
}

/** INTID of a slot's interrupt. */
export function virtioIntid(platform: VmPlan["platform"], slot: number): number {
  return FIRST_SPI + virtioSpi(platform, slot);
}

/** Where the VMM has a slot's registers; undefined if the guest gives them their place. */
export function virtioRegisters(
  platform: VmPlan["platform"],
  slot: number,
): { readonly ipa: number; readonly size: number } | undefined {
  if (platform === "qemu-virt") return undefined;
  if (platform === "crosvm") return { ipa: crosvmBar(slot), size: VIRTIO_BAR_SIZE };
  return { ipa: virtioBase(slot), size: VM_VIRTIO_STRIDE };
}

/**
 * The store by which a driver notifies a queue: its address, and its value if all queues have one
 * address.
 */
export function queueNotification(platform: VmPlan["platform"], slot: number, queue: number) {
  if (platform !== "crosvm") return { address: virtioBase(slot) + VirtioMmioRegister.QueueNotify, value: queue };
  return { address: crosvmBar(slot) + VIRTIO_BAR_NOTIFY + queue * NOTIFY_MULTIPLIER, value: undefined };
}

/** The frames of a VM's GIC. */
export function gicFrames({ platform, vcpus }: Pick<VmPlan, "platform" | "vcpus">) {
  if (platform === "crosvm") return { gicd: CROSVM_GICD, gicr: crosvmGicr(vcpus) };
  if (platform === "qemu-virt") return { gicd: QEMU_GICD, gicr: qemuGicr(vcpus) };
  return { gicd: { base: VM_GICD_BASE, size: VM_GICD_SIZE }, gicr: { base: VM_GICR_BASE, size: VM_GICR_SIZE * vcpus } };
}

/** Address of a slot. */
export function virtioBase(slot: number): number {
  return VM_VIRTIO_BASE + slot * VM_VIRTIO_STRIDE;
}

/** Labels from here up are the host's own; those of links lie below. */
export const FIRST_RESERVED_LABEL = 0x8000_0000;
/** Label of the doorbell that drives a shared interrupt of the VM. */
export function bellLabel(spi: number): number {
  return FIRST_RESERVED_LABEL + spi;
}

/** Label of the virtio-mmio object of a slot, where the hypervisor has the registers. */
export function backendLabel(slot: number): number {
  return FIRST_RESERVED_LABEL + 0x1000 + slot;
}
/** Label of the page that the resource manager wants to be shared for such objects. */
export const DEVICE_BUFFER_LABEL = FIRST_RESERVED_LABEL + 0x2000;

/** Offsets in a VM's memory. */
export interface VmLayout {
  /** Undefined without an initial ramdisk. */
  readonly initrd: number | undefined;
  /**
   * Where the resource manager puts the firmware, below 0 if that is before the RAM; undefined
   * without firmware.
   */
  readonly firmware: number | undefined;
  readonly devicetree: number;
}

type Contents = Pick<VmPlan, "image" | "firmware" | "initrd" | "platform" | "base" | "swiotlb" | "devicetreeFirst" | "flash">;

/** Bytes of the range in which the devicetree lies. */
export function devicetreeSize({ platform }: Pick<VmPlan, "platform">): number {
  if (platform === "qemu-virt") return QEMU_DEVICETREE_SIZE;
  return platform === "crosvm" ? CROSVM_DEVICETREE_SIZE : DEVICETREE_SIZE;
}

/** crosvm's initial ramdisk begins at a multiple of 16 MiB after the kernel. */
function crosvmInitrd({ base, image }: Contents): number {
  return Math.ceil((base + image.offset + image.size) / CROSVM_INITRD_ALIGNMENT) * CROSVM_INITRD_ALIGNMENT - base;
}

/** Bytes in whole pages. */
export function wholePages(bytes: number): number {
  return Math.ceil(bytes / PAGE_SIZE) * PAGE_SIZE;
}

/** Bytes of memory that a VM needs at least for what it is loaded with. */
export function neededMemory(plan: Contents): number {
  const { image, firmware, initrd, platform, swiotlb = 0 } = plan;
  if (platform === "qemu-virt") return qemuNeeds(plan);
  if (platform === "crosvm") {
    const loaded = initrd === undefined ? image.offset + image.size : crosvmInitrd(plan) + initrd.length;
    const last = plan.devicetreeFirst ? 0 : CROSVM_DEVICETREE_SIZE;
    return Math.ceil(loaded / CROSVM_DEVICETREE_SIZE) * CROSVM_DEVICETREE_SIZE + last + swiotlb;
  }
  return wholePages(image.offset + image.size) + wholePages(initrd?.length ?? 0) + wholePages(firmware?.size ?? 0) + DEVICETREE_SIZE;
}

/** Lays out a VM with at least `neededMemory` bytes. */
export function layoutVm(plan: Contents & Pick<VmPlan, "memory">): VmLayout {
  if (plan.platform === "qemu-virt") return { ...qemuPlaces(plan), firmware: undefined };
  const devicetree = plan.devicetreeFirst ? 0 : plan.memory - (plan.swiotlb ?? 0) - devicetreeSize(plan);
  if (plan.platform === "crosvm") {
    return { initrd: plan.initrd && crosvmInitrd(plan), firmware: plan.firmware && CROSVM_FIRMWARE.base - plan.base, devicetree };
  }
  const firmware = plan.firmware && devicetree - wholePages(plan.firmware.size);
  const initrd = plan.initrd && Math.floor(((firmware ?? devicetree) - plan.initrd.length) / PAGE_SIZE) * PAGE_SIZE;
  return { initrd, firmware, devicetree };
}
