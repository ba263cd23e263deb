// Verdicts on VMs whose vCPUs all sleep: what wakes one, who can raise that, or that nothing can.

import { DoorbellRight, MsgqueueRight } from "../../../machine/abi/rights.ts";
import {
  Doorbell,
  type HypervisorObject,
  Intid,
  Irq,
  type LevelSource,
  LPI_FIRST,
  Msgqueue,
  TimerControl,
  TimerPpi,
  type Vcpu,
  VirqSource,
} from "../../../machine/hypervisor/inspect.ts";
import { Block } from "../../../machine/hypervisor/interface.ts";
import { conId, irqId, nameOf, parcelId, vmId } from "../../../model/queries/ids.ts";
import { Vmid } from "../readers/guest-names.ts";
import type { View } from "../readers/inspected.ts";
import type { ParcelWait } from "../trace/parcel-waits.ts";
import { barrierOf, unendedBarrier } from "../readers/objects/read-irqs.ts";
import { sourceNames } from "../readers/objects/virq-sources.ts";
import type { Verdict } from "./verdict.ts";
import type { Barrier } from "../../../model/queries/facts/irq-finding.ts";
import type { OfCode } from "../../../model/queries/facts/fact.ts";
import { isIdle, type SourceState } from "../../../model/queries/facts/source-state.ts";
import { type Evidence, injectedBy } from "../../../model/queries/facts/evidence.ts";
import type { Awaited } from "../../../model/queries/facts/verdict.ts";
import { type Wait, WAITS } from "../../../model/queries/facts/wait.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import { sourceStateOf } from "./source-states.ts";
import { rangeOf } from "./code-range.ts";

/** Whether a vCPU is powered on. */
export const isOnline = (vcpu: Vcpu): boolean => !vcpu.life.isDead && !vcpu.life.isBlockedBy(Block.Lifecycle | Block.Off);

/** Whether a vCPU waits for an interrupt. */
export function isAsleep(vcpu: Vcpu): boolean {
  return vcpu.life.isBlockedBy(Block.Wfi | Block.Suspend) && !vcpu.life.isBlockedBy(Block.Vmmio);
}

/** An interrupt that can wake a VM. */
interface Waker {
  readonly wait: OfCode<Wait, "irq">;
  /** Of its source; undefined if it is not known. */
  readonly state: SourceState | undefined;
  /** The VMs that can raise it; undefined if it is something else. */
  readonly raisers: readonly string[] | undefined;
  /** The queue or doorbell that the raisers have to use, or the parcel that they answer for. */
  readonly through: string;
  /** The raisers' next step with the parcel; undefined if it is a queue or doorbell. */
  readonly until?: ParcelWait["until"];
}

type Raisers = Omit<Waker, "wait" | "state">;

/** A VM whose vCPUs all sleep. */
export interface Sleep {
  readonly vm: string;
  readonly vcpus: readonly Vcpu[];
  /** The timer that wakes it first; undefined if none does. */
  readonly timer: OfCode<Wait, "timer"> | undefined;
  readonly wakers: readonly Waker[];
  /** Wakeups that cannot reach a vCPU. */
  readonly barred: readonly Evidence[];
  /** Pending interrupts of queues that have room, which the sender has not enabled. */
  readonly unasked: readonly { readonly irq: string; readonly barrier: Barrier; readonly queue: Msgqueue }[];
  /** A pending interrupt that waits for the end of one that was acknowledged. */
  readonly unended: { readonly irq: string; readonly barrier: Barrier } | undefined;
}

