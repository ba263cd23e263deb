// The source of an interrupt for which a guest waits: how far the source and the guest have come,
// and who has to act next.

import { hex } from "../../../kit/support/text/number-text.ts";
import { Facts } from "./fact.ts";
import { removalOf } from "./injected.ts";

/** How far the driver of a virtio device has come. */
export type DriverProgress = "none" | "acknowledged" | "driver" | "features-ok" | "ready" | "failed" | "needs-reset";

/** A queue of a virtio device, in chains of descriptors. */
type ChainsOf = {
  /** `dev:x/blk0`. */
  readonly device: string;
  readonly queue: number;
  /** Made available, and not taken; taken, and not given back. */
  readonly available: number;
  readonly taken: number;
  /** Given back since the reset, modulo 2^16. */
  readonly used: number;
};

/** The flags of a doorbell. */
type FlagsOf = {
  readonly bell: string;
  readonly flags: string;
  /** Those that raise its interrupt. */
  readonly wakes: string;
  /** Since it was made. */
  readonly sends: number;
};

export type SourceState =
  // Virtio devices (virtio 1.2 sections 2.1 and 2.7).
  | { readonly code: "virtio-not-ready"; readonly device: string; readonly status: number }
  | { readonly code: "virtio-needs-reset"; readonly device: string; readonly status: number; readonly fault: string | null }
  | { readonly code: "virtio-out-of-order"; readonly device: string; readonly bug: string }
  | { readonly code: "virtio-queue-off"; readonly device: string; readonly queue: number }
  /** The driver is of version 1, whose registers a device of version 2 does not have. */
  | { readonly code: "virtio-legacy"; readonly device: string; readonly queue: number; readonly rings: string }
  /** Its driver polls the ring that it writes itself. */
  | {
    readonly code: "virtio-rings-exchanged";
    readonly device: string;
    readonly queue: number;
    readonly polled: string;
    readonly used: string;
  }
  /** Its driver polls the flags of the used ring, which say nothing of its index. */
  | {
    readonly code: "virtio-used-flags";
    readonly device: string;
    readonly queue: number;
    readonly polled: string;
    readonly index: string;
    /** As the device has set it. */
    readonly value: number;
  }
  /** Its driver polls a buffer of a chain that is back, where the device has written nothing. */
  | {
    readonly code: "virtio-unwritten";
    readonly device: string;
    readonly queue: number;
    readonly polled: string;
    readonly descriptor: number;
    /** Whether the device may write the buffer. */
    readonly writable: boolean;
    /** Bytes that it says to have written into the chain. */
    readonly written: number;
  }
  /** Its driver polls the used ring that the queue had before a reset. */
  | { readonly code: "virtio-was-reset"; readonly device: string; readonly queue: number; readonly polled: string }
  /** A write of its driver had another size than its registers. */
  | { readonly code: "virtio-ignored-write"; readonly device: string; readonly register: string | null } & {
    readonly offset: string;
    readonly size: number;
  }
  | { readonly code: "virtio-ring-unreadable"; readonly device: string; readonly queue: number }
  | { readonly code: "virtio-silent" } & ChainsOf
  | { readonly code: "virtio-not-notified" } & ChainsOf
  | { readonly code: "virtio-lost" } & ChainsOf
  | { readonly code: "virtio-no-room" } & ChainsOf
  | { readonly code: "virtio-idle"; readonly device: string }
  | { readonly code: "virtio-serves" } & ChainsOf
  | { readonly code: "virtio-listens" } & ChainsOf
  /** The device may get another target, of which its configuration tells the driver. */
  | { readonly code: "virtio-configured"; readonly device: string }
  | { readonly code: "doorbell" } & FlagsOf
  | { readonly code: "doorbell-masked" } & FlagsOf
  /**
   * The receiver is woken from `wakes_at` messages on, the sender as they fall to `wakes_at`: not
   * while there are fewer. `queue-has-room`: the last send was refused.
   */
  | {
    readonly code: "messages" | "queue-has-room" | "queue-unfilled";
    readonly queue: string;
    readonly end: "receiver" | "sender";
    readonly count: number;
    readonly depth: number;
    readonly wakes_at: number;
    /** Messages sent since it was made. */
    readonly sends: number;
  };

