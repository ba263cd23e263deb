// The console of a VM: a serial port that the VMM emulates, a PL011 or a 16550A. Its interrupt line
// is an irqfd: writing the eventfd rings the VM's doorbell, which the VM's delivery takes back.

import { Pl011, type UartInput } from "../../devices/pl011.ts";
import type { SeenRegister } from "../../devices/seen-register.ts";
import { TypedAhead } from "../../devices/typed-ahead.ts";
import { Uart16550, UartRegister } from "../../devices/uart-16550.ts";

/** Time (ns) after which the UART looks again whether the guest listens. */
const SETTLING = 1_000_000;

/** A serial port, as a console has it. */
interface Uart {
  onTransmit: (byte: number) => void;
  /** Absent if its interrupts stay until the guest has received all. */
  onCleared?: () => void;
  readonly interrupt: boolean;
  read(offset: number, size: number): bigint;
  write(offset: number, size: number, value: bigint): void;
  seen(offset: number, size: number): SeenRegister | undefined;
  readonly input: UartInput;
  /** Gives characters to the guest; how many were taken. */
  receive(characters: ArrayLike<number>): number;
  save(): unknown;
  restore(state: unknown): void;
}

/**
 * A kind of serial port, and the registers whose accesses end some of its interrupts. If others are
 * left, the doorbell has to ring again.
 */
interface UartKind {
  /** @param later calls back after some time of the guest's */
  make(later: (action: () => void) => void): Uart;
  readonly endedByRead: readonly number[];
  readonly endedByWrite: readonly number[];
}

/** IMSC and ICR. */
const PL011: UartKind = { make: (later) => new Pl011(later) as Uart, endedByRead: [], endedByWrite: [0x038, 0x044] };
const UART_16550: UartKind = {
  make: () => new Uart16550() as Uart,
  endedByRead: [UartRegister.IIR],
  endedByWrite: [UartRegister.IER],
};

/** State of a `VmConsole`: plain data. */
export interface VmConsoleState {
  readonly uart: unknown;
  /** Characters that the UART has not taken yet, as `TypedAhead` saves them. */
  readonly typed: Uint8Array;
  /** The level that the line shows. */
  readonly level: boolean;
  /** Virtual time (ns) that the UART waits for. */
  readonly wakeAt: number | undefined;
}

/** One VM's console. */
export class VmConsole {
  readonly #uart: Uart;
  /** The UART's pending action, and its time (ns). */
  #later: (() => void) | undefined;
  #wakeAt: number | undefined;
  readonly #typed = new TypedAhead();
  /** Writes the eventfd. */
  #signal: (() => void) | undefined;
  /** The level that the line shows. */
  #level = false;

  /**
   * @param output gets each byte that the guest sends
   * @param cleared called when the guest has cleared its receive interrupts and characters are left
   */
  constructor(output: (byte: number) => void, cleared: () => void = () => {}, readonly kind: UartKind = PL011) {
    this.#uart = kind.make((action) => this.#later = action);
    this.#uart.onTransmit = output;
    if (this.#uart.onCleared) this.#uart.onCleared = cleared;
  }

  /** @param signal writes the eventfd of the interrupt line */
  connect(signal: () => void): void {
    this.#signal = signal;
  }

  /**
   * A load of the guest at `offset` of the UART, `size` bytes; `now` is virtual time (ns) in all
   * calls.
   */
  read(now: number, offset: number, size: number): bigint {
    const before = this.#level;
    const value = this.#uart.read(offset, size);
    this.#settle(now);
    if (before && this.#level && this.kind.endedByRead.includes(offset)) this.#signal?.();
    return value;
  }

  /** A store of the guest. */
  write(now: number, offset: number, size: number, value: bigint): void {
    const before = this.#level;
    this.#uart.write(offset, size, value);
    this.#settle(now);
    if (before && this.#level && this.kind.endedByWrite.includes(offset)) this.#signal?.();
  }

  /** The value that a load would give, without its effects. */
  seen(offset: number, size: number): SeenRegister | undefined {
    return this.#uart.seen(offset, size);
  }

  /** Input that the guest has not received yet. */
  get input(): UartInput {
    return this.#uart.input;
  }

  /**
   * Bytes typed at the console, or breaks (`Pl011Data.BE`). They wait until the guest takes them.
   * Returns why they are refused, if they are.
   */
  type(now: number, characters: ArrayLike<number>): string | undefined {
    const { closed } = this.#typed;
    if (closed !== undefined) return closed;
    this.#typed.push(characters);
    this.#settle(now);
  }

  /** Takes at most so many typed bytes that the UART has not got. */
  take(limit: number): Uint8Array {
    return this.#typed.take(limit);
  }

  /** The state, as plain data. */
  save(): VmConsoleState {
    return { uart: this.#uart.save(), typed: this.#typed.save(), level: this.#level, wakeAt: this.#wakeAt };
  }

  /** Puts a saved state back. */
  restore({ uart, typed, level, wakeAt }: VmConsoleState): void {
    this.#uart.restore(uart);
    this.#typed.restore(typed);
    this.#level = level;
    this.#wakeAt = wakeAt;
  }

  /** Virtual time (ns) at which `timer` has to be called, if at all. */
  get wakeAt(): number | undefined {
    return this.#wakeAt;
  }

  /** Some time has passed. */
  timer(now: number): void {
    if (this.#wakeAt === undefined || now < this.#wakeAt) return;
    this.#wakeAt = undefined;
    const action = this.#later;
    this.#later = undefined;
    action?.();
    this.#settle(now);
  }

  /** Gives the UART what it has room for, and the guest the UART's interrupt line. */
  #settle(now: number): void {
    if (this.#later !== undefined) this.#wakeAt ??= now + SETTLING;
    this.#typed.feed((characters) => this.#uart.receive(characters));
    if (this.#signal === undefined || this.#uart.interrupt === this.#level) return;
    this.#level = this.#uart.interrupt;
    if (this.#level) this.#signal();
  }
}

/** A console on a 16550A. */
export function uart16550Console(output: (byte: number) => void): VmConsole {
  return new VmConsole(output, undefined, UART_16550);
}