/** Events that would wake a VM. @param vm `vm:NAME` */
export function sleepOf(view: View, vm: string, vcpus: readonly Vcpu[]): Sleep {
  const name = nameOf(vm);
  const names = sourceNames(view);
  const wakers: Waker[] = [], barred: Evidence[] = [], unasked: Sleep["unasked"][number][] = [];
  let unended: Sleep["unended"];
  let due = Infinity, first: OfCode<Wait, "timer"> | undefined;
  for (const vcpu of vcpus) {
    const { gic } = vcpu.gic;
    const barrier = (intid: number) => barrierOf(gic, vcpu.gic, gic.bank(vcpu.gic, intid), intid);
    const comesHere = (intid: number) => intid < Intid.PrivateEnd || gic.routeOf(intid) === vcpu.index;
    for (const [intid, timer] of [[TimerPpi.Virtual, vcpu.timers.virtual], [TimerPpi.Physical, vcpu.timers.physical]] as const) {
      const silent = timer.isMasked ? maskedTimer(timer.control) : farTimer(vcpu, timer);
      if (silent) barred.push({ code: "barred", irq: irqId(name, intid, vcpu.index), in_ns: null, barrier: silent });
      if (timer.deadline === Infinity) continue;
      const why = barrier(intid), irq = irqId(name, intid, vcpu.index), in_ns = Math.max(0, timer.deadline - view.now);
      if (why !== undefined) barred.push({ code: "barred", irq, in_ns, barrier: why });
      else if (timer.deadline < due) [due, first] = [timer.deadline, { code: "timer", irq, intid, in_ns }];
    }
    for (const intid of [...vcpu.gic.bank.live(0, Intid.PrivateEnd), ...gic.shared.live(Intid.PrivateEnd, Intid.SpiEnd)]) {
      const bank = gic.bank(vcpu.gic, intid), source = bank.sources.get(intid);
      if (!unended && bank.isPending(intid) && comesHere(intid)) {
        const barrier = unendedBarrier(vcpu.gic, intid);
        if (barrier) unended = { irq: irqId(name, intid, vcpu.index), barrier };
      }
      const queue = roomOf(source), asks = bank.flags[intid] & Irq.Enabled || bank.isPending(intid) || queue?.wantsRoom;
      if (intid < Intid.SgiEnd || !source || !asks) continue;
      if (intid === TimerPpi.Virtual || intid === TimerPpi.Physical) continue;
      if (!comesHere(intid)) continue;
      const wait = { code: "irq" as const, irq: irqId(name, intid, vcpu.index), intid, source: names.get(source) ?? "hardware" };
      const why = barrier(intid);
      if (queue && why?.code === "disabled" && bank.isPending(intid)) unasked.push({ irq: wait.irq, barrier: why, queue });
      if (why !== undefined) barred.push({ code: "barred", irq: WAITS.text(wait), in_ns: null, barrier: why });
      else wakers.push({ wait, state: sourceStateOf(view, name, intid, source), ...raisersOf(view, source, vcpu) });
    }
    // One stands for all LPIs: only the ITS's tables know which of them a device raises.
    if (vcpu.gic.lpis?.enabled && gic.its?.enabled) {
      const wait = { code: "irq" as const, irq: irqId(name, LPI_FIRST, vcpu.index), intid: LPI_FIRST, source: "ITS" };
      wakers.push({ wait, state: undefined, raisers: undefined, through: "" });
    }
  }
  return { vm, vcpus, timer: first, wakers, barred, unasked, unended };
}

/** The queue of which a source tells its sender that it has room. */
function roomOf(source: LevelSource | undefined): Msgqueue | undefined {
  const object = source instanceof VirqSource ? source.object : undefined;
  return object instanceof Msgqueue && source === object.sendVirq ? object : undefined;
}

/** A timer that is on, for a time that no counter reaches. */
function farTimer({ registers }: Vcpu, { control, comparator, due }: Vcpu["timers"]["virtual"]): Barrier | undefined {
  if (due !== Infinity || !(registers.getRegister(control) & TimerControl.Enable)) return undefined;
  return { code: "timer-far", comparator, value: hex(registers.getRegister(comparator), 16) };
}

const maskedTimer = (control: string): Barrier => ({ code: "timer-masked", control });

/** The VMs that can raise a source of a vCPU. */
export function raisersOf(view: View, source: LevelSource, vcpu: Vcpu): Raisers {
  const object = source instanceof VirqSource ? source.object : undefined;
  const right = object instanceof Doorbell
    ? DoorbellRight.Send
    : object instanceof Msgqueue
    ? source === object.receiveVirq ? MsgqueueRight.Send : MsgqueueRight.Receive
    : undefined;
  if (!object || right === undefined) return { raisers: undefined, through: "" };
  if (isOfManager(view, object)) return answerersOf(view, vcpu) ?? { raisers: undefined, through: "" };
  const manager = view.vm(Vmid.ResourceManager);
  const holders = object.holders.filter(({ rights }) => rights & right).map(({ cspace }) => vmId(view.cspaceOwner(cspace)));
  return { raisers: [...new Set(holders)].filter((vm) => vm !== manager), through: view.object(object) };
}

