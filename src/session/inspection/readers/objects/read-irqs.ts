// Rows about interrupts: state, route, how often, and what is wrong with one that cannot come or
// comes too often.

import {
  Icc,
  Intid,
  Irq,
  type IrqBank,
  type LevelSource,
  type Vcpu,
  type Vgic,
  type VgicCpu,
  type Vic,
  VirqSource,
  wordAt,
} from "../../../../machine/hypervisor/inspect.ts";
import { Pstate } from "../../../../cpu/core/interface.ts";
import { Block } from "../../../../machine/hypervisor/interface.ts";
import { irqId, vcpuId, vcpuName, vmId } from "../../../../model/queries/ids.ts";
import { type Barrier, IRQ_FINDINGS, type IrqFinding } from "../../../../model/queries/facts/irq-finding.ts";
import type { OfCode } from "../../../../model/queries/facts/fact.ts";
import type { View } from "../inspected.ts";
import type { RowOf } from "../../../../model/queries/table.ts";
import type { IRQS } from "../../../../model/queries/tables.ts";
import { readListedIrqs } from "./listed-irqs.ts";
import { sourceNames } from "./virq-sources.ts";
import { hex } from "../../../../kit/support/text/number-text.ts";

/** Interrupts of a priority at or below this value's are masked: what PMR holds when all pass. */
const LINE = Irq.Source;
/**
 * Times that an interrupt comes again before the interrupted code moves, to storm: more than a
 * queue holds messages, which a handler may take one by one.
 */
const STORM = 1000;
/** The same of an SGI: a handler may give itself work in small parts, which has an end. */
const SGI_STORM = 10_000;

/** The running priority of a vCPU that has acknowledged no interrupt. */
const IDLE = 0xff;
/** WFI, WFE and `b .`, with which code waits for interrupts. */
const WFI = 0xd503_207f, WFE = 0xd503_205f, BRANCH_TO_ITSELF = 0x1400_0000;
/** ICC_CTLR_EL1.EOImode. */
const EOI_MODE = 2;

type IrqRow = RowOf<typeof IRQS>;
/** An interrupt that cannot come, or comes too often. */
export type FoundIrq = Pick<IrqRow, "id" | "vm" | "intid" | "source" | "pend" | "count" | "rate"> & {
  readonly fact: IrqFinding | null;
  /** The barriers after that of `fact`, on its path. */
  readonly then: readonly IrqFinding[];
};

/** An interrupt, in the bank of a vCPU or the one of all. */
interface UsedIrq {
  readonly cpu: VgicCpu;
  readonly bank: IrqBank;
  readonly intid: number;
}

/**
 * Interrupts that are, or were, enabled, pending or active, and those that something of the machine
 * raises; the busiest first. Of a primary's hundreds of hardware interrupts most are never used.
 * After them those in list registers of EL2.
 */
export function readIrqs(view: View): IrqRow[] {
  const active = vicReaders(view).flatMap((reader) => reader.rows()), there = new Set(active.map(({ id }) => id));
  return [...active.sort(byUrgency), ...readListedIrqs(view), ...view.system.endedRows().irqs.filter(({ id }) => !there.has(id))];
}

/** Those that have a finding, without what only a list shows. */
export function readIrqFindings(view: View): FoundIrq[] {
  return vicReaders(view).flatMap((reader) => reader.findings()).sort(byUrgency);
}

function byUrgency(one: Pick<FoundIrq, "rate" | "pend" | "count">, other: Pick<FoundIrq, "rate" | "pend" | "count">): number {
  return other.rate - one.rate || Number(other.pend) - Number(one.pend) || other.count - one.count;
}

function vicReaders(view: View): VicReader[] {
  const names = sourceNames(view);
  return [...view.objects("vic")].filter(({ state }) => state === "active").map((vic) => new VicReader(view, vic, names));
}

