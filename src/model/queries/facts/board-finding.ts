// Mistakes of guests that do no harm here and may fail on a board, as facts: el2 serves a device in
// no time, and its caches are always coherent.

import { Facts } from "./fact.ts";

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
  } & QueueOf;

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
}, {
  "descriptor-reused": () => "take descriptors from the used ring, and use no others",
  "queue-uncached": () => "map it as Normal Write-Back memory",
});

/** Whether two findings are one: only the first place is told. */
export function isSame(one: BoardFinding, other: BoardFinding): boolean {
  return one.code === other.code && one.device === other.device && one.queue === other.queue;
}
