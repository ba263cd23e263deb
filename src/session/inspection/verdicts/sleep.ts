// A VM whose vCPUs all sleep: what can wake it, and who can raise that.

import { DoorbellRight, MsgqueueRight } from "../../../machine/abi/rights.ts";
import {
  Doorbell,
  functionName,
  type HypervisorObject,
  Intid,
  Irq,
  type LevelSource,
  LPI_FIRST,
  Msgqueue,
  TimerControl,
  type Vcpu,
  VirqSource,
} from "../../../machine/hypervisor/inspect.ts";
import { Block } from "../../../machine/hypervisor/interface.ts";
import { NetDevice } from "../../../machine/virtio/net/net.ts";
import { irqId, nameOf, parcelId, vmId } from "../../../model/queries/ids.ts";
import { semihostingAt } from "../../../machine/abi/semihosting.ts";
import { Vmid } from "../readers/guest-names.ts";
import { otherHolders } from "../readers/objects/read-caps.ts";
import { readWord } from "../readers/guest/read-symbols.ts";
import type { View, VirtioSlot } from "../readers/inspected.ts";
import type { ParcelWait } from "../trace/parcel-waits.ts";
import { barriersOf, unendedBarrier } from "../readers/objects/read-irqs.ts";
import { sourceNames } from "../readers/objects/virq-sources.ts";
import type { Barrier, IrqFinding } from "../../../model/queries/facts/irq-finding.ts";
import type { OfCode } from "../../../model/queries/facts/fact.ts";
import { isIdle, type SourceState } from "../../../model/queries/facts/source-state.ts";
import type { Evidence } from "../../../model/queries/facts/evidence.ts";
import { type Wait, WAITS } from "../../../model/queries/facts/wait.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import { absentOf, absentPeers } from "../readers/objects/absent-peers.ts";
import { hasFailed } from "../readers/objects/device-state.ts";
import { slotsOf, sourceStateOf } from "./source-states.ts";

/** Whether a vCPU is powered on. */
export const isOnline = (vcpu: Vcpu): boolean => !vcpu.life.isDead && !vcpu.life.isBlockedBy(Block.Lifecycle | Block.Off);

/** Whether vCPUs have all turned themselves off: none is left that could turn one on. */
export const areTurnedOff = (vcpus: readonly Vcpu[]): boolean => vcpus.length > 0 && vcpus.every(hasTurnedOff);

/** Its last call is still in X0: SYSTEM_OFF powers it off, too, and so does its owner. */
function hasTurnedOff({ life, usage, registers }: Vcpu): boolean {
  const isOff = life.isPoweredOff && !life.isDead && usage.instructions > 0;
  return isOff && functionName(Number(registers.getX(0) & 0xffff_ffffn)) === "CPU_OFF";
}

/** Whether a vCPU waits for an interrupt. */
export function isAsleep(vcpu: Vcpu): boolean {
  return vcpu.life.isBlockedBy(Block.Wfi | Block.Suspend) && !vcpu.life.isBlockedBy(Block.Vmmio);
}

/** An interrupt that can wake a VM. */
export interface Waker {
  readonly wait: OfCode<Wait, "irq">;
  /** Of its source; undefined if it is not known. */
  readonly state: SourceState | undefined;
  /** The VMs that can raise it, or could if they were there; undefined if something else may. */
  readonly raisers: readonly string[] | undefined;
  /** The VMs that have ended and could have raised it, if no other one can. */
  readonly gone: readonly string[];
  /**
   * The queue or doorbell that the raisers have to use, the card to which they send, or the parcel
   * that they answer for.
   */
  readonly through: string;
  /** The raisers' next step with the parcel; undefined if it is a queue or doorbell. */
  readonly until?: ParcelWait["until"];
}

type Raisers = Omit<Waker, "wait" | "state">;