/**
 * Why an interrupt does not come to a vCPU that is there, once it is pending: the barriers of its
 * path, in order.
 */
export function barriersOf(gic: Vgic, target: VgicCpu, bank: IrqBank, intid: number): readonly Barrier[] {
  const flags = bank.flags[intid], barrier = groupBarrier(gic, flags, intid), group = groupOf(flags);
  return [
    ...flags & Irq.Enabled ? [] : [{ code: "disabled", intid } as const],
    ...barrier ? [barrier] : [],
    ...interfaceBarriers(target, bank.priority[intid], rightGroup(barrier, group)),
  ];
}

const groupOf = (flags: number) => flags & Irq.Group1 ? 1 : 0;

function groupBarrier(gic: Vgic, flags: number, intid: number): OfCode<Barrier, "group-disabled"> | undefined {
  const group = groupOf(flags);
  return gic.groups & 1 << group ? undefined : { code: "group-disabled", group, intid, other: (gic.groups & 2 >> group) !== 0 };
}

/** The group of an interrupt without its barrier: the other, if it is in the wrong one. */
const rightGroup = (barrier: OfCode<Barrier, "group-disabled"> | undefined, group: number) => barrier?.other ? 1 - group : group;

/** At the CPU interface of a vCPU. */
function interfaceBarriers(target: VgicCpu, priority: number, group: number): Barrier[] {
  const pmr = target.readRegister(Icc.PMR) ?? 0;
  return [
    ...target.enablesGroup(group) ? [] : [{ code: "interface-disabled", group } as const],
    ...priority >= pmr ? [{ code: "priority-masked", priority, pmr } as const] : [],
  ];
}

/** Whether a vCPU has acknowledged an interrupt that it has not ended. */
export const isInInterrupt = ({ gic }: Vcpu): boolean => (gic.readRegister(Icc.RPR) ?? IDLE) < IDLE;

/** The barrier of a pending interrupt that waits for its own end, or for that of another one. */
export function unendedBarrier(cpu: VgicCpu, intid: number): Barrier | undefined {
  const bank = cpu.gic.bank(cpu, intid), flags = bank.flags[intid], running = cpu.readRegister(Icc.RPR) ?? IDLE;
  if (!(flags & Irq.Enabled)) return undefined;
  if (flags & Irq.Active) {
    const isSplit = ((cpu.readRegister(Icc.CTLR) ?? 0) & EOI_MODE) !== 0;
    return { code: "unended", intid, lacks: running < IDLE ? "end" : isSplit ? "deactivation" : "own-end" };
  }
  const priority = bank.priority[intid];
  return running < IDLE && priority >= running ? { code: "not-preempting", priority, running } : undefined;
}

const textOf = (fact: IrqFinding | null) => fact && IRQ_FINDINGS.text(fact);

class VicReader {
  readonly vcpus: readonly Vcpu[];
  readonly vm: string;
  readonly #gic: Vgic;

  constructor(readonly view: View, vic: Vic, readonly names: ReadonlyMap<LevelSource, string>) {
    this.#gic = vic.gic;
    this.vcpus = Array.from({ length: vic.maxVcpus }, (_, index) => vic.vcpu(index)).filter((vcpu) => vcpu !== undefined);
    this.vm = view.vmNameOf(this.vcpus[0]?.addressSpace);
  }

