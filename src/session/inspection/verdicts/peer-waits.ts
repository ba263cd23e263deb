// The other end of each wait: the VMs that have to act for one that waits, and what they have to
// do. It may wait for the interrupt of a queue or doorbell, a frame of a network, an answer about a
// memory parcel, a message or a flag that it polls, a store to memory that it polls.

import type { Vcpu } from "../../../machine/hypervisor/inspect.ts";
import type { Awaited, CodeRange } from "../../../model/queries/facts/verdict.ts";
import { ipaId, isOf } from "../../../model/queries/ids.ts";
import { WAITS } from "../../../model/queries/facts/wait.ts";
import type { View } from "../readers/inspected.ts";
import { writersOf } from "../readers/objects/read-memory.ts";
import { rangeOf } from "../readers/guest/code-range.ts";
import { endedSharers } from "../readers/objects/absent-peers.ts";
import { lockOf } from "./loop-evidence.ts";
import type { Prospects } from "./prospects.ts";
import { isAble, sendersOf, type Sleep, type Waker } from "./sleep.ts";
import { slotsOf } from "./source-states.ts";

/** The wait of a VM for another one. */
export interface PeerWait {
  readonly vm: string;
  readonly what: Awaited;
  /** Where its vCPU waits. */
  readonly at: CodeRange;
  /** The interrupt; undefined if it polls memory. */
  readonly waker: Waker | undefined;
}

export const isCard = (through: string) => isOf("dev", through);

/** The wait for a VM that has to act on a waker. */
export function awaited({ wait, through, until }: Waker, by: string): Awaited {
  return { irq: WAITS.text(wait), by, through, until: until ?? (isCard(through) ? "send a frame to" : null) };
}

/** The waits of a vCPU that sleeps, for VMs that are there or have ended. */
export function waitsOfSleep(view: View, { vm, wakers }: Sleep, vcpu: Vcpu): PeerWait[] {
  const at = rangeOf(view, vcpu, vcpu.registers.pc);
  return wakers.filter(isAble).flatMap((waker) =>
    [...waker.raisers ?? [], ...waker.gone].map((by) => ({ vm, what: awaited(waker, by), at, waker }))
  );
}

/** A loop waits for those that can write what it reads, or fill or empty what it polls. */
export function waitsOfLoop(view: View, prospects: Prospects, vcpu: Vcpu): PeerWait[] {
  const loop = prospects.loop(vcpu);
  if (!loop) return [];
  const vm = view.vmOf(vcpu.addressSpace), at = rangeOf(view, vcpu, loop.first, loop.last);
  const polled = prospects.polled(vcpu, loop).flatMap(({ object, until, raisers = [], gone }) =>
    [...raisers, ...gone].map((by) => ({ vm, what: { irq: "", by, through: view.object(object), until }, at, waker: undefined }))
  );
  const lock = lockOf(view, vcpu, loop);
  const stores = loop.inputs.flatMap((word) => {
    const { ipa } = view.system.symbols.core.questions.inspect(vcpu.registers, word.va);
    const name = view.vmNameOf(vcpu.addressSpace), through = ipaId(name, Number(ipa));
    const card = slotsOf(view, name).find(({ device }) => device.transport?.queues.some((queue) => queue.holds(ipa)));
    const senders = card && sendersOf(view, card)?.raisers;
    const awaits = senders
      ? { irq: "", through: card.id, until: "send a frame to" } as const
      : { irq: "", through, until: word === lock ? "release the lock at" : "write" } as const;
    const writers = senders ?? [...writersOf(view, word.pa).map((space) => view.vmOf(space)), ...endedSharers(view, vm, word)];
    return writers.map((by) => ({ vm, what: { ...awaits, by }, at, waker: undefined }));
  });
  return [...polled, ...stores];
}
