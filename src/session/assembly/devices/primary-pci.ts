// The primary VM's virtio devices as functions of a PCI host, as QEMU's `virt` has one: interrupts
// by its pins, or by messages to the GICv2m frame or the ITS.

import * as v from "valibot";
import { GICV2M_SIZE } from "../../../machine/devices/gicv2m.ts";
import type { PciBus, PciFunction, PciFunctionState } from "../../../machine/devices/pci.ts";
import { FIRST_SPI } from "../../../machine/devicetree/gic.ts";
import { QEMU_ECAM, QEMU_INTX, QEMU_PCI_MEMORY, QEMU_PCI_PORTS, qemuDeviceId, qemuPciSpi } from "../../../machine/host/interface.ts";
import { qemuPciBus } from "../../../machine/host/boot.ts";
import { Gits, type Hypervisor } from "../../../machine/hypervisor/boot.ts";
import type { Machine } from "../../../machine/hardware/machine.ts";
import { GITS_BASE, V2M_BASE } from "../../../machine/hardware/memory-map.ts";
import type { SavedPart } from "../../state/parts.ts";
import { count, demand, inForm, list, ofBits } from "../../../kit/support/values/forms.ts";
import type { VirtioDevice } from "../../../machine/virtio/device.ts";
import { PciTransport } from "../../../machine/virtio/pci-transport.ts";
import { VIRTIO_BAR_SIZE } from "../../../machine/devices/virtio-pci-registers.ts";
import { devId } from "../../../model/queries/ids.ts";
import { VmMemory } from "./vm-memory.ts";
import { type DeviceReports, surroundings, type VirtioPlace } from "./primary-devices.ts";

/** Register of the ITS that takes messages. */
const TRANSLATER = GITS_BASE + Gits.TRANSLATER;

const FUNCTION = v.strictObject({
  command: ofBits(16),
  scratch: v.strictTuple([ofBits(8), ofBits(8), ofBits(8)]),
  bar: count,
  window: list(ofBits(32)),
});
/** Levels of the host's pins, and its functions. */
const SAVED_HOST = v.strictObject({ pins: v.pipe(v.array(v.boolean()), v.length(QEMU_INTX.pins)), functions: v.array(FUNCTION) });

/** The devices in their order on the bus, and the host's saved part. */
interface PciPlaces {
  readonly places: readonly VirtioPlace[];
  readonly part: SavedPart;
}

/** The contents of a PCI bus of a VM. */
export interface PciContents {
  readonly vmid: number;
  readonly devices: readonly VirtioDevice[];
  readonly reports: DeviceReports;
  /** Functions after those of the devices. */
  readonly others: readonly PciFunction[];
}

/** The machine that a bus is in. */
export interface PciMachine {
  readonly machine: Machine;
  readonly hypervisor: Hypervisor;
}

/** Puts devices on a PCI bus: device 0 is its bridge. */
export function attachPci(place: PciMachine, { vmid, devices, reports, others }: PciContents): PciPlaces {
  const { machine, hypervisor } = place;
  const hasMessages = hypervisor.behaviour.msi !== "none";
  const memory = new VmMemory(hypervisor, vmid, devId(hypervisor.names.vm(vmid), "pci"));
  const made = devices.map((device, slot) => {
    const { id, turn, options } = surroundings(machine, hypervisor, vmid, { device, slot, reports });
    const message = (address: number, data: number) => {
      if (!sendMessage(place, memory, { device: qemuDeviceId(slot), address, data })) {
        reports.onProblem(id, `a message at 0x${address.toString(16)}, where nothing takes it`);
      }
    };
    const transport = new PciTransport(device, { ...options, onInterrupt: () => settle(), ...hasMessages && { message } });
    return { id, turn, transport };
  });
  const bus = qemuPciBus(made.map(({ transport }) => transport), others);
  const pins = Array.from({ length: QEMU_INTX.pins }, () => false);
  // Functions share pins.
  const settle = () => {
    const levels = pins.map(() => false);
    made.forEach(({ transport }, slot) => {
      if (transport.interrupt && bus.functions[slot + 1].interrupts) levels[qemuPciSpi(slot) - QEMU_INTX.spi] = true;
    });
    levels.forEach((level, pin) => {
      if (level === pins[pin]) return;
      pins[pin] = level;
      machine.interrupt(FIRST_SPI + QEMU_INTX.spi + pin, level);
    });
  };
  attachSpaces(machine, bus, settle);
  const places = made.map(({ id, turn, transport }, slot) => ({
    id,
    turn,
    transport,
    size: VIRTIO_BAR_SIZE,
    intid: FIRST_SPI + qemuPciSpi(slot),
    get ipa() {
      return bus.functions[slot + 1].address ?? 0;
    },
  }));
  return { places, part: savedHost(bus, pins) };
}