/**
 * The VMs whose answer a VM awaits from the Resource Manager: they have to accept its memory
 * parcel, or give it back. Undefined if it may wait for something else.
 */
function answerersOf(view: View, { addressSpace }: Vcpu): Raisers | undefined {
  const manager = view.hypervisor.addressSpaces.get(Vmid.ResourceManager);
  const isBusy = view.vcpus().some((vcpu) => vcpu.addressSpace === manager && !isAsleep(vcpu));
  const wait = addressSpace && view.parcelWait(addressSpace.vmid);
  // A separate program's links are unknown; one that is busy may be about to send the answer.
  if (!wait || isBusy || view.system.manager.state.vms.length === 0) return undefined;
  const parcel = view.parcels().find(({ handle, owner }) => handle === wait.handle && owner === addressSpace.vmid);
  const late = parcel?.borrowers.filter(({ vmid, accepted }) => accepted === (wait.until === "release") && (wait.of?.has(vmid) ?? true));
  if (!late?.length) return undefined;
  return { raisers: late.map(({ vmid }) => view.vm(vmid)), through: parcelId(wait.handle), until: wait.until };
}

const wakeup = ({ wait, state }: Pick<Waker, "wait" | "state">): Evidence => ({ code: "wakeup", wait, state: state ?? null });

function awaited({ wait, through, until }: Waker, by: string): Awaited {
  return { irq: WAITS.text(wait), by, through, until: until ?? null };
}

/**
 * Whether the Resource Manager may use an object to which it has a capability, as it has to all
 * that it makes: only the queues of its RPC links. For a separate program this is unknown.
 */
function isOfManager(view: View, object: HypervisorObject): boolean {
  const { vms } = view.system.manager.state;
  if (vms.length === 0) return true;
  return vms.some(({ link }) => link && (view.rootObject(link.sendQueue) === object || view.rootObject(link.receiveQueue) === object));
}

/** Knowledge of all VMs, to find cycles of waits. */
export interface Others {
  /** VMs that sleep, by id. */
  readonly asleep: ReadonlyMap<string, Sleep>;
  /** VMs that have failed. */
  readonly failed: ReadonlySet<string>;
  /** Those of `asleep` that all wait for each other. */
  readonly stuck: ReadonlyMap<string, Sleep>;
}

/** The wakeups of a sleeping VM, or that it has none. */
export function waiting(view: View, sleep: Sleep, others: Others): Verdict {
  const { timer, wakers, vm } = sleep;
  const evidence = [...wakers.map(wakeup), { code: "asleep" as const, for_ns: sleptFor(view, sleep) }];
  if (timer) return { fact: { code: "waits", what: timer, others: wakers.length }, evidence };
  const { stuck } = others;
  const able = wakers.find((waker) => !stuck.has(vm) && canCome(waker, sleep, others));
  if (able) {
    const more = wakers.length - 1, { raisers } = able;
    if (!able.until || !raisers) return { fact: { code: "waits", what: able.wait, others: more }, evidence };
    return { fact: { code: "awaits", what: raisers.map((by) => awaited(able, by)), others: more }, evidence };
  }
  for (const waker of wakers) {
    const { raisers = [], through } = waker;
    if (!isAble(waker)) continue;
    const peer = raisers.find((one) => one !== vm && (others.failed.has(one) || stuck.has(one)));
    if (peer === undefined) continue;
    const failed = others.failed.has(peer);
    return {
      fact: { code: "awaits-dead", what: awaited(waker, peer), failed },
      evidence: [{ code: waker.until ? "answers" : "raises", by: peer, through }],
      next: failed ? `el2 why --about ${peer}` : `el2 diagnose ${nameOf(peer)}`,
    };
  }
  const next = `el2 irq ls ${nameOf(vm)}`, idle = wakers.find(({ state }) => state && isIdle(state) && !AT_REST.has(state.code));
  if (idle?.state) return { fact: { code: "source-idle", irq: WAITS.text(idle.wait), state: idle.state }, evidence, next };
  return { fact: { code: "no-wakeup" }, evidence: noWakeup(view, sleep), next };
}

