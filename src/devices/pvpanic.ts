// pvpanic: a register by which a guest says that its kernel has panicked (docs/spec/phones.md §C2).

/** Events: bits that can be written, and that a load lists. */
export const PvpanicEvent = { PANICKED: 1, CRASH_LOADED: 2 } as const;

/** One register of a byte. */
export class Pvpanic {
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
