// Verdicts on VMs whose vCPUs all sleep: what wakes one, who can raise that, or that nothing can.

import { DoorbellRight, MsgqueueRight } from "../../abi/rights.ts";
import {
  Doorbell,
  type HypervisorObject,
  Intid,
  Irq,
  type LevelSource,
  Msgqueue,
  TimerPpi,
  type Vcpu,
  VirqSource,
} from "../../hypervisor/inspect.ts";
import { irqId, nameOf, parcelId, vmId } from "../../queries/ids.ts";
import { durationText } from "../../queries/format.ts";
import { Vmid } from "../readers/guest-names.ts";
import type { View } from "../readers/inspected.ts";
import type { ParcelWait } from "../trace/parcel-waits.ts";
import { barrierOf } from "../readers/read-irqs.ts";
import { sourceNames } from "../readers/virq-sources.ts";
import type { Verdict } from "./verdict.ts";
import { isAsleep } from "./verdict-work.ts";
import { BARRIERS } from "../../queries/facts/irq-finding.ts";

/** Virtual time (ns) that a VM may sleep before an interrupt is missed. */
const UNHEARD = 10e6;

/** An interrupt that can wake a VM. */
interface Waker {
  /** `irq:ping/961 (mq:290 rx)`. */
  readonly irq: string;
  /** The VMs that can raise it; undefined if it is something else. */
  readonly raisers: readonly string[] | undefined;
  /** The queue or doorbell that the raisers have to use, or the parcel that they answer for. */
  readonly through: string;
  /** The raisers' next step with the parcel; undefined if it is a queue or doorbell. */
  readonly until?: ParcelWait["until"];
}

/** A VM whose vCPUs all sleep. */
export interface Sleep {
  readonly vm: string;
  readonly vcpus: readonly Vcpu[];
  /** Virtual time (ns) at which a timer wakes it; Infinity: none does. */
  readonly due: number;
  readonly wakers: readonly Waker[];
  /** Wakeups that cannot reach a vCPU. */
  readonly barred: readonly string[];
}

/** Events that would wake a VM. @param vm `vm:NAME` */
export function sleepOf(view: View, vm: string, vcpus: readonly Vcpu[]): Sleep {
  const name = nameOf(vm);
  const names = sourceNames(view);
  const wakers: Waker[] = [], barred: string[] = [];
  let due = Infinity;
  for (const vcpu of vcpus) {
    const { gic } = vcpu.gic;
    const barrier = (intid: number) => barrierOf(gic, vcpu.gic, gic.bank(vcpu.gic, intid), intid);
    for (const [intid, timer] of [[TimerPpi.Virtual, vcpu.timers.virtual], [TimerPpi.Physical, vcpu.timers.physical]] as const) {
      if (timer.deadline === Infinity) continue;
      const why = barrier(intid);
      if (why === undefined) due = Math.min(due, timer.deadline);
      else {barred.push(
          `${irqId(name, intid, vcpu.index)} (timer) is due in ${durationText(Math.max(0, timer.deadline - view.now))}, but ${
            BARRIERS.text(why)
          }`,
        );}
    }
    for (let intid: number = Intid.SgiEnd; intid < Intid.SpiEnd; intid++) {
      const bank = gic.bank(vcpu.gic, intid), source = bank.sources[intid];
      if (!source || !(bank.flags[intid] & Irq.Enabled) && !bank.isPending(intid)) continue;
      if (intid === TimerPpi.Virtual || intid === TimerPpi.Physical) continue;
      if (intid >= Intid.PrivateEnd && gic.routeOf(intid) !== vcpu.index) continue;
      const irq = `${irqId(name, intid, vcpu.index)} (${names.get(source) ?? "hardware"})`;
      const why = barrier(intid);
      if (why !== undefined) barred.push(`${irq}: ${BARRIERS.text(why)}`);
      else wakers.push({ irq, ...raisersOf(view, source, vcpu) });
    }
  }
  return { vm, vcpus, due, wakers, barred };
}