/** Virtual time (ns) since the last of its vCPUs ran. */
const sleptFor = (view: View, { vcpus }: Sleep) => Math.max(0, view.now - Math.max(...vcpus.map(({ usage }) => usage.ranUntil)));

/** A source that was never used, or has done all that it was asked for. */
const AT_REST: ReadonlySet<SourceState["code"]> = new Set<SourceState["code"]>(["virtio-idle", "queue-unfilled"]);

/** Whether anything but the VM itself may make the source raise it. */
export function isAble({ state }: Waker): boolean {
  return !state || !isIdle(state);
}

/** An interrupt that was acknowledged and never ended, so that no other one comes. */
export function unended({ timer, unended, barred }: Sleep): Verdict | undefined {
  if (timer || !unended) return undefined;
  const { irq, barrier } = unended;
  return { fact: { code: "lost", irq, finding: barrier }, evidence: barred, next: `el2 show ${irq}` };
}

/**
 * Room in a queue of which a stuck sender does not hear: it has not enabled the interrupt, and its
 * last send was refused.
 */
export function unasked({ vm, unasked, barred }: Sleep, { stuck }: Others): Verdict | undefined {
  const found = stuck.has(vm) ? unasked.find(({ queue }) => queue.wantsRoom) : undefined;
  return found && { fact: { code: "lost", irq: found.irq, finding: found.barrier }, evidence: barred, next: `el2 show ${found.irq}` };
}

/** Whether something else may wake a VM whose interrupt of a queue with room is disabled. */
export function isUnneeded(irq: string, sleep: Sleep, others: Others): boolean {
  const { vm, wakers, unasked } = sleep;
  return !others.stuck.has(vm) && unasked.some((one) => one.irq === irq) && wakers.some((waker) => canCome(waker, sleep, others));
}

/** Input in the serial port of a VM that sleeps without a timer, and whose interrupt it cleared. */
export function unread(view: View, sleep: Sleep): Verdict | undefined {
  const { vm, vcpus, timer } = sleep;
  const name = nameOf(vm), input = view.system.consoles.input(name);
  if (timer || !input || input.characters === 0 || input.raised || !input.enabled) return undefined;
  const cleared = view.system.consoles.cleared(name), by = vcpus.find(({ index }) => index === cleared?.vcpu);
  const at = cleared && by && rangeOf(view, by, cleared.pc, cleared.pc, cleared.pc);
  return {
    fact: { code: "unread-input", console: conId(name), characters: input.characters },
    evidence: [
      ...at ? [{ code: "input-cleared" as const, vcpu: view.vcpu(by), at }] : [],
      { code: "asleep", for_ns: sleptFor(view, sleep) },
    ],
    next: at ? `el2 disasm ${nameOf(view.vcpu(by))}:${at.first}` : `el2 irq ls ${name}`,
  };
}

/** Input of which the guest does not want to hear. */
function maskedInput(view: View, vm: string): Evidence[] {
  const name = nameOf(vm), { characters = 0, enabled = true } = view.system.consoles.input(name) ?? {};
  return characters > 0 && !enabled ? [{ code: "masked-input", console: conId(name), characters }] : [];
}

/** Why nothing can wake a VM. */
function noWakeup(view: View, { vm, vcpus, wakers, barred }: Sleep): Evidence[] {
  const nobody = wakers.map(({ wait, state, raisers, through }): Evidence => {
    if (state && isIdle(state)) return wakeup({ wait, state });
    const irq = WAITS.text(wait);
    return raisers?.length === 0 ? { code: "nobody", irq, through } : { code: "only-itself", irq, vm };
  });
  const found = [...barred, ...nobody, ...maskedInput(view, vm)];
  return found.length ? found : vcpus.map((vcpu) => ({ code: "nothing-set", vcpu: view.vcpu(vcpu) }));
}

