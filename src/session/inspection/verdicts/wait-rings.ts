// Rings of waits: VMs that in the end wait for one another, whatever each of them waits for: the
// interrupt of a queue or doorbell, a frame of a network, an answer about a memory parcel, a store
// to memory that it polls. One graph has the edges of all kinds, between VMs that nothing else can
// free.

import { FAULT_KINDS } from "../../../machine/abi/faults.ts";
import type { Vcpu } from "../../../machine/hypervisor/inspect.ts";
import type { Awaited, CodeRange } from "../../../model/queries/facts/verdict.ts";
import type { Evidence } from "../../../model/queries/facts/evidence.ts";
import { ipaId, isOf, nameOf } from "../../../model/queries/ids.ts";
import { WAITS } from "../../../model/queries/facts/wait.ts";
import type { View } from "../readers/inspected.ts";
import { writersOf } from "../readers/objects/read-memory.ts";
import { rangeOf } from "../readers/guest/code-range.ts";
import type { Prospects } from "./prospects.ts";
import { isAble, isAsleep, sendersOf, type Sleep, type SleepingVms, type Waker } from "./sleep.ts";
import { slotsOf } from "./source-states.ts";
import { type Verdict, verdictRule } from "./verdict.ts";
import { hint } from "../../../kit/support/text/hint.ts";

/** The wait of a VM for another one. */
interface PeerWait {
  readonly vm: string;
  readonly what: Awaited;
  /** Where its vCPU waits. */
  readonly at: CodeRange;
  /** The interrupt; undefined if it polls memory. */
  readonly waker: Waker | undefined;
}

/** The state that the graph is made of. */
interface Graph extends Pick<SleepingVms, "stuck" | "endless"> {
  readonly view: View;
  readonly prospects: Prospects;
}

const isCard = (through: string) => isOf("dev", through);

/** The wait for a VM that has to act on a waker. */
export function awaited({ wait, through, until }: Waker, by: string): Awaited {
  return { irq: WAITS.text(wait), by, through, until: until ?? (isCard(through) ? "send a frame to" : null) };
}

/** A VM that waits for another one, and that in the end for one of them. */
function deadlocked(graph: Graph, vm: string): Verdict<"deadlock"> | undefined {
  const ring = ringOf(graph, vm, [], new Set());
  if (!ring) return undefined;
  const [{ waker, at }] = ring, steps = ring.map(({ vm, what, at }) => ({ vm, what, at }));
  return {
    fact: { code: "deadlock", steps },
    evidence: steps.flatMap((step, index): Evidence[] => {
      const { waker } = ring[index];
      return [{ code: "step", ...step }, ...waker ? [{ code: "wakeup" as const, wait: waker.wait, state: waker.state ?? null }] : []];
    }),
    next: !waker
      ? hint("disasm", `${nameOf(vm)}:${at.first}`)
      : waker.until
      ? hint("show", waker.through)
      : isCard(waker.through)
      ? hint("vm devices", nameOf(vm))
      : hint("queue ls", { filter: `vm=${nameOf(vm)}` }),
    vain: { operations: FAULT_KINDS },
  };
}

/**
 * The waits of a VM, each for the next one, that come back to one of them.
 * @param known VMs whose waits do not
 */
function ringOf(graph: Graph, vm: string, before: readonly PeerWait[], known: Set<string>): readonly PeerWait[] | undefined {
  if (before.some((one) => one.vm === vm)) return before;
  for (const wait of known.has(vm) ? [] : waitsOf(graph, vm)) {
    const ring = ringOf(graph, wait.what.by, [...before, wait], known);
    if (ring) return ring;
  }
  known.add(vm);
  return undefined;
}

/** The waits of a VM for others that are in the graph, too. */
function waitsOf({ view, stuck, endless, prospects }: Graph, vm: string): PeerWait[] {
  const isInGraph = (one: string) => one !== vm && (stuck.has(one) || endless.has(one)), sleep = stuck.get(vm);
  if (sleep) return waitsOfSleep(view, sleep, sleep.vcpus[0], isInGraph);
  return view.vcpus().filter((vcpu) => view.vmOf(vcpu.addressSpace) === vm).flatMap((vcpu) =>
    isAsleep(vcpu) ? waitsOfSleep(view, prospects.sleepOf(vcpu), vcpu, isInGraph) : waitsOfLoop(view, prospects, vcpu, isInGraph)
  );
}

function waitsOfSleep(view: View, { vm, wakers }: Sleep, vcpu: Vcpu, isInGraph: (vm: string) => boolean): PeerWait[] {
  const at = rangeOf(view, vcpu, vcpu.registers.pc);
  return wakers.filter(isAble).flatMap((waker) =>
    (waker.raisers ?? []).filter(isInGraph).map((by) => ({ vm, what: awaited(waker, by), at, waker }))
  );
}

/** A loop waits for those that can write what it reads, or fill or empty what it polls. */
function waitsOfLoop(view: View, prospects: Prospects, vcpu: Vcpu, isInGraph: (vm: string) => boolean): PeerWait[] {
  const loop = prospects.loop(vcpu);
  if (!loop) return [];
  const vm = view.vmOf(vcpu.addressSpace), at = rangeOf(view, vcpu, loop.first, loop.last);
  const polled = prospects.polled(vcpu, loop).flatMap(({ object, until, raisers = [] }) =>
    raisers.filter(isInGraph).map((by) => ({ vm, what: { irq: "", by, through: view.object(object), until }, at, waker: undefined }))
  );
  const stores = loop.inputs.flatMap(({ va, pa }) => {
    const { ipa } = view.system.symbols.core.questions.inspect(vcpu.registers, va);
    const name = view.vmNameOf(vcpu.addressSpace), through = ipaId(name, Number(ipa));
    const card = slotsOf(view, name).find(({ device }) => device.transport?.queues.some((queue) => queue.holds(ipa)));
    const senders = card && sendersOf(view, card)?.raisers;
    const awaits = senders
      ? { irq: "", through: card.id, until: "send a frame to" } as const
      : { irq: "", through, until: "write" } as const;
    return (senders ?? writersOf(view, pa).map((space) => view.vmOf(space))).filter(isInGraph)
      .map((by) => ({ vm, what: { ...awaits, by }, at, waker: undefined }));
  });
  return [...polled, ...stores];
}

export const RING_OF_SLEEPS = verdictRule({
  codes: ["deadlock"],
  of: "sleep",
  judge: ({ view, others }, { vm }) => deadlocked({ view, ...others }, vm),
});

export const RING_OF_LOOPS = verdictRule({
  codes: ["deadlock"],
  of: "vcpu",
  when: ({ vm, others }) => others.endless.has(vm.id),
  // Once for all its vCPUs.
  judge: ({ view, vm, online, others }, vcpu) => vcpu === online[0] ? deadlocked({ view, ...others }, vm.id) : undefined,
});
