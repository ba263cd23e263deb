// A platform's devices besides console and virtio, as its VMM has them.

import type { FlashArray } from "../devices/cfi-flash.ts";
import type { GuestMemory } from "../virtio/memory.ts";

/** The content of a bank of flash with variables, which outlives its VM. */
export interface FlashVariables {
  readonly content: Uint8Array;
  write(offset: number, bytes: Uint8Array): void;
  /** Returns when all earlier writes are safe. */
  flush(): void;
}

/** An interrupt line that the VMM drives. */
export interface PlatformLine {
  readonly spi: number;
  readonly edge: boolean;
}

/** Services of the VMM's process to its board. */
export interface BoardProcess extends GuestMemory {
  /** Virtual time, ns. */
  now(): number;
  /** How long a vCPU has run, ns. */
  ran(vcpu: number): number;
  /** Signals the irqfd of an SPI. */
  signal(spi: number): void;
  /** Sends a device's message to the VM's ITS. */
  signalMsi(device: number, event: number): void;
  /** The array of a bank of flash. */
  flashArray(bank: number): FlashArray;
  /** Has the guest read a bank's array at its address, or lets its loads leave to the VMM. */
  showFlash(bank: number, shown: boolean): void;
  /** Reports a defect of the guest. */
  problem(message: string): void;
  /** Ends the VM for this reason. */
  end(reason: string): never;
}

/** The board of one VM, for one life of it. */
export interface Board {
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
  /** Plain data. */
  save(): unknown;
  /** Restores what `save` gave, for the same plan. */
  restore(saved: unknown): void;
}
