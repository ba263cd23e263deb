// Verdicts on VMs whose vCPUs all sleep: what wakes one, what was lost, or that nothing can come.

import { FAULT_KINDS } from "../../../machine/abi/faults.ts";
import { Doorbell, Irq, VirqSource } from "../../../machine/hypervisor/inspect.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import { type Evidence, injectedBy } from "../../../model/queries/facts/evidence.ts";
import { isBarrier } from "../../../model/queries/facts/irq-finding.ts";
import { isIdle, type SourceState } from "../../../model/queries/facts/source-state.ts";
import { type PeerDoes, type VerdictFact, wordOf } from "../../../model/queries/facts/verdict.ts";
import { isHealthy } from "../../../model/queries/facts/verdict-words.ts";
import { WAITS } from "../../../model/queries/facts/wait.ts";
import { conId, irqId, nameOf } from "../../../model/queries/ids.ts";
import type { View } from "../readers/inspected.ts";
import type { FoundIrq } from "../readers/objects/read-irqs.ts";
import { endedAt } from "../readers/objects/absent-peers.ts";
import { sourceNames } from "../readers/objects/virq-sources.ts";
import { rangeOf } from "../readers/guest/code-range.ts";
import { areTurnedOff, isAble, isGone, roomOf, type Sleep, type SleepingVms, type Waker } from "./sleep.ts";
import { type OtherVms, type Patient, type Verdict, verdictRule } from "./verdict.ts";
import { awaited } from "./peer-waits.ts";
import { RING_OF_SLEEPS } from "./wait-rings.ts";
import { isOfHandler } from "./verdict-work.ts";
import { hint } from "../../../kit/support/text/hint.ts";

const wakeup = ({ wait, state }: Pick<Waker, "wait" | "state">): Evidence => ({ code: "wakeup", wait, state: state ?? null });

/** The wakeups of a sleeping VM. */
function wakeups(view: View, sleep: Sleep): Evidence[] {
  return [...sleep.wakers.map(wakeup), { code: "asleep", for_ns: sleptFor(view, sleep) }];
}

/** An interrupt that may come. */
function hopeOf(sleep: Sleep, others: SleepingVms): Waker | undefined {
  return others.stuck.has(sleep.vm) ? undefined : sleep.wakers.find((waker) => canCome(waker, sleep, others));
}

/** Whether neither a timer nor an interrupt will wake it, nor what somebody types. */
const isHopeless = (sleep: Sleep, others: SleepingVms) => !sleep.timer && !sleep.reads && !hopeOf(sleep, others);

/** A VM that waits for one that has ended, is in an endless loop, or waits for ever itself. */
function awaitsDead(view: View, sleep: Sleep, others: OtherVms): Verdict<"awaits-dead"> | undefined {
  const { wakers, vm } = sleep;
  if (!isHopeless(sleep, others)) return undefined;
  for (const waker of wakers) {
    const { raisers = [], gone: [gone], through } = waker;
    if (!isAble(waker)) continue;
    const peer = raisers.find((one) => one !== vm && (isGone(others, one) || others.stuck.has(one))) ?? gone;
    if (peer === undefined) continue;
    const fact = others.verdictOn(peer)?.fact, does = doingOf(view, peer, fact, peer === gone, others);
    const isOver = does === "failed" || does === "ended", ended_ns = isOver ? endedAt(view, peer) : null;
    return {
      fact: { code: "awaits-dead", what: awaited(waker, peer), does },
      evidence: [
        ...fact ? [{ code: "other-end" as const, vm: peer, what: null, fact, ended_ns }] : [],
        ...peer === gone ? [] : [{ code: waker.until ? "answers" as const : "raises" as const, by: peer, through }],
      ],
      next: isOver ? hint("why", { about: peer }) : hint("diagnose", nameOf(peer)),
      vain: { operations: FAULT_KINDS },
    };
  }
  return undefined;
}

