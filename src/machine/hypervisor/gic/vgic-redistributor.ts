// The redistributor frames of one vCPU (GICR: RD frame and SGI frame; docs/spec/hypervisor.md §6.2,
// docs/spec/observed.md §3). An access that returns undefined or false is answered with a
// synchronous external abort.

import { GIC_IIDR, GIC_PIDR2, Gicd, Gicr, Intid, Statusr, Waker } from "./gic-registers.ts";
import { Irq } from "./irq-bank.ts";
import { GICR_TYPER_PLPIS, GicrCtlr, PENDBASER_PTZ } from "./its/its-registers.ts";
import type { Lpis } from "./lpis.ts";
import type { Vgic } from "./vgic.ts";
import type { VgicCpu } from "./vgic-cpu-interface.ts";

/** GICR_TYPER.Last. */
const TYPER_LAST = 0x10n;
const WORD = 0xffff_ffffn;
/** Registers of the SGI frame have the distributor's offsets. */
const SGI = Gicr.SgiFrame;

/** Register frames of one vCPU; any vCPU of the VIC may access them. */
export class Redistributor {
  #status = 0;

  /** @param last gives GICR_TYPER.Last: no redistributor follows this one */
  constructor(readonly gic: Vgic, readonly cpu: VgicCpu, readonly last: () => boolean) {}

  /** STATUSR. */
  get status(): number {
    return this.#status;
  }

  /** A frame that is loaded has the errors that it had reported. */
  restoreStatus(status: number): void {
    this.#status = status;
  }

  /**
   * A load of `size` bytes by the vCPU `reader`, undefined if that is not one of the VIC's vCPUs.
   * @returns the value, or undefined for an external abort
   */
  read(reader: VgicCpu | undefined, offset: number, size: number): bigint | undefined {
    if (!isAllowed(offset, size)) return undefined;
    if (offset === Gicr.TYPER || offset === Gicr.TYPER + 4) {
      const type = this.#type() >> BigInt(offset - Gicr.TYPER) * 8n;
      return size === 8 ? type : type & 0xffff_ffffn;
    }
    if (size === 1) return BigInt(this.cpu.bank.priority[offset - SGI - Gicd.IPRIORITYR]);
    if (this.cpu.lpis !== undefined && isTableRegister(offset)) {
      const register = tableRegister(this.cpu.lpis, offset) >> BigInt(offset % 8) * 8n;
      return size === 8 ? register : register & WORD;
    }
    return BigInt(this.#readWord(reader, offset) >>> 0);
  }

  /**
   * A load of a word, unsigned; undefined for an external abort, and where `read` has to answer.
   */
  readWord(reader: VgicCpu | undefined, offset: number): number | undefined {
    const isWide = offset === Gicr.TYPER || offset === Gicr.TYPER + 4 || this.cpu.lpis !== undefined && isTableRegister(offset);
    return isAllowed(offset, 4) && !isWide ? this.#readWord(reader, offset) >>> 0 : undefined;
  }

  /**
   * A store of `size` bytes.
   * @returns false for an external abort
   */
  write(offset: number, size: number, value: bigint): boolean {
    if (!isAllowed(offset, size)) return false;
    if (size === 1) {
      this.gic.setPriority(this.cpu, offset - SGI - Gicd.IPRIORITYR, Number(value));
      return true;
    }
    if (this.cpu.lpis !== undefined && isTableRegister(offset)) {
      setTableRegister(this.cpu.lpis, offset, size, value);
      return true;
    }
    return this.#writeWord(offset, Number(value & WORD));
  }

  #type(): bigint {
    const index = this.cpu.index;
    const lpis = this.cpu.lpis === undefined ? 0n : GICR_TYPER_PLPIS;
    return BigInt(this.gic.affinityOf(index)) << 32n | BigInt(index) << 8n | (this.last() ? TYPER_LAST : 0n) | lpis;
  }

