// The virtio devices of a VM as its VMM has them: slots of virtio-mmio or functions of PCI,
// memory that is the VMM's own view of the VM's, and interrupt lines that are irqfds. The VMM
// cannot read memory that it has lent, so that a queue there fails with that reason.

import type { FaultPort } from "../abi/faults.ts";
import { deviceFaults } from "../virtio/device-faults.ts";
import type { VirtioDevice } from "../virtio/device.ts";
import type { GuestMemory, VirtioFault } from "../virtio/memory.ts";
import { MmioTransport } from "../virtio/mmio-transport.ts";
import { PciTransport } from "../virtio/pci-transport.ts";
import type { TransportOptions, TransportState, VirtioTransport } from "../virtio/transport.ts";
import type { Resource } from "./gunyah/state.ts";
import type { HostServices } from "./primary/host-guest.ts";
import type { ProcessMemory } from "./boards/board.ts";
import { type BackendState, VirtioBackends } from "./primary/virtio-backend.ts";
import { PAGE_SIZE } from "../../kit/support/values/sizes.ts";
import { VM_VIRTIO_BASE, VM_VIRTIO_STRIDE } from "./boards/el2/map.ts";

/** Services of the VMM's process to devices. */
interface DeviceProcess extends ProcessMemory {
  /** Virtual time, ns. */
  readonly now: number;
  /** Signals the irqfd of a slot. */
  interrupt(slot: number): void;
  /** A slot's line has fallen. */
  lowered(slot: number): void;
  /** Stores the message of a slot's device. */
  message(slot: number, address: number, data: number): void;
  /** The process touched memory that it has lent, which ends it. */
  touchedLent(reason: string): void;
}

/** State of a VM's devices: plain data. */
export interface VmDevicesState {
  /** By slot. */
  readonly transports: readonly TransportState[];
  readonly backends: readonly BackendState[];
  /** When what devices have put off is due, virtual ns. */
  readonly wakeAt?: number;
}

/** Virtual time (ns) from one turn of a long request to the next. */
const TURN_INTERVAL = 100_000;

/**
 * The devices of one VM, in the order of their slots. They outlive the VM: where it starts again,
 * they begin anew.
 */
export class VmDevices {
  readonly transports: readonly VirtioTransport[];
  /** Those of virtio-mmio; none if they are functions of PCI. */
  readonly #slots: readonly MmioTransport[];
  /** Those of PCI, whose bus the VMM has; none if they are slots of virtio-mmio. */
  readonly functions: readonly PciTransport[];
  /** Where the registers are the hypervisor's; otherwise they are here. */
  readonly backends: VirtioBackends | undefined;
  #process: DeviceProcess | undefined;
  /** Deferred work of devices. */
  #later: (() => void)[] = [];
  #wakeAt: number | undefined;
  /** Requests that rules delay, and when they continue (virtual ns). */
  #delayed: { readonly at: number; readonly act: () => void }[] = [];

