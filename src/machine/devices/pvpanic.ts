// pvpanic: a register by which a guest says that its kernel has panicked (docs/spec/phones.md §C2).

import { PciFunction } from "./pci.ts";

const IDENTITY = { vendor: 0x1b36, device: 0x0011, revision: 1, classCode: 0xff_ff_00, subsystemVendor: 0xff, subsystem: 0xff };
const BAR_SIZE = 0x10;
/** A platform's report about a panic. */
export const PANIC_REPORT = "pvpanic reports that the guest's kernel has panicked";

/** Events: bits that can be written, and that a load lists. */
export const PvpanicEvent = { PANICKED: 1, CRASH_LOADED: 2 } as const;

/** One register of a byte. */
class Pvpanic {
  /** @param onEvent is called with each event that the guest reports */
  constructor(readonly onEvent: (event: number) => void) {}

  read(offset: number, size: number): bigint {
    return offset === 0 && size === 1 ? BigInt(PvpanicEvent.PANICKED | PvpanicEvent.CRASH_LOADED) : 0n;
  }

  write(offset: number, size: number, value: bigint): void {
    if (offset !== 0 || size !== 1) return;
    for (const event of Object.values(PvpanicEvent)) if (Number(value & 0xffn) & event) this.onEvent(event);
  }
}

/**
 * The register as a function of a PCI bus.
 * @param address where its BAR is at the start
 * @param onPanic is called when the guest reports that its kernel has panicked
 */
export function pvpanicFunction(address: number, onPanic: () => void): PciFunction {
  const register = new Pvpanic((event) => {
    if (event === PvpanicEvent.PANICKED) onPanic();
  });
  return new PciFunction({ ...IDENTITY, bar: { address, size: BAR_SIZE, wide: false } }, register);
}
