// Limits on the work that a driver can ask of each device. A ring has 256 chains, which may all
// name the same memory, so a queue's work is done in turns: a turn ends when its bytes are spent,
// and the rest continues a moment of the guest's time later (`serve` in device.ts).

import { KiB, MiB } from "../../kit/support/values/sizes.ts";

/** The limits of one queue, bytes. */
export interface QueueLimits {
  /** Limit of a chain; a longer one is the driver's fault. */
  readonly chain: number;
  /** Limit of a turn: bytes that the device moves or makes zero. */
  readonly turn: number;
}

export const P9_MESSAGE_MAX = 512 * KiB;
/** Any chain whose device needs far less. */
const CHAIN_MAX = 4 * MiB;
/** Header of a frame and the longest frame, which is still to be cut into segments. */
const FRAME_MAX = 12 + 14 + 40 + 65_535;
/** Header and payload of a packet; Linux makes none that are longer. */
const PACKET_MAX = 44 + 64 * KiB;

/** By device, and by the kind of queue if they differ. */
export const LIMITS = {
  /** Page numbers in, and statistics. */
  balloon: { chain: CHAIN_MAX, turn: 8 * MiB },
  /** The buffers are the reported pages themselves. */
  balloonReports: { chain: 256 * MiB, turn: 8 * MiB },
  /** Drivers that have not accepted the limits of segments make requests of any length. */
  block: { chain: Infinity, turn: 8 * MiB },
  console: { chain: CHAIN_MAX, turn: 64 * KiB },
  input: { chain: CHAIN_MAX, turn: 64 * KiB },
  /** Drivers of large frames without mergeable buffers offer 17 pages for each. */
  netReceive: { chain: CHAIN_MAX, turn: 2 * MiB },
  netSend: { chain: FRAME_MAX, turn: 2 * MiB },
  /** The turn limits the requests under way together, with the room for their answers. */
  p9: { chain: CHAIN_MAX, turn: 4 * MiB },
  rng: { chain: CHAIN_MAX, turn: 64 * KiB },
  vsockReceive: { chain: CHAIN_MAX, turn: 1 * MiB },
  vsockSend: { chain: PACKET_MAX, turn: 1 * MiB },
} as const satisfies Record<string, QueueLimits>;
