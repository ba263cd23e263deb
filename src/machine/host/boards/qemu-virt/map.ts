// The platform of QEMU's `virt` machine as its port for Gunyah has it (docs/spec/phones.md §C5):
// addresses and interrupts. Everything that its VMM answers lies below 1 GiB, so that there are the
// windows of `highmem=off`. RAM begins at 1 GiB as in QEMU only for firmware in flash, whose memory
// the VMM fills by itself: elsewhere the Resource Manager has the page there by which it informs a
// VM.

import { GICV2M_SIZE } from "../../../devices/gicv2m.ts";
import { BANK_MIN } from "../flash-size.ts";
import { FW_CFG_SIZE } from "../../../devices/fw-cfg.ts";
import type { BoardLine, Range, VmLayout } from "../layout.ts";
import type { VmPlan } from "../vm-plan.ts";

/** RAM of VMs that start in flash; such firmware knows the place. */
export const QEMU_RAM_BASE = 0x4000_0000;
/** The banks of flash: firmware is in the first, its variables are in the second. */
export const QEMU_FLASH_BASES = [0, 0x0400_0000] as const;
/** The most that a bank has, bytes. */
export const QEMU_FLASH_MAX = 0x0400_0000;
/** GICv3, and its frame for messages. */
export const QEMU_GICD = { base: 0x0800_0000, size: 0x1_0000 } as const;
export const QEMU_V2M = { base: 0x0802_0000, size: GICV2M_SIZE } as const;
/**
 * Frames of the ITS, the register that takes messages, and the label of the doorbell that sends
 * them.
 */
export const QEMU_ITS = { base: 0x0808_0000, size: 0x2_0000, translater: 0x0809_0040, label: 0x7f } as const;
const GICR_BASE = 0x080a_0000, GICR_SIZE = 0x2_0000;
/** PL011, PL031 and fw_cfg. */
export const QEMU_UART = { base: 0x0900_0000, size: 0x1000, spi: 1 } as const;
export const QEMU_RTC = { base: 0x0901_0000, size: 0x1000, spi: 2 } as const;
export const QEMU_FW_CFG = { base: 0x0902_0000, size: FW_CFG_SIZE } as const;
/** Slots of virtio-mmio, all of them empty. */
export const QEMU_SLOTS = { base: 0x0a00_0000, stride: 0x200, count: 32, spi: 16 } as const;
/** PCI: windows for memory and ports, and configuration space of 16 buses by ECAM. */
export const QEMU_PCI_MEMORY = { base: 0x1000_0000, size: 0x2eff_0000 } as const;
export const QEMU_PCI_PORTS = { base: 0x3eff_0000, size: 0x1_0000 } as const;
export const QEMU_ECAM = { base: 0x3f00_0000, size: 0x100_0000, buses: 16 } as const;
/** INTA to INTD of device 0; those of the others are rotated. */
export const QEMU_INTX = { spi: 3, pins: 4 } as const;
/** Bytes of the devicetree's range, and what its address is a multiple of. */
export const QEMU_DEVICETREE_SIZE = 0x20_0000;
/** The most that lies between the start of RAM and the initial ramdisk. */
const INITRD_OFFSET = 0x800_0000;
/** Room for the stub before the devicetree. */
const QEMU_STUB_SIZE = 0x1000;

/** Lines that QEMU's port has and nothing of ours drives: SPI 0, and 15. */
const UNUSED = [0, 15] as const;

/** Redistributors for a number of vCPUs. */
export function qemuGicr(vcpus: number): Range {
  return { base: GICR_BASE, size: vcpus * GICR_SIZE };
}

/** The SPI at which INTA of a virtio device arrives; device 0 is the host bridge. */
export function qemuPciSpi(index: number): number {
  return QEMU_INTX.spi + (index + 1) % QEMU_INTX.pins;
}

/**
 * The shared interrupts of messages. Gunyah's VMs have those of `virt`; GenieZone's have 32 shared
 * interrupts in all, so that they are those of the slots.
 */
export function qemuMessages({ hypervisor }: Pick<VmPlan, "hypervisor">): { readonly spi: number; readonly count: number } {
  return hypervisor === "geniezone" ? { spi: QEMU_SLOTS.spi, count: 16 } : { spi: 48, count: 32 };
}