/** A VM whose vCPUs all sleep. */
export interface Sleep {
  readonly vm: string;
  readonly vcpus: readonly Vcpu[];
  /** A vCPU waits for what somebody types, by a semihosting call. */
  readonly reads: boolean;
  /** The timer that wakes it first; undefined if none does. */
  readonly timer: OfCode<Wait, "timer"> | undefined;
  readonly wakers: readonly Waker[];
  /** Wakeups that cannot reach a vCPU. */
  readonly barred: readonly Evidence[];
  /** Pending interrupts of queues that have room, which the sender has not enabled. */
  readonly unasked: readonly {
    readonly irq: string;
    readonly barrier: Barrier;
    readonly then: readonly Barrier[];
    readonly queue: Msgqueue;
  }[];
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
    const barriers = (intid: number) => barriersOf(gic, vcpu.gic, gic.bank(vcpu.gic, intid), intid);
    const comesHere = (intid: number) => intid < Intid.PrivateEnd || gic.routeOf(intid) === vcpu.index;
    for (const timer of vcpu.timers.all) {
      const { kind: { ppi: intid, control } } = timer;
      const silent = timer.isMasked ? maskedTimer(control) : farTimer(vcpu, timer);
      if (silent) barred.push({ code: "barred", irq: irqId(name, intid, vcpu.index), in_ns: null, barrier: silent, then: barriers(intid) });
      if (timer.deadline === Infinity) continue;
      const [why, ...then] = barriers(intid), irq = irqId(name, intid, vcpu.index), in_ns = Math.max(0, timer.deadline - view.now);
      if (why !== undefined) barred.push({ code: "barred", irq, in_ns, barrier: why, then });
      else if (timer.deadline < due) [due, first] = [timer.deadline, { code: "timer", irq, intid, in_ns }];
    }
    for (const intid of [...vcpu.gic.bank.live(0, Intid.PrivateEnd), ...gic.shared.live(Intid.PrivateEnd, Intid.SpiEnd)]) {
      const bank = gic.bank(vcpu.gic, intid), source = bank.sources.get(intid);
      if (!unended && bank.isPending(intid) && comesHere(intid)) {
        const barrier = unendedBarrier(vcpu.gic, intid);
        if (barrier) unended = { irq: irqId(name, intid, vcpu.index), barrier };
      }
      const queue = roomOf(source), asks = bank.flags[intid] & Irq.Enabled || bank.isPending(intid) || queue?.wantsRoom;
      if (intid < Intid.SgiEnd || !source || !comesHere(intid)) continue;
      if (vcpu.timers.of(intid)) continue;
      const begun = asks ? undefined : begunState(view, name, intid, source);
      if (!asks && !begun) continue;
      const wait = { code: "irq" as const, irq: irqId(name, intid, vcpu.index), intid, source: names.get(source) ?? "hardware" };
      const [why, ...then] = barriers(intid);
      if (queue && why?.code === "disabled" && bank.isPending(intid)) unasked.push({ irq: wait.irq, barrier: why, then, queue });
      if (why !== undefined) barred.push({ code: "barred", irq: WAITS.text(wait), in_ns: null, barrier: why, then });
      else {
        const state = sourceStateOf(view, name, intid, source);
        wakers.push({
          wait,
          state,
          ...(state?.code === "virtio-listens" ? sendersTo(view, name, intid) : undefined) ?? raisersOf(view, source, vcpu),
        });
      }
      if (begun) barred.push({ code: "wakeup", wait, state: begun });
    }
    // One stands for all LPIs: only the ITS's tables know which of them a device raises.
    if (vcpu.gic.lpis?.enabled && gic.its?.enabled) {
      const wait = { code: "irq" as const, irq: irqId(name, LPI_FIRST, vcpu.index), intid: LPI_FIRST, source: "ITS" };
      wakers.push({ wait, state: undefined, ...UNKNOWN });
    }
  }
  barred.push(...vcpus.slice(0, 1).flatMap((vcpu) => misrouted(view, vcpu)));
  return { vm, vcpus, reads: vcpus.some((vcpu) => isReading(view, vcpu)), timer: first, wakers, barred, unasked, unended };
}

/** Enabled interrupts of a vCPU's VM that go to no vCPU that is on, whoever raises them. */
function misrouted(view: View, { addressSpace, gic: { gic } }: Vcpu): OfCode<Evidence, "barred">[] {
  const vm = view.vmNameOf(addressSpace), all = view.vcpus().filter((one) => one.addressSpace === addressSpace);
  return [...gic.shared.live(Intid.PrivateEnd, Intid.SpiEnd)].flatMap((intid): OfCode<Evidence, "barred">[] => {
    const source = gic.shared.sources.get(intid), route = gic.routeOf(intid), target = all.find(({ index }) => index === route);
    if (!source || !(gic.shared.flags[intid] & Irq.Enabled) || target && isOnline(target)) return [];
    const irq = WAITS.text({ code: "irq", irq: irqId(vm, intid, 0), intid, source: sourceNames(view).get(source) ?? "hardware" });
    const barrier: IrqFinding = target
      ? { code: "vcpu-off", vcpu: view.vcpu(target) }
      : route === undefined
      ? { code: "no-target" }
      : { code: "no-vcpu", vcpu: route };
    return [{ code: "barred", irq, in_ns: null, barrier, then: [] }];
  });
}

