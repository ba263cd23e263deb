// The platform that crosvm builds for a VM: addresses and interrupts (docs/spec/phones.md §C1 and
// §C2). Everything that its VMM answers lies below 1 GiB, where accesses exit to a VMM.

import { CPUFREQ_FRAME_SIZE } from "../../../devices/virtual-cpufreq.ts";
import { type BoardLine, type Contents, ramRegions, type Range, type VmLayout, type VmRegion } from "../layout.ts";
import type { VmPlan } from "../vm-plan.ts";

/** 16550A ports: 1 and 3 share an interrupt, and so do 2 and 4. */
export const CROSVM_SERIALS = [{ base: 0x3f8, spi: 0 }, { base: 0x2f8, spi: 2 }, { base: 0x3e8, spi: 0 }, { base: 0x2e8, spi: 2 }] as const;
export const CROSVM_SERIAL_SIZE = 8;
/** PL030. */
export const CROSVM_RTC = { base: 0x2000, size: 0x1000, spi: 1 } as const;
/**
 * vCPU stall detector. Its node names PPI 15, and its irqfd rings SPI 15: Gunyah's doorbells reach
 * shared interrupts only.
 */
export const CROSVM_STALL = { base: 0x3000, size: 0x1000, interrupt: 15 } as const;
/** Goldfish battery. crosvm puts it wherever there is room. */
export const CROSVM_BATTERY = { base: 0x03ff_0000, size: 0x1000, spi: 3 } as const;
/** Configuration space by CAM, and the window for BARs of 32 bits. */
export const CROSVM_CAM = { base: 0x1_0000, size: 0x100_0000 } as const;
export const CROSVM_PCI_MEMORY = { base: 0x0200_0000, size: 0x0200_0000 } as const;
/** Virtual cpufreq device: a frame for each vCPU, if it is asked for. */
const CROSVM_CPUFREQ = 0x0104_0000;
/** GICv3: the redistributors end where the distributor begins. */
export const CROSVM_GICD = { base: 0x3fff_0000, size: 0x1_0000 } as const;
const GICR_SIZE = 0x2_0000;
/** Where a protected VM has its firmware: before the RAM. */
export const CROSVM_FIRMWARE = { base: 0x7fc0_0000, size: 0x40_0000 } as const;
/** Size of the range that SET_DTB_CONFIG names, and what its address is a multiple of. */
export const CROSVM_DEVICETREE_SIZE = 0x20_0000;
/** Alignment of the pool for DMA, whatever the guest's page size is. */
export const CROSVM_POOL_ALIGNMENT = 0x1_0000;
const INITRD_ALIGNMENT = 0x100_0000;

const FIRST_PCI_SPI = 4;
/** Room of a virtio device's BAR; devices follow the host bridge in the order of the plan. */
const BAR_ROOM = 0x8000;

/** Redistributors for a number of vCPUs. */
export function crosvmGicr(vcpus: number): Range {
  return { base: CROSVM_GICD.base - vcpus * GICR_SIZE, size: vcpus * GICR_SIZE };
}

/** The frames of the virtual cpufreq device. */
export function crosvmCpufreq(vcpus: number): Range {
  return { base: CROSVM_CPUFREQ, size: vcpus * CPUFREQ_FRAME_SIZE };
}

/** The SPI at which INTA of a virtio device arrives. */
export function crosvmPciSpi(index: number): number {
  const spi = FIRST_PCI_SPI + index;
  return spi < CROSVM_STALL.interrupt ? spi : spi + 1;
}

/** Where BAR 0 of a virtio device is, or, after the last one, that of pvpanic. */
export function crosvmBar(index: number): number {
  return CROSVM_PCI_MEMORY.base + index * BAR_ROOM;
}

/** The regions of a VM's memory by address; each one's index is its label. */
export function crosvmRegions(plan: Pick<VmPlan, "base" | "memory" | "firmware" | "swiotlb" | "pstore" | "windows">): VmRegion[] {
  const { base, memory, firmware, swiotlb = 0, pstore = 0, windows = [] } = plan;
  const ram = memory - swiotlb - pstore;
  return [
    ...firmware === undefined ? [] : [{ purpose: "firmware" as const, ...CROSVM_FIRMWARE }],
    ...ramRegions({ base, memory: ram }),
    ...pstore === 0 ? [] : [{ purpose: "pstore" as const, base: base + ram, size: pstore }],
    ...swiotlb === 0 ? [] : [{ purpose: "pool" as const, base: base + ram + pstore, size: swiotlb }],
    ...windows.map((window) => ({ purpose: "window" as const, ...window })),
  ];
}

/** The initial ramdisk begins at a multiple of 16 MiB after the kernel. */
function initrdOffset({ base, image }: Contents): number {
  return Math.ceil((base + image.offset + image.size) / INITRD_ALIGNMENT) * INITRD_ALIGNMENT - base;
}

/** Bytes of memory that a VM needs at least for what it is loaded with. */
export function crosvmNeeds(plan: Contents): number {
  const { image, initrd, swiotlb = 0, pstore = 0 } = plan;
  const loaded = initrd === undefined ? image.offset + image.size : initrdOffset(plan) + initrd.length;
  const last = plan.devicetreeFirst ? 0 : CROSVM_DEVICETREE_SIZE;
  return Math.ceil(loaded / CROSVM_DEVICETREE_SIZE) * CROSVM_DEVICETREE_SIZE + last + swiotlb + pstore;
}

/** Lays out a VM with at least that many bytes. */
export function crosvmLayout(plan: Contents & Pick<VmPlan, "memory">): VmLayout {
  const { base, memory, initrd, firmware, swiotlb = 0, pstore = 0 } = plan;
  return {
    initrd: initrd && initrdOffset(plan),
    firmware: firmware && CROSVM_FIRMWARE.base - base,
    devicetree: plan.devicetreeFirst ? 0 : memory - swiotlb - pstore - CROSVM_DEVICETREE_SIZE,
  };
}

/** The lines of the platform itself. */
export function crosvmOwnLines(): BoardLine[] {
  const { spi: rtc } = CROSVM_RTC, { spi: battery } = CROSVM_BATTERY;
  const edges = [...new Set(CROSVM_SERIALS.map(({ spi }) => spi)), rtc, CROSVM_STALL.interrupt];
  return [...edges.map((spi) => ({ spi, edge: true })), { spi: battery, edge: false }];
}

/** These, and then those of a VM's virtio devices. */
export function crosvmLines({ devices = [] }: Pick<VmPlan, "devices">): BoardLine[] {
  return [...crosvmOwnLines(), ...devices.map((_, index) => ({ spi: crosvmPciSpi(index), edge: false }))];
}
