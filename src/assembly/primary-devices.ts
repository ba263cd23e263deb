// The primary VM's virtio devices: slots of the platform's virtio-mmio region, as QEMU's `virt` has
// them.

import { FIRST_SPI, LEVEL_HIGH, SPI } from "../devicetree/gic.ts";
import { cells64, type DevicetreeNode, node } from "../devicetree/tree.ts";
import type { Hypervisor } from "../hypervisor/hypervisor.ts";
import type { Machine } from "../machine/machine.ts";
import { VIRTIO_MMIO_BASE, VIRTIO_MMIO_INTID, VIRTIO_MMIO_SLOTS, VIRTIO_MMIO_STRIDE } from "../machine/memory-map.ts";
import type { VirtioDevice } from "../virtio/device.ts";
import { MmioTransport } from "../virtio/mmio-transport.ts";
import { deviceId } from "../virtio/plan.ts";
import { deviceFaults } from "./device-faults.ts";
import { VmMemory } from "./vm-memory.ts";

/** Devicetree nodes of the first `count` slots. */
export function virtioNodes(count: number): DevicetreeNode[] {
  return Array.from({ length: count }, (_, slot) => {
    const base = VIRTIO_MMIO_BASE + slot * VIRTIO_MMIO_STRIDE;
    return node(`virtio_mmio@${base.toString(16)}`, {
      compatible: "virtio,mmio",
      reg: cells64(base, VIRTIO_MMIO_STRIDE),
      interrupts: [SPI, VIRTIO_MMIO_INTID + slot - FIRST_SPI, LEVEL_HIGH],
      "dma-coherent": true,
    });
  });
}

/** Where a device is. */
export interface VirtioPlace {
  /** `dev:VM/blk0`. */
  readonly id: string;
  readonly transport: MmioTransport;
  readonly ipa: number;
  readonly size: number;
  readonly intid: number;
}

/**
 * Puts devices into slots 0, 1, ..
 * @throws RangeError where there are more devices than slots.
 */
export function attachVirtio(
  machine: Machine,
  hypervisor: Hypervisor,
  vmid: number,
  devices: readonly VirtioDevice[],
  onProblem: (id: string, message: string) => void,
): VirtioPlace[] {
  if (devices.length > VIRTIO_MMIO_SLOTS) {
    throw new RangeError(`${devices.length} virtio devices: the platform has ${VIRTIO_MMIO_SLOTS} slots`);
  }
  const memory = new VmMemory(hypervisor, vmid);
  return devices.map((device, slot) => {
    const id = deviceId(hypervisor.names.vm(vmid), device.name, slot);
    const ipa = VIRTIO_MMIO_BASE + slot * VIRTIO_MMIO_STRIDE, intid = VIRTIO_MMIO_INTID + slot;
    const transport = new MmioTransport(device, {
      memory,
      faults: deviceFaults(hypervisor.faults, id.slice("dev:".length), device),
      onInterrupt: (level) => machine.interrupt(intid, level),
      onFault: (fault) => onProblem(id, `${fault.message}: ${JSON.stringify(fault.values)}`),
    });
    machine.bus.attach({
      name: `virtio-${device.name} in slot ${slot}`,
      base: ipa,
      size: VIRTIO_MMIO_STRIDE,
      device: transport,
    });
    return { id, transport, ipa, size: VIRTIO_MMIO_STRIDE, intid };
  });
}
