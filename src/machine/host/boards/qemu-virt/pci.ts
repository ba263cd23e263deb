// The PCI host of QEMU's `virt`: its bus with the bridge and virtio functions, and its node in the
// devicetree.

import { ECAM_SHIFT, PciBus, PciFunction } from "../../../devices/pci.ts";
import { LEVEL_HIGH, SPI } from "../../../devicetree/gic.ts";
import { cells64, type DevicetreeNode, node } from "../../../devicetree/tree.ts";
import { VirtioId } from "../../../virtio/device.ts";
import { type PciTransport, virtioFunction } from "../../../virtio/pci-transport.ts";
import { QEMU_ECAM, QEMU_INTX, QEMU_PCI_MEMORY, QEMU_PCI_PORTS, qemuPciSpi } from "./map.ts";

/** Address spaces of `ranges` (PCI bus binding). */
const PORTS = 0x0100_0000, MEMORY_32 = 0x0200_0000;
/** Device numbers whose pins the map lists: those of others repeat them. */
const MAPPED_DEVICES = 4;

const SUBSYSTEM = 0x1100;
const BRIDGE = { vendor: 0x1b36, device: 0x0008, revision: 0, classCode: 0x06_00_00, subsystemVendor: 0x1af4, subsystem: SUBSYSTEM };
/** Classes of virtio functions, as QEMU's devices show them. */
const VIRTIO_CLASSES: Readonly<Record<number, number>> = {
  [VirtioId.Net]: 0x02_00_00,
  [VirtioId.Block]: 0x01_00_00,
  [VirtioId.Console]: 0x07_80_00,
  [VirtioId.Entropy]: 0x00_ff_00,
  [VirtioId.Balloon]: 0x00_ff_00,
  [VirtioId.P9]: 0x00_02_00,
  [VirtioId.Input]: 0x09_80_00,
  [VirtioId.Vsock]: 0x07_80_00,
};
/** The bus: the host bridge, a function for each transport, and then `others`. */
export function qemuPciBus(transports: readonly PciTransport[], others: readonly PciFunction[] = []): PciBus {
  return new PciBus([
    new PciFunction(BRIDGE),
    ...transports.map((transport, index) => {
      const classCode = VIRTIO_CLASSES[transport.device.id];
      // Nothing gives BARs their places before Linux does.
      return virtioFunction(transport, { classCode, address: 0, line: qemuPciSpi(index), subsystem: SUBSYSTEM });
    }),
    ...others,
  ], ECAM_SHIFT);
}

/** The controller that takes messages of functions. */
interface MessageController {
  readonly phandle: number;
  readonly isIts: boolean;
}

/**
 * The host's node.
 * @param gic phandle of the interrupt controller of its pins
 */
export function pciHostNode(gic: number, messages?: MessageController): DevicetreeNode {
  const range = (space: number, bus: number, { base, size }: { readonly base: number; readonly size: number }) => [
    space,
    ...[0, bus],
    ...[0, base],
    ...[0, size],
  ];
  const pins = Array.from({ length: MAPPED_DEVICES * QEMU_INTX.pins }, (_, index) => {
    const device = Math.floor(index / QEMU_INTX.pins), pin = index % QEMU_INTX.pins;
    const spi = QEMU_INTX.spi + (device + pin) % QEMU_INTX.pins;
    return [device << 11, 0, 0, pin + 1, gic, 0, 0, SPI, spi, LEVEL_HIGH];
  });
  return node(`pcie@${QEMU_PCI_MEMORY.base.toString(16)}`, {
    "interrupt-map-mask": [(MAPPED_DEVICES - 1) << 11, 0, 0, 7],
    "interrupt-map": pins.flat(),
    "#interrupt-cells": 1,
    ranges: [...range(PORTS, 0, QEMU_PCI_PORTS), ...range(MEMORY_32, QEMU_PCI_MEMORY.base, QEMU_PCI_MEMORY)],
    reg: cells64(QEMU_ECAM.base, QEMU_ECAM.size),
    ...messages && (messages.isIts ? { "msi-map": [0, messages.phandle, 0, 0x1_0000] } : { "msi-parent": messages.phandle }),
    "dma-coherent": true,
    "bus-range": [0, QEMU_ECAM.buses - 1],
    "linux,pci-domain": 0,
    "#size-cells": 2,
    "#address-cells": 3,
    device_type: "pci",
    compatible: "pci-host-ecam-generic",
  });
}
