// The only door by which users reach the native host: typed input and stop requests, in order of
// arrival. The session enters them and raises the interrupt; the host takes them when it handles
// that.

import type { RecallOperation, TraceId } from "../../abi/trace.ts";
import type { UartInput } from "../../devices/pl011.ts";
import type { SeenRegister } from "../../devices/seen-register.ts";
import { MiB } from "../../../kit/support/values/sizes.ts";

/**
 * INTID of the physical interrupt that signals input: an edge. It is that of the first virtio-mmio
 * slot of QEMU's `virt`.
 */
export const CONSOLE_INPUT_INTID = 48;

/** Bytes typed into the console of a VM. */
export interface Typed {
  /** Name in the configuration. */
  readonly vm: string;
  readonly bytes: Uint8Array;
}

/** A break on the line of a VM's console. */
interface BreakSent {
  /** Name in the configuration. */
  readonly vm: string;
  readonly break: true;
}

/** A request to end a VM: `force` ends it at once, else it is asked to shut down. */
interface StopWanted {
  /** Name in the configuration. */
  readonly vm: string;
  readonly stop: { readonly force: boolean };
}

/**
 * A request to start a VM; `create`: to create it up to VM_INIT; `reset`: to end it at once and
 * start it again.
 */
export interface StartWanted {
  /** Name in the configuration. */
  readonly vm: string;
  readonly start: "start" | "create" | "reset";
}

/** A request to send a message to the Resource Manager in the host's name. */
interface RequestWanted {
  readonly request: { readonly id: number; readonly payload: Uint8Array };
}

/**
 * Something has come from outside for a device of a VM, whose work the host's program does: plain
 * data, and the number of who takes it.
 */
interface DeviceInput {
  readonly taker: number;
  readonly data: unknown;
}

/** Input to the host: plain data. */
export type HostInput = Typed | BreakSent | StopWanted | StartWanted | RequestWanted | DeviceInput;

/** Memory that the VMM of a VM has locked, and how much it may, bytes. */
export interface LockedMemory {
  readonly vm: string;
  readonly used: number;
  readonly limit: number;
}

/** Devices that a VMM emulates, besides virtio. */
export interface KnownDevices {
  /**
   * The value that a load of the guest would give, without its effects; undefined if that is not
   * known.
   */
  seen(address: number, size: number): (SeenRegister & { readonly device: string }) | undefined;
  /** Input that the guest has not received yet from its console; undefined without one. */
  readonly unread: UartInput | undefined;
  /** Takes at most so many typed bytes that its console has not given to the guest. */
  take(limit: number): Uint8Array;
  /** One is about to write the guest's memory. */
  readonly isBusy: boolean;
}

/** Typed bytes that may wait for the host before more are refused; the last ones may exceed it. */
const TYPED_MAX = 4 * MiB;

/** Input for the host that it has not taken, and the host's state as others see it. */
export class ConsoleInput {
  /** Memory that the VMMs have locked. The host replaces this once it runs. */
  locked: () => readonly LockedMemory[] = () => [];
  /** Names of VMs that are made and not to be started yet. The host says it once it runs. */
  gated: () => readonly string[] = () => [];
  /**
   * Operations of the trace that are the ioctls in progress of a VM's VMM; undefined if the host
   * does not know its VMMs. The host says it once it runs.
   */
  requests: (vm: string, recall: RecallOperation) => readonly TraceId[] | undefined = () => undefined;
  /** The devices of a VM's VMM; undefined without one. The host says it once it runs. */
  devices: (vm: string) => KnownDevices | undefined = () => undefined;
  /** Called when the VMM of a VM has taken typed bytes. */
  onTaken: (vm: string) => void = () => {};
  #waiting: HostInput[] = [];
  /** Bytes among them that were typed. */
  #typed = 0;

  /** @param interrupt raises `CONSOLE_INPUT_INTID`. */
  constructor(readonly interrupt: () => void) {}

  /** Why no typed bytes are taken; undefined if they are. */
  get closed(): string | undefined {
    return this.#typed < TYPED_MAX ? undefined : "4 MiB of input are waiting for the host, which does not run";
  }

  /** Input from outside, now. */
  push(vm: string, bytes: Uint8Array): void {
    this.#waiting.push({ vm, bytes: bytes.slice() });
    this.#typed += bytes.length;
    this.interrupt();
  }

  /** A break on the line of a VM's console. */
  pushBreak(vm: string): void {
    this.#waiting.push({ vm, break: true });
    this.interrupt();
  }

  /** A VM is to end. */
  stop(vm: string, force: boolean): void {
    this.#waiting.push({ vm, stop: { force } });
    this.interrupt();
  }

  /** The pending input, for a snapshot. */
  save(): readonly HostInput[] {
    return this.#waiting.map((one) => ({ ...one }));
  }

  /** Puts it back; the interrupt was raised before. */
  restore(waiting: readonly HostInput[]): void {
    this.#waiting = [...waiting];
    this.#typed = waiting.reduce((sum, one) => sum + ("bytes" in one ? one.bytes.length : 0), 0);
  }

  /** A VM is to start, to be made, or to start anew. */
  start(vm: string, start: StartWanted["start"]): void {
    this.#waiting.push({ vm, start });
    this.interrupt();
  }

  /** A request is to be sent to the Resource Manager. */
  request(id: number, payload: Uint8Array): void {
    this.#waiting.push({ request: { id, payload: payload.slice() } });
    this.interrupt();
  }

  /** Something has come for a device. */
  forDevice(taker: number, data: unknown): void {
    this.#waiting.push({ taker, data });
    this.interrupt();
  }

  /** Everything that has come since the last call. */
  drain(): HostInput[] {
    const taken = this.#waiting;
    this.#waiting = [];
    this.#typed = 0;
    return taken;
  }
}
