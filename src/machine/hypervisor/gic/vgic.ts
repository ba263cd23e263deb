// The interrupts of one VIC: state, priority, routing and delivery of SGIs, PPIs and SPIs as a
// GICv3 with one security state (docs/spec/hypervisor.md §6.1 to §6.3, docs/spec/observed.md §3).
// It has no list registers: any number of interrupts can be pending or active at once. Register
// frames are in vgic-distributor.ts and vgic-redistributor.ts.

import type { Archive } from "../../hardware/archive.ts";
import { type Affinity, DEFAULT_MPIDR_MAPPING, type MpidrMapping } from "./affinity.ts";
import { GICD_TYPER, GicdTyper, Intid, PRIORITY_MASK } from "./gic-registers.ts";
import { Irq, IrqBank } from "./irq-bank.ts";
import { Its } from "./its/its.ts";
import { Lpis } from "./lpis.ts";
import { VgicCpu } from "./vgic-cpu-interface.ts";

/** An SGI that reached no vCPU: who sent it, and to which affinity. */
export interface LostSgi {
  readonly intid: number;
  readonly from: number;
  readonly affinity: Affinity;
  /** It reached a vCPU, which has it in the other group. */
  readonly wrongGroup: boolean;
}

/** A guest's store to a reserved register: offset in the distributor, PC, index of the vCPU. */
export interface ReservedStore {
  readonly offset: number;
  readonly pc: bigint;
  readonly vcpu: number;
}

/** The interrupts of one VIC and the CPU interfaces of its vCPUs. */
export class Vgic {
  readonly cpus: readonly VgicCpu[];
  /** SPIs; entries below 32 are unused. */
  readonly shared = new IrqBank(Intid.SpiEnd);
  readonly #mapping: MpidrMapping;
  #groups = 0;
  /** VIC index of the vCPU an SPI goes to, or -1. */
  readonly #route = new Int16Array(Intid.SpiEnd);
  /**
   * VIC index of the vCPU that acknowledged an active SPI, or -1 (set active by a register write).
   */
  readonly #acknowledgedBy = new Int16Array(Intid.SpiEnd).fill(-1);
  /** Undefined without LPIs. */
  readonly its: Its | undefined;
  /** The first store to a register of the distributor that affinity routing reserves. */
  #reserved: ReservedStore | undefined;
  #lostSgi: LostSgi | undefined;
  /** GICD_TYPER. */
  readonly typer: number;

  /**
   * @param vcpus number of vCPUs that can attach
   * @param isAttached whether an active vCPU has an index
   * @param lpiBits INTID bits of a GIC with LPIs and an ITS; 0 without
   */
  constructor(
    vcpus: number,
    readonly isAttached: (index: number) => boolean,
    mapping: MpidrMapping = DEFAULT_MPIDR_MAPPING,
    lpiBits = 0,
  ) {
    this.#mapping = mapping;
    this.cpus = Array.from({ length: vcpus }, (_, index) => new VgicCpu(this, index, lpiBits === 0 ? undefined : new Lpis(lpiBits)));
    this.typer = lpiBits === 0 ? GICD_TYPER : GICD_TYPER & ~GicdTyper.IdBits | lpiBits - 1 << GicdTyper.IdBitsShift | GicdTyper.LPIS;
    if (lpiBits === 0) return;
    this.its = new Its({
      bits: lpiBits,
      lpis: (processor) => isAttached(processor) ? this.cpus[processor]?.lpis : undefined,
      moveAll: (from, to) => {
        const target = this.cpus[to].lpis;
        if (target) this.cpus[from].lpis?.moveAll(target);
      },
      settle: () => this.cpus.forEach((cpu) => cpu.settleLpis()),
    });
  }

