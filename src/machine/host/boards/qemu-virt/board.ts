// QEMU's `virt` board as its port for Gunyah has it (docs/spec/phones.md §C5): a PL011, flash, and
// virtio devices that are functions of a PCI bus and send messages.

import { RegisterSet } from "../../../abi/words.ts";
import type { Board } from "../board.ts";
import { ramRegions } from "../layout.ts";
import { VmConsole } from "../vm-console.ts";
import { qemuDevicetree } from "./devicetree.ts";
import { QemuDevices } from "./devices.ts";
import {
  QEMU_FLASH_BASES,
  QEMU_GICD,
  QEMU_UART,
  qemuFlash,
  qemuGicr,
  qemuLines,
  qemuPciSpi,
  qemuPlaces,
  qemuStub,
  qemuStubCode,
} from "./map.ts";
import { QEMU_RULES } from "./rules.ts";

export const QEMU_BOARD: Board = {
  rules: QEMU_RULES,
  vmm: {
    loadsLast: false,
    stub: (plan) => plan.flash === undefined ? { offset: qemuStub(plan), bytes: qemuStubCode(plan.base + plan.image.entry) } : undefined,
    entry: (plan) => {
      if (plan.flash !== undefined) return [[RegisterSet.PC << 8, QEMU_FLASH_BASES[0]]];
      return [[RegisterSet.PC << 8, plan.base + qemuStub(plan)], [RegisterSet.X << 8, plan.base + qemuPlaces(plan).devicetree]];
    },
  },
  console: { ...QEMU_UART, make: (output, cleared) => new VmConsole(output, cleared) },
  virtio: { registers: "vmm-msi", spi: qemuPciSpi, place: () => undefined, notification: () => undefined },
  lines: qemuLines,
  gic: (vcpus) => ({ gicd: QEMU_GICD, gicr: qemuGicr(vcpus) }),
  layout: qemuPlaces,
  regions: ramRegions,
  flash: qemuFlash,
  devicetree: (plan, layout, _objects, driver) => qemuDevicetree(plan, layout, driver),
  devices: (plan, functions, process) => new QemuDevices(plan, functions, process),
};
