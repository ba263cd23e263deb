// The state of an interrupt's source, as data: how far a virtio device and its driver have come,
// the flags of a doorbell, the messages of a queue. Reading it does not change the machine.

import { Doorbell, type LevelSource, Msgqueue, VirqSource, VirtioMmio } from "../../../machine/hypervisor/inspect.ts";
import { isIdle, type SourceState } from "../../../model/queries/facts/source-state.ts";
import { vmId } from "../../../model/queries/ids.ts";
import { MsgqueueRight } from "../../../machine/abi/rights.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import { Vmid } from "../readers/guest-names.ts";
import { otherHolders } from "../readers/objects/read-caps.ts";
import type { View, VirtioSlot } from "../readers/inspected.ts";
import { memoryOf, servesNothing, stateNow } from "../readers/objects/device-state.ts";

/** Kept for one look: vCPUs that sleep share sources. */
const known = new WeakMap<View, { readonly isHostBusy: boolean; readonly slots: ReadonlyMap<string, readonly VirtioSlot[]> }>();

function lookOf(view: View) {
  let look = known.get(view);
  if (!look) {
    look = { isHostBusy: isHostBusy(view), slots: Map.groupBy(view.system.virtio, ({ vm }) => vm) };
    known.set(view, look);
  }
  return look;
}

/**
 * The state of the source of an interrupt; undefined if it is unknown, or about to change.
 * @param vm its name
 */
export function sourceStateOf(view: View, vm: string, intid: number, source: LevelSource): SourceState | undefined {
  const object = source instanceof VirqSource ? source.object : undefined;
  if (object instanceof Msgqueue) return messagesOf(view, vm, object, source);
  const slots = slotsOf(view, vm).filter((slot) => slot.intid === intid);
  if (slots.length === 0) return object instanceof Doorbell ? bellOf(view, object) : undefined;
  const states = slots.map((slot) => deviceState(view, slot, object instanceof VirtioMmio ? object : undefined));
  return states.find((state) => !state || !isIdle(state)) ?? states[0];
}

/** Virtio devices of a VM. */
export function slotsOf(view: View, vm: string): readonly VirtioSlot[] {
  return lookOf(view).slots.get(vm) ?? [];
}

/** Whether the host's own code, which serves devices of its VMs, is at work. */
function isHostBusy(view: View): boolean {
  return view.vcpus().some(({ native, addressSpace, gic }) =>
    native !== undefined && addressSpace?.vmid === Vmid.Primary && (native.hasWork() || gic.hasInterrupt)
  );
}

/** The state of a virtio device; undefined while the host may be about to serve it. */
export function deviceState(view: View, slot: VirtioSlot, object?: VirtioMmio): SourceState | undefined {
  return lookOf(view).isHostBusy || object?.isNotified ? undefined : stateNow(view, slot);
}

/** Whether no other VM can fill a queue. */
function isOnlySender(view: View, vm: string, queue: Msgqueue): boolean {
  return otherHolders(view, queue, MsgqueueRight.Send).every((one) => one === vmId(vm));
}

function bellOf(view: View, bell: Doorbell): SourceState {
  const isMasked = bell.enabled === 0n && !bell.virq.isEdge;
  const values = { bell: view.object(bell), flags: hex(bell.flags), wakes: hex(bell.enabled), sends: bell.sent };
  return { code: isMasked ? "doorbell-masked" : "doorbell", ...values };
}

function messagesOf(view: View, vm: string, queue: Msgqueue, source: LevelSource): SourceState {
  const isReceiver = source === queue.receiveVirq;
  const isTold = !isReceiver && queue.sendVirq.isEdge && queue.sendVirq.stillPending() && view.hypervisor.faults.delayed === 0;
  const hasRoom = isTold && isOnlySender(view, vm, queue);
  return {
    code: !hasRoom ? "messages" : queue.wantsRoom ? "queue-has-room" : "queue-unfilled",
    queue: view.object(queue),
    end: isReceiver ? "receiver" : "sender",
    count: queue.count,
    depth: queue.depth,
    wakes_at: isReceiver ? queue.notEmptyThreshold : queue.notFullThreshold,
    sends: queue.sent,
  };
}

/** Bytes of the flags of a ring, and of its flags and index. */
const RING_FLAGS = 2, RING_HEAD = 4;

/**
 * The defect of a device of a VM for which code waits that reads memory at an address.
 * @param size bytes that it reads
 */
export function polledState(view: View, vm: string, ipa: number, size: number): SourceState | undefined {
  for (const slot of slotsOf(view, vm)) {
    const found = polledQueue(view, slot, ipa, size) ?? polledBuffer(view, slot, ipa);
    if (found) return found;
  }
  return undefined;
}

/** The same of code that reads a queue. */
function polledQueue(view: View, slot: VirtioSlot, ipa: number, size: number): SourceState | undefined {
  const { queues = [] } = slot.device.transport ?? {}, queue = queues.findIndex((one) => one.holds(ipa) || one.heldBefore(ipa));
  if (queue < 0) return undefined;
  const found = queues[queue], place = { device: slot.id, queue, polled: hex(ipa) }, used = found.at("device");
  if (found.heldBefore(ipa)) return { code: "virtio-was-reset", ...place };
  const state = stateNow(view, slot), offset = ipa - found.at("driver");
  if (servesNothing(state)) return state;
  if (!found.ready) return undefined;
  if (offset >= 0 && offset < RING_HEAD) return { code: "virtio-rings-exchanged", ...place, used: hex(used) };
  if (ipa !== used || size > RING_FLAGS) return undefined;
  const { used: value } = found.condition(memoryOf(view, slot), false);
  return { code: "virtio-used-flags", ...place, index: hex(used + RING_FLAGS), value };
}

/** The same of code that reads a buffer, while the device has none. */
function polledBuffer(view: View, slot: VirtioSlot, ipa: number): SourceState | undefined {
  const { queues = [] } = slot.device.transport ?? {};
  if (stateNow(view, slot).code !== "virtio-idle") return undefined;
  const memory = memoryOf(view, slot);
  for (const [queue, one] of queues.entries()) {
    const found = one.unwritten(memory, ipa);
    if (found) return { code: "virtio-unwritten", device: slot.id, queue, polled: hex(ipa), ...found };
  }
  return undefined;
}