/** The activity of the other end of a wait in vain. @param fact the verdict on it */
function doingOf(view: View, peer: string, fact: VerdictFact | undefined, isOver: boolean, { failed, endless }: OtherVms): PeerDoes {
  if (failed.has(peer)) return "failed";
  if (isOver) return fact && !isHealthy(wordOf(fact)) ? "failed" : "ended";
  if (!endless.has(peer)) return "waits";
  if (areTurnedOff(view.vcpus().filter((vcpu) => view.vmOf(vcpu.addressSpace) === peer))) return "off";
  return fact && isOfHandler(fact) ? "faults" : "loops";
}

/** Virtual time (ns) since the last of its vCPUs ran. */
const sleptFor = (view: View, { vcpus }: Sleep) => Math.max(0, view.now - Math.max(...vcpus.map(({ usage }) => usage.ranUntil)));

/** A source that was never used, or has done all that it was asked for. */
const AT_REST: ReadonlySet<SourceState["code"]> = new Set<SourceState["code"]>(["virtio-idle", "queue-unfilled"]);

/** An interrupt that was acknowledged and never ended, so that no other one comes. */
function unended({ timer, unended, barred }: Sleep): Verdict<"lost"> | undefined {
  if (timer || !unended) return undefined;
  const { irq, barrier } = unended;
  return { fact: { code: "lost", irq, finding: barrier, then: [] }, evidence: barred, next: hint("show", irq) };
}

/**
 * Room in a queue of which a stuck sender does not hear: it has not enabled the interrupt, and its
 * last send was refused.
 */
function unasked({ vm, unasked, barred }: Sleep, { stuck }: SleepingVms): Verdict<"lost"> | undefined {
  const found = stuck.has(vm) ? unasked.find(({ queue }) => queue.wantsRoom) : undefined;
  if (!found) return undefined;
  const { irq, barrier: finding, then } = found;
  return { fact: { code: "lost", irq, finding, then }, evidence: barred, next: hint("show", irq) };
}

/**
 * Whether a VM does without an interrupt that it has not enabled: something else may wake it, and
 * the interrupt is that of a queue with room, or another VM has woken it by other means before.
 */
function isUnneeded({ id, fact }: FoundIrq, sleep: Sleep, others: SleepingVms): boolean {
  const { vm, wakers, unasked } = sleep;
  if (others.stuck.has(vm)) return false;
  const hasRoom = unasked.some((one) => one.irq === id), isDisabled = fact?.code === "disabled";
  return wakers.some((waker) => canCome(waker, sleep, others) && (hasRoom || isDisabled && wakesAgain(waker)));
}

/** Whether other VMs alone raise an interrupt, and have raised it. */
const wakesAgain = ({ raisers, state }: Waker) =>
  raisers !== undefined && (state?.code === "doorbell" || state?.code === "messages") && state.sends > 0;

/** Input in the serial port of a VM that sleeps without a timer, and whose interrupt it cleared. */
function unread(view: View, sleep: Sleep): Verdict<"unread-input"> | undefined {
  const { vm, vcpus, timer } = sleep;
  const name = nameOf(vm), input = view.system.consoles.input(name);
  if (timer || !input || input.characters === 0 || input.raised || !input.enabled) return undefined;
  const cleared = view.system.consoles.cleared(name), by = vcpus.find(({ index }) => index === cleared?.vcpu);
  const at = cleared && by && rangeOf(view, by, cleared.pc);
  return {
    fact: { code: "unread-input", console: conId(name), characters: input.characters },
    evidence: [
      ...at ? [{ code: "input-cleared" as const, vcpu: view.vcpu(by), at }] : [],
      { code: "asleep", for_ns: sleptFor(view, sleep) },
    ],
    next: at ? hint("disasm", `${nameOf(view.vcpu(by))}:${at.first}`) : hint("irq ls", name),
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
function canCome(waker: Waker, { vm }: Sleep, others: SleepingVms): boolean {
  const { raisers } = waker;
  return isAble(waker) && (raisers === undefined || raisers.some((one) => one !== vm && !isGone(others, one)));
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
function unheard(view: View, sleep: Sleep): Verdict<"unheard"> | undefined {
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
        next: hint("show", irq),
        // Its evidence has the rules that lost it.
        vain: { operations: [] },
      };
    }
  }
  return undefined;
}

