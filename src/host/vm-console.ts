// The console of a VM: a PL011 that the VMM emulates. Its interrupt line is a doorbell that is bound to the VM's SPI as a level-high
// interrupt: the flag is the level, set by doorbell_send and taken back by doorbell_receive (spec/hypervisor.md section 4.2).

import { ErrorCode, errorName } from "../abi/errors.ts";
import { HYPERCALLS } from "../abi/hypercalls.ts";
import type { NativeVcpu } from "../abi/native-guest.ts";
import { Pl011 } from "../devices/pl011.ts";

/** The doorbell's flag that stands for the interrupt line. */
const LINE = 1n;

/** One VM's console. */
export class VmConsole {
  readonly #uart = new Pl011();
  /** Typed bytes that the UART had no room for, oldest first. */
  #typed: number[] = [];
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
    for (const byte of bytes) this.#typed.push(byte);
    this.#settle(vcpu);
  }

  /** Gives the UART what it has room for, and the guest the UART's interrupt line. */
  #settle(vcpu: NativeVcpu): void {
    const room = Math.min(this.#uart.receivable, this.#typed.length);
    if (room > 0) this.#uart.receive(Uint8Array.from(this.#typed.splice(0, room)));
    if (this.#bell === undefined || this.#uart.interrupt === this.#level) return;
    this.#level = this.#uart.interrupt;
    const call = this.#level ? HYPERCALLS.doorbell_send : HYPERCALLS.doorbell_receive;
    const [error] = vcpu.hvc(call.number, this.#bell, LINE);
    if (BigInt.asIntN(32, error) !== BigInt(ErrorCode.OK)) this.#problem(`the console's interrupt: ${errorName(error)}`);
  }
}
