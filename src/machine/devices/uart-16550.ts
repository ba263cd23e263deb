// 16550A serial port as crosvm emulates it (docs/spec/phones.md §C2): eight registers of a byte, a
// transmitter that is always empty, and 64 bytes of received characters.

import type { UartInput } from "./pl011.ts";
import { fixed, type SeenRegister } from "./seen-register.ts";

/** Register offsets. With LCR.DLAB set, 0 and 1 are the divisor latch. */
export const UartRegister = { RBR: 0, THR: 0, IER: 1, IIR: 2, FCR: 2, LCR: 3, MCR: 4, LSR: 5, MSR: 6, SCR: 7 } as const;

/** Bytes of them. */
export const UART_16550_SIZE = 8;

/** Bits of IER. */
export const UartEnable = { RDI: 1, THRI: 2, RLSI: 4, MSI: 8 } as const;
/** IIR: no interrupt, and the causes; bits 7 and 6 say that there are FIFOs. */
const Cause = { NONE: 1, THR: 2, DATA: 4, LINE: 6 } as const;
const IIR_FIFOS = 0xc0;
const FCR_CLEAR_RECEIVER = 2;
const LCR_RESET = 3, LCR_DLAB = 0x80;
/** The divisor for 9,600 baud. */
const DIVISOR_RESET = 12;
const Mcr = { DTR: 1, RTS: 2, OUT1: 4, OUT2: 8, LOOP: 0x10, ALL: 0x1f } as const;
/** Bits of LSR. */
export const UartStatus = { DR: 1, BI: 0x10, THRE: 0x20, TEMT: 0x40 } as const;
const Msr = { CTS: 0x10, DSR: 0x20, RI: 0x40, DCD: 0x80 } as const;
/** The other end is connected and ready. */
const MSR_CONNECTED = Msr.CTS | Msr.DSR | Msr.DCD;
const RECEIVER_SIZE = 0x40;
/**
 * Reads of LSR without a character sent in between that make a guest one that polls for input: a
 * driver that sends reads it once for each character.
 */
const POLLS_FOR_INPUT = 16;

/** State of a `Uart16550`: plain data. */
interface Uart16550State {
  /** Received characters, oldest first; those above 0xff are breaks. */
  readonly received: readonly number[];
  readonly registers: readonly [ier: number, lcr: number, mcr: number, scr: number, divisor: number];
  /** The interrupt of the empty transmitter is pending. */
  readonly emptied: boolean;
  readonly polls: number;
}

export class Uart16550 {
  onTransmit: (byte: number) => void = () => {};

  #received: number[] = [];
  #ier = 0;
  #lcr = LCR_RESET;
  #mcr: number = Mcr.OUT2;
  #scr = 0;
  #divisor = DIVISOR_RESET;
  #emptied = false;
  #polls = 0;

  /** Whether the interrupt line is high. */
  get interrupt(): boolean {
    return this.#cause !== Cause.NONE;
  }