/** An interrupt of a VM that sleeps, which is pending and cannot come. */
function masked({ irqs, others }: Patient, sleep: Sleep): Verdict<"lost"> | undefined {
  if (sleep.timer) return undefined;
  for (const irq of irqs) {
    const { id, source, pend, fact, then } = irq;
    if (!pend || !fact || !isBarrier(fact) || isUnneeded(irq, sleep, others)) continue;
    return { fact: { code: "lost", irq: id, finding: fact, then }, evidence: [{ code: "source", source }], next: hint("show", id) };
  }
  return undefined;
}

/** The last message to the ITS of a VM that sleeps without a timer made no LPI pending. */
function dropped({ vm, timer, vcpus }: Sleep): Verdict<"message-dropped"> | undefined {
  const message = vcpus[0]?.gic.gic.its?.dropped;
  if (timer || !message) return undefined;
  const { rule } = message, [device, event] = [message.device, message.event].map((number) => hex(number));
  return { fact: { code: "message-dropped", device, event, rule }, next: hint("irq ls", nameOf(vm)) };
}

/** A source that only the VM itself could start. */
function idleSource(view: View, sleep: Sleep): Verdict<"source-idle"> | undefined {
  const idle = sleep.wakers.find(({ state }) => state && isIdle(state) && !AT_REST.has(state.code));
  return idle?.state && {
    fact: { code: "source-idle", irq: WAITS.text(idle.wait), state: idle.state },
    evidence: wakeups(view, sleep),
    next: hint("irq ls", nameOf(sleep.vm)),
    vain: { operations: ["dev"], vcpus: true, precise: true },
  };
}

/** Wakeups of a sleeping VM that were lost, or will not come. */
export const SLEEP_RULES = [
  verdictRule({ codes: ["unheard"], of: "sleep", judge: ({ view }, sleep) => unheard(view, sleep) }),
  verdictRule({ codes: ["unread-input"], of: "sleep", judge: ({ view }, sleep) => unread(view, sleep) }),
  verdictRule({ codes: ["lost"], of: "sleep", judge: ({ others }, sleep) => unasked(sleep, others) }),
  RING_OF_SLEEPS,
  verdictRule({ codes: ["lost"], of: "sleep", judge: masked }),
  verdictRule({ codes: ["lost"], of: "sleep", judge: (_, sleep) => unended(sleep) }),
  verdictRule({ codes: ["message-dropped"], of: "sleep", judge: (_, sleep) => dropped(sleep) }),
  verdictRule({ codes: ["awaits-dead"], of: "sleep", judge: ({ view, others }, sleep) => awaitsDead(view, sleep, others) }),
  verdictRule({
    codes: ["source-idle"],
    of: "sleep",
    judge: ({ view, others }, sleep) => isHopeless(sleep, others) ? idleSource(view, sleep) : undefined,
  }),
  verdictRule({
    codes: ["no-wakeup"],
    of: "sleep",
    judge: ({ view, others }, sleep) =>
      isHopeless(sleep, others)
        ? {
          fact: { code: "no-wakeup" },
          evidence: noWakeup(view, sleep),
          next: hint("irq ls", nameOf(sleep.vm)),
          vain: { operations: FAULT_KINDS, vcpus: true },
        }
        : undefined,
  }),
];

/** The wakeup that a sleeping VM waits for. */
export const REST_RULES = [
  verdictRule({
    codes: ["awaits"],
    of: "sleep",
    judge: ({ view, others }, sleep) => {
      const hope = sleep.timer ? undefined : hopeOf(sleep, others), raisers = hope?.until && hope.raisers;
      return hope && raisers && {
        fact: { code: "awaits", what: raisers.map((by) => awaited(hope, by)), others: sleep.wakers.length - 1 },
        evidence: wakeups(view, sleep),
      };
    },
  }),
  verdictRule({
    codes: ["waits"],
    of: "sleep",
    judge: ({ view, others }, sleep) => {
      const { timer, wakers } = sleep, what = timer ?? hopeOf(sleep, others)?.wait;
      return what && { fact: { code: "waits", what, others: wakers.length - Number(!timer) }, evidence: wakeups(view, sleep) };
    },
  }),
];
