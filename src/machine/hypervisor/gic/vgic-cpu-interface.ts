// The CPU interface of one vCPU: signaling, acknowledge, priority drop, and the ICC_* system
// registers (Arm IHI 0069 section 4.8; docs/spec/hypervisor.md §6.2, docs/spec/observed.md §3).

import type { Archive } from "../../hardware/archive.ts";
import { Icc, ICC_SRE, IccCtlr, IDLE_PRIORITY, Intid, PRIORITY_MASK } from "./gic-registers.ts";
import { Irq, IrqBank } from "./irq-bank.ts";
import { LPI_FIRST } from "./its/its-registers.ts";
import type { Lpis } from "./lpis.ts";
import type { Vgic } from "./vgic.ts";

/** Least binary points with five priority bits. */
const BPR_MIN = [2, 3] as const;
/** Bits of an active priorities register: one for each priority level. */
const APR_SHIFT = 3;

/** SGIs, PPIs and CPU interface of one vCPU. */
export class VgicCpu {
  /** SGIs and PPIs. SGIs are edge-triggered for good. */
  readonly bank = new IrqBank(Intid.PrivateEnd);
  #acknowledged = 0;
  #sleep = false;
  #irq = false;
  #fiq = false;
  #onSignal: (() => void) | undefined;

  /** Interrupts that are pending, enabled and not active here, one bit each. */
  readonly #ready = new Uint32Array(Intid.SpiEnd + 31 >> 5);
  #pmr = 0;
  #ctlr = 0;
  /**
   * The level that ended last with its line high, or the SGI that a handler has sent to its own
   * vCPU, or -1; and where the last interrupt interrupted the code.
   */
  #held = -1;
  #heldAt = 0;
  #interruptedAt: (() => number) | undefined;
  /** Indexed by group, as the ones below. */
  readonly #bpr: [number, number] = [...BPR_MIN];
  readonly #groupEnable: [boolean, boolean] = [false, false];
  readonly #activePriorities = new Uint32Array(2);
  /**
   * Highest-priority ready interrupt of an enabled group, or Spurious, with its group and priority.
   */
  #best: number = Intid.Spurious;
  #bestGroup: 0 | 1 = 1;
  #bestPriority = IDLE_PRIORITY;

  /** @param lpis of its redistributor, where the GIC has LPIs */
  constructor(readonly gic: Vgic, readonly index: number, readonly lpis: Lpis | undefined) {
    this.reset();
  }

  /** SGIs and PPIs that are active by an acknowledge, one bit each. */
  get acknowledged(): number {
    return this.#acknowledged;
  }

  /** GICR_WAKER.ProcessorSleep. It has no effect on delivery. */
  get sleep(): boolean {
    return this.#sleep;
  }

  /** The IRQ (group 1) and FIQ (group 0) inputs of the vCPU. */
  get irq(): boolean {
    return this.#irq;
  }

  get fiq(): boolean {
    return this.#fiq;
  }

  /** Whether an interrupt is signaled to its vCPU, taken or not. */
  get hasInterrupt(): boolean {
    return this.#irq || this.#fiq;
  }

  /**
   * `onSignal` is called when `irq` or `fiq` has changed, until the reset.
   * @param interruptedAt the low half of the address that an interrupt of the vCPU returns to
   */
  connect(onSignal: () => void, interruptedAt: () => number): void {
    this.#onSignal = onSignal;
    this.#interruptedAt = interruptedAt;
  }

  /** A level has ended, and its line is high or low. */
  noteEnd(intid: number, high: boolean): void {
    this.#held = high ? intid : -1;
  }

