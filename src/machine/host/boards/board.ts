// A board: the whole platform that a VMM builds for a VM. Console, lines, virtio devices, memory,
// devicetree and other devices, the steps of its VMM where they differ, and the rules of its
// configuration. `boards.ts` has all of them.

import type { FlashArray } from "../../devices/cfi-flash.ts";
import type { SeenRegister } from "../../devices/seen-register.ts";
import type { Devicetree } from "../../devicetree/tree.ts";
import type { GuestMemory } from "../../virtio/memory.ts";
import type { PciTransport } from "../../virtio/pci-transport.ts";
import type { BoardLine, Contents, Range, VmLayout, VmRegion } from "./layout.ts";
import type { DriverTraits, VirtioModel } from "./nodes.ts";
import type { BoardRules } from "./rules.ts";
import type { VmConsole } from "./vm-console.ts";
import type { VmPlan } from "./vm-plan.ts";

/** The serial port that is a VM's console: its registers, and its line. */
interface BoardConsole extends Range {
  readonly spi: number;
  /** @param output gets each byte that the guest sends */
  make(output: (byte: number) => void, cleared: () => void): VmConsole;
}

/** Where a VM's virtio devices are, if their registers are the VMM's. */
interface BoardVirtio {
  /** Slots of virtio-mmio, functions of PCI, or functions that send messages. */
  readonly registers: "vmm" | "vmm-pci" | "vmm-msi";
  /** The SPI of a slot: one of the board's own lines, or another one. */
  spi(slot: number): number;
  /** A slot's registers; undefined if the guest gives them their place. */
  place(slot: number): Range | undefined;
  /**
   * The store by which a driver notifies a queue: its address, and its value if all queues have one
   * address. Undefined if it leaves RUN as other accesses do.
   */
  notification(slot: number, queue: number): { readonly address: number; readonly value: number | undefined } | undefined;
}

/** How the VMM of others makes a VM on /dev/gunyah (docs/spec/phones.md §C5). */
export interface OtherVmm {
  /**
   * It gives each region by itself, and loads memory once all devices exist, as its devicetree has
   * their interrupts. Others load memory and then give it.
   */
  readonly loadsLast: boolean;
  /** Where a protected VM's firmware is, which it names before anything else. */
  readonly firmware?: Range;
  /** Code in RAM that enters the image: an offset in it, and bytes. */
  stub?(plan: VmPlan): { readonly offset: number; readonly bytes: Uint8Array } | undefined;
  /** Registers that it sets just before START, as SET_BOOT_CONTEXT numbers them. */
  entry(plan: VmPlan): readonly (readonly [register: number, value: number])[];
}

/** A platform that a VMM builds. */
export interface Board {
  readonly rules: BoardRules;
  /** The VMM of others whose platform it is; undefined for el2's own. */
  readonly vmm?: OtherVmm;
  readonly console: BoardConsole;
  readonly virtio: BoardVirtio;
  /** The lines of its own devices; one of them may be the console's. */
  lines(plan: VmPlan): readonly BoardLine[];
  /** The frames of the GIC. */
  gic(vcpus: number): { readonly gicd: Range; readonly gicr: Range };
  /** Lays out a VM that has as many bytes as it needs. */
  layout(plan: Contents & Pick<VmPlan, "memory">): VmLayout;
  /** The regions of a VM's memory, each with its own mapping. */
  regions(plan: VmPlan): readonly VmRegion[];
  /** The banks of flash of a VM that starts there. */
  flash(plan: Pick<VmPlan, "flash">): readonly Range[];
  /** @param objects the VM's virtio devices, if the hypervisor has their registers */
  devicetree(plan: VmPlan, layout: VmLayout, objects: readonly VirtioModel[], driver: DriverTraits): Devicetree;
  /** @param functions the VM's virtio devices on PCI, in the order of their slots */
  devices?(plan: VmPlan, functions: readonly PciTransport[], process: BoardProcess): BoardDevices;
}

/** The content of a bank of flash with variables, which outlives its VM. */
export interface FlashVariables {
  readonly content: Uint8Array;
  write(offset: number, bytes: Uint8Array): void;
  /** Returns when all earlier writes are safe. */
  flush(): void;
}

/** A VM's memory as the process of its VMM reaches it. */
export interface ProcessMemory extends GuestMemory {
  /** Why RAM at an address is lent, so that it cannot be reached; undefined beside RAM. */
  whyLent(address: number, length: number): string | undefined;
}

/** Services of the VMM's process to its board's devices. */
export interface BoardProcess extends ProcessMemory {
  /** Virtual time, ns. */
  now(): number;
  /** How long a vCPU has run, ns. */
  ran(vcpu: number): number;
  /** Signals the irqfd of an SPI. */
  signal(spi: number): void;
  /** Sends a device's message to the VM's ITS, whose doorbell has this label. */
  signalMsi(label: number, device: number, event: number): void;
  /** The array of a bank of flash. */
  flashArray(bank: number): FlashArray;
  /** Has the guest read a bank's array at its address, or lets its loads leave to the VMM. */
  showFlash(bank: number, shown: boolean): void;
  /** Reports a defect of the guest. */
  problem(message: string): void;
  /** Ends the VM for this reason. */
  end(reason: string): never;
}

/** The devices of one VM besides console and virtio, for one life of it. */
export interface BoardDevices {
  /** Virtual time (ns) at which `timer` has to be called, if at all. */
  readonly wakeAt: number | undefined;
  /** Some time has passed. */
  timer(): void;
  /** Whether INTA of a virtio device reaches its line. */
  interrupts(slot: number): boolean;
  /** A virtio device stores a message: an interrupt where the board takes some. */
  message(slot: number, address: number, data: number): void;
  /** An access of the guest: the value of a load, 0 for a store; undefined if no device is. */
  access(address: number, size: number, value: bigint | undefined): bigint | undefined;
  /**
   * The value that a load of the guest would give, without its effects; undefined if that is not
   * known.
   */
  seen(address: number, size: number): SeenRegister | undefined;
  /** A device besides virtio is about to write the guest's memory. */
  readonly isBusy: boolean;
  /** Plain data. */
  save(): unknown;
  /** Restores what `save` gave, for the same plan. */
  restore(saved: unknown): void;
}