/** States in which nothing is under way, and only the guest that waits can start it. */
const IDLE: ReadonlySet<SourceState["code"]> = new Set<SourceState["code"]>([
  ...[
    "virtio-not-ready",
    "virtio-needs-reset",
    "virtio-out-of-order",
    "virtio-queue-off",
    "virtio-legacy",
    "virtio-rings-exchanged",
    "virtio-used-flags",
    "virtio-unwritten",
    "virtio-was-reset",
    "virtio-ignored-write",
    "virtio-ring-unreadable",
    "virtio-silent",
  ] as const,
  ...["virtio-not-notified", "virtio-lost", "virtio-no-room", "virtio-idle"] as const,
  ...["doorbell-masked", "queue-has-room", "queue-unfilled"] as const,
]);

/** Whether nothing comes from the source before the guest that waits does something. */
export function isIdle(state: SourceState): boolean {
  return IDLE.has(state.code);
}

/** Whether nothing is in the source, which somebody else may fill: a doorbell, a queue. */
export function isQuiet(state: SourceState): boolean {
  if (state.code === "doorbell") return (BigInt(state.flags) & BigInt(state.wakes)) === 0n;
  return state.code === "messages" && state.end === "receiver" && state.count === 0;
}

const chains = (count: number) => `${count} ${count === 1 ? "chain" : "chains"}`;
const queueOf = ({ device, queue }: { readonly device: string; readonly queue: number }) => `queue ${queue} of ${device}`;

