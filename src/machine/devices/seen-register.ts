// The value that a load of a device's register would give, found without a load's effects.

export interface SeenRegister {
  readonly value: number;
  /** Bits that something outside the VM may change: input that arrives, an alarm. */
  readonly changing: number;
  /** As the device's manual writes it, if it is known. */
  readonly name?: string;
}

/** Offsets of a device's registers by their names. */
type RegisterTable = Readonly<Record<string, number>>;

/** The name of the register at an offset; undefined where none begins. */
export const registerName = (table: RegisterTable, offset: number) => Object.keys(table).find((one) => table[one] === offset);

/** A register with its name in the device's table. */
export function named(table: RegisterTable, offset: number, seen: SeenRegister): SeenRegister {
  const name = registerName(table, offset);
  return name === undefined ? seen : { ...seen, name };
}

/** A register that only the VM itself changes. */
export const fixed = (value: number): SeenRegister => ({ value: value >>> 0, changing: 0 });

/** The part of it that a load of `size` bytes gives. */
export function seenBytes({ value, changing }: SeenRegister, size: number): SeenRegister {
  const mask = size >= 4 ? 0xffff_ffff : 2 ** (8 * size) - 1;
  return { value: (value & mask) >>> 0, changing: (changing & mask) >>> 0 };
}