/** A request of a virtio driver that has not enabled the interrupt of its device. */
function begunState(view: View, vm: string, intid: number, source: LevelSource): SourceState | undefined {
  if (!slotsOf(view, vm).some((slot) => slot.intid === intid)) return undefined;
  const state = sourceStateOf(view, vm, intid, source);
  return state && (state.code === "virtio-serves" || hasFailed(state) && state.code !== "virtio-not-ready") ? state : undefined;
}

/** Whether a vCPU sleeps in a semihosting call, which it makes again when something is typed. */
function isReading(view: View, vcpu: Vcpu): boolean {
  const { registers, life } = vcpu;
  if (!registers.semihosting || !life.isBlockedBy(Block.Suspend)) return false;
  const word = readWord(view, vcpu, registers.pc);
  return word !== undefined && semihostingAt(word) !== undefined;
}

/** The queue of which a source tells its sender that it has room. */
export function roomOf(source: LevelSource | undefined): Msgqueue | undefined {
  const object = source instanceof VirqSource ? source.object : undefined;
  return object instanceof Msgqueue && source === object.sendVirq ? object : undefined;
}

/** A timer that is on, for a time that no counter reaches. */
function farTimer({ registers }: Vcpu, { kind: { control, comparator }, due }: Vcpu["timers"]["all"][number]): Barrier | undefined {
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
  if (!object || right === undefined) return UNKNOWN;
  if (isOfManager(view, object)) return answerersOf(view, vcpu) ?? UNKNOWN;
  const raisers = otherHolders(view, object, right), through = view.object(object);
  if (raisers.length > 0) return { raisers, gone: [], through };
  const { gone, coming } = absentPeers(view, object);
  return { raisers: coming, gone, through };
}

/** The VMs whose frames the only device of an interrupt awaits, if it is a network card. */
function sendersTo(view: View, vm: string, intid: number): Raisers | undefined {
  const [slot, ...more] = slotsOf(view, vm).filter((one) => one.intid === intid);
  return more.length === 0 ? sendersOf(view, slot) : undefined;
}

/** The VMs whose frames a network card awaits; undefined if it may get some from elsewhere. */
export function sendersOf(view: View, { id, device }: VirtioSlot): Raisers | undefined {
  const others = device instanceof NetDevice ? device.backend?.others?.() : undefined;
  if (!others) return undefined;
  const vms = view.system.virtio.filter((one) => others.some((other) => other === one.device)).map((one) => vmId(one.vm));
  const { here = [], absent = [] } = Object.groupBy(new Set(vms), (one) => isThere(view, one) ? "here" : "absent");
  const { gone, coming } = absentOf(view, absent);
  return { raisers: [...here, ...coming], gone: here.length === 0 ? gone : [], through: id };
}

const isThere = (view: View, vm: string): boolean => view.vcpus().some((vcpu) => view.vmOf(vcpu.addressSpace) === vm);

/** Of a source that is neither a queue nor a doorbell. */
const UNKNOWN: Raisers = { raisers: undefined, gone: [], through: "" };

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
  return { raisers: late.map(({ vmid }) => view.vm(vmid)), gone: [], through: parcelId(wait.handle), until: wait.until };
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

/** Whether anything but the VM itself may make the source raise it. */
export function isAble({ state }: Waker): boolean {
  return !state || !isIdle(state);
}

/** The sleeps of all VMs, to find cycles of waits. */
export interface SleepingVms {
  /** VMs that sleep, by id. */
  readonly asleep: ReadonlyMap<string, Sleep>;
  /** VMs that have failed. */
  readonly failed: ReadonlySet<string>;
  /** Those whose vCPUs execute loops that nothing can end, or are off for ever. */
  readonly endless: ReadonlySet<string>;
  /** Those of `asleep` that all wait for each other. */
  readonly stuck: ReadonlyMap<string, Sleep>;
}

/** Whether a VM does nothing for others any more: it has failed, or executes an endless loop. */
export const isGone = ({ failed, endless }: Pick<SleepingVms, "failed" | "endless">, vm: string): boolean =>
  failed.has(vm) || endless.has(vm);

/**
 * VMs that all wait for each other, or for one that does nothing any more: none can wake before
 * another of them runs.
 */
export function stuckOf(vms: Omit<SleepingVms, "stuck">): ReadonlyMap<string, Sleep> {
  const stuck = new Map([...vms.asleep].filter(([, { timer }]) => !timer));
  for (let before = -1; before !== stuck.size;) {
    before = stuck.size;
    for (const [vm, { wakers }] of stuck) {
      const isFree = (one: string) => !stuck.has(one) && !isGone(vms, one);
      const free = wakers.some((waker) => isAble(waker) && (!waker.raisers || waker.raisers.some(isFree)));
      if (free) stuck.delete(vm);
    }
  }
  return stuck;
}