  /**
   * How many characters can be given now: none until the guest listens, by polling or interrupts.
   */
  get receivable(): number {
    const listens = (this.#ier & UartEnable.RDI) !== 0 || this.#polls >= POLLS_FOR_INPUT;
    return listens && (this.#mcr & Mcr.LOOP) === 0 ? RECEIVER_SIZE - this.#received.length : 0;
  }

  /** Gives characters to the guest, those above 0xff as breaks; how many were taken. */
  receive(characters: ArrayLike<number>): number {
    const count = Math.min(characters.length, this.receivable);
    for (let i = 0; i < count; i++) this.#received.push(characters[i]);
    return count;
  }

  /** A load; registers have a byte. */
  read(offset: number, size: number): bigint {
    return size === 1 ? BigInt(this.#register(offset)) : 0n;
  }

  /** The value that a load would give; undefined if the load would change something. */
  seen(offset: number, size: number): SeenRegister | undefined {
    if (size !== 1) return fixed(0);
    const arrives = this.#received.length < RECEIVER_SIZE, isEmpty = this.#received.length === 0;
    switch (offset) {
      case UartRegister.RBR:
        return this.#latched ? fixed(this.#register(offset)) : undefined;
      case UartRegister.IIR:
        if (this.#cause === Cause.THR) return undefined;
        return { value: IIR_FIFOS | this.#cause, changing: isEmpty ? Cause.LINE | Cause.NONE : 0 };
      case UartRegister.LSR:
        return { value: this.#status, changing: arrives && isEmpty ? UartStatus.DR | UartStatus.BI : 0 };
    }
    return fixed(this.#register(offset));
  }

  /** Input that the guest has not received yet. Its interrupt stays raised until then. */
  get input(): UartInput {
    const enabled = (this.#ier & UartEnable.RDI) !== 0, characters = this.#received.length;
    return { characters, raised: enabled && characters > 0, enabled };
  }

  write(offset: number, size: number, value: bigint): void {
    if (size === 1) this.#set(offset, Number(value & 0xffn));
  }

  save(): Uart16550State {
    return {
      received: [...this.#received],
      registers: [this.#ier, this.#lcr, this.#mcr, this.#scr, this.#divisor],
      emptied: this.#emptied,
      polls: this.#polls,
    };
  }

  restore({ received, registers, emptied, polls }: Uart16550State): void {
    this.#received = [...received];
    [this.#ier, this.#lcr, this.#mcr, this.#scr, this.#divisor] = registers;
    this.#emptied = emptied;
    this.#polls = polls;
  }

  get #cause(): number {
    if (this.#ier & UartEnable.RLSI && this.#received[0] > 0xff) return Cause.LINE;
    if (this.#ier & UartEnable.RDI && this.#received.length > 0) return Cause.DATA;
    return this.#ier & UartEnable.THRI && this.#emptied ? Cause.THR : Cause.NONE;
  }

  /** LSR. */
  get #status(): number {
    const [first] = this.#received;
    return UartStatus.THRE | UartStatus.TEMT | (first === undefined ? 0 : UartStatus.DR) | (first > 0xff ? UartStatus.BI : 0);
  }

  get #latched(): boolean {
    return (this.#lcr & LCR_DLAB) !== 0;
  }

  #register(offset: number): number {
    switch (offset) {
      case UartRegister.RBR:
        if (this.#latched) return this.#divisor & 0xff;
        // A break arrives as a zero.
        return (this.#received.shift() ?? 0) & 0xff;
      case UartRegister.IER:
        return this.#latched ? this.#divisor >> 8 : this.#ier;
      case UartRegister.IIR: {
        const cause = this.#cause;
        if (cause === Cause.THR) this.#emptied = false;
        return IIR_FIFOS | cause;
      }
      case UartRegister.LCR:
        return this.#lcr;
      case UartRegister.MCR:
        return this.#mcr;
      case UartRegister.LSR: {
        if (this.#polls < POLLS_FOR_INPUT) this.#polls++;
        return this.#status;
      }
      case UartRegister.MSR:
        return this.#mcr & Mcr.LOOP ? this.#looped : MSR_CONNECTED;
      case UartRegister.SCR:
        return this.#scr;
      default:
        return 0;
    }
  }

  #set(offset: number, value: number): void {
    switch (offset) {
      case UartRegister.THR:
        if (this.#latched) this.#divisor = this.#divisor & 0xff00 | value;
        else this.#send(value);
        return;
      case UartRegister.IER:
        if (this.#latched) {
          this.#divisor = value << 8 | this.#divisor & 0xff;
          return;
        }
        // The transmitter is always empty: enabling its interrupt raises it.
        if (value & ~this.#ier & UartEnable.THRI) this.#emptied = true;
        this.#ier = value & 0xf;
        return;
      case UartRegister.FCR:
        if (value & FCR_CLEAR_RECEIVER) this.#received = [];
        return;
      case UartRegister.LCR:
        this.#lcr = value;
        return;
      case UartRegister.MCR:
        this.#mcr = value & Mcr.ALL;
        return;
      case UartRegister.SCR:
        this.#scr = value;
        return;
    }
  }

  #send(value: number): void {
    this.#polls = 0;
    this.#emptied = true;
    if ((this.#mcr & Mcr.LOOP) === 0) this.onTransmit(value);
    else if (this.#received.length < RECEIVER_SIZE) this.#received.push(value);
  }

  /** MSR in loopback: the outputs of MCR. */
  get #looped(): number {
    const wires = [[Mcr.RTS, Msr.CTS], [Mcr.DTR, Msr.DSR], [Mcr.OUT1, Msr.RI], [Mcr.OUT2, Msr.DCD]];
    return wires.reduce((status, [output, input]) => this.#mcr & output ? status | input : status, 0);
  }
}
