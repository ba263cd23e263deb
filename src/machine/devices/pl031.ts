// PL031 real time clock (Arm DDI 0224): a counter of seconds, a match register and an interrupt.

import { named, seenBytes, type SeenRegister } from "./seen-register.ts";

/** Register offsets; all are 32 bits. */
export const Pl031Register = {
  /** Data: seconds, read only. */
  DR: 0x000,
  /** Match. */
  MR: 0x004,
  /** Load: sets the counter. */
  LR: 0x008,
  /** Control: bit 0 starts the clock, which nothing stops. */
  CR: 0x00c,
  /** Interrupt mask: bit 0 set lets it through. */
  IMSC: 0x010,
  RIS: 0x014,
  MIS: 0x018,
  ICR: 0x01c,
  /** PeriphID0 to 3 and PCellID0 to 3, one byte each. */
  ID: 0xfe0,
} as const;

/** Part 0x031, designer 0x41, revision 1. */
const ID_BYTES = [0x31, 0x10, 0x14, 0x00, 0x0d, 0xf0, 0x05, 0xb1];

/** State of a `Pl031`: plain data. */
export interface Pl031State {
  /** The difference between the counter and the seconds since power-on. */
  readonly offset: number;
  readonly match: number;
  readonly mask: number;
  readonly raised: boolean;
  readonly armed: boolean;
}

/** The time base of the clock. */
interface Pl031Time {
  /** Seconds since power-on. */
  seconds(): number;
  /** Calls back when this many seconds since power-on have passed, or some time after. */
  at(seconds: number, action: () => void): void;
}

export class Pl031 {
  onInterrupt: (level: boolean) => void = () => {};
  #offset: number;
  #match = 0;
  #mask = 0;
  #raised = false;
  /** Whether the match is still to come. */
  #armed = false;
  #line = false;

  /** @param start what the counter has at power-on: seconds since 1970 */
  constructor(readonly time: Pl031Time, start: number) {
    this.#offset = start;
  }

  /** A load of 1, 2 or 4 bytes at a register; 8 have zeros above. */
  read(offset: number, size: number): bigint {
    return BigInt.asUintN(8 * size, BigInt(this.#register(offset) >>> 0));
  }

  /** The value that a load would give, without its effects; undefined for the time. */
  seen(offset: number, size: number): SeenRegister | undefined {
    if (offset === Pl031Register.DR) return undefined;
    const alarm = offset === Pl031Register.RIS ? 1 : offset === Pl031Register.MIS ? this.#mask : 0;
    return named(Pl031Register, offset, seenBytes({ value: this.#register(offset) >>> 0, changing: this.#armed ? alarm : 0 }, size));
  }

  write(offset: number, _size: number, value: bigint): void {
    const word = Number(value & 0xffff_ffffn);
    switch (offset) {
      case Pl031Register.MR:
        this.#match = word;
        return this.#arm();
      case Pl031Register.LR:
        this.#offset = word - this.time.seconds();
        return this.#arm();
      case Pl031Register.IMSC:
        this.#mask = word & 1;
        return this.#update();
      case Pl031Register.ICR:
        if (word & 1) this.#raised = false;
        return this.#update();
    }
  }

  save(): Pl031State {
    return { offset: this.#offset, match: this.#match, mask: this.#mask, raised: this.#raised, armed: this.#armed };
  }

  /**
   * Restores a saved state, without a call about the line: the listener has saved its level too.
   */
  restore(state: Pl031State): void {
    this.#offset = state.offset;
    this.#match = state.match;
    this.#mask = state.mask;
    this.#raised = state.raised;
    this.#line = state.raised && state.mask === 1;
    if (state.armed) this.#arm();
  }

  get #counter(): number {
    return this.time.seconds() + this.#offset >>> 0;
  }

  #register(offset: number): number {
    if (offset >= Pl031Register.ID) return ID_BYTES[(offset - Pl031Register.ID) >> 2] ?? 0;
    switch (offset) {
      case Pl031Register.DR:
        return this.#counter;
      case Pl031Register.MR:
        return this.#match;
      case Pl031Register.LR:
        return this.#offset;
      case Pl031Register.CR:
        return 1;
      case Pl031Register.IMSC:
        return this.#mask;
      case Pl031Register.RIS:
        return Number(this.#raised);
      case Pl031Register.MIS:
        return Number(this.#raised) & this.#mask;
      default:
        return 0;
    }
  }

  /** Waits for the match. Only the last one that was asked for counts. */
  #arm(): void {
    const [match, offset] = [this.#match, this.#offset];
    const wait = match - this.#counter >>> 0;
    this.#armed = true;
    this.time.at(this.time.seconds() + wait, () => {
      if (!this.#armed || this.#match !== match || this.#offset !== offset) return;
      this.#armed = false;
      this.#raised = true;
      this.#update();
    });
  }

  #update(): void {
    const line = this.#raised && this.#mask === 1;
    if (line === this.#line) return;
    this.#line = line;
    this.onInterrupt(line);
  }
}