  /**
   * Every interrupt and CPU interface, saved or loaded. Ready and signaled interrupts are derived.
   */
  archive(archive: Archive): void {
    const end = this.cpus.length;
    this.#groups = archive.integer("groups", this.#groups, 0, 3);
    archive.within("shared", () => this.shared.archive(archive));
    archive.fill("routes", this.#route);
    archive.fill("acknowledgedBy", this.#acknowledgedBy);
    const inRange = (index: number) => index >= -1 && index < end;
    archive.check(this.#route.every(inRange) && this.#acknowledgedBy.every(inRange), "interrupts go to vCPUs of their VIC");
    archive.within("cpus", () => this.cpus.forEach((cpu, index) => archive.within(String(index), () => cpu.archive(archive))));
    const { its } = this;
    if (its) archive.within("its", () => its.archive(archive));
    this.#reserved = archive.maybe("reserved", this.#reserved, (store) => ({
      offset: archive.integer("offset", store?.offset),
      pc: archive.word("pc", store?.pc),
      vcpu: archive.integer("vcpu", store?.vcpu),
    }));
    this.#lostSgi = archive.maybe("lostSgi", this.#lostSgi, (sgi) => ({
      intid: archive.integer("intid", sgi?.intid, 0, Intid.SgiEnd - 1),
      from: archive.integer("from", sgi?.from, 0, end - 1),
      affinity: archive.integer("affinity", sgi?.affinity, 0, 0xffff_ffff),
      wrongGroup: archive.bool("wrongGroup", sgi?.wrongGroup),
    }));
    if (archive.loading) { for (const cpu of this.cpus) cpu.derive(); }
  }

  /** The last SGI that reached no vCPU; evidence. */
  get lostSgi(): LostSgi | undefined {
    return this.#lostSgi;
  }

  get reserved(): ReservedStore | undefined {
    return this.#reserved;
  }

  /** Evidence, which changes nothing for the guest. */
  noteReserved(store: ReservedStore): void {
    this.#reserved ??= store;
  }

  /** GICD_CTLR.EnableGrp1 and EnableGrp0 (bits 1, 0). */
  get groups(): number {
    return this.#groups;
  }
  set groups(value: number) {
    this.#groups = value;
    for (const cpu of this.cpus) cpu.evaluate();
  }

  /** How many PPIs its vCPUs have acknowledged: evidence. */
  get ppisTaken(): number {
    let sum = 0;
    for (const { bank } of this.cpus) for (let intid = Intid.SgiEnd; intid < Intid.PrivateEnd; intid++) sum += bank.taken[intid];
    return sum;
  }

  /** Affinity of the vCPU with this index. */
  affinityOf(index: number): Affinity {
    const { mask, shift } = this.#mapping;
    let affinity = 0;
    for (let level = 3; level >= 0; level--) affinity = affinity << 8 | (index >> shift[level]) & mask[level] & 0xff;
    return affinity >>> 0;
  }

  /** Index that an affinity maps to; undefined for none. The vCPU with that index may not exist. */
  indexOf(affinity: Affinity): number | undefined {
    const { mask, shift } = this.#mapping;
    let index = 0;
    for (let level = 0; level < 4; level++) {
      const field = affinity >>> (8 * level) & 0xff;
      if (field & ~mask[level]) return undefined;
      index |= field << shift[level];
    }
    return index;
  }

  /** The bank that holds an INTID as `cpu` sees it. */
  bank(cpu: VgicCpu, intid: number): IrqBank {
    return intid < Intid.PrivateEnd ? cpu.bank : this.shared;
  }

  /** Sets and clears state bits, and delivers or withdraws the interrupt accordingly. */
  update(cpu: VgicCpu, intid: number, set: number, clear: number): void {
    const { flags, changed } = this.bank(cpu, intid);
    flags[intid] = flags[intid] & ~clear | set;
    changed[intid] = 1;
    this.#offer(cpu, intid);
  }

  /** Whether an interrupt is edge-triggered. */
  isEdge(cpu: VgicCpu, intid: number): boolean {
    return (this.bank(cpu, intid).flags[intid] & Irq.Edge) !== 0;
  }

  /** Sets the priority; the five implemented bits are kept. */
  setPriority(cpu: VgicCpu, intid: number, priority: number): void {
    const bank = this.bank(cpu, intid);
    bank.priority[intid] = priority & PRIORITY_MASK;
    bank.changed[intid] = 1;
    this.#offer(cpu, intid);
  }

  /**
   * ICFGR. A line that is raised already counts as the edge of an interrupt that becomes
   * edge-triggered.
   */
  setTrigger(cpu: VgicCpu, intid: number, edge: boolean): void {
    const flags = this.bank(cpu, intid).flags[intid];
    if (edge === ((flags & Irq.Edge) !== 0)) return;
    if (edge) this.update(cpu, intid, Irq.Edge | (flags & Irq.Source ? Irq.Latched : 0), Irq.Latched);
    else this.update(cpu, intid, 0, Irq.Edge);
  }

  /** ISPENDR: an edge is latched, a level is held until ICPENDR. */
  setPending(cpu: VgicCpu, intid: number): void {
    const edge = this.bank(cpu, intid).flags[intid] & Irq.Edge;
    this.update(cpu, intid, edge ? Irq.Latched : Irq.Software, 0);
  }

  /** ICPENDR. A level that its source or a message holds stays pending. */
  clearPending(cpu: VgicCpu, intid: number): void {
    this.update(cpu, intid, 0, Irq.Latched | Irq.Software);
  }

  /** SETSPI and CLRSPI; INTIDs that are not SPIs are ignored. */
  setMessage(intid: number, pending: boolean): void {
    if (intid < Intid.PrivateEnd || intid >= Intid.SpiEnd) return;
    const edge = this.shared.flags[intid] & Irq.Edge;
    if (pending) this.update(this.cpus[0], intid, edge ? Irq.Latched : Irq.Message, 0);
    else this.update(this.cpus[0], intid, 0, Irq.Latched | Irq.Message);
  }

  /**
   * The source raises its line: held when level-triggered, and latched, which makes an edge
   * pending.
   */
  assertLevel(cpu: VgicCpu, intid: number): void {
    this.update(cpu, intid, Irq.Source | Irq.Latched, 0);
  }

  /** The source gives a pulse: an interrupt that is configured as level does not see it. */
  assertEdge(cpu: VgicCpu, intid: number): void {
    if (this.bank(cpu, intid).flags[intid] & Irq.Edge) this.update(cpu, intid, Irq.Latched, 0);
  }

  /** The source lowers its line. A latched edge stays. */
  lower(cpu: VgicCpu, intid: number): void {
    this.update(cpu, intid, 0, Irq.Source);
  }

  /** Routes an SPI to the vCPU with this affinity, or nowhere. */
  setRoute(intid: number, affinity: Affinity): void {
    const before = this.#route[intid];
    const index = this.indexOf(affinity) ?? -1;
    this.#route[intid] = index < this.cpus.length ? index : -1;
    this.shared.changed[intid] = 1;
    if (before >= 0 && before !== this.#route[intid]) this.cpus[before].offer(intid, false);
    this.#offer(this.cpus[0], intid);
  }

  /** Index of the vCPU that an SPI goes to; undefined if it goes nowhere. */
  routeOf(intid: number): number | undefined {
    const index = this.#route[intid];
    return index < 0 ? undefined : index;
  }

  /**
   * The vCPU with this index is gone. SPIs that are routed to it wait for the next one there; none
   * is active by its acknowledge any more.
   */
  vacate(index: number): void {
    this.cpus[index].reset();
    for (let intid = Intid.PrivateEnd; intid < Intid.SpiEnd; intid++) {
      if (this.#acknowledgedBy[intid] === index) this.#acknowledgedBy[intid] = -1;
      if (this.#route[intid] === index) this.#offer(this.cpus[index], intid);
    }
  }

  /**
   * IAR: the interrupt becomes active on `cpu`; an edge is no longer pending, and what raises a
   * level from now on raises it again.
   */
  activate(cpu: VgicCpu, intid: number): void {
    if (intid >= Intid.PrivateEnd) this.#acknowledgedBy[intid] = cpu.index;
    else cpu.noteAcknowledged(intid);
    const bank = this.bank(cpu, intid);
    bank.taken[intid]++;
    bank.again[intid] = cpu.comesAgain(intid) ? bank.again[intid] + 1 : 0;
    this.update(cpu, intid, Irq.Active, Irq.Latched);
  }

  /**
   * EOIR or DIR: no longer active; a level interrupt drops whose source is content and has not
   * raised it again meanwhile (docs/spec/hypervisor.md §4.2). Inactive interrupts are left alone.
   */
  deactivate(cpu: VgicCpu, intid: number): void {
    if (intid >= Intid.SpiEnd) return;
    const bank = this.bank(cpu, intid);
    if (!(bank.flags[intid] & Irq.Active)) return;
    if (intid >= Intid.PrivateEnd) this.#acknowledgedBy[intid] = -1;
    else cpu.noteDeactivated(intid);
    const drops = (bank.flags[intid] & (Irq.Source | Irq.Latched)) === Irq.Source && !bank.sources.get(intid)?.stillPending();
    this.update(cpu, intid, 0, drops ? Irq.Active | Irq.Source : Irq.Active);
    if (intid >= Intid.SgiEnd) cpu.noteEnd(intid, (bank.flags[intid] & (Irq.Edge | Irq.Source)) === Irq.Source);
  }

  /** The guest has brought the line of an interrupt nearer to its fall. */
  served(cpu: VgicCpu, intid: number): void {
    this.bank(cpu, intid).again[intid] = 0;
  }

  /**
   * Whether another vCPU has acknowledged an SPI: as on the real hypervisor, ICC_DIR leaves it
   * alone then.
   */
  isAcknowledgedElsewhere(cpu: VgicCpu, intid: number): boolean {
    return intid >= Intid.PrivateEnd && intid < Intid.SpiEnd && this.#acknowledgedBy[intid] >= 0 &&
      this.#acknowledgedBy[intid] !== cpu.index;
  }

  /**
   * ISACTIVER or ICACTIVER. As on the real hypervisor, an interrupt that a vCPU has acknowledged is
   * not touched.
   */
  setActive(cpu: VgicCpu, intid: number, active: boolean): void {
    if (this.#isAcknowledged(cpu, intid)) return;
    this.update(cpu, intid, active ? Irq.Active : 0, active ? 0 : Irq.Active);
  }

  /**
   * Active as `reader` sees it: as on the real hypervisor, what another vCPU has acknowledged does
   * not show.
   */
  isActive(reader: VgicCpu, intid: number): boolean {
    if (!(this.bank(reader, intid).flags[intid] & Irq.Active)) return false;
    if (intid < Intid.PrivateEnd) return true;
    const by = this.#acknowledgedBy[intid];
    return by < 0 || by === reader.index;
  }

  /**
   * Pending as `reader` sees it, for an interrupt of `owner` (or an SPI). The real hypervisor holds
   * what it delivers in list registers. Therefore a level that `reader` has acknowledged does not
   * show until its end, and an edge does not show while another vCPU is about to take it.
   */
  isPending(reader: VgicCpu | undefined, owner: VgicCpu, intid: number): boolean {
    const bank = this.bank(owner, intid);
    if (!bank.isPending(intid)) return false;
    const isPrivate = intid < Intid.PrivateEnd;
    if (bank.flags[intid] & Irq.Edge) {
      const target = isPrivate ? owner : this.cpus[this.#route[intid]];
      return target === undefined || target === reader || !target.takes(intid);
    }
    if (isPrivate) return owner !== reader || !this.#isAcknowledged(owner, intid);
    return reader === undefined || this.#acknowledgedBy[intid] !== reader.index;
  }

  /**
   * ICC_SGI0R, SGI1R: `group` is the register's. As on the real hypervisor, SGI0R does not raise an
   * SGI that its target has in group 1, and SGI1R raises SGIs of both groups. An index without a
   * vCPU gets none.
   */
  sendSgi(from: VgicCpu, group: 0 | 1, value: bigint): void {
    const intid = Number(value >> 24n & 0xfn);
    const toOthers = (value >> 40n & 1n) !== 0n;
    if (toOthers) {
      for (const cpu of this.cpus) if (cpu !== from) this.#raiseSgi(from, cpu, group, intid);
      return;
    }
    const cluster = (Number(value >> 48n & 0xffn) << 24 | Number(value >> 32n & 0xffn) << 16 | Number(value >> 16n & 0xffn) << 8) >>> 0;
    const firstAff0 = Number(value >> 44n & 0xfn) * 16;
    for (let targets = Number(value & 0xffffn); targets !== 0; targets &= targets - 1) {
      const affinity = (cluster | firstAff0 + 31 - Math.clz32(targets & -targets)) >>> 0, index = this.indexOf(affinity);
      if (index !== undefined && index < this.cpus.length && this.isAttached(index)) this.#raiseSgi(from, this.cpus[index], group, intid);
      else this.#lostSgi = { intid, from: from.index, affinity, wrongGroup: false };
    }
  }

  #raiseSgi(from: VgicCpu, cpu: VgicCpu, group: 0 | 1, intid: number): void {
    if (!this.isAttached(cpu.index)) return;
    const isGroup1 = (cpu.bank.flags[intid] & Irq.Group1) !== 0;
    if (group !== 1 && isGroup1) {
      this.#lostSgi = { intid, from: from.index, affinity: this.affinityOf(cpu.index), wrongGroup: true };
      return;
    }
    this.update(cpu, intid, Irq.Latched, 0);
    if (from === cpu) cpu.noteOwnSgi(intid);
  }

  #isAcknowledged(cpu: VgicCpu, intid: number): boolean {
    return intid < Intid.PrivateEnd ? (cpu.acknowledged >>> intid & 1) !== 0 : this.#acknowledgedBy[intid] >= 0;
  }

  /**
   * Whether the interrupt should be on the list of `cpu`: it is pending, enabled, not active, and
   * goes there.
   */
  isReadyFor(cpu: VgicCpu, intid: number): boolean {
    if (intid >= Intid.PrivateEnd && this.#route[intid] !== cpu.index) return false;
    const bank = this.bank(cpu, intid);
    return (bank.flags[intid] & (Irq.Enabled | Irq.Active)) === Irq.Enabled && bank.isPending(intid);
  }

  /** Puts the interrupt on the list of its target, or takes it off. */
  #offer(cpu: VgicCpu, intid: number): void {
    const bank = this.bank(cpu, intid);
    const target = intid < Intid.PrivateEnd ? cpu : this.cpus[this.#route[intid]];
    const ready = (bank.flags[intid] & (Irq.Enabled | Irq.Active)) === Irq.Enabled && bank.isPending(intid);
    target?.offer(intid, ready);
  }
}
