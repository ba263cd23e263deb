// The interface of every virtio device to its transport (virtio 1.2 sections 2.1-2.5): an id,
// features, queues, configuration bytes, and the handler of queue notifications. A device's folder
// has the device, its metrics and its state.

import { type GuestMemory, VirtioFault } from "./memory.ts";
import type { QueueLimits } from "./limits.ts";
import type { Chain, DriverListener, QueueCondition, Virtqueue } from "./virtqueue.ts";

export { VirtioStatus } from "../devices/virtio-mmio-registers.ts";

/** Device ids (virtio 1.2 section 5). */
export const VirtioId = { Net: 1, Block: 2, Console: 3, Entropy: 4, Balloon: 5, P9: 9, Input: 18, Vsock: 19 } as const;

/** Feature bits of every device. */
export const Feature = { INDIRECT_DESC: 28, EVENT_IDX: 29, VERSION_1: 32 } as const;
/** Of devices whose memory accesses go through the platform: drivers then use its DMA pools. */
export const ACCESS_PLATFORM = 33;

/** The progress of a device and its driver beyond the Status register. */
export interface VirtioCondition {
  /** The rule that the driver has broken; undefined if none since the last reset. */
  readonly fault: string | undefined;
  /** The exception in el2 itself that has stopped the device since; undefined if none has. */
  readonly bug: string | undefined;
  readonly queues: readonly QueueCondition[];
}

/** A write that no register took, as its size is another, in bytes. */
export interface IgnoredWrite {
  readonly offset: number;
  readonly size: number;
}

/** The transport's services to its device. */
export interface VirtioPort {
  /** The Status register (virtio 1.2 section 2.1). */
  readonly status: number;
  /** The rule that the driver broke, or the exception in el2, after which it waits for a reset. */
  readonly broken: Pick<VirtioCondition, "fault" | "bug">;
  /** The first write of the driver since the reset that no register took. */
  readonly ignored: IgnoredWrite | undefined;
  /** @param memory where the rings are read, without an effect on the machine */
  condition(memory: GuestMemory): VirtioCondition;
  /** The queues, as many as the device asked for. */
  readonly queues: readonly Virtqueue[];
  /** Whether the driver has accepted a feature bit. */
  accepted(feature: number): boolean;
  /** Whether a driver uses the device: DRIVER_OK, and no reset is needed. */
  readonly running: boolean;
  /** Interrupts the driver if it wants notice of the chains pushed to the queue. */
  signal(queue: Virtqueue): void;
  /** The configuration bytes have changed. */
  configurationChanged(): void;
  /**
   * Decides whether a chain is served or replaced by an injected fault; undefined without rules.
   */
  readonly intercept: ChainInterceptor | undefined;
  /** Answers a chain with the device's error. */
  fail(queue: Virtqueue, chain: Chain): void;
  /**
   * Notifies the device of a queue a moment of the guest's time later, unless it is reset before;
   * until then, the driver's notifications of the queue do nothing. It is part of the saved state.
   */
  continueLater(queue: Virtqueue): void;
  /**
   * Runs work that was not started by the driver (input from outside): faults of the guest's rings
   * are the transport's to deal with.
   */
  perform(work: () => void): void;
}

/** The fate of a chain that is not simply served. */
export type ChainFate =
  /** The device answers with its error. */
  | { readonly kind: "error" }
  /** The driver never gets it back. */
  | { readonly kind: "lose" }
  /** It is served twice. */
  | { readonly kind: "double" }
  /** It is served when `later` calls what it is given. */
  | { readonly kind: "delay"; readonly later: (serve: () => void) => void }
  /** The device needs a reset from then on; `why` is for display. */
  | { readonly kind: "die"; readonly why: string };

/** Says what happens to a chain; undefined: it is served. */
export type ChainInterceptor = (queue: Virtqueue, chain: Chain) => ChainFate | undefined;

