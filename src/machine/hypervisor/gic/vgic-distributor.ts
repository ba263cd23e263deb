// The distributor's register frame of a VIC (GICD; docs/spec/hypervisor.md §6.2,
// docs/spec/observed.md §3). An access that returns undefined or false is answered with a
// synchronous external abort.

import { GIC_IIDR, GIC_PIDR2, Gicd, GICD_CTLR_FIXED, GICD_CTLR_GROUPS, Intid, Statusr } from "./gic-registers.ts";
import { affinityOfMpidr } from "./affinity.ts";
import { Irq } from "./irq-bank.ts";
import type { Vgic } from "./vgic.ts";
import type { VgicCpu } from "./vgic-cpu-interface.ts";

/** INTID field of SETSPI_NSR and CLRSPI_NSR. */
const MESSAGE_INTID = 0x1fff;

/** One register frame for all vCPUs of a VIC; each access says which vCPU makes it. */
export class Distributor {
  #status = 0;

  constructor(readonly gic: Vgic) {}

  /** STATUSR. */
  get status(): number {
    return this.#status;
  }

  /** A frame that is loaded has the errors that it had reported. */
  restoreStatus(status: number): void {
    this.#status = status;
  }

  /**
   * A load of `size` bytes.
   * @returns the value, or undefined for an external abort
   */
  read(cpu: VgicCpu, offset: number, size: number): bigint | undefined {
    if (!isAllowed(offset, size)) return undefined;
    return BigInt(size === 1 ? this.#readByte(cpu, offset) : this.#readWord(cpu, offset) >>> 0);
  }

  /** A load of a word, unsigned; undefined for an external abort. */
  readWord(cpu: VgicCpu, offset: number): number | undefined {
    return isAllowed(offset, 4) ? this.#readWord(cpu, offset) >>> 0 : undefined;
  }

  /**
   * A store of `size` bytes.
   * @returns false for an external abort
   */
  write(cpu: VgicCpu, offset: number, size: number, value: bigint): boolean {
    if (!isAllowed(offset, size)) return false;
    if (isRoute(offset)) return this.#writeRoute(offset, size, value);
    if (size === 1) return this.#writeByte(cpu, offset, Number(value));
    return this.#writeWord(cpu, offset, Number(value));
  }

  #readByte(cpu: VgicCpu, offset: number): number {
    if (offset < Gicd.ITARGETSR) return this.gic.bank(cpu, offset - Gicd.IPRIORITYR).priority[offset - Gicd.IPRIORITYR];
    if (offset >= Gicd.IROUTER) this.#status |= Statusr.RRD;
    return 0;
  }

