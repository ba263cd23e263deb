// GICv2m frame (binding arm,gic-v2m-frame; Arm Server Base System Architecture 2.3 appendix E): a
// message is a store of an INTID, which makes that shared interrupt pending.

/** Register offsets; all are 32 bits. */
export const Gicv2mRegister = { TYPER: 0x008, SETSPI_NS: 0x040, IIDR: 0xfcc } as const;
/** Bytes of the frame. */
export const GICV2M_SIZE = 0x1000;
const INTID_MASK = 0x3ff, BASE_SHIFT = 16;
/** Product: what QEMU's frame shows. */
const IIDR = 0x51 << 20;

export class Gicv2m {
  /**
   * @param base the first INTID of those that messages raise
   * @param signal raises an interrupt by its INTID
   */
  constructor(readonly base: number, readonly count: number, readonly signal: (intid: number) => void) {}

  /** A load; undefined if there is no register of this size. */
  read(offset: number, size: number): bigint | undefined {
    if (size !== 4) return undefined;
    if (offset === Gicv2mRegister.TYPER) return BigInt(this.base << BASE_SHIFT | this.count);
    return offset === Gicv2mRegister.IIDR ? BigInt(IIDR) : offset === Gicv2mRegister.SETSPI_NS ? 0n : undefined;
  }

  /** A store; whether there is a register. */
  write(offset: number, size: number, value: bigint): boolean {
    if (offset !== Gicv2mRegister.SETSPI_NS || size !== 4 && size !== 2) return false;
    const intid = Number(value) & INTID_MASK;
    if (intid >= this.base && intid < this.base + this.count) this.signal(intid);
    return true;
  }
}