export interface VirtioDevice {
  readonly id: number;
  /** For display: `block`. */
  readonly name: string;
  readonly queueCount: number;
  /** Limits on the work of a queue (limits.ts). */
  limits(queue: number): QueueLimits;
  /** Numbers of the feature bits that it offers beyond those of every device. */
  readonly features: readonly number[];
  /** The configuration space as it is now. */
  configuration(): Uint8Array;
  /** A write into the configuration space. */
  configure?(offset: number, bytes: Uint8Array): void;
  /** Hears of its driver's use of its queues. */
  listener?: DriverListener | undefined;
  /** It has a transport; once, before anything else. */
  attach(port: VirtioPort): void;
  /** Undefined before there is one. */
  readonly transport: VirtioPort | undefined;
  /** Whether the driver's chains in a queue are buffers for input, and not requests. */
  takesInput(queue: number): boolean;
  /** The driver has made chains available in a queue. */
  notify(queue: number): void;
  /** The driver is ready (DRIVER_OK). */
  start?(): void;
  /**
   * The operation of a chain, for rules that name it: `read`; absent where a queue has one kind of
   * request.
   */
  operation?(queue: number, chain: Chain): string;
  /** Answers a chain with an error of the device; absent where it has none. */
  fail?(queue: number, chain: Chain): void;
  /** Back to the state after power-on. */
  reset(): void;
  /** Counters for display. */
  metrics(): Readonly<Record<string, number>>;
  /** Plain data beyond queues and transport. */
  save(): unknown;
  restore(state: unknown): void;
}

/** A device that knows its transport. */
export abstract class AttachedDevice {
  listener: DriverListener | undefined;
  #transport: VirtioPort | undefined;

  attach(port: VirtioPort): void {
    this.#transport = port;
  }

  get transport(): VirtioPort | undefined {
    return this.#transport;
  }

  takesInput(_queue: number): boolean {
    return false;
  }

  /** @throws Error if it has none */
  protected get port(): VirtioPort {
    if (this.#transport === undefined) throw new Error("a virtio device works before it has a transport");
    return this.#transport;
  }
}

/** Bytes that a chain costs a turn at least: its descriptors are walked. */
const CHAIN_COST = 64;

/** The rest of a turn of one queue. */
export class Turn {
  /** Whether the chain being served takes another turn. */
  continues = false;

  /** @param left bytes that the device may still move or make zero */
  constructor(public left: number) {}
}

/**
 * Takes chains from a queue and serves each, until the turn's bytes are spent. The rest follows in
 * later turns, also of a chain for which `one` sets `turn.continues`: it gets that chain again. A
 * turn is at most a queueful: a ring that the device itself fills must not keep it for ever.
 * @param one serves a chain: the bytes that it moves are spent; it subtracts other work itself
 */
export function serve(port: VirtioPort, queue: Virtqueue, one: (chain: Chain, turn: Turn) => void): void {
  const turn = new Turn(queue.limits.turn);
  for (let count = 0; count < queue.size && turn.left > 0; count++) {
    const begun = queue.takeCurrent();
    const chain = begun ?? queue.pop();
    if (!chain) return port.signal(queue);
    const bytes = chain.readable + chain.writable;
    const fate = begun ? undefined : port.intercept?.(queue, chain);
    if (fate) meet(port, queue, chain, fate, one);
    else {
      one(chain, turn);
      if (turn.continues) {
        queue.current = chain;
        break;
      }
      queue.push(chain);
    }
    turn.left -= Math.max(CHAIN_COST, bytes - chain.readable - chain.writable);
  }
  port.signal(queue);
  if (queue.current || queue.available > 0) port.continueLater(queue);
}

/** A chain meets its fate. */
function meet(port: VirtioPort, queue: Virtqueue, chain: Chain, fate: ChainFate, one: (chain: Chain, turn: Turn) => void): void {
  const whole = () => one(chain, new Turn(Infinity));
  switch (fate.kind) {
    case "lose":
      return queue.lose();
    case "error":
      port.fail(queue, chain);
      return queue.push(chain);
    case "double":
      whole();
      chain.rewind();
      whole();
      return queue.push(chain);
    case "delay":
      return fate.later(() => {
        whole();
        queue.push(chain);
        port.signal(queue);
      });
    case "die":
      throw new VirtioFault("2.1.2", fate.why, { head: chain.head });
  }
}
