// A virtio device that does not answer: candidates for who has to act next, in the order in which
// they are asked; the first that holds is its state (virtio 1.2 sections 2.1, 2.6 and 2.7).

import { VirtioStatus } from "../../../../machine/virtio/device.ts";
import type { QueueCondition } from "../../../../machine/virtio/virtqueue.ts";
import type { OfCode } from "../../../../model/queries/facts/fact.ts";
import type { SourceState } from "../../../../model/queries/facts/source-state.ts";

/** A queue with its number, and whether its chains are room for what comes from outside. */
export type Queue = QueueCondition & { readonly queue: number; readonly input: boolean };

/** A device as its candidates see it. */
export interface SilentDevice {
  /** `dev:VM/rng0`. */
  readonly device: string;
  /** The Status register. */
  readonly status: number;
  /** Why it serves nothing before its driver resets it. */
  readonly defect: SourceState | undefined;
  /** It may get another target. */
  readonly hasTarget: boolean;
  readonly queues: readonly Queue[];
}

type Code = Extract<SourceState["code"], `virtio-${string}`>;

interface DeviceRule {
  readonly codes: readonly Code[];
  /** The question that tells it from the others. */
  readonly asks: string;
  readonly judge: (device: SilentDevice) => SourceState | undefined;
}

/** Declares a candidate: its states have its codes. */
const deviceRule = <const C extends Code>(
  rule: DeviceRule & { readonly codes: readonly C[]; readonly judge: (device: SilentDevice) => OfCode<SourceState, C> | undefined },
): DeviceRule => rule;

/** States that name the chains of a queue. */
type ChainCode = Extract<SourceState, { readonly code: Code; readonly used: number }>["code"];

/** A candidate that one of the queues shows. */
const ofQueue = (code: ChainCode, asks: string, test: (queue: Queue) => boolean): DeviceRule => ({
  codes: [code],
  asks,
  judge({ device, queues }) {
    const found = queues.find(test);
    if (!found) return undefined;
    const { queue, available = 0, taken, used } = found;
    return { code, device, queue, available, taken, used };
  },
});

export const DEVICE_RULES: readonly DeviceRule[] = [
  {
    codes: ["virtio-out-of-order", "virtio-needs-reset", "virtio-legacy"],
    asks: "has it stopped until its driver resets it?",
    judge: ({ defect }) => defect,
  },
  deviceRule({
    codes: ["virtio-not-ready"],
    asks: "has its driver set DRIVER_OK?",
    judge: ({ device, status }) => status & VirtioStatus.DRIVER_OK ? undefined : { code: "virtio-not-ready", device, status },
  }),
  ofQueue(
    "virtio-serves",
    "does it serve a request?",
    (queue) => !queue.input && queue.interrupts && (queue.continues || queue.taken > queue.lost),
  ),
  ofQueue(
    "virtio-listens",
    "has it room for what comes from outside?",
    (queue) => queue.input && queue.interrupts && (queue.available ?? 0) + queue.taken > queue.lost,
  ),
  deviceRule({
    codes: ["virtio-configured"],
    asks: "may it get another target?",
    judge: ({ device, hasTarget }) => hasTarget ? { code: "virtio-configured", device } : undefined,
  }),
  deviceRule({
    codes: ["virtio-ring-unreadable"],
    asks: "is there memory where its driver placed the ring?",
    judge({ device, queues }) {
      const unread = queues.find(({ ready, available }) => ready && available === undefined);
      return unread && { code: "virtio-ring-unreadable", device, queue: unread.queue };
    },
  }),
  ofQueue(
    "virtio-not-notified",
    "was it notified of the chains?",
    ({ ready, input, available = 0 }) => ready && !input && available > 0,
  ),
  ofQueue("virtio-lost", "has a fault taken chains?", ({ ready, lost }) => ready && lost > 0),
  ofQueue(
    "virtio-silent",
    "has its driver asked for an interrupt?",
    ({ ready, interrupts, available = 0, taken, used }) => ready && !interrupts && available + taken + used > 0,
  ),
  ofQueue(
    "virtio-no-room",
    "has its driver made room for what comes from outside?",
    ({ ready, input, available, taken }) => ready && input && available === 0 && taken === 0,
  ),
  deviceRule({
    codes: ["virtio-queue-off"],
    asks: "is the queue ready that it takes requests from?",
    judge({ device, queues }) {
      const off = queues.find(({ ready, queue, input }) => !ready && (input || queue === 0));
      return off && { code: "virtio-queue-off", device, queue: off.queue };
    },
  }),
  deviceRule({
    codes: ["virtio-idle"],
    asks: "has it a request at all?",
    judge: ({ device }) => ({ code: "virtio-idle", device }),
  }),
];

/** The state of a device: that of the first candidate that holds. */
export function stateOfDevice(device: SilentDevice): SourceState {
  for (const { judge } of DEVICE_RULES) {
    const found = judge(device);
    if (found) return found;
  }
  throw new Error(`no rule knows the state of ${device.device}`);
}
