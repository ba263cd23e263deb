// The device bus: which physical device answers at a physical address.

/** A register's value without a load, and the bits that something outside its VM may change. */
interface BusRegister {
  readonly value: number;
  readonly changing: number;
  readonly name?: string;
}

/**
 * A device model on the bus. Offsets and sizes are bytes; sizes are 1, 2, 4 or 8; values are
 * unsigned.
 */
interface BusDevice {
  read(offset: number, size: number): bigint;
  write(offset: number, size: number, value: bigint): void;
  /** The value that a load would give; undefined if the load would change something. */
  seen?(offset: number, size: number): BusRegister | undefined;
  /** Whether it is about to write memory. */
  readonly isBusy?: boolean;
}

interface BusEntry {
  readonly name: string;
  readonly base: number;
  readonly size: number;
  readonly device: BusDevice;
}

export class Bus {
  readonly #entries: BusEntry[] = [];

  /** Puts a device on the bus. Throws when its range is taken. */
  attach(entry: BusEntry): void {
    const other = this.#entries.find((one) => entry.base < one.base + one.size && one.base < entry.base + entry.size);
    if (other) throw new Error(`${entry.name} overlaps ${other.name} on the bus`);
    this.#entries.push(entry);
  }

  /**
   * The device at `pa`, or undefined if nothing answers (an external abort for the requester).
   */
  at(pa: number): BusEntry | undefined {
    return this.#entries.find((one) => pa >= one.base && pa < one.base + one.size);
  }

  /** A load; undefined if nothing answers. */
  read(pa: number, size: number): bigint | undefined {
    const entry = this.at(pa);
    return entry?.device.read(pa - entry.base, size);
  }

  /** The register at `pa`, without a load; undefined if its device does not know it. */
  seen(pa: number, size: number): (BusRegister & { readonly device: string }) | undefined {
    const entry = this.at(pa), seen = entry?.device.seen?.(pa - entry.base, size);
    return entry && seen && { ...seen, device: entry.name };
  }

  /** Whether a device is about to write memory. */
  get isBusy(): boolean {
    return this.#entries.some(({ device }) => device.isBusy === true);
  }

  /** A store; false if nothing answers. */
  write(pa: number, size: number, value: bigint): boolean {
    const entry = this.at(pa);
    entry?.device.write(pa - entry.base, size, value);
    return entry !== undefined;
  }
}
