// Goldfish battery (binding google,goldfish-battery; docs/spec/phones.md §C2) as crosvm shows it
// where the host has no power daemon, as on Android: half full, on mains, and never changing.

/** Register offsets; all are 32 bits. */
export const BatteryRegister = {
  INT_STATUS: 0x00,
  INT_ENABLE: 0x04,
  AC_ONLINE: 0x08,
  STATUS: 0x0c,
  HEALTH: 0x10,
  PRESENT: 0x14,
  CAPACITY: 0x18,
  VOLTAGE: 0x1c,
  TEMP: 0x20,
  CHARGE_COUNTER: 0x24,
  VOLTAGE_MAX: 0x28,
  CURRENT_MAX: 0x2c,
  CURRENT_NOW: 0x30,
  CURRENT_AVG: 0x34,
  CHARGE_FULL: 0x38,
  CYCLE_COUNT: 0x40,
} as const;

const R = BatteryRegister;
/** Percent. */
const CAPACITY = 50;

/** All other registers read as zero: status and health are unknown. */
const VALUES: ReadonlyMap<number, number> = new Map([
  ...Object.values(R).map((register) => [register, 0] as const),
  ...[[R.AC_ONLINE, 1], [R.PRESENT, 1], [R.CAPACITY, CAPACITY]] as const,
]);

export class GoldfishBattery {
  #enabled = 0;

  /** A load; undefined if there is no register of this size. */
  read(offset: number, size: number): bigint | undefined {
    if (size !== 4) return undefined;
    const value = offset === R.INT_ENABLE ? this.#enabled : VALUES.get(offset);
    return value === undefined ? undefined : BigInt(value);
  }

  /** A store; whether there is a register. */
  write(offset: number, size: number, value: bigint): boolean {
    if (size !== 4 || !VALUES.has(offset)) return false;
    if (offset === R.INT_ENABLE) this.#enabled = Number(value & 0xffff_ffffn);
    return true;
  }

  /** INT_ENABLE, which is all that can change. */
  save(): number {
    return this.#enabled;
  }

  restore(enabled: number): void {
    this.#enabled = enabled;
  }
}
