// The console of a VM: a PL011 that the VMM emulates. Its interrupt line is an irqfd: writing the
// eventfd rings the VM's doorbell, which the VM's delivery takes back.

import { Pl011, type Pl011State } from "../devices/pl011.ts";

/** Time (ns) after which the UART looks again whether the guest listens. */
const SETTLING = 1_000_000;
/** Registers of the PL011 whose writes end its interrupts. */
const IMSC = 0x038, ICR = 0x044;

/** State of a `VmConsole`: plain data. */
export interface VmConsoleState {
  readonly uart: Pl011State;
  /** Characters that the UART has not taken yet. */
  readonly typed: readonly number[];
  /** The level that the line shows. */
  readonly level: boolean;
  /** Virtual time (ns) that the UART waits for. */
  readonly wakeAt: number | undefined;
}

/** One VM's console. */
export class VmConsole {
  readonly #uart = new Pl011((action) => this.#later = action);
  /** The UART's pending action, and its time (ns). */
  #later: (() => void) | undefined;
  #wakeAt: number | undefined;
  /**
   * Typed characters as the UART receives them, oldest first, and how many of them it has taken.
   */
  #typed = new Uint16Array(0);
  #taken = 0;
  /** Writes the eventfd. */
  #signal: (() => void) | undefined;
  /** The level that the line shows. */
  #level = false;

  /** @param output gets each byte that the guest sends. */
  constructor(output: (byte: number) => void) {
    this.#uart.onTransmit = output;
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
    const value = this.#uart.read(offset, size);
    this.#settle(now);
    return value;
  }

  /** A store of the guest. */
  write(now: number, offset: number, size: number, value: bigint): void {
    const before = this.#level;
    this.#uart.write(offset, size, value);
    this.#settle(now);
    // There may be other interrupts left, which the doorbell has to tell again.
    if (before && this.#level && (offset === IMSC || offset === ICR)) this.#signal?.();
  }

  /**
   * Bytes typed at the console, or breaks (`Pl011Data.BE`). They wait until the guest takes them.
   */
  type(now: number, characters: ArrayLike<number>): void {
    const waiting = this.#typed.subarray(this.#taken);
    this.#typed = new Uint16Array(waiting.length + characters.length);
    this.#typed.set(waiting);
    this.#typed.set(characters, waiting.length);
    this.#taken = 0;
    this.#settle(now);
  }

  /** The state, as plain data. */
  save(): VmConsoleState {
    return { uart: this.#uart.save(), typed: [...this.#typed.subarray(this.#taken)], level: this.#level, wakeAt: this.#wakeAt };
  }

  /** Puts a saved state back. */
  restore({ uart, typed, level, wakeAt }: VmConsoleState): void {
    this.#uart.restore(uart);
    this.#typed = Uint16Array.from(typed);
    this.#taken = 0;
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
    if (this.#taken < this.#typed.length) this.#taken += this.#uart.receive(this.#typed.subarray(this.#taken));
    if (this.#signal === undefined || this.#uart.interrupt === this.#level) return;
    this.#level = this.#uart.interrupt;
    if (this.#level) this.#signal();
  }
}