  rows(): IrqRow[] {
    return [...Array.from(this.#used(), (used) => this.#read(used)), ...this.#readLpis().map(({ then: _, ...row }) => row)];
  }

  findings(): FoundIrq[] {
    return [...Array.from(this.#used(), (used) => this.#facts(used)), ...this.#readLpis()].filter(({ fact }) => fact !== null);
  }

  /** The interrupts that are used, of all banks: of a thousand only a few are. */
  *#used(): Generator<UsedIrq> {
    for (const { gic } of this.vcpus) yield* this.#usedIn(gic, 0, Intid.PrivateEnd);
    yield* this.#usedIn(this.#gic.cpus[0], Intid.PrivateEnd, Intid.SpiEnd);
  }

  *#usedIn(cpu: VgicCpu, first: number, end: number): Generator<UsedIrq> {
    const bank = this.#gic.bank(cpu, first);
    for (const intid of bank.known(first, end)) {
      const source = bank.sources.get(intid), isRaised = source !== undefined && this.names.has(source);
      if (isRaised || bank.isUsed(intid)) yield { cpu, bank, intid };
    }
  }

  /** The LPIs that are pending, or were acknowledged: each at its last vCPU. */
  #readLpis(): (IrqRow & Pick<FoundIrq, "then">)[] {
    const found = new Map<number, { cpu: VgicCpu; count: number }>();
    for (const { gic: cpu } of this.vcpus) {
      for (const intid of [...cpu.lpis?.taken.keys() ?? [], ...cpu.lpis?.pending.keys() ?? []]) {
        const before = found.get(intid), count = cpu.lpis!.taken.get(intid) ?? 0;
        if (before?.cpu === cpu) continue;
        const at = before?.cpu.lpis?.pending.has(intid) ? before.cpu : cpu;
        found.set(intid, { cpu: at, count: (before?.count ?? 0) + count });
      }
    }
    return Array.from(found, ([intid, { cpu, count }]) => this.#readLpi(cpu, intid, count));
  }

  #readLpi(cpu: VgicCpu, intid: number, count: number): IrqRow & Pick<FoundIrq, "then"> {
    const { priority, enabled: en } = cpu.lpis!.configured(intid), pend = cpu.lpis!.pending.has(intid);
    const id = irqId(this.vm, intid, cpu.index), rate = this.view.rate(id, count);
    const path: IrqFinding[] = [
      ...en ? [] : [{ code: "lpi-disabled" as const }],
      ...this.#barriersTo(cpu.index, priority, Irq.Group1, intid),
    ];
    const [fact = null, ...then] = pend ? path : [];
    return {
      id,
      vm: vmId(this.vm),
      vcpu: this.#vcpuId(cpu.index),
      intid,
      kind: "lpi",
      source: "ITS",
      priority: hex(priority, 2),
      en,
      pend,
      act: false,
      trigger: "edge",
      line: null,
      route: `aff ${cpu.index}`,
      count,
      rate,
      finding: textOf(fact),
      fact,
      then,
    };
  }

  #facts({ cpu, bank, intid }: UsedIrq) {
    const index = intid < Intid.PrivateEnd ? cpu.index : this.#gic.routeOf(intid);
    const id = irqId(this.vm, intid, cpu.index), count = bank.taken[intid], rate = this.view.rate(id, count);
    const source = this.#sourceText(bank, intid);
    const [fact = null, ...then] = this.#findings({ cpu, bank, intid }, index, source);
    return { id, vm: vmId(this.vm), intid, source, pend: bank.isPending(intid), count, rate, fact, then, index };
  }

