// PL011 UART (Arm DDI 0183): registers in, registers out, an interrupt line. Characters leave at
// once; no baud rate is modelled.

import { fixed, named, seenBytes, type SeenRegister } from "./seen-register.ts";

export const Pl011Register = {
  DR: 0x000,
  RSR: 0x004,
  FR: 0x018,
  ILPR: 0x020,
  IBRD: 0x024,
  FBRD: 0x028,
  LCR_H: 0x02c,
  CR: 0x030,
  IFLS: 0x034,
  IMSC: 0x038,
  RIS: 0x03c,
  MIS: 0x040,
  ICR: 0x044,
  DMACR: 0x048,
  /** UARTPeriphID0 to 3 and UARTPCellID0 to 3, one byte each. */
  ID: 0xfe0,
} as const;

export const Pl011Flag = { RXFE: 0x10, TXFF: 0x20, RXFF: 0x40, TXFE: 0x80 } as const;

/**
 * A received character is eight bits of data, and what was wrong with it: here only a break, which
 * comes with data of 0.
 */
export const Pl011Data = { BE: 0x400 } as const;

/** Interrupt bits of IMSC, RIS, MIS and ICR. */
export const Pl011Interrupt = { RX: 0x10, TX: 0x20, RT: 0x40, BE: 0x200, All: 0x7ff } as const;

/** Part 0x011, designer 0x41, revision 1, which has FIFOs of 16. */
const ID_BYTES = [0x11, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1];
const LCR_H_FEN = 0x10;
const FIFO_DEPTH = 16;
/** Receive trigger levels by IFLS.RXIFLSEL: 1/8, 1/4, 1/2, 3/4, 7/8; other values are reserved. */
const TRIGGER_LEVELS = [2, 4, 8, 12, 14, 8, 8, 8];
/**
 * A guest that reads FR this often in a row, without sending, polls for input. Sending takes one or
 * two reads per character.
 */
const POLLS_FOR_INPUT = 16;
const CR_RESET = 0x300;
const IFLS_RESET = 0x12;

/** The distance of a character's errors from the data in DR: RSR has them from bit 0 on. */
const ERRORS_SHIFT = 8;

/** Input that a guest has not received yet, and whether its receive interrupts say so. */
export interface UartInput {
  /** Characters in the FIFO. */
  readonly characters: number;
  /** RX or RT is set in RIS. */
  readonly raised: boolean;
  /** RX and RT in IMSC. */
  readonly enabled: boolean;
}

/** State of a `Pl011`: plain data. */
interface Pl011State {
  readonly fifo: readonly number[];
  /** ILPR, IBRD, FBRD, LCR_H, CR, IFLS, IMSC, RIS, DMACR, RSR. */
  readonly registers: readonly number[];
  readonly line: boolean;
  readonly flagReads: number;
  readonly settled: boolean;
  readonly settling: boolean;
}

/**
 * One UART. The owner gives it input with `receive` and listens to its output, its interrupt line
 * and its room for input.
 */
export class Pl011 {
  onTransmit: (byte: number) => void = () => {};
  onInterrupt: (level: boolean) => void = () => {};
  /** `receivable` may have grown from zero. */
  onReceivable: () => void = () => {};
  /** The guest has cleared its receive interrupts, and characters are left. */
  onCleared: () => void = () => {};

  /** Received characters, oldest first. */
  readonly #fifo: number[] = [];
  #ilpr = 0;
  #ibrd = 0;
  #fbrd = 0;
  #lcrH = 0;
  #cr = CR_RESET;
  #ifls = IFLS_RESET;
  #imsc = 0;
  #ris = 0;
  #dmacr = 0;
  #rsr = 0;
  #line = false;
  #flagReads = 0;
  /**
   * Whether receive interrupts have been enabled for a while, and whether that while is being
   * waited for.
   */
  #settled = false;
  #settling = false;

  /** @param later calls back after about a millisecond of the guest's time; at once unless given */
  constructor(readonly later: (action: () => void) => void = (action) => action()) {}

  /** Whether the interrupt line is high. */
  get interrupt(): boolean {
    return this.#line;
  }

  /**
   * How many characters can be given now. It is zero until the guest listens, by polling or by
   * interrupts that have been enabled for a while: drivers enable interrupts, then empty the FIFO,
   * and what was typed ahead would be lost.
   */
  get receivable(): number {
    const listens = this.#settled || this.#flagReads >= POLLS_FOR_INPUT;
    return listens ? this.#depth() - this.#fifo.length : 0;
  }

