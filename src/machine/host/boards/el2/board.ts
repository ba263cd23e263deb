// el2's own board: a PL011 and slots of virtio-mmio, as el2's sample VMMs build it.

import { VirtioMmioRegister } from "../../../devices/virtio-mmio-registers.ts";
import type { Board } from "../board.ts";
import { ramRegions } from "../layout.ts";
import { VmConsole } from "../vm-console.ts";
import { guestDevicetree } from "./devicetree.ts";
import {
  el2Layout,
  virtioBase,
  VM_GICD_BASE,
  VM_GICD_SIZE,
  VM_GICR_BASE,
  VM_GICR_SIZE,
  VM_PL011_BASE,
  VM_PL011_SIZE,
  VM_PL011_SPI,
  VM_VIRTIO_SPI,
  VM_VIRTIO_STRIDE,
} from "./map.ts";
import { EL2_RULES } from "./rules.ts";

export const EL2_BOARD: Board = {
  rules: EL2_RULES,
  console: { base: VM_PL011_BASE, size: VM_PL011_SIZE, spi: VM_PL011_SPI, make: (output, cleared) => new VmConsole(output, cleared) },
  virtio: {
    registers: "vmm",
    spi: (slot) => VM_VIRTIO_SPI + slot,
    place: (slot) => ({ base: virtioBase(slot), size: VM_VIRTIO_STRIDE }),
    notification: (slot, queue) => ({ address: virtioBase(slot) + VirtioMmioRegister.QueueNotify, value: queue }),
  },
  lines: ({ console }) => console ? [{ spi: VM_PL011_SPI, edge: false }] : [],
  gic: (vcpus) => ({
    gicd: { base: VM_GICD_BASE, size: VM_GICD_SIZE },
    gicr: { base: VM_GICR_BASE, size: VM_GICR_SIZE * vcpus },
  }),
  layout: el2Layout,
  regions: ramRegions,
  flash: () => [],
  devicetree: guestDevicetree,
};
