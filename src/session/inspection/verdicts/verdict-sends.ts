// The fate of sends and rings, as evidence about a VM that sleeps: a ring that raises nothing, a
// send that queued nothing, messages and rings that the other end has not taken, and why; and what
// the Resource Manager has dropped.

import { DoorbellRight, MsgqueueRight } from "../../../machine/abi/rights.ts";
import { Doorbell, Msgqueue, type VirqSource } from "../../../machine/hypervisor/inspect.ts";
import type { Evidence } from "../../../model/queries/facts/evidence.ts";
import type { OfCode } from "../../../model/queries/facts/fact.ts";
import { isBarrier } from "../../../model/queries/facts/irq-finding.ts";
import { nameOf, vmOfName, whyId } from "../../../model/queries/ids.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import type { View } from "../readers/inspected.ts";
import { rangeOf } from "../readers/guest/code-range.ts";
import { otherHolders } from "../readers/objects/read-caps.ts";
import { virqOf } from "../readers/objects/virq-sources.ts";
import { absentPeers } from "../readers/objects/absent-peers.ts";
import { evidenceRule, isSick, type Patient } from "./verdict.ts";

/** A queue or doorbell between two VMs. */
interface Link {
  readonly object: Doorbell | Msgqueue;
  readonly from: readonly string[];
  readonly to: readonly string[];
}

/** The interrupt by which the receiver hears. */
const heardBy = (object: Doorbell | Msgqueue): VirqSource => object instanceof Doorbell ? object.virq : object.receiveVirq;

/** The queues and doorbells of a VM with other VMs; the Resource Manager's own are none of them. */
function linksOf(view: View, vm: string): Link[] {
  return [...view.objects("doorbell"), ...view.objects("msgqueue")].flatMap((object): Link[] => {
    const [send, receive] = object instanceof Doorbell
      ? [DoorbellRight.Send, DoorbellRight.Receive]
      : [MsgqueueRight.Send, MsgqueueRight.Receive];
    const from = otherHolders(view, object, send), to = otherHolders(view, object, receive);
    return from.includes(vm) || to.includes(vm) ? [{ object, from, to }] : [];
  });
}

/** Flags of a doorbell that raise no interrupt. */
function unheardRing(view: View, { object }: Link): OfCode<Evidence, "unheard-ring">[] {
  if (!(object instanceof Doorbell) || object.flags === 0n || object.messages.vic !== undefined) return [];
  const { flags, enabled, virq, sent: sends } = object, isUnbound = virq.vic === undefined;
  if (!isUnbound && (virq.isEdge || (flags & enabled) !== 0n)) return [];
  return [{ code: "unheard-ring", bell: view.object(object), sends, flags: hex(flags), wakes: isUnbound ? null : hex(enabled) }];
}

/** A last send that was OK and has done nothing. */
function swallowed(view: View, { object, from }: Link): OfCode<Evidence, "swallowed" | "merged-ring">[] {
  const { swallows: why } = object, sent = { through: view.object(object), by: from.join(", ") };
  if (why === "none") return [];
  if (why !== "merged") return [{ code: "swallowed", ...sent, why }];
  // Flags that are set may still be taken.
  return object instanceof Doorbell && object.flags === 0n ? [{ code: "merged-ring", ...sent, sends: object.sent }] : [];
}

/** Calls that send, by what they send to. */
const SENDS: Readonly<Record<string, "msgqueue" | "doorbell">> = { "msgqueue_send": "msgqueue", "doorbell_send": "doorbell" };

/** The last refused call of a VM, if it was a send, and no other one has got through. */
function refusedSend({ view }: Patient, vm: string, links: readonly Link[]): OfCode<Evidence, "refused-send">[] {
  const name = nameOf(vm);
  const last = view.hypervisor.trace.reasons.list().findLast(({ ended, chain, askedBy }) =>
    ended === undefined && chain.length > 0 && vmOfName(askedBy) === name
  );
  const step = last?.chain.at(-1), kind = SENDS[step?.name ?? ""], vcpu = view.vcpus().find((one) => view.vcpuName(one) === last?.askedBy);
  const sent = links.filter(({ object, from }) => object.type === kind && from.includes(vm));
  if (!last || !step || !vcpu || last.at === undefined || sent.length === 0 || sent.some(({ object }) => object.sent > 0)) return [];
  const limit = last.values.limit, at = rangeOf(view, vcpu, last.at);
  return [{
    code: "refused-send",
    why: whyId(last.id),
    vm,
    call: step.name,
    at,
    rule: last.rule,
    limit: limit === undefined ? null : Number(limit),
  }];
}

/** Messages and rings that the other end has not taken, and that nothing is about to tell it of. */
function untaken({ view, others }: Patient, { object, to }: Link): OfCode<Evidence, "untaken">[] {
  const count = object instanceof Msgqueue ? object.count : 0;
  const isWaiting = object instanceof Msgqueue ? count > 0 : object.flags !== 0n;
  const gone = to.length > 0 || !isWaiting ? [] : absentPeers(view, object).gone;
  return (isWaiting ? [...to, ...gone] : []).flatMap((by): OfCode<Evidence, "untaken">[] => {
    const irq = virqOf(view, heardBy(object)), found = others.irqsOf(by).find(({ id }) => id === irq);
    const path = found?.pend && found.fact && isBarrier(found.fact) ? [found.fact, ...found.then] : [];
    if (path.length === 0 && !others.stuck.has(by) && !others.endless.has(by) && !gone.includes(by)) return [];
    const messages = object instanceof Msgqueue ? { count, refused: object.wantsRoom } : null;
    return [{ code: "untaken", by, through: view.object(object), messages, irq, path }];
  });
}

const sleepsOn = ({ vm, others }: Patient) => others.asleep.get(vm.id)?.timer === undefined && others.asleep.has(vm.id);

/** Messages that the Resource Manager has thrown away. */
function dropped({ view, vm }: Patient): OfCode<Evidence, "dropped">[] {
  const found = vm.vmid === null ? undefined : view.droppedMessage(Number(vm.vmid));
  return found ? [{ code: "dropped", vm: vm.id, ...found }] : [];
}

export const SEND_EVIDENCE = [
  evidenceRule({ codes: ["dropped"], when: ({ vm }) => vm.ended === null, read: dropped }),
  evidenceRule({
    codes: ["refused-send", "unheard-ring", "swallowed", "merged-ring", "untaken"],
    when: sleepsOn,
    read(patient, verdict) {
      const { view, vm: { id } } = patient, links = linksOf(view, id), sent = links.filter(({ from }) => from.includes(id));
      // Its wait is in vain, or that of another VM that waits for it.
      const lost = isSick(verdict)
        ? [
          ...[...new Set(links.flatMap(({ from }) => from))].flatMap((vm) => refusedSend(patient, vm, links)),
          ...links.flatMap((link) => unheardRing(view, link)),
          ...links.flatMap((link) => swallowed(view, link)),
        ]
        : [];
      return [...lost, ...sent.flatMap((link) => untaken(patient, link))];
    },
  }),
];
