// Mistakes of guests that do no harm here and may fail on a board, as facts: el2 serves a device in
// no time, and its caches are always coherent.

import { Facts } from "./fact.ts";
import { type CodeRange, rangeText } from "./verdict.ts";

/** Parts of a queue's memory; `buffer`: of a chain in it. */
export const QUEUE_PARTS = ["descriptors", "driver", "device", "buffer"] as const;
export type QueuePart = typeof QUEUE_PARTS[number];

type QueueOf = {
  /** `dev:x/blk0`. */
  readonly device: string;
  readonly queue: number;
};

/** The kind of memory, by MAIR_EL1. */
export type UncachedKind = "Normal Non-cacheable" | "Device";

export type BoardFinding =
  /** A chain has a descriptor that the device has not given back. */
  | { readonly code: "descriptor-reused"; readonly descriptor: number } & QueueOf
  /** A vCPU accesses memory of a queue past the caches, which the device's side uses. */
  | {
    readonly code: "queue-uncached";
    readonly part: QueuePart;
    readonly vcpu: string;
    /** By which the vCPU accesses it. */
    readonly address: string;
    readonly ipa: string;
    readonly memory: UncachedKind;
  } & QueueOf
  /** No barrier is between the store of the available index and that to the device. */
  | { readonly code: "notification-unordered"; readonly vcpu: string; readonly at: CodeRange; readonly store: CodeRange } & QueueOf;

const PART_WORDS: { readonly [P in QueuePart]: string } = {
  descriptors: "descriptor table",
  driver: "available ring",
  device: "used ring",
  buffer: "first buffer of a chain",
};

const queueOf = ({ device, queue }: QueueOf) => `queue ${queue} of ${device}`;

export const BOARD_FINDINGS = new Facts<BoardFinding>({
  "descriptor-reused": ({ descriptor, ...queue }) =>
    `descriptor ${descriptor} of ${queueOf(queue)} is made available again, and the device has not given it back (virtio 2.7.14)`,
  "queue-uncached": ({ part, vcpu, address, ipa, memory, ...queue }) =>
    `${vcpu} maps the ${PART_WORDS[part]} in ${
      queueOf(queue)
    } (${ipa}) at ${address} as ${memory} memory: the device's side accesses it through caches, and each may miss what the other writes`,
  "notification-unordered": ({ vcpu, at, store, ...queue }) =>
    `${vcpu} stores the available index of ${queueOf(queue)} at ${rangeText(store)}, and notifies the device at ${
      rangeText(at)
    } without a barrier between the two: the device may look before the index is there (virtio 2.7.13.4)`,
}, {
  "descriptor-reused": () => "take descriptors from the used ring, and use no others",
  "notification-unordered": () => "put DMB OSHST between the two",
  "queue-uncached": () => "map it as Normal Write-Back memory",
});

/** Whether two findings are one: only the first place is told. */
export function isSame(one: BoardFinding, other: BoardFinding): boolean {
  return one.code === other.code && one.device === other.device && one.queue === other.queue;
}