export const SOURCE_STATES = new Facts<SourceState>({
  "virtio-not-ready": ({ device, status }) =>
    status === 0
      ? `no driver uses ${device} (Status 0x0)`
      : `the driver of ${device} is not ready: DRIVER_OK is not set (Status ${hex(status)})`,
  "virtio-needs-reset": ({ device, status, fault }) =>
    `${device} needs a reset (Status ${hex(status)})${fault === null ? "" : `: ${fault}`}`,
  "virtio-out-of-order": ({ device, bug }) => `${device} is out of order by a defect of el2, not of its driver: ${bug}`,
  "virtio-queue-off": (queue) => `${queueOf(queue)} is not ready (QueueReady 0)`,
  "virtio-legacy": ({ rings, ...queue }) =>
    `${
      queueOf(queue)
    } is not ready (QueueReady 0): its driver wrote QueuePFN (rings at ${rings}) of virtio-mmio version 1, and the device is of version 2`,
  "virtio-rings-exchanged": ({ polled, used, ...queue }) =>
    `${polled} is in what QueueDriver names, which the driver writes itself; the device writes the used ring of ${
      queueOf(queue)
    } at ${used} (QueueDevice)`,
  "virtio-used-flags": ({ polled, index, value, ...queue }) =>
    `${polled} is the flags of the used ring of ${queueOf(queue)}; its index is at ${index}, and the device has set it to ${value}`,
  "virtio-unwritten": ({ polled, descriptor, writable, written, ...queue }) =>
    `${polled} is in descriptor ${descriptor} of a chain that ${queueOf(queue)} has given back, ${
      writable ? `into which the device has written ${written} ${written === 1 ? "byte" : "bytes"}` : "which the device may only read"
    }`,
  "virtio-was-reset": ({ polled, ...queue }) =>
    `${polled} is in the used ring that ${queueOf(queue)} had until its driver reset the device (Status 0x0)`,
  "virtio-ignored-write": ({ device, register, offset, size }) =>
    `${device} has ignored a write of ${size} ${size === 1 ? "byte" : "bytes"} to ${
      register ?? "no register"
    } (${offset}): its registers take 4 bytes (virtio 4.2.2.2)`,
  "virtio-ring-unreadable": (queue) => `the available ring of ${queueOf(queue)} cannot be read`,
  "virtio-silent": (queue) =>
    `${queueOf(queue)} has given back ${
      chains(queue.used)
    }, and the driver asked for no interrupt (VIRTQ_AVAIL_F_NO_INTERRUPT or used_event)`,
  "virtio-not-notified": (queue) => `${chains(queue.available)} in ${queueOf(queue)} without a notification of the device`,
  "virtio-lost": (queue) => `${queueOf(queue)} has lost ${chains(queue.taken)} by a fault that was injected`,
  "virtio-no-room": (queue) => `${queueOf(queue)} has no chain for what comes from outside`,
  "virtio-idle": ({ device }) => `${device} has no request`,
  "virtio-serves": (queue) => `${queueOf(queue)} serves ${chains(queue.taken + queue.available)}`,
  "virtio-listens": (queue) => `${queueOf(queue)} has ${chains(queue.available + queue.taken)} for what comes from outside`,
  "virtio-configured": ({ device }) => `${device} has no request, and may get another target`,
  "doorbell-masked": ({ bell, flags, sends }) => `${bell} raises nothing: its enable mask is 0x0 (flags ${flags} after ${sends} sends)`,
  "doorbell": ({ bell, flags, wakes, sends }) =>
    `${bell} has flags ${flags} after ${sends} sends; flags that raise its interrupt: ${wakes}`,
  "messages": ({ queue, end, count, depth, wakes_at, sends }) =>
    `${queue} has ${count} of ${depth} messages (${sends} sent); its ${end} is woken ${
      end === "receiver" ? `from ${wakes_at} on` : `at ${wakes_at} and below`
    }`,
  "queue-has-room": ({ queue, count, depth, wakes_at, sends }) =>
    `${queue} has ${count} of ${depth} messages (${sends} sent), and has told its sender when they fell to ${wakes_at}`,
  "queue-unfilled": ({ queue, count, depth, wakes_at, sends }) =>
    `${queue} has ${count} of ${depth} messages (${sends} sent), and tells its sender when they fall to ${wakes_at}`,
}, {
  "virtio-not-ready": () => "set DRIVER_OK in Status when the queues are ready",
  "virtio-needs-reset": () => "fix the driver; then reset the device by Status 0, and set it up again",
  "virtio-out-of-order": () => "reset the device by Status 0, and set it up again; file the report that the session names",
  "virtio-queue-off": () => "write the addresses of the queue, and 1 to QueueReady",
  "virtio-legacy": () => "use a driver of virtio-mmio version 2: QueueDescLow to QueueDeviceHigh, then QueueReady",
  "virtio-rings-exchanged": () =>
    "write the available ring's address to QueueDriverLow and QueueDriverHigh, the used ring's to QueueDeviceLow",
  "virtio-used-flags": () => "poll the index of the used ring, 2 bytes behind its flags",
  "virtio-unwritten": ({ writable }) =>
    writable
      ? "give it a buffer with room, and read no more than the used ring's len"
      : "set VIRTQ_DESC_F_WRITE in descriptors that it fills",
  "virtio-was-reset": () => "set the device up again after the reset, or leave the reset out",
  "virtio-ignored-write": () => "write 32 bits at a time: the low half of an address, then the high half",
  "virtio-ring-unreadable": () => "write the address of the ring to QueueDriverLow and QueueDriverHigh",
  "virtio-silent": () => "clear the flag, or write the used index to used_event, and look at the used ring once more before the sleep",
  "virtio-not-notified": ({ queue }) => `write ${queue} to QueueNotify after the available index`,
  "virtio-lost": () => removalOf("all"),
  "virtio-no-room": ({ queue }) => `make buffers available in queue ${queue}, and notify it`,
  "doorbell-masked": () => "enable flags with gh_hypercall doorbell_mask before the sleep",
  "virtio-idle": () => "make a request before the sleep, or set a timer",
  "queue-has-room": () => "mask interrupts (PSTATE.I) before the send, and sleep only if it is refused",
});