  #readWord(cpu: VgicCpu, offset: number): number {
    switch (offset) {
      case Gicd.CTLR:
        return GICD_CTLR_FIXED | this.gic.groups;
      case Gicd.TYPER:
        return this.gic.typer;
      case Gicd.IIDR:
        return GIC_IIDR;
      case Gicd.TYPER2:
      case Gicd.SETSPI_SR:
      case Gicd.CLRSPI_SR:
        return 0;
      case Gicd.STATUSR:
        return this.#status;
      case Gicd.SETSPI_NSR:
      case Gicd.CLRSPI_NSR:
      case Gicd.SGIR:
        this.#status |= Statusr.RWOD;
        return 0;
      case Gicd.PIDR2:
        return GIC_PIDR2;
    }
    // One bit an interrupt: 0x80 bytes a register group.
    const first = (offset & 0x7f) * 8;
    switch (offset & ~0x7f) {
      case Gicd.IGROUPR:
        return this.#flagWord(cpu, first, Irq.Group1);
      case Gicd.ISENABLER:
      case Gicd.ICENABLER:
        return this.#flagWord(cpu, first, Irq.Enabled);
      case Gicd.ISPENDR:
      case Gicd.ICPENDR:
        return this.#word(first, (intid) => this.gic.isPending(cpu, cpu, intid));
      case Gicd.ISACTIVER:
      case Gicd.ICACTIVER:
        return this.#word(first, (intid) => this.gic.isActive(cpu, intid));
    }
    if (offset >= Gicd.IPRIORITYR && offset < Gicd.ITARGETSR) {
      const intid = offset - Gicd.IPRIORITYR;
      const { priority } = this.gic.bank(cpu, intid);
      return intid < Intid.SpiEnd ? priority[intid] | priority[intid + 1] << 8 | priority[intid + 2] << 16 | priority[intid + 3] << 24 : 0;
    }
    if (offset >= Gicd.ICFGR && offset < Gicd.IGRPMODR) return this.#readConfiguration(cpu, (offset - Gicd.ICFGR) * 4);
    if (!isZero(offset)) this.#status |= Statusr.RRD;
    return 0;
  }

  #writeByte(cpu: VgicCpu, offset: number, value: number): boolean {
    const intid = offset - Gicd.IPRIORITYR;
    if (intid >= Intid.PrivateEnd && intid < Intid.SpiEnd) this.gic.setPriority(cpu, intid, value);
    return true;
  }

  #writeWord(cpu: VgicCpu, offset: number, value: number): boolean {
    switch (offset) {
      case Gicd.CTLR:
        this.gic.groups = value & GICD_CTLR_GROUPS;
        return true;
      case Gicd.TYPER:
      case Gicd.IIDR:
      case Gicd.TYPER2:
      case Gicd.PIDR2:
        this.#status |= Statusr.WROD;
        return true;
      case Gicd.STATUSR:
        this.#status &= ~value;
        return true;
      case Gicd.SETSPI_NSR:
      case Gicd.CLRSPI_NSR:
        this.gic.setMessage(value & MESSAGE_INTID, offset === Gicd.SETSPI_NSR);
        return true;
      case Gicd.SETSPI_SR:
      case Gicd.CLRSPI_SR:
      case Gicd.SGIR:
        return true;
    }
    const first = (offset & 0x7f) * 8;
    switch (offset & ~0x7f) {
      case Gicd.IGROUPR:
        this.#eachSpi(first, value, (intid) => this.gic.update(cpu, intid, Irq.Group1, 0));
        this.#eachSpi(first, ~value, (intid) => this.gic.update(cpu, intid, 0, Irq.Group1));
        return true;
      case Gicd.ISENABLER:
        this.#eachSpi(first, value, (intid) => this.gic.update(cpu, intid, Irq.Enabled, 0));
        return true;
      case Gicd.ICENABLER:
        this.#eachSpi(first, value, (intid) => this.gic.update(cpu, intid, 0, Irq.Enabled));
        return true;
      case Gicd.ISPENDR:
        this.#eachSpi(first, value, (intid) => this.gic.setPending(cpu, intid));
        return true;
      case Gicd.ICPENDR:
        this.#eachSpi(first, value, (intid) => this.gic.clearPending(cpu, intid));
        return true;
      case Gicd.ISACTIVER:
        this.#eachSpi(first, value, (intid) => this.gic.setActive(cpu, intid, true));
        return true;
      case Gicd.ICACTIVER:
        this.#eachSpi(first, value, (intid) => this.gic.setActive(cpu, intid, false));
        return true;
    }
    if (offset >= Gicd.IPRIORITYR && offset < Gicd.ITARGETSR) {
      for (let byte = 0; byte < 4; byte++) this.#writeByte(cpu, offset + byte, value >>> (8 * byte) & 0xff);
      return true;
    }
    if (offset >= Gicd.ICFGR && offset < Gicd.IGRPMODR) {
      this.#writeConfiguration(cpu, (offset - Gicd.ICFGR) * 4, value);
      return true;
    }
    if (isZero(offset)) return true;
    this.#status |= Statusr.WRD;
    return false;
  }

  /** IROUTER: accepted up to the end of its range. The high half alone has no effect. */
  #writeRoute(offset: number, size: number, value: bigint): boolean {
    const intid = (offset - Gicd.IROUTER) / 8;
    if (size >= 4 && Number.isInteger(intid) && intid < Intid.SpiEnd) {
      this.gic.setRoute(intid, affinityOfMpidr(value));
    }
    return true;
  }

  #readConfiguration(cpu: VgicCpu, first: number): number {
    let value = 0;
    for (let i = 0; i < 16; i++) {
      const intid = first + i;
      if (intid < Intid.SpiEnd && this.gic.bank(cpu, intid).flags[intid] & Irq.Edge) value |= 2 << (2 * i);
    }
    return value;
  }

  #writeConfiguration(cpu: VgicCpu, first: number, value: number): void {
    for (let i = 0; i < 16; i++) {
      const intid = first + i;
      if (intid < Intid.PrivateEnd || intid >= Intid.SpiEnd) continue;
      const edge = (value >>> (2 * i + 1) & 1) !== 0;
      this.gic.setTrigger(cpu, intid, edge);
    }
  }

  #flagWord(cpu: VgicCpu, first: number, flag: number): number {
    return this.#word(first, (intid) => (this.gic.bank(cpu, intid).flags[intid] & flag) !== 0);
  }

  #word(first: number, test: (intid: number) => boolean): number {
    let word = 0;
    for (let i = 0; i < 32 && first + i < Intid.SpiEnd; i++) if (test(first + i)) word |= 1 << i;
    return word;
  }

  /**
   * Acts on each SPI whose bit is set in a word from INTID `first` on. SGIs and PPIs are not
   * writable here.
   */
  #eachSpi(first: number, word: number, act: (intid: number) => void): void {
    if (first < Intid.PrivateEnd) return;
    for (let i = 0; i < 32 && first + i < Intid.SpiEnd; i++) if (word >>> i & 1) act(first + i);
  }
}

/** The range of IROUTER begins at the first SPI. */
function isRoute(offset: number): boolean {
  return offset >= Gicd.IROUTER + Intid.PrivateEnd * 8 && offset < Gicd.IROUTER_End;
}

/** Which sizes a register allows: 32 bits everywhere, others where the frame has such registers. */
function isAllowed(offset: number, size: number): boolean {
  if (offset % size !== 0) return false;
  switch (size) {
    case 1:
      return isRoute(offset) || offset >= Gicd.IPRIORITYR && offset < Gicd.IPRIORITYR + Intid.SpiEnd ||
        offset >= Gicd.ITARGETSR && offset < Gicd.ICFGR || offset >= Gicd.CPENDSGIR && offset < Gicd.SPENDSGIR_End;
    case 2:
      return offset === Gicd.SETSPI_NSR || offset === Gicd.CLRSPI_NSR;
    case 4:
      return true;
    default:
      return isRoute(offset);
  }
}

/** Registers of features that are not there: read as zero, writes ignored. */
function isZero(offset: number): boolean {
  return offset >= Gicd.ITARGETSR && offset < Gicd.ICFGR || offset >= Gicd.IGRPMODR && offset < Gicd.IGRPMODR + 0x80 ||
    offset >= Gicd.NSACR && offset < Gicd.NSACR + 0x100 || offset >= Gicd.CPENDSGIR && offset < Gicd.SPENDSGIR_End;
}
