// The value that a load of a device's register would give, found without a load's effects.

export interface SeenRegister {
  readonly value: number;
  /** Bits that something outside the VM may change: input that arrives, an alarm. */
  readonly changing: number;
  /** As the device's manual writes it, if it is known. */
  readonly name?: string;
}

/** The register at an offset with its name in the device's table. */
export function named(table: Readonly<Record<string, number>>, offset: number, seen: SeenRegister): SeenRegister {
  const name = Object.keys(table).find((one) => table[one] === offset);
  return name === undefined ? seen : { ...seen, name };
}

/** A register that only the VM itself changes. */
export const fixed = (value: number): SeenRegister => ({ value: value >>> 0, changing: 0 });

/** The part of it that a load of `size` bytes gives. */
export function seenBytes({ value, changing }: SeenRegister, size: number): SeenRegister {
  const mask = size >= 4 ? 0xffff_ffff : 2 ** (8 * size) - 1;
  return { value: (value & mask) >>> 0, changing: (changing & mask) >>> 0 };
}