/** Whether another VM may still raise it. A VM that was ended may be started again. */
function canCome(waker: Waker, { vm }: Sleep, { failed }: Others): boolean {
  const { raisers } = waker;
  return isAble(waker) && (raisers === undefined || raisers.some((one) => one !== vm && !failed.has(one)));
}

/** VMs that all wait for each other: none can wake before another of them runs. */
export function stuckOf({ asleep, failed }: Pick<Others, "asleep" | "failed">): ReadonlyMap<string, Sleep> {
  const stuck = new Map([...asleep].filter(([, { timer }]) => !timer));
  for (let before = -1; before !== stuck.size;) {
    before = stuck.size;
    for (const [vm, { wakers }] of stuck) {
      const isFree = (one: string) => !stuck.has(one) && !failed.has(one);
      const free = wakers.some((waker) => isAble(waker) && (!waker.raisers || waker.raisers.some(isFree)));
      if (free) stuck.delete(vm);
    }
  }
  return stuck;
}

/** A VM that waits for another one, and that in the end for the first. */
export function deadlocked({ vm }: Sleep, { stuck }: Others): Verdict | undefined {
  const steps: { vm: string; waker: Waker; by: string }[] = [];
  for (let at = vm; steps.every((step) => step.vm !== at);) {
    const waker = stuck.get(at)?.wakers.find((waker) => isAble(waker) && waker.raisers?.some((one) => one !== at && stuck.has(one)));
    if (!waker) return undefined;
    const by = waker.raisers!.find((one) => one !== at && stuck.has(one))!;
    steps.push({ vm: at, waker, by });
    at = by;
  }
  const told = steps.map(({ vm, waker, by }) => ({ vm, what: awaited(waker, by) }));
  const [{ waker }] = steps;
  return {
    fact: { code: "deadlock", steps: told },
    evidence: told.flatMap((step, index): Evidence[] => [{ code: "step", ...step }, wakeup(steps[index].waker)]),
    next: waker.until ? `el2 show ${waker.through}` : `el2 queue ls --filter vm=${nameOf(vm)}`,
  };
}

/** Whether the interrupt of a source was lost on its way, and the sleeping guest will not look. */
function isUnheard(source: VirqSource, isEdge: boolean, { timer }: Sleep): boolean {
  const { object } = source, queue = roomOf(source);
  // A sender that does not hear of room may have nothing to send.
  if (queue && !queue.wantsRoom) return false;
  if (!isEdge) return source.stillPending();
  // It may send at a later tick, or not at all.
  if (queue) return source.isLost && source.stillPending() && (!timer || source.isAwaited);
  // An edge is pending once, however long its condition holds: only the source knows of a loss.
  return (timer ? source.isMissed : source.isLost) && (object instanceof Doorbell || source.stillPending());
}

/** An enabled interrupt that was raised and is not pending: the sleeping guest never gets it. */
export function unheard(view: View, sleep: Sleep): Verdict | undefined {
  const { vm, vcpus } = sleep;
  // An injected delay is not a loss.
  if (view.hypervisor.faults.delayed > 0) return undefined;
  for (const vcpu of vcpus) {
    const { gic } = vcpu.gic;
    for (const [intid, source] of [...vcpu.gic.bank.sources, ...gic.shared.sources].sort(([one], [other]) => one - other)) {
      const bank = gic.bank(vcpu.gic, intid), flags = bank.flags[intid];
      const quiet = flags & Irq.Enabled && !(flags & Irq.Active) && !bank.isPending(intid);
      if (!quiet || !(source instanceof VirqSource) || !isUnheard(source, (flags & Irq.Edge) !== 0, sleep)) continue;
      const irq = irqId(nameOf(vm), intid, vcpu.index);
      return {
        fact: { code: "unheard", irq, source: sourceNames(view).get(source) ?? "hardware" },
        evidence: [
          ...view.hypervisor.faults.losing({ vm: nameOf(vm), intid, why: source.what }).map(injectedBy),
          { code: "condition", condition: source.what },
          { code: "asleep", for_ns: sleptFor(view, sleep) },
        ],
        next: `el2 show ${irq}`,
      };
    }
  }
  return undefined;
}