  /** The vCPU has sent itself an SGI: from a handler, that interrupt follows on this one. */
  noteOwnSgi(intid: number): void {
    if (this.#runningPriority() < IDLE_PRIORITY) this.#held = intid;
  }

  /**
   * Whether an interrupt that is acknowledged comes back to where the one before was: its line is
   * high, or a handler has sent it.
   */
  comesAgain(intid: number): boolean {
    const at = this.#interruptedAt?.() ?? 0, again = this.#held === intid && this.#heldAt === at;
    this.#held = -1;
    this.#heldAt = at;
    return again;
  }

  setSleep(sleep: boolean): void {
    this.#sleep = sleep;
  }

  /** An acknowledge made an SGI or PPI active. */
  noteAcknowledged(intid: number): void {
    this.#acknowledged |= 1 << intid;
  }

  /** An SGI or PPI is no longer active. */
  noteDeactivated(intid: number): void {
    this.#acknowledged &= ~(1 << intid);
  }

  /**
   * Back to the initial state: the next vCPU must not inherit this one's. Bindings of its PPIs
   * stay.
   */
  reset(): void {
    this.bank.flags.fill(0).fill(Irq.Edge, 0, Intid.SgiEnd);
    this.bank.priority.fill(0);
    this.bank.changed.fill(1);
    this.#acknowledged = 0;
    this.#sleep = false;
    this.#irq = false;
    this.#fiq = false;
    this.#onSignal = undefined;
    this.#interruptedAt = undefined;
    this.#held = -1;
    this.#heldAt = 0;
    this.bank.again.fill(0);
    this.#ready.fill(0);
    this.#pmr = 0;
    this.#ctlr = 0;
    this.#bpr.splice(0, 2, ...BPR_MIN);
    this.#groupEnable.fill(false);
    this.#activePriorities.fill(0);
    this.lpis?.reset();
    this.#choose();
  }

  /** True if a group is enabled here (it may be off in the distributor). */
  get anyGroupEnabled(): boolean {
    return this.#groupEnable[0] || this.#groupEnable[1];
  }

  /** Whether an interrupt is pending and enabled here, and its group is on. */
  takes(intid: number): boolean {
    const group = this.gic.bank(this, intid).flags[intid] & Irq.Group1 ? 1 : 0;
    return (this.#ready[intid >> 5] >>> (intid & 31) & 1) !== 0 && this.#isGroupOn(group);
  }

  /** The state, saved or loaded; `derive` follows when the whole VIC is loaded. */
  archive(archive: Archive): void {
    archive.within("bank", () => this.bank.archive(archive));
    this.#acknowledged = archive.integer("acknowledged", this.#acknowledged, -(2 ** 31), 2 ** 31 - 1);
    this.#sleep = archive.bool("sleep", this.#sleep);
    this.#pmr = archive.integer("pmr", this.#pmr, 0, PRIORITY_MASK);
    this.#held = archive.integer("held", this.#held, -1, Intid.SpiEnd - 1);
    this.#heldAt = archive.integer("heldAt", this.#heldAt, 0, 0xffff_ffff);
    this.#ctlr = archive.integer("ctlr", this.#ctlr, 0, 0xff);
    for (const group of [0, 1] as const) {
      this.#bpr[group] = archive.integer(`bpr${group}`, this.#bpr[group], BPR_MIN[group], 7);
      this.#groupEnable[group] = archive.bool(`groupEnable${group}`, this.#groupEnable[group]);
    }
    archive.fill("activePriorities", this.#activePriorities);
    const { lpis } = this;
    if (lpis) archive.within("lpis", () => lpis.archive(archive));
  }

  /** Derives ready and signaled interrupts from the VIC's state, without notifications. */
  derive(): void {
    for (let intid = 0; intid < Intid.SpiEnd; intid++) {
      if (this.gic.isReadyFor(this, intid)) this.#ready[intid >>> 5] |= 1 << (intid & 31);
    }
    this.evaluate();
  }

  /** Whether an interrupt is on the list of those that are ready for this vCPU. */
  isOffered(intid: number): boolean {
    return (this.#ready[intid >>> 5] & 1 << (intid & 31)) !== 0;
  }

  /** An interrupt became ready for this vCPU, or is no longer. */
  offer(intid: number, ready: boolean): void {
    const word = intid >>> 5, bit = 1 << (intid & 31);
    if (ready) this.#ready[word] |= bit;
    else this.#ready[word] &= ~bit;
    this.evaluate();
  }

  /** Chooses the highest-priority interrupt again and sets the inputs of the vCPU. */
  evaluate(): void {
    this.#choose();
    const signal = this.#best !== Intid.Spurious && this.#canPreempt();
    const irq = signal && this.#bestGroup === 1;
    const fiq = signal && this.#bestGroup === 0;
    if (irq === this.#irq && fiq === this.#fiq) return;
    this.#irq = irq;
    this.#fiq = fiq;
    this.#onSignal?.();
  }

  /** LPIs of its redistributor may have changed. */
  settleLpis(): void {
    this.lpis?.settle();
    this.evaluate();
  }

  /** Disables both groups, as a power-off of the vCPU does. */
  disableGroups(): void {
    this.#groupEnable.fill(false);
    this.evaluate();
  }

  /** IAR: the interrupt that is now active, or Spurious. */
  acknowledge(group: 0 | 1): number {
    if (!(group === 1 ? this.#irq : this.#fiq)) return Intid.Spurious;
    const intid = this.#best;
    this.#activePriorities[group] |= 1 << ((this.#bestPriority & this.#groupPriorityMask(group)) >> APR_SHIFT);
    if (intid < LPI_FIRST) this.gic.activate(this, intid);
    else {
      this.lpis?.acknowledge(intid);
      this.settleLpis();
    }
    return intid;
  }

  /** EOIR: priority drop, and deactivation if EOImode is 0. LPIs are never active. */
  endOfInterrupt(group: 0 | 1, intid: number): void {
    if (intid >= Intid.SpiEnd && (this.lpis === undefined || intid < LPI_FIRST)) return;
    this.#activePriorities[group] &= this.#activePriorities[group] - 1;
    if (!(this.#ctlr & IccCtlr.EOImode)) this.gic.deactivate(this, intid);
    this.evaluate();
  }

  /**
   * MRS of an ICC register.
   * @param key `iccKey` of the register
   * @returns undefined if the access is UNDEFINED
   */
  readRegister(key: number): number | undefined {
    switch (key) {
      case Icc.PMR:
        return this.#pmr;
      case Icc.RPR:
        return this.#runningPriority();
      case Icc.CTLR:
        return IccCtlr.Fixed | this.#ctlr;
      case Icc.SRE:
        return ICC_SRE;
      case Icc.IGRPEN0:
        return Number(this.#isGroupOn(0));
      case Icc.IGRPEN1:
        return Number(this.#isGroupOn(1));
    }
    // Registers of a group that is off are not there to read: the real hypervisor traps them and
    // does not answer.
    const group = groupOf(key);
    if (group === undefined || !this.#isGroupOn(group)) return undefined;
    switch (key) {
      case Icc.IAR0:
      case Icc.IAR1:
        return this.acknowledge(group);
      case Icc.HPPIR0:
      case Icc.HPPIR1:
        return this.#bestGroup === group ? this.#best : Intid.Spurious;
      case Icc.BPR0:
      case Icc.BPR1:
        return this.#binaryPoint(group);
      case Icc.AP0R0:
      case Icc.AP1R0:
        return this.#activePriorities[group];
    }
    return undefined;
  }

  /** The bit of ICC_IGRPEN0_EL1 or ICC_IGRPEN1_EL1 as written, whatever the distributor enables. */
  enablesGroup(group: number): boolean {
    return this.#groupEnable[group];
  }

  /**
   * MSR of an ICC register.
   * @returns false if the access is UNDEFINED
   */
  writeRegister(key: number, value: bigint): boolean {
    const word = Number(value & 0xffff_ffffn);
    switch (key) {
      case Icc.PMR:
        this.#pmr = word & PRIORITY_MASK;
        break;
      case Icc.CTLR:
        this.#ctlr = word & (IccCtlr.CBPR | IccCtlr.EOImode);
        break;
      case Icc.SRE:
        break;
      case Icc.IGRPEN0:
      case Icc.IGRPEN1:
        this.#groupEnable[key === Icc.IGRPEN1 ? 1 : 0] = (word & 1) !== 0;
        break;
      case Icc.BPR0:
        this.#bpr[0] = Math.max(word & 7, BPR_MIN[0]);
        break;
      case Icc.BPR1:
        if (!(this.#ctlr & IccCtlr.CBPR)) this.#bpr[1] = Math.max(word & 7, BPR_MIN[1]);
        break;
      case Icc.AP0R0:
        this.#activePriorities[0] = word;
        break;
      case Icc.AP1R0:
        this.#activePriorities[1] = word;
        break;
      case Icc.EOIR0:
        this.endOfInterrupt(0, word & 0xff_ffff);
        break;
      case Icc.EOIR1:
        this.endOfInterrupt(1, word & 0xff_ffff);
        break;
      case Icc.DIR:
        if (this.#ctlr & IccCtlr.EOImode && !this.gic.isAcknowledgedElsewhere(this, word & 0xff_ffff)) {
          this.gic.deactivate(this, word & 0xff_ffff);
        }
        break;
      case Icc.SGI1R:
        this.gic.sendSgi(this, 1, value);
        break;
      // With one security state, an "other" security state's group 1 is handled as group 0.
      case Icc.ASGI1R:
      case Icc.SGI0R:
        this.gic.sendSgi(this, 0, value);
        break;
      default:
        return false;
    }
    this.evaluate();
    return true;
  }

  /** On here and in the distributor. */
  #isGroupOn(group: 0 | 1): boolean {
    return this.#groupEnable[group] && (this.gic.groups >> group & 1) !== 0;
  }

  #choose(): void {
    this.#best = Intid.Spurious;
    this.#bestPriority = IDLE_PRIORITY;
    const on = [this.#isGroupOn(0), this.#isGroupOn(1)];
    if (!on[0] && !on[1]) return;
    for (let word = 0; word < this.#ready.length; word++) {
      for (let ready = this.#ready[word]; ready !== 0; ready &= ready - 1) {
        const intid = word * 32 + 31 - Math.clz32(ready & -ready);
        const bank = this.gic.bank(this, intid);
        const group = bank.flags[intid] & Irq.Group1 ? 1 : 0;
        if (!on[group] || bank.priority[intid] >= this.#bestPriority) continue;
        this.#best = intid;
        this.#bestGroup = group;
        this.#bestPriority = bank.priority[intid];
      }
    }
    const { lpis } = this;
    if (lpis === undefined || !on[1] || lpis.priority >= this.#bestPriority) return;
    this.#best = lpis.best;
    this.#bestGroup = 1;
    this.#bestPriority = lpis.priority;
  }

  #canPreempt(): boolean {
    if (this.#bestPriority >= this.#pmr) return false;
    return (this.#bestPriority & this.#groupPriorityMask(this.#bestGroup)) < this.#runningPriority();
  }

  #runningPriority(): number {
    const active = this.#activePriorities[0] | this.#activePriorities[1];
    return active === 0 ? IDLE_PRIORITY : 31 - Math.clz32(active & -active) << APR_SHIFT;
  }

  /** BPR0 or BPR1 as read; with CBPR, BPR1 follows BPR0. */
  #binaryPoint(group: 0 | 1): number {
    return group === 1 && this.#ctlr & IccCtlr.CBPR ? Math.min(this.#bpr[0] + 1, 7) : this.#bpr[group];
  }

  /**
   * The bits of a priority that take part in preemption: 7..BPR1 for group 1, 7..BPR0+1 for group
   * 0.
   */
  #groupPriorityMask(group: 0 | 1): number {
    const common = group === 0 || this.#ctlr & IccCtlr.CBPR;
    return 0xff << (common ? this.#bpr[0] + 1 : this.#bpr[1]) & 0xff;
  }
}

function groupOf(key: number): 0 | 1 | undefined {
  switch (key) {
    case Icc.IAR0:
    case Icc.HPPIR0:
    case Icc.BPR0:
    case Icc.AP0R0:
      return 0;
    case Icc.IAR1:
    case Icc.HPPIR1:
    case Icc.BPR1:
    case Icc.AP1R0:
      return 1;
  }
  return undefined;
}
