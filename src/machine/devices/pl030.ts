// PL030 real-time clock as crosvm emulates it (docs/spec/phones.md §C2): a counter of seconds that
// nobody can set, and an alarm that never rings.

/** Register offsets; all are 32 bits. STAT is EOI where it is written. */
export const Pl030Register = { DR: 0x0, MR: 0x4, STAT: 0x8, LR: 0xc, CR: 0x10, ID_HIGH: 0xfd8, ID: 0xfe0 } as const;

/** Values of the identification words, each read as a whole. */
export const PL030_ID = 0x0004_1030;
const PL030_ID_HIGH = 0x000f_ffff;
const SETTABLE: readonly number[] = [Pl030Register.MR, Pl030Register.STAT, Pl030Register.LR, Pl030Register.CR];

export class Pl030 {
  /** @param seconds since 1970 */
  constructor(readonly seconds: () => number) {}

  /** A load; undefined if there is no register of this size. */
  read(offset: number, size: number): bigint | undefined {
    if (size !== 4) return undefined;
    switch (offset) {
      case Pl030Register.DR:
        return BigInt(this.seconds() >>> 0);
      case Pl030Register.ID:
        return BigInt(PL030_ID);
      case Pl030Register.ID_HIGH:
        return BigInt(PL030_ID_HIGH);
      default:
        return SETTABLE.includes(offset) ? 0n : undefined;
    }
  }

  /** A store, which does nothing; whether there is a register. */
  write(offset: number, size: number, _value: bigint): boolean {
    return size === 4 && SETTABLE.includes(offset);
  }
}
