// The register frames of an ITS: control, and GITS_TRANSLATER (Arm IHI 0069 section 12.19).
// Registers of 64 bits can be accessed by halves. Reserved locations read as zero and ignore
// writes.

import { GIC_IIDR, GIC_PIDR2 } from "./gic-registers.ts";
import type { Its } from "./its/its.ts";
import { Gits, GITS_TYPER, GitsCtlr } from "./its/its-registers.ts";

/** DeviceID of stores by vCPUs, which are not devices of the bus: that of QEMU. */
const VCPU_DEVICE = 0;
const WORD = 0xffff_ffffn;

/** The frames. An access of another size than a register's is an external abort. */
export class ItsFrame {
  constructor(readonly its: Its) {}

  /** A load; undefined for an external abort. */
  read(offset: number, size: number): bigint | undefined {
    if (offset % size !== 0 || size !== 4 && size !== 8) return undefined;
    switch (offset) {
      case Gits.CTLR:
        // No operation is ever in progress between two accesses.
        return size === 4 ? BigInt(GitsCtlr.Quiescent + (this.its.enabled ? GitsCtlr.Enabled : 0)) : undefined;
      case Gits.IIDR:
        return size === 4 ? BigInt(GIC_IIDR) : undefined;
      case Gits.PIDR2:
        return size === 4 ? BigInt(GIC_PIDR2) : undefined;
    }
    const register = this.#read(offset - offset % 8);
    return size === 8 ? register : register >> BigInt(offset % 8 * 8) & WORD;
  }

  /** A store; false for an external abort. */
  write(offset: number, size: number, value: bigint): boolean {
    if (offset === Gits.TRANSLATER && (size === 4 || size === 2)) {
      this.its.translate(VCPU_DEVICE, Number(value & WORD));
      return true;
    }
    if (offset % size !== 0 || size !== 4 && size !== 8) return false;
    if (offset === Gits.CTLR && size === 4) {
      this.its.enable((value & BigInt(GitsCtlr.Enabled)) !== 0n);
      return true;
    }
    const register = offset - offset % 8;
    if (size === 8) this.#write(register, value);
    else {
      const shift = BigInt(offset % 8 * 8);
      this.#write(register, this.#read(register) & ~(WORD << shift) | (value & WORD) << shift);
    }
    return true;
  }

  #read(offset: number): bigint {
    switch (offset) {
      case Gits.TYPER:
        return GITS_TYPER;
      case Gits.CBASER:
        return this.its.cbaser;
      case Gits.CWRITER:
        return BigInt(this.its.cwriter);
      case Gits.CREADR:
        return BigInt(this.its.creadr);
    }
    return isBaser(offset) ? this.its.baser((offset - Gits.BASER) / 8) : 0n;
  }

  #write(offset: number, value: bigint): void {
    if (offset === Gits.CBASER) this.its.setCbaser(value);
    else if (offset === Gits.CWRITER) this.its.setCwriter(Number(value & WORD));
    else if (isBaser(offset)) this.its.setBaser((offset - Gits.BASER) / 8, value);
  }
}

function isBaser(offset: number): boolean {
  return offset >= Gits.BASER && offset < Gits.BASER_End;
}
