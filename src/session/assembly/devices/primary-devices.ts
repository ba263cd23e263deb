// The primary VM's virtio devices: slots of the platform's virtio-mmio region, as QEMU's `virt` has
// them.

import type { Hypervisor } from "../../../machine/hypervisor/boot.ts";
import type { Machine } from "../../../machine/hardware/machine.ts";
import { VIRTIO_MMIO_BASE, VIRTIO_MMIO_INTID, VIRTIO_MMIO_SLOTS, VIRTIO_MMIO_STRIDE } from "../../../machine/hardware/memory-map.ts";
import type { VirtioDevice } from "../../../machine/virtio/device.ts";
import { SavedEvent } from "../../state/saved-event.ts";
import { EmptySlots, MmioTransport } from "../../../machine/virtio/mmio-transport.ts";
import type { VirtioFault } from "../../../machine/virtio/memory.ts";
import { deviceFaults } from "../../../machine/virtio/device-faults.ts";
import { deviceName } from "../../../machine/virtio/plan.ts";
import type { TransportOptions, VirtioTransport } from "../../../machine/virtio/transport.ts";
import { VmMemory } from "./vm-memory.ts";
import { devId, nameOf } from "../../../model/queries/ids.ts";

const EMPTY_SLOTS = new EmptySlots(VIRTIO_MMIO_STRIDE);

/** Virtual time (ns) from one turn of a long request to the next. */
const TURN_INTERVAL = 100_000;

/** Where a device is. */
export interface VirtioPlace {
  /** `dev:VM/blk0`. */
  readonly id: string;
  readonly transport: VirtioTransport;
  /** When the device continues with what it does in several turns. */
  readonly turn: SavedEvent;
  readonly ipa: number;
  readonly size: number;
  readonly intid: number;
}

/** Reports about devices by their ids. */
export interface DeviceReports {
  /** The guest broke a rule. */
  onProblem(id: string, message: string): void;
  /** An exception in el2 itself. */
  onBug(id: string, error: unknown): void;
}

/** A device with the services that it has on any bus. */
export function surroundings(
  machine: Machine,
  hypervisor: Hypervisor,
  vmid: number,
  { device, slot, reports }: { readonly device: VirtioDevice; readonly slot: number; readonly reports: DeviceReports },
): { readonly id: string; readonly turn: SavedEvent; readonly options: Omit<TransportOptions, "onInterrupt" | "message"> } {
  const id = devId(hypervisor.names.vm(vmid), deviceName(device.name, slot));
  const turn = new SavedEvent(machine.events);
  const options = {
    memory: new VmMemory(hypervisor, vmid, id),
    later: (act: () => void) => turn.schedule(machine.time + TURN_INTERVAL, act),
    faults: deviceFaults(() => hypervisor.faults, nameOf(id), device, (ns, act) => hypervisor.faults.later(ns, act)),
    onFault: (fault: VirtioFault) => reports.onProblem(id, fault.message),
    onBug: (error: unknown) => reports.onBug(id, error),
  };
  return { id, turn, options };
}

/**
 * Puts devices into slots 0, 1, … The slots after them are empty.
 * @throws RangeError for more devices than slots.
 */
export function attachVirtio(
  machine: Machine,
  hypervisor: Hypervisor,
  vmid: number,
  devices: readonly VirtioDevice[],
  reports: DeviceReports,
): VirtioPlace[] {
  if (devices.length > VIRTIO_MMIO_SLOTS) {
    throw new RangeError(`${devices.length} virtio devices: the platform has ${VIRTIO_MMIO_SLOTS} slots`);
  }
  if (devices.length < VIRTIO_MMIO_SLOTS) {
    machine.bus.attach({
      name: "empty virtio slots",
      base: VIRTIO_MMIO_BASE + devices.length * VIRTIO_MMIO_STRIDE,
      size: (VIRTIO_MMIO_SLOTS - devices.length) * VIRTIO_MMIO_STRIDE,
      device: EMPTY_SLOTS,
    });
  }
  return devices.map((device, slot) => {
    const ipa = VIRTIO_MMIO_BASE + slot * VIRTIO_MMIO_STRIDE, intid = VIRTIO_MMIO_INTID + slot;
    const { id, turn, options } = surroundings(machine, hypervisor, vmid, { device, slot, reports });
    const transport = new MmioTransport(device, { ...options, onInterrupt: (level) => machine.interrupt(intid, level) });
    machine.bus.attach({
      name: `virtio-${device.name} in slot ${slot}`,
      base: ipa,
      size: VIRTIO_MMIO_STRIDE,
      device: transport,
    });
    return { id, transport, turn, ipa, size: VIRTIO_MMIO_STRIDE, intid };
  });
}
