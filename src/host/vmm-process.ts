// What the sample VMMs have in common: how whoever runs them sees one, and their console.

import type { NativeVcpu } from "../abi/native-guest.ts";
import { VmConsole } from "./vm-console.ts";

/** What a VMM tells whoever runs it. */
export interface VmmEvents {
  output(byte: number): void;
  problem(message: string): void;
}

/** A VMM: a process of the host with one VM. */
export interface VmmProcess {
  readonly pid: number;
  /** Virtual time (ns) at which `timer` has to be called, if at all. */
  readonly wakeAt: number | undefined;
  /** Makes the VM and starts it. */
  start(): void;
  /** Ends the process, and with it the VM. */
  end(): void;
  /** An ioctl of the process has ended; whether it was the VMM's. */
  finished(task: number, result: number): boolean;
  /** Bytes from the person at the console; false where there is none. */
  type(bytes: Uint8Array): boolean;
  /** Some time has passed. */
  timer(): void;
  /** Plain data. */
  save(): unknown;
  restore(saved: unknown): void;
}

/** Registers of the PL011 whose writes end its interrupts: IMSC and ICR. */
const PL011_IMSC = 0x038, PL011_ICR = 0x044;

/** A console whose interrupt line is an irqfd: writing the eventfd rings the VM's doorbell, which the VM's delivery takes back. */
export class EventfdConsole extends VmConsole {
  #signal: (() => void) | undefined;

  /** @param signal writes the eventfd */
  connect(signal: () => void): void {
    this.#signal = signal;
  }

  protected override get connected(): boolean {
    return this.#signal !== undefined;
  }

  protected override drive(_vcpu: NativeVcpu, level: boolean): void {
    if (level) this.#signal?.();
  }

  /** After a write that ends interrupts there may be others left, which the doorbell has to tell again. */
  override write(vcpu: NativeVcpu, offset: number, size: number, value: bigint): void {
    const before = this.level;
    super.write(vcpu, offset, size, value);
    if (before && this.level && (offset === PL011_IMSC || offset === PL011_ICR)) this.#signal?.();
  }
}

/** A step that was refused. */
export class Refused extends Error {}