  /**
   * @param registers the side that answers accesses: the VMM, by virtio-mmio, PCI, or PCI with
   * messages, or the hypervisor's objects
   * @param reports a guest's error, and an exception in el2 itself with the device's slot
   * @param injected the rules for faults, once the machine has them, and the devices' names in them
   * @param isProtected the VM's memory is lent to it, except what it shares
   * @param offers whether the device in a slot offers ACCESS_PLATFORM, if the VM is protected
   */
  constructor(
    devices: readonly VirtioDevice[],
    registers: "vmm" | "vmm-pci" | "vmm-msi" | "hypervisor",
    reports: { readonly problem: (message: string) => void; readonly bug: (slot: number, error: unknown) => void },
    injected: { readonly rules: () => FaultPort | undefined; readonly names: readonly string[] },
    isProtected = false,
    offers: readonly boolean[] = [],
  ) {
    const { problem, bug } = reports, { rules, names } = injected;
    const memory: GuestMemory = {
      read: (address, into) => this.#process?.read(address, into) === true,
      write: (address, from) => this.#process?.write(address, from) === true,
    };
    const pci = registers === "vmm-pci" || registers === "vmm-msi",
      accessPlatform = (slot: number) => pci && isProtected && offers[slot] !== false;
    const options = (device: VirtioDevice, slot: number): TransportOptions => ({
      memory,
      later: (act) => {
        this.#later.push(act);
        this.#wakeAt ??= (this.#process?.now ?? 0) + TURN_INTERVAL;
      },
      onInterrupt: (level) => {
        if (level) (this.backends ?? this.#process)?.interrupt(slot);
        else this.#process?.lowered(slot);
      },
      onFault: (fault) => {
        const cause = this.#lentCause(slot, fault.values, isProtected ? !pci || accessPlatform(slot) : undefined);
        const message = `virtio-${device.name} in slot ${slot}: ${fault.message}${cause}`;
        if (cause !== "" && pci) this.#process?.touchedLent(`host access to lent memory region: ${message}`);
        else problem(message);
      },
      onBug: (error) => bug(slot, error),
      faults: deviceFaults(rules, names[slot], device, (ns, act) => {
        this.#delayed.push({ at: (this.#process?.now ?? 0) + ns, act: rules()?.held(act) ?? act });
      }),
    });
    const messages = registers === "vmm-msi";
    const messageOf = (slot: number) => (address: number, data: number) => this.#process?.message(slot, address, data);
    this.#slots = pci ? [] : devices.map((device, slot) => new MmioTransport(device, options(device, slot)));
    this.functions = pci
      ? devices.map((device, slot) => {
        const message = messages ? messageOf(slot) : undefined;
        return new PciTransport(device, { ...options(device, slot), accessPlatform: accessPlatform(slot), message });
      })
      : [];
    this.transports = pci ? this.functions : this.#slots;
    this.backends = registers === "hypervisor" ? new VirtioBackends(this.#slots, problem) : undefined;
  }

  /**
   * Why a device cannot reach an address that a fault is about: it is lent.
   * @param offers whether it offers ACCESS_PLATFORM, if the VM is protected
   */
  #lentCause(slot: number, { ipa, size }: VirtioFault["values"], offers: boolean | undefined): string {
    if (typeof ipa !== "number" || typeof size !== "number") return "";
    const why = this.#process?.whyLent(ipa, size);
    if (why === undefined) return "";
    const queue = this.transports[slot].queues.findIndex((each) => each.holds(ipa));
    const what = queue < 0 ? "a buffer" : `queue ${queue}`;
    const page = `0x${(ipa - ipa % PAGE_SIZE).toString(16)}`;
    if (offers === undefined) return `; ${what} is in page ${page}, which is lent: ${why}`;
    const remedy = offers
      ? "its kernel needs CONFIG_DMA_RESTRICTED_POOL"
      : "the device does not offer VIRTIO_F_ACCESS_PLATFORM, so that its driver leaves the pool out";
    return `; ${what} is in page ${page}, which is lent to the protected VM: ${remedy}`;
  }

  /** Virtual time (ns) at which `timer` has to be called, if at all. */
  get wakeAt(): number | undefined {
    if (this.#delayed.length === 0) return this.#wakeAt;
    return Math.min(this.#wakeAt ?? Infinity, ...this.#delayed.map(({ at }) => at));
  }

  /** Some time has passed. */
  timer(now: number): void {
    this.#continue(now);
    if (this.#wakeAt === undefined || now < this.#wakeAt) return;
    this.#wakeAt = undefined;
    for (const act of this.#later.splice(0)) act();
  }

  /** Requests whose delay is over, in their order. */
  #continue(now: number): void {
    const due = this.#delayed.filter(({ at }) => at <= now).sort((a, b) => a.at - b.at);
    if (due.length === 0) return;
    this.#delayed = this.#delayed.filter(({ at }) => at > now);
    for (const { act } of due) act();
  }

  /** The process that runs the VM from now on. */
  connect(process: DeviceProcess): void {
    this.#process = process;
  }

  /** The VM is gone. */
  disconnect(): void {
    this.backends?.disconnect();
    for (const transport of this.transports) transport.reset();
    // The reset has made them void.
    this.#continue(Infinity);
    this.#process = undefined;
  }

  /**
   * An access to a slot of virtio-mmio: the value of a load, 0 for a store; undefined if no
   * device is.
   */
  access(address: number, size: number, value: bigint | undefined): bigint | undefined {
    const slot = Math.floor((address - VM_VIRTIO_BASE) / VM_VIRTIO_STRIDE);
    const transport = this.#slots[slot];
    if (transport === undefined) return undefined;
    const offset = address - VM_VIRTIO_BASE - slot * VM_VIRTIO_STRIDE;
    if (value === undefined) return transport.read(offset, size);
    transport.write(offset, size, value);
    return 0n;
  }

  /** The ioeventfd of a queue was signaled. */
  notify(slot: number, queue: number): void {
    this.transports[slot].notify(queue);
  }

  /**
   * Plain data.
   * @throws Error if a device's state cannot be saved, as that of a disk in write-through mode
   */
  save(): VmDevicesState {
    const saved = { transports: this.transports.map((transport) => transport.save()), backends: this.backends?.save() ?? [] };
    return this.#wakeAt === undefined ? saved : { ...saved, wakeAt: this.#wakeAt };
  }

  /** @param resources of the VM, if it has any */
  restore({ transports, backends, wakeAt }: VmDevicesState, host: HostServices, resources: readonly Resource[]): void {
    this.transports.forEach((transport, slot) => transport.restore(transports[slot]));
    this.#wakeAt = wakeAt;
    this.backends?.restore(backends, host, resources);
  }
}