  #vcpuId(index: number): string {
    return vcpuId(vcpuName(this.vm, index));
  }

  #sourceText(bank: IrqBank, intid: number): string {
    const source = bank.sources.get(intid);
    if (source) return this.names.get(source) ?? (source instanceof VirqSource ? "hardware" : "?");
    return intid < Intid.SgiEnd ? "ICC_SGI1R" : "";
  }

  #read(used: UsedIrq): IrqRow {
    const { bank, intid } = used, { id, vm, source, pend, count, rate, fact, index } = this.#facts(used);
    const flags = bank.flags[intid], isPrivate = intid < Intid.PrivateEnd;
    return {
      id,
      vm,
      vcpu: index === undefined ? null : this.#vcpuId(index),
      intid,
      kind: intid < Intid.SgiEnd ? "sgi" : isPrivate ? "ppi" : "spi",
      source,
      priority: hex(bank.priority[intid], 2),
      en: (flags & Irq.Enabled) !== 0,
      pend,
      act: (flags & Irq.Active) !== 0,
      trigger: flags & Irq.Edge ? "edge" : "level",
      line: bank.sources.has(intid) ? flags & LINE ? "high" : "low" : null,
      route: isPrivate ? null : index === undefined ? "none" : `aff ${index}`,
      count,
      rate,
      finding: textOf(fact),
      fact,
    };
  }

  /** Findings on an interrupt: a storm, or the barriers of a pending one, in order. */
  #findings({ bank, intid }: UsedIrq, index: number | undefined, by: string): readonly IrqFinding[] {
    const flags = bank.flags[intid], source = bank.sources.get(intid), isPending = bank.isPending(intid);
    const path = () => this.#barriersTo(index, bank.priority[intid], flags, intid);
    if (bank.again[intid] >= STORM && flags & Irq.Enabled && flags & LINE) return [{ code: "storm", source: by }];
    if (intid < Intid.SgiEnd && bank.again[intid] >= SGI_STORM && index !== undefined && this.#keepsFromWork(index, flags)) {
      return [{ code: "sgi-storm" }];
    }
    if (!(flags & Irq.Enabled)) return isPending ? [{ code: "disabled", intid }, ...path()] : [];
    if (source instanceof VirqSource && source.edgeOnly && !(flags & Irq.Edge)) return [{ code: "edge-source" }];
    // The native host and Resource Manager leave interrupts enabled whose VM has ended.
    const isNative = this.vcpus.some(({ native }) => native);
    if (!source && intid >= Intid.PrivateEnd && !isPending && !isNative) return [{ code: "no-source" }];
    const target = isPending && index !== undefined ? this.#vcpuAt(index) : undefined;
    // A vCPU that runs is about to end it.
    const isAsleep = target !== undefined && target.life.isBlockedBy(Block.Wfi | Block.Suspend) && !target.life.isPoweredOff;
    const unended = isAsleep ? unendedBarrier(target.gic, intid) : undefined;
    if (unended) return [unended];
    if (isPending && !(flags & Irq.Active)) return path();
    return index === undefined ? [{ code: "no-target" }] : [];
  }

  /** Whether an SGI of a vCPU is active or pending, and what it interrupts is more than a wait. */
  #keepsFromWork(index: number, flags: number): boolean {
    const vcpu = this.#vcpuAt(index);
    if (!vcpu || !(flags & (Irq.Active | Irq.Latched))) return false;
    const { pc, pstate } = vcpu.registers, at = pstate & Pstate.I ? vcpu.registers.getRegister("ELR_EL1") : pc;
    const { symbols } = this.view.system, { ram } = this.view.hypervisor.machine;
    const [before, word] = [at - 4n, at].map((address) => wordAt(symbols.core, ram, vcpu, address));
    return word !== BRANCH_TO_ITSELF && ![before, word].some((one) => one === WFI || one === WFE);
  }

  #vcpuAt(index: number): Vcpu | undefined {
    return this.vcpus.find((one) => one.index === index);
  }

  /** The barriers of a pending interrupt that is enabled, in the order of its path. */
  #barriersTo(index: number | undefined, priority: number, flags: number, intid: number): IrqFinding[] {
    const barrier = groupBarrier(this.#gic, flags, intid), group = groupOf(flags), before = barrier ? [barrier] : [];
    if (index === undefined) return [...before, { code: "no-target" }];
    const vcpu = this.#vcpuAt(index);
    if (!vcpu) return [...before, { code: "no-vcpu", vcpu: index }];
    // Its interface is as its reset leaves it.
    if (vcpu.life.isPoweredOff) return [...before, { code: "vcpu-off", vcpu: this.#vcpuId(index) }];
    return [...before, ...interfaceBarriers(this.#gic.cpus[index], priority, rightGroup(barrier, group))];
  }
}