  get input(): UartInput {
    const raised = (this.#ris & (Pl011Interrupt.RX | Pl011Interrupt.RT)) !== 0;
    return { characters: this.#fifo.length, raised, enabled: this.#receiveInterrupts };
  }

  /**
   * Gives at most `receivable` characters (bytes, or `Pl011Data.BE`) to the guest; the result says
   * how many were taken.
   */
  receive(characters: ArrayLike<number>): number {
    const count = Math.min(characters.length, this.receivable);
    if (count === 0) return 0;
    for (let i = 0; i < count; i++) {
      this.#fifo.push(characters[i]);
      if (characters[i] & Pl011Data.BE) this.#ris |= Pl011Interrupt.BE;
    }
    // Without a baud rate, the 32 bit periods of the receive timeout are over at once.
    this.#ris |= Pl011Interrupt.RT;
    if (this.#fifo.length >= this.#trigger()) this.#ris |= Pl011Interrupt.RX;
    this.#updateLine();
    return count;
  }

  /** A load of 1, 2, 4 or 8 bytes at `offset`; registers are zero-extended. */
  read(offset: number, size: number): bigint {
    const shift = (offset & 3) * 8;
    const value = shift === 0 || offset >= Pl011Register.ID ? this.#readRegister(offset & ~3) >>> shift : 0;
    return BigInt.asUintN(size * 8, BigInt(value));
  }

  /**
   * The value that a load would give, without its effects; undefined for the data register, and for
   * bytes that do not start a register.
   */
  seen(offset: number, size: number): SeenRegister | undefined {
    const seen = offset & 3 ? undefined : this.#seen(offset, size);
    return seen && named(Pl011Register, offset, seen);
  }

  #seen(offset: number, size: number): SeenRegister | undefined {
    const { RX, RT, BE } = Pl011Interrupt, hasRoom = this.#fifo.length < this.#depth();
    const arrives = hasRoom ? (RX | RT | BE) & ~this.#ris : 0;
    switch (offset) {
      case Pl011Register.DR:
        return undefined;
      case Pl011Register.FR:
        return seenBytes({ value: this.#flags, changing: hasRoom ? Pl011Flag.RXFF | this.#flags & Pl011Flag.RXFE : 0 }, size);
      case Pl011Register.RIS:
        return seenBytes({ value: this.#ris, changing: arrives }, size);
      case Pl011Register.MIS:
        return seenBytes({ value: this.#ris & this.#imsc, changing: arrives & this.#imsc }, size);
    }
    return seenBytes(fixed(this.#readRegister(offset)), size);
  }

  /** A store of 1, 2, 4 or 8 bytes at `offset`. Bytes that do not start a register are ignored. */
  write(offset: number, _size: number, value: bigint): void {
    if (offset & 3) return;
    this.#writeRegister(offset, Number(value & 0xffff_ffffn));
  }

  save(): Pl011State {
    return {
      fifo: [...this.#fifo],
      registers: [this.#ilpr, this.#ibrd, this.#fbrd, this.#lcrH, this.#cr, this.#ifls, this.#imsc, this.#ris, this.#dmacr, this.#rsr],
      line: this.#line,
      flagReads: this.#flagReads,
      settled: this.#settled,
      settling: this.#settling,
    };
  }

  /**
   * Restores a saved state, without a call about the line: the listener has saved its level too.
   * `later` is called again for pending waits.
   */
  restore(state: Pl011State): void {
    this.#fifo.splice(0, Infinity, ...state.fifo);
    [this.#ilpr, this.#ibrd, this.#fbrd, this.#lcrH, this.#cr, this.#ifls, this.#imsc, this.#ris, this.#dmacr, this.#rsr] = state.registers;
    this.#line = state.line;
    this.#flagReads = state.flagReads;
    this.#settled = state.settled;
    if (state.settling) this.#wait();
  }

  #readRegister(offset: number): number {
    if (offset >= Pl011Register.ID) return ID_BYTES[(offset - Pl011Register.ID) >> 2];
    switch (offset) {
      case Pl011Register.DR:
        return this.#readData();
      case Pl011Register.RSR:
        return this.#rsr;
      case Pl011Register.FR:
        return this.#readFlags();
      case Pl011Register.ILPR:
        return this.#ilpr;
      case Pl011Register.IBRD:
        return this.#ibrd;
      case Pl011Register.FBRD:
        return this.#fbrd;
      case Pl011Register.LCR_H:
        return this.#lcrH;
      case Pl011Register.CR:
        return this.#cr;
      case Pl011Register.IFLS:
        return this.#ifls;
      case Pl011Register.IMSC:
        return this.#imsc;
      case Pl011Register.RIS:
        return this.#ris;
      case Pl011Register.MIS:
        return this.#ris & this.#imsc;
      case Pl011Register.DMACR:
        return this.#dmacr;
      default:
        // Write-only and reserved registers.
        return 0;
    }
  }

  #writeRegister(offset: number, value: number): void {
    switch (offset) {
      case Pl011Register.DR:
        this.#flagReads = 0;
        this.onTransmit(value & 0xff);
        this.#ris |= Pl011Interrupt.TX;
        this.#updateLine();
        break;
      case Pl011Register.RSR:
        // Any write to ECR, which has this offset, clears the errors.
        this.#rsr = 0;
        break;
      case Pl011Register.ILPR:
        this.#ilpr = value & 0xff;
        break;
      case Pl011Register.IBRD:
        this.#ibrd = value & 0xffff;
        break;
      case Pl011Register.FBRD:
        this.#fbrd = value & 0x3f;
        break;
      case Pl011Register.LCR_H:
        // A change of FEN empties the FIFOs.
        if ((this.#lcrH ^ value) & LCR_H_FEN) this.#empty();
        this.#lcrH = value & 0xff;
        this.onReceivable();
        break;
      case Pl011Register.CR:
        this.#cr = value & 0xffff;
        break;
      case Pl011Register.IFLS:
        this.#ifls = value & 0x3f;
        break;
      case Pl011Register.IMSC:
        this.#imsc = value & Pl011Interrupt.All;
        this.#updateLine();
        this.#settle();
        break;
      case Pl011Register.ICR: {
        const { raised } = this.input;
        this.#ris &= ~value;
        this.#updateLine();
        if (raised && !this.input.raised && this.#fifo.length > 0) this.onCleared();
        break;
      }
      case Pl011Register.DMACR:
        this.#dmacr = value & 7;
        break;
    }
  }

  #readData(): number {
    const character = this.#fifo.shift();
    if (character === undefined) return 0;
    this.#rsr = character >> ERRORS_SHIFT;
    if (this.#fifo.length < this.#trigger()) this.#ris &= ~Pl011Interrupt.RX;
    if (this.#fifo.length === 0) this.#ris &= ~Pl011Interrupt.RT;
    this.#updateLine();
    if (this.receivable > 0) this.onReceivable();
    return character;
  }

  #readFlags(): number {
    if (this.#flagReads < POLLS_FOR_INPUT && ++this.#flagReads === POLLS_FOR_INPUT) this.onReceivable();
    return this.#flags;
  }

  get #flags(): number {
    const full = this.#fifo.length >= this.#depth() ? Pl011Flag.RXFF : 0;
    const empty = this.#fifo.length === 0 ? Pl011Flag.RXFE : 0;
    return Pl011Flag.TXFE | full | empty;
  }

  get #receiveInterrupts(): boolean {
    return (this.#imsc & (Pl011Interrupt.RX | Pl011Interrupt.RT)) !== 0;
  }

  #settle(): void {
    if (!this.#receiveInterrupts) this.#settled = false;
    if (!this.#receiveInterrupts || this.#settled || this.#settling) return;
    this.#wait();
  }

  /** The delay begins, or continues after a restore, even where interrupts are off again. */
  #wait(): void {
    this.#settling = true;
    this.later(() => {
      this.#settling = false;
      this.#settled = this.#receiveInterrupts;
      if (this.receivable > 0) this.onReceivable();
    });
  }

  #empty(): void {
    this.#fifo.length = 0;
    this.#ris &= ~(Pl011Interrupt.RX | Pl011Interrupt.RT);
    this.#updateLine();
  }

  #depth(): number {
    return this.#lcrH & LCR_H_FEN ? FIFO_DEPTH : 1;
  }

  #trigger(): number {
    return this.#lcrH & LCR_H_FEN ? TRIGGER_LEVELS[this.#ifls >> 3 & 7] : 1;
  }

  #updateLine(): void {
    const level = (this.#ris & this.#imsc) !== 0;
    if (level === this.#line) return;
    this.#line = level;
    this.onInterrupt(level);
  }
}