/**
 * The DeviceID of a virtio device: its requester id on bus 0, where device 0 is the host bridge.
 */
export function qemuDeviceId(index: number): number {
  return index + 1 << 3;
}

/** The lines of a VM's platform. */
export function qemuLines(plan: Pick<VmPlan, "hypervisor" | "msi">): BoardLine[] {
  const messages = qemuMessages(plan);
  const edges = (first: number, count: number) => Array.from({ length: count }, (_, index) => ({ spi: first + index, edge: true }));
  return [
    ...UNUSED.map((spi) => ({ spi, edge: true })),
    { spi: QEMU_UART.spi, edge: false },
    { spi: QEMU_RTC.spi, edge: true },
    ...edges(QEMU_INTX.spi, QEMU_INTX.pins).map(({ spi }) => ({ spi, edge: false })),
    ...plan.hypervisor === "geniezone" ? [] : edges(QEMU_SLOTS.spi, QEMU_SLOTS.count),
    ...plan.msi === "its" ? [] : edges(messages.spi, messages.count),
  ];
}

/** Where the stub is that enters the image: an offset in RAM. */
export function qemuStub(plan: Parameters<typeof qemuPlaces>[0]): number {
  return qemuPlaces(plan).devicetree - QEMU_STUB_SIZE;
}

/**
 * The stub: it branches to the entry by X4, and clears X1 to X3, as booting.rst of Linux has them.
 */
export function qemuStubCode(entry: number): Uint8Array {
  const MOVZ_X4 = 0xd280_0004, MOVK_X4_16 = 0xf2a0_0004, IMMEDIATE = 5;
  const MOV_X1_XZR = 0xaa1f_03e1, MOV_X2_XZR = 0xaa1f_03e2, MOV_X3_XZR = 0xaa1f_03e3, BR_X4 = 0xd61f_0080;
  const address = [MOVZ_X4 + (entry & 0xffff) * 2 ** IMMEDIATE, MOVK_X4_16 + (entry >>> 16) * 2 ** IMMEDIATE];
  const words = [...address, MOV_X1_XZR, MOV_X2_XZR, MOV_X3_XZR, BR_X4];
  const bytes = new Uint8Array(words.length * 4);
  words.forEach((word, index) => new DataView(bytes.buffer).setUint32(index * 4, word, true));
  return bytes;
}

type Loaded = Pick<VmPlan, "initrd" | "image" | "flash">;

/** The banks of flash of a VM that starts there. Addresses and bytes. */
export function qemuFlash({ flash }: Pick<VmPlan, "flash">): Range[] {
  if (flash === undefined) return [];
  const [code, variables] = QEMU_FLASH_BASES;
  return [{ base: code, size: flash.size }, { base: variables, size: flash.vars?.content.length ?? BANK_MIN }];
}

function aligned(offset: number): number {
  return Math.ceil(offset / QEMU_DEVICETREE_SIZE) * QEMU_DEVICETREE_SIZE;
}

/**
 * Where QEMU puts initial ramdisk and devicetree: offsets in RAM. The Resource Manager's devicetree
 * of a VM that starts in flash is after its RAM, as devices reach no page that is lent; QEMU's for
 * the firmware is at the start.
 */
export function qemuPlaces({ memory, initrd, image, flash }: Loaded & Pick<VmPlan, "memory">): VmLayout {
  const firmware = undefined;
  if (flash !== undefined) return { initrd: undefined, firmware, devicetree: memory };
  const loaded = aligned(Math.max(image.offset + image.size, Math.min(memory / 2, INITRD_OFFSET)));
  const devicetree = aligned(loaded + (initrd?.length ?? 0) + QEMU_STUB_SIZE);
  return { initrd: initrd && loaded, firmware, devicetree };
}

/** Bytes of memory that a VM needs at least: the ramdisk begins at the middle, or after 128 MiB. */
export function qemuNeeds({ initrd, image, flash }: Loaded): number {
  if (flash !== undefined) return QEMU_DEVICETREE_SIZE;
  const end = (memory: number) => qemuPlaces({ initrd, image, memory }).devicetree + QEMU_DEVICETREE_SIZE;
  let memory = end(0);
  while (end(memory) > memory) memory += QEMU_DEVICETREE_SIZE;
  return memory;
}