/** The state of the host: levels of its pins, and its functions. */
function savedHost(bus: PciBus, pins: boolean[]): SavedPart {
  return {
    name: "PCI host",
    save: () => ({ pins: [...pins], functions: bus.functions.map((each) => each.save()) }),
    restore(state) {
      const saved = inForm(SAVED_HOST, state);
      demand(saved.functions.length === bus.functions.length, "functions", "each function of the bus has a state");
      bus.functions.forEach((each, index) => {
        const { window } = saved.functions[index], words = each.windows.reduce((sum, { words }) => sum + words, 0);
        demand(window.length === words, `functions.${index}.window`, "the state has a word for each of the function's windows");
        each.restore(saved.functions[index] as PciFunctionState);
      });
      pins.splice(0, pins.length, ...saved.pins);
    },
  };
}

/**
 * The bus's three windows in the machine's memory.
 * @param settle is called when a register that enables interrupts may have changed
 */
function attachSpaces(machine: Machine, bus: PciBus, settle: () => void): void {
  machine.bus.attach({
    name: "PCI configuration space",
    base: QEMU_ECAM.base,
    size: QEMU_ECAM.size,
    device: {
      read: (offset, size) => bus.readConfig(offset, size),
      write: (offset, size, value) => {
        bus.writeConfig(offset, size, value);
        settle();
      },
    },
  });
  machine.bus.attach({
    name: "PCI memory",
    base: QEMU_PCI_MEMORY.base,
    size: QEMU_PCI_MEMORY.size,
    device: {
      read: (offset, size) => bus.access(QEMU_PCI_MEMORY.base + offset, size, undefined) ?? allOnes(size),
      write: (offset, size, value) => void bus.access(QEMU_PCI_MEMORY.base + offset, size, value),
    },
  });
  // No function has ports.
  machine.bus.attach({
    name: "PCI ports",
    base: QEMU_PCI_PORTS.base,
    size: QEMU_PCI_PORTS.size,
    device: { read: (_offset, size) => allOnes(size), write: () => {} },
  });
}

/** A function's store of a message. */
interface Message {
  readonly device: number;
  readonly address: number;
  readonly data: number;
}

/**
 * Sends a message; whether something takes it. It goes where the VM's stage 2 leads: to the frame
 * for messages, or to RAM. Other devices take none, so that no device's work begins in the middle
 * of another's.
 */
function sendMessage({ machine, hypervisor }: PciMachine, memory: VmMemory, { device, address, data }: Message): boolean {
  if (address !== TRANSLATER) {
    const pa = memory.deviceAddress(address);
    if (pa !== undefined && pa >= V2M_BASE && pa < V2M_BASE + GICV2M_SIZE) return machine.bus.write(pa, 4, BigInt(data));
    return memory.write(address, new Uint8Array(Uint32Array.of(data).buffer));
  }
  for (const { addressSpace, gic } of hypervisor.scheduler.vcpus) {
    const its = addressSpace?.vmid === memory.vmid ? gic.gic.its : undefined;
    if (its === undefined) continue;
    its.translate(device, data);
    return true;
  }
  return false;
}

function allOnes(size: number): bigint {
  return BigInt.asUintN(8 * size, -1n);
}
