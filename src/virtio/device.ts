// What every virtio device is to its transport (virtio 1.2 sections 2.1-2.5): an id, features, queues, configuration bytes, and what it does
// when the driver notifies a queue. A device's folder has the device, its metrics and its state.

import type { Virtqueue } from "./virtqueue.ts";

/** Device ids (virtio 1.2 section 5). */
export const VirtioId = { Net: 1, Block: 2, Console: 3, Entropy: 4, Balloon: 5, P9: 9, Input: 18, Vsock: 19 } as const;

/** Feature bits of every device. */
export const Feature = { INDIRECT_DESC: 28, EVENT_IDX: 29, VERSION_1: 32 } as const;

/** What the transport gives to its device. */
export interface VirtioPort {
  /** The queues, as many as the device asked for. */
  readonly queues: readonly Virtqueue[];
  /** Whether the driver has accepted a feature bit. */
  accepted(feature: number): boolean;
  /** Whether the driver is there: DRIVER_OK, and the device needs no reset. */
  readonly running: boolean;
  /** Interrupts the driver if it wants to know of what was pushed to the queue. */
  signal(queue: Virtqueue): void;
  /** The configuration bytes have changed. */
  configurationChanged(): void;
  /** Runs work that was not started by the driver (input from outside): faults of the guest's rings are the transport's to deal with. */
  perform(work: () => void): void;
}

/** A device model. */
export interface VirtioDevice {
  readonly id: number;
  /** For people: `block`. */
  readonly name: string;
  readonly queueCount: number;
  /** Numbers of the feature bits that it offers beyond those of every device. */
  readonly features: readonly number[];
  /** The configuration space as it is now. */
  configuration(): Uint8Array;
  /** A write into the configuration space. */
  configure?(offset: number, bytes: Uint8Array): void;
  /** It has a transport; once, before anything else. */
  attach(port: VirtioPort): void;
  /** The driver has made chains available in a queue. */
  notify(queue: number): void;
  /** The driver is ready (DRIVER_OK). */
  start?(): void;
  /** Back to the state after power-on. */
  reset(): void;
  /** Counters for people. */
  metrics(): Readonly<Record<string, number>>;
  /** Plain data beyond queues and transport. */
  save(): unknown;
  restore(state: unknown): void;
}

/** Takes chains from a queue and serves each, at most a queueful: a ring that the device itself fills again must not keep it for ever. */
export function serve(port: VirtioPort, queue: Virtqueue, one: (chain: NonNullable<ReturnType<Virtqueue["pop"]>>) => void): void {
  for (let count = 0; count < queue.size; count++) {
    const chain = queue.pop();
    if (!chain) break;
    one(chain);
    queue.push(chain);
  }
  port.signal(queue);
}
