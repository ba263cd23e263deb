// Rings of waits: VMs that in the end wait for one another, whatever each of them waits for. One
// graph has the waits of all kinds, between VMs that nothing else can free.

import { FAULT_KINDS } from "../../../machine/abi/faults.ts";
import type { Evidence } from "../../../model/queries/facts/evidence.ts";
import { nameOf } from "../../../model/queries/ids.ts";
import type { View } from "../readers/inspected.ts";
import type { Prospects } from "./prospects.ts";
import { isCard, type PeerWait, waitsOfLoop, waitsOfSleep } from "./peer-waits.ts";
import { isAsleep, type SleepingVms } from "./sleep.ts";
import { type Verdict, verdictRule } from "./verdict.ts";
import { hint } from "../../../kit/support/text/hint.ts";

/** The state that the graph is made of. */
interface Graph extends Pick<SleepingVms, "stuck" | "endless"> {
  readonly view: View;
  readonly prospects: Prospects;
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
  const isInGraph = ({ what: { by } }: PeerWait) => by !== vm && (stuck.has(by) || endless.has(by)), sleep = stuck.get(vm);
  if (sleep) return waitsOfSleep(view, sleep, sleep.vcpus[0]).filter(isInGraph);
  return view.vcpus().filter((vcpu) => view.vmOf(vcpu.addressSpace) === vm)
    .flatMap((vcpu) => isAsleep(vcpu) ? waitsOfSleep(view, prospects.sleepOf(vcpu), vcpu) : waitsOfLoop(view, prospects, vcpu))
    .filter(isInGraph);
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