/** The VMs that can raise a source of a vCPU. */
function raisersOf(view: View, source: LevelSource, vcpu: Vcpu): Omit<Waker, "irq"> {
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
function answerersOf(view: View, { addressSpace }: Vcpu): Omit<Waker, "irq"> | undefined {
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

/** `irq:x/962 (mq:290 rx) of vm:y`, `vm:y to accept parcel:0x3`. */
function awaited({ irq, through, until }: Waker, of: string): string {
  return until ? `${of} to ${until} ${through}` : `${irq} of ${of}`;
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
  const { due, wakers, vm } = sleep;
  const found = wakers.map(({ irq }) => irq);
  if (due !== Infinity) {
    const after = durationText(Math.max(0, due - view.now));
    return { verdict: "waits", text: `waits for its timer, due in ${after}`, evidence: found };
  }
  const { stuck } = others;
  const able = wakers.find((waker) => !stuck.has(vm) && canCome(waker, sleep, others));
  if (able) {
    const more = found.length > 1 ? ` or ${found.length - 1} more` : "";
    const what = able.until ? awaited(able, able.raisers!.join(", ")) : able.irq;
    return { verdict: "waits", text: `waits for ${what}${more}`, evidence: found };
  }
  for (const waker of wakers) {
    const { raisers = [], through } = waker;
    const peer = raisers.find((one) => one !== vm && (others.failed.has(one) || stuck.has(one)));
    if (peer === undefined) continue;
    const why = others.failed.has(peer) ? "has failed" : "waits for ever itself";
    const next = others.failed.has(peer) ? `el2 why --about ${peer}` : `el2 diagnose ${nameOf(peer)}`;
    const text = `waits for ${awaited(waker, peer)}${waker.until ? "; it" : ", which"} ${why}`;
    return { verdict: "stuck", text, evidence: [waker.until ? `${peer} answers for ${through}` : `${peer} raises it by ${through}`], next };
  }
  const nobody = wakers.map(({ irq, raisers, through }) =>
    raisers?.length === 0 ? `${irq}: no VM is at the other end of ${through}` : `${irq}: only ${vm} itself can raise it`
  );
  const none = sleep.vcpus.map((vcpu) => `${view.vcpu(vcpu)}: no timer is set, no interrupt with a source is enabled`);
  const evidence = [...sleep.barred, ...nobody];
  return {
    verdict: "stuck",
    text: "every vCPU waits for an interrupt, and none can come",
    evidence: evidence.length ? evidence : none,
    next: `el2 irq ls ${nameOf(vm)}`,
  };
}

/** Whether another VM may still raise it. A VM that was ended may be started again. */
function canCome({ raisers }: Waker, { vm }: Sleep, { failed }: Others): boolean {
  return raisers === undefined || raisers.some((one) => one !== vm && !failed.has(one));
}

/** VMs that all wait for each other: none can wake before another of them runs. */
export function stuckOf({ asleep, failed }: Pick<Others, "asleep" | "failed">): ReadonlyMap<string, Sleep> {
  const stuck = new Map([...asleep].filter(([, { due }]) => due === Infinity));
  for (let before = -1; before !== stuck.size;) {
    before = stuck.size;
    for (const [vm, { wakers }] of stuck) {
      const free = wakers.some(({ raisers }) => !raisers || raisers.some((one) => !stuck.has(one) && !failed.has(one)));
      if (free) stuck.delete(vm);
    }
  }
  return stuck;
}

/** A VM that waits for another one, and that in the end for the first. */
export function deadlocked({ vm }: Sleep, { stuck }: Others): Verdict | undefined {
  const steps: { vm: string; waker: Waker; by: string }[] = [];
  for (let at = vm; steps.every((step) => step.vm !== at);) {
    const waker = stuck.get(at)?.wakers.find(({ raisers }) => raisers?.some((one) => one !== at && stuck.has(one)));
    if (!waker) return undefined;
    const by = waker.raisers!.find((one) => one !== at && stuck.has(one))!;
    steps.push({ vm: at, waker, by });
    at = by;
  }
  const [{ waker, by }] = steps;
  const rest = steps.slice(1).map((step) => `${step.vm} for ${step.by}`).join(", ");
  return {
    verdict: "deadlocked",
    text: `waits for ${awaited(waker, by)}, and ${rest}`,
    evidence: steps.map(({ vm, waker, by }) =>
      waker.until ? `${vm} waits for ${awaited(waker, by)}` : `${vm} waits for ${waker.irq}, which ${by} raises by ${waker.through}`
    ),
    next: waker.until ? `el2 mem parcel ${waker.through}` : `el2 queue ls --filter vm=${nameOf(vm)}`,
  };
}

/**
 * A level-triggered interrupt that is enabled and whose condition holds, and which is not pending:
 * the sleeping guest never gets it. An edge is pending once, however long its condition holds.
 */
export function unheard(view: View, { vm, vcpus }: Sleep): Verdict | undefined {
  const asleep = view.now - Math.max(...vcpus.map(({ usage }) => usage.ranUntil));
  if (asleep < UNHEARD && !view.isSettled) return undefined;
  for (const vcpu of vcpus) {
    const { gic } = vcpu.gic;
    for (let intid: number = Intid.SgiEnd; intid < Intid.SpiEnd; intid++) {
      const bank = gic.bank(vcpu.gic, intid);
      const source = bank.sources[intid];
      const quiet = bank.flags[intid] & Irq.Enabled && !(bank.flags[intid] & (Irq.Active | Irq.Edge)) && !bank.isPending(intid);
      if (!quiet || !(source instanceof VirqSource) || !source.stillPending()) continue;
      const irq = irqId(nameOf(vm), intid, vcpu.index);
      const what = sourceNames(view).get(source) ?? "hardware";
      return {
        verdict: "lost",
        text: `${irq} (${what}) is not pending though its condition holds: the interrupt was lost`,
        evidence: [`condition: ${source.what}`, `the VM has slept for ${durationText(asleep)}`],
        next: `el2 irq show ${irq}`,
      };
    }
  }
  return undefined;
}