  #readWord(reader: VgicCpu | undefined, offset: number): number {
    switch (offset) {
      case Gicr.CTLR:
        return this.cpu.lpis === undefined ? 0 : GicrCtlr.CES | (this.cpu.lpis.enabled ? GicrCtlr.EnableLPIs : 0);
      case Gicr.PROPBASER:
      case Gicr.PENDBASER:
      case Gicr.SYNCR:
      case SGI + Gicd.IGRPMODR:
      case SGI + Gicd.NSACR:
        return 0;
      case Gicr.IIDR:
        return GIC_IIDR;
      case Gicr.STATUSR:
        return this.#status;
      case Gicr.WAKER:
        return this.cpu.sleep ? Waker.ProcessorSleep | (this.cpu.anyGroupEnabled ? 0 : Waker.ChildrenAsleep) : 0;
      case Gicr.SETLPIR:
      case Gicr.CLRLPIR:
      case Gicr.INVLPIR:
      case Gicr.INVALLR:
        this.#status |= Statusr.RWOD;
        return 0;
      case Gicr.PIDR2:
        return GIC_PIDR2;
      case SGI + Gicd.IGROUPR:
        return this.#word((intid) => (this.cpu.bank.flags[intid] & Irq.Group1) !== 0);
      case SGI + Gicd.ISENABLER:
      case SGI + Gicd.ICENABLER:
        return this.#word((intid) => (this.cpu.bank.flags[intid] & Irq.Enabled) !== 0);
      case SGI + Gicd.ISPENDR:
      case SGI + Gicd.ICPENDR:
        return this.#word((intid) => this.gic.isPending(reader, this.cpu, intid));
      case SGI + Gicd.ISACTIVER:
      case SGI + Gicd.ICACTIVER:
        return this.#word((intid) => (this.cpu.bank.flags[intid] & Irq.Active) !== 0);
      case SGI + Gicd.ICFGR:
        return this.#configuration(0);
      case SGI + Gicd.ICFGR + 4:
        return this.#configuration(Intid.SgiEnd);
    }
    if (isPriority(offset)) {
      const intid = offset - SGI - Gicd.IPRIORITYR;
      const { priority } = this.cpu.bank;
      return priority[intid] | priority[intid + 1] << 8 | priority[intid + 2] << 16 | priority[intid + 3] << 24;
    }
    this.#status |= Statusr.RRD;
    return 0;
  }

  #writeWord(offset: number, value: number): boolean {
    const { gic, cpu } = this;
    switch (offset) {
      case Gicr.CTLR:
        if (cpu.lpis !== undefined) {
          cpu.lpis.enable((value & GicrCtlr.EnableLPIs) !== 0);
          cpu.settleLpis();
        }
        return true;
      case Gicr.SETLPIR:
      case Gicr.CLRLPIR:
      case SGI + Gicd.ICFGR:
      case SGI + Gicd.IGRPMODR:
      case SGI + Gicd.NSACR:
        return true;
      case Gicr.IIDR:
      case Gicr.TYPER:
      case Gicr.SYNCR:
      case Gicr.PIDR2:
        this.#status |= Statusr.WROD;
        return true;
      case Gicr.STATUSR:
        this.#status &= ~value;
        return true;
      case Gicr.WAKER:
        cpu.setSleep((value & Waker.ProcessorSleep) !== 0);
        return true;
      case SGI + Gicd.IGROUPR:
        for (let intid = 0; intid < Intid.PrivateEnd; intid++) this.#assign(intid, Irq.Group1, (value >>> intid & 1) !== 0);
        return true;
      case SGI + Gicd.ISENABLER:
        this.#each(value, (intid) => gic.update(cpu, intid, Irq.Enabled, 0));
        return true;
      case SGI + Gicd.ICENABLER:
        this.#each(value, (intid) => gic.update(cpu, intid, 0, Irq.Enabled));
        return true;
      case SGI + Gicd.ISPENDR:
        this.#each(value, (intid) => gic.setPending(cpu, intid));
        return true;
      case SGI + Gicd.ICPENDR:
        this.#each(value, (intid) => gic.clearPending(cpu, intid));
        return true;
      case SGI + Gicd.ISACTIVER:
        this.#each(value, (intid) => gic.setActive(cpu, intid, true));
        return true;
      case SGI + Gicd.ICACTIVER:
        this.#each(value, (intid) => gic.setActive(cpu, intid, false));
        return true;
      case SGI + Gicd.ICFGR + 4:
        for (let i = 0; i < 16; i++) gic.setTrigger(cpu, Intid.SgiEnd + i, (value >>> (2 * i + 1) & 1) !== 0);
        return true;
    }
    if (isPriority(offset)) {
      for (let byte = 0; byte < 4; byte++) gic.setPriority(cpu, offset - SGI - Gicd.IPRIORITYR + byte, value >>> (8 * byte) & 0xff);
      return true;
    }
    this.#status |= Statusr.WRD;
    return false;
  }

  #assign(intid: number, flag: number, on: boolean): void {
    this.gic.update(this.cpu, intid, on ? flag : 0, on ? 0 : flag);
  }

  /** Acts on each SGI and PPI whose bit is set. */
  #each(word: number, act: (intid: number) => void): void {
    for (let intid = 0; intid < Intid.PrivateEnd; intid++) if (word >>> intid & 1) act(intid);
  }

  #word(test: (intid: number) => boolean): number {
    let word = 0;
    for (let intid = 0; intid < Intid.PrivateEnd; intid++) if (test(intid)) word |= 1 << intid;
    return word;
  }

  #configuration(first: number): number {
    let value = 0;
    for (let i = 0; i < 16; i++) if (this.cpu.bank.flags[first + i] & Irq.Edge) value |= 2 << (2 * i);
    return value;
  }
}

/** GICR_PROPBASER and PENDBASER follow each other. */
function isTableRegister(offset: number): boolean {
  return offset >= Gicr.PROPBASER && offset < Gicr.PENDBASER + 8;
}

function isPriority(offset: number): boolean {
  return offset >= SGI + Gicd.IPRIORITYR && offset < SGI + Gicd.IPRIORITYR + Intid.PrivateEnd;
}

/** Sizes: 32 bits everywhere, bytes for priorities, 64 bits in the lower part of the RD frame. */
function isAllowed(offset: number, size: number): boolean {
  if (offset % size !== 0) return false;
  switch (size) {
    case 1:
      return isPriority(offset);
    case 4:
      return true;
    case 8:
      return offset < Gicr.SYNCR;
    default:
      return false;
  }
}

/** GICR_PROPBASER or PENDBASER; PTZ reads as zero. */
function tableRegister({ propbaser, pendbaser }: Lpis, offset: number): bigint {
  return offset < Gicr.PENDBASER ? propbaser : pendbaser & ~PENDBASER_PTZ;
}

function setTableRegister(lpis: Lpis, offset: number, size: number, value: bigint): void {
  const shift = BigInt(offset % 8) * 8n;
  const before = offset < Gicr.PENDBASER ? lpis.propbaser : lpis.pendbaser;
  const made = size === 8 ? value : before & ~(WORD << shift) | (value & WORD) << shift;
  if (offset < Gicr.PENDBASER) lpis.setPropbaser(made);
  else lpis.setPendbaser(made);
}
