// The console of a VM: a PL011 that the VMM emulates. Its interrupt line is a doorbell that is bound to the VM's SPI as a level-high
// interrupt: the flag is the level, set by doorbell_send and taken back by doorbell_receive (spec/hypervisor.md section 4.2).

import { ErrorCode, errorName } from "../abi/errors.ts";
import { HYPERCALLS } from "../abi/hypercalls.ts";
import type { NativeVcpu } from "../abi/native-guest.ts";
import { Pl011, type Pl011State } from "../devices/pl011.ts";

/** Time (ns) after which the UART looks again whether the guest listens. */
const SETTLING = 1_000_000;
/** The doorbell's flag that stands for the interrupt line. */
const LINE = 1n;

/** State of a `VmConsole`: plain data. */
export interface VmConsoleState {
  readonly uart: Pl011State;
  /** Bytes that the UART has not taken yet. */
  readonly typed: Uint8Array;
  /** Capability of the doorbell. */
  readonly bell: bigint | undefined;
  /** The level that the doorbell shows. */
  readonly level: boolean;
  /** Virtual time (ns) that the UART waits for. */
  readonly wakeAt: number | undefined;
}

/** One VM's console. */
export class VmConsole {
  readonly #uart = new Pl011((action) => this.#later = action);
  /** What the UART wants to be done, and when (ns). */
  #later: (() => void) | undefined;
  #wakeAt: number | undefined;
  /** Typed bytes, oldest first, and how many of them the UART has taken. */
  #typed = new Uint8Array(0);
  #taken = 0;
  /** Capability of the doorbell, once the VM has it. */
  #bell: bigint | undefined;
  /** The level that the doorbell shows. */
  #level = false;
  readonly #problem: (message: string) => void;

  /** @param output gets each byte that the guest sends. */
  constructor(output: (byte: number) => void, problem: (message: string) => void) {
    this.#uart.onTransmit = output;
    this.#problem = problem;
  }

  /** The doorbell to drive from now on. */
  bind(bell: bigint): void {
    this.#bell = bell;
  }

  /** A load of the guest at `offset` of the UART, `size` bytes. */
  read(vcpu: NativeVcpu, offset: number, size: number): bigint {
    const value = this.#uart.read(offset, size);
    this.#settle(vcpu);
    return value;
  }

  /** A store of the guest. */
  write(vcpu: NativeVcpu, offset: number, size: number, value: bigint): void {
    this.#uart.write(offset, size, value);
    this.#settle(vcpu);
  }

  /** Bytes from the person at the console. They wait until the guest takes them. */
  type(vcpu: NativeVcpu, bytes: Uint8Array): void {
    const waiting = this.#typed.subarray(this.#taken);
    this.#typed = new Uint8Array(waiting.length + bytes.length);
    this.#typed.set(waiting);
    this.#typed.set(bytes, waiting.length);
    this.#taken = 0;
    this.#settle(vcpu);
  }

  /** The state, as plain data. */
  save(): VmConsoleState {
    return { uart: this.#uart.save(), typed: this.#typed.slice(this.#taken), bell: this.#bell, level: this.#level, wakeAt: this.#wakeAt };
  }

  /** Puts a saved state back. */
  restore({ uart, typed, bell, level, wakeAt }: VmConsoleState): void {
    this.#uart.restore(uart);
    this.#typed = typed.slice();
    this.#taken = 0;
    this.#bell = bell;
    this.#level = level;
    this.#wakeAt = wakeAt;
  }

  /** Virtual time (ns) at which `timer` has to be called, if at all. */
  get wakeAt(): number | undefined {
    return this.#wakeAt;
  }

  /** Some time has passed. */
  timer(vcpu: NativeVcpu): void {
    if (this.#wakeAt === undefined || vcpu.now < this.#wakeAt) return;
    this.#wakeAt = undefined;
    const action = this.#later;
    this.#later = undefined;
    action?.();
    this.#settle(vcpu);
  }

  /** Gives the UART what it has room for, and the guest the UART's interrupt line. */
  #settle(vcpu: NativeVcpu): void {
    if (this.#later !== undefined) this.#wakeAt ??= vcpu.now + SETTLING;
    if (this.#taken < this.#typed.length) this.#taken += this.#uart.receive(this.#typed.subarray(this.#taken));
    if (!this.connected || this.#uart.interrupt === this.#level) return;
    this.#level = this.#uart.interrupt;
    this.drive(vcpu, this.#level);
  }

  /** Whether the interrupt line leads anywhere. */
  protected get connected(): boolean {
    return this.#bell !== undefined;
  }

  /** The level that the line shows. */
  protected get level(): boolean {
    return this.#level;
  }

  /** The line has another level now. */
  protected drive(vcpu: NativeVcpu, level: boolean): void {
    const call = level ? HYPERCALLS.doorbell_send : HYPERCALLS.doorbell_receive;
    const [error] = vcpu.hvc(call.number, this.#bell!, LINE);
    if (BigInt.asIntN(32, error) !== BigInt(ErrorCode.OK)) this.#problem(`the console's interrupt: ${errorName(error)}`);
  }
}
