// crosvm's board (docs/spec/phones.md §C1 to §C5): 16550A ports, and virtio devices that are
// functions of a PCI bus.

import { RegisterSet } from "../../../abi/words.ts";
import { NOTIFY_MULTIPLIER, VIRTIO_BAR_NOTIFY, VIRTIO_BAR_SIZE } from "../../../devices/virtio-pci-registers.ts";
import type { Board } from "../board.ts";
import { uart16550Console } from "../vm-console.ts";
import { crosvmDevicetree } from "./devicetree.ts";
import { CrosvmDevices } from "./devices.ts";
import {
  CROSVM_FIRMWARE,
  CROSVM_GICD,
  CROSVM_SERIAL_SIZE,
  CROSVM_SERIALS,
  crosvmBar,
  crosvmGicr,
  crosvmLayout,
  crosvmOwnLines,
  crosvmPciSpi,
  crosvmRegions,
} from "./map.ts";
import { CROSVM_RULES } from "./rules.ts";

export const CROSVM_BOARD: Board = {
  rules: CROSVM_RULES,
  vmm: {
    loadsLast: true,
    firmware: CROSVM_FIRMWARE,
    entry: ({ base, image }) => [[RegisterSet.PC << 8, base + image.entry]],
  },
  console: { ...CROSVM_SERIALS[0], size: CROSVM_SERIAL_SIZE, make: uart16550Console },
  virtio: {
    registers: "vmm-pci",
    spi: crosvmPciSpi,
    place: (slot) => ({ base: crosvmBar(slot), size: VIRTIO_BAR_SIZE }),
    notification: (slot, queue) => ({ address: crosvmBar(slot) + VIRTIO_BAR_NOTIFY + queue * NOTIFY_MULTIPLIER, value: undefined }),
  },
  lines: crosvmOwnLines,
  gic: (vcpus) => ({ gicd: CROSVM_GICD, gicr: crosvmGicr(vcpus) }),
  layout: crosvmLayout,
  regions: crosvmRegions,
  flash: () => [],
  devicetree: (plan, layout, _objects, driver) => crosvmDevicetree(plan, layout, driver),
  devices: (plan, functions, process) => new CrosvmDevices(plan, functions, process),
};
