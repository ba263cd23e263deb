// The part of a virtio transport that every bus shares (virtio 1.2 sections 2 and 3.1): features,
// device status, queues, resets, and the device behind them. `mmio-transport.ts` and
// `pci-transport.ts` give it its registers.

import * as v from "valibot";
import { count, demand, inForm, list, ofBits } from "../../kit/support/values/forms.ts";
import { VirtioStatus } from "../devices/virtio-mmio-registers.ts";
import {
  ACCESS_PLATFORM,
  type ChainFate,
  type ChainInterceptor,
  Feature,
  type IgnoredWrite,
  type VirtioCondition,
  type VirtioDevice,
  type VirtioPort,
} from "./device.ts";
import { exceptionText } from "../../kit/support/problem.ts";
import { type GuestMemory, VirtioFault } from "./memory.ts";
import { type Chain, Virtqueue, type VirtqueueState } from "./virtqueue.ts";

/** Reasons for an interrupt: bits of InterruptStatus, and of the ISR status of PCI. */
const Interrupt = { USED: 1, CONFIG: 2 } as const;

/** State of a transport: plain data. */
export interface TransportState {
  readonly status: number;
  readonly interrupts: number;
  readonly generation: number;
  readonly selectors: readonly [deviceFeatures: number, driverFeatures: number, queue: number];
  readonly driverFeatures: readonly [number, number];
  readonly queues: readonly VirtqueueState[];
  readonly device: unknown;
  /** Queues whose work continues in the device's next turn, in this order. */
  readonly turns: readonly number[];
  /** The rule that the driver broke, if it did. */
  readonly fault?: string;
  /** The exception in el2 itself that has stopped the device, if one has. */
  readonly bug?: string;
  /** The first write that no register took, if there was one. */
  readonly ignored?: IgnoredWrite;
  /** Vectors of configuration and queues, where there is MSI-X. */
  readonly vectors?: readonly number[];
}

const TRANSPORT = v.object({
  status: ofBits(8),
  interrupts: ofBits(8),
  generation: ofBits(32),
  selectors: v.strictTuple([ofBits(32), ofBits(32), ofBits(32)]),
  driverFeatures: v.strictTuple([ofBits(32), ofBits(32)]),
  queues: v.array(v.unknown()),
  turns: list(count),
  fault: v.exactOptional(v.string()),
  bug: v.exactOptional(v.string()),
  ignored: v.exactOptional(v.strictObject({ offset: count, size: count })),
});

/** A transport's requirements on its surroundings. */
export interface TransportOptions {
  readonly memory: GuestMemory;
  readonly onInterrupt: (level: boolean) => void;
  /** The guest broke a rule; the device waits for its reset. */
  readonly onFault: (fault: VirtioFault) => void;
  /**
   * An exception in el2 itself in the device, which waits for its reset. Without it, the exception
   * is thrown.
   */
  readonly onBug?: (error: unknown) => void;
  /**
   * Does something a moment of the guest's time later; one thing at a time. While a device is
   * restored, it is what the device was waiting for when it was saved.
   */
  readonly later: (act: () => void) => void;
  /** Whether ACCESS_PLATFORM is offered. */
  readonly accessPlatform?: boolean;
  /** Stores a message: functions of PCI then have MSI-X. */
  readonly message?: (address: number, data: number) => void;
  /** Decides the fate of a chain when faults are injected, undefined otherwise. */
  readonly faults?: DeviceFaults;
}

export interface DeviceFaults {
  /** Whether there are any: what each chain pays. */
  readonly armed: boolean;
  /** The fate of a chain whose operation is `operation`. */
  fate(operation: string): InjectedFate | undefined;
  /** Calls `act` after a delay, virtual ns. */
  later(ns: number, act: () => void): void;
}

/** The fate that `DeviceFaults` decides for a chain. */
export type InjectedFate = Exclude<ChainFate, { kind: "delay" }> | { readonly kind: "delay"; readonly ns: number };

/** A device and its queues, as every transport has them. */
export abstract class VirtioTransport implements VirtioPort {
  readonly queues: readonly Virtqueue[];
  #status = 0;
  #interrupts = 0;
  #generation = 0;
  /** Which words of features, and which queue, the registers are about. */
  protected deviceFeaturesSel = 0;
  protected driverFeaturesSel = 0;
  protected queueSel = 0;
  /** Number of resets by the driver: work begun before one is void. */
  #resets = 0;
  /** Queues whose work continues in the next turn. */
  readonly #turns = new Set<number>();
  #fault: string | undefined;
  #bug: string | undefined;
  #ignored: IgnoredWrite | undefined;
  readonly #driverFeatures: [number, number] = [0, 0];
  readonly #deviceFeatures: readonly [number, number];

  constructor(readonly device: VirtioDevice, readonly options: TransportOptions) {
    this.queues = Array.from(
      { length: device.queueCount },
      (_, index) => new Virtqueue(options.memory, device.limits(index), { number: index, device }),
    );
    const features: [number, number] = [0, 0];
    const platform = options.accessPlatform ? [ACCESS_PLATFORM] : [];
    for (const bit of [...device.features, ...Object.values(Feature), ...platform]) features[bit >> 5] |= 1 << (bit & 31);
    this.#deviceFeatures = features;
    device.attach(this);
  }

  get intercept(): ChainInterceptor | undefined {
    const { faults } = this.options;
    if (!faults?.armed) return undefined;
    return (queue, chain) => {
      const index = this.queues.indexOf(queue);
      const fate = faults.fate(this.device.operation?.(index, chain) ?? `queue${index}`);
      return fate?.kind === "delay" ? { kind: "delay", later: (act) => faults.later(fate.ns, this.#unlessReset(act)) } : fate;
    };
  }

  fail(queue: Virtqueue, chain: Chain): void {
    this.device.fail?.(this.queues.indexOf(queue), chain);
  }

  get status(): number {
    return this.#status;
  }

  get broken(): Pick<VirtioCondition, "fault" | "bug"> {
    return { fault: this.#fault, bug: this.#bug };
  }

  get ignored(): IgnoredWrite | undefined {
    return this.#ignored;
  }

  protected ignore(write: IgnoredWrite): void {
    this.#ignored ??= write;
  }

  condition(memory: GuestMemory): VirtioCondition {
    return { ...this.broken, queues: this.queues.map((queue, index) => queue.condition(memory, this.#turns.has(index))) };
  }

  get running(): boolean {
    return (this.#status & (VirtioStatus.DRIVER_OK | VirtioStatus.NEEDS_RESET)) === VirtioStatus.DRIVER_OK;
  }

  get interrupt(): boolean {
    return this.#interrupts !== 0;
  }

  accepted(feature: number): boolean {
    return (this.#driverFeatures[feature >> 5] >>> (feature & 31) & 1) === 1;
  }

  signal(queue: Virtqueue): void {
    if (queue.takeSignal()) this.raise(Interrupt.USED, queue);
  }

  configurationChanged(): void {
    this.#generation = this.#generation + 1 >>> 0;
    if (this.#status & VirtioStatus.DRIVER_OK) this.raise(Interrupt.CONFIG);
  }

  /** Whether the device waits for its next turn. */
  get waits(): boolean {
    return this.#turns.size > 0;
  }

  continueLater(queue: Virtqueue): void {
    if (!this.waits) this.#awaitTurn();
    this.#turns.add(this.queues.indexOf(queue));
  }

  #awaitTurn(): void {
    this.options.later(this.#unlessReset(() => {
      const turns = [...this.#turns];
      this.#turns.clear();
      for (const index of turns) if (this.queues[index].ready) this.device.notify(index);
    }));
  }

  perform(work: () => void): void {
    try {
      work();
    } catch (error) {
      const { onBug, onFault } = this.options;
      if (!(error instanceof VirtioFault) && !onBug) throw error;
      this.#status |= VirtioStatus.NEEDS_RESET;
      if (error instanceof VirtioFault) {
        // Later failures may follow from it.
        this.#fault ??= error.message;
        onFault(error);
      } else {
        this.#bug = exceptionText(error);
        onBug?.(error);
      }
      if (this.#status & VirtioStatus.DRIVER_OK) this.raise(Interrupt.CONFIG);
    }
  }

  /** The device is as it was after power-on. */
  reset(): void {
    this.#resets++;
    this.#status = 0;
    this.#interrupts = 0;
    this.deviceFeaturesSel = this.driverFeaturesSel = this.queueSel = 0;
    this.#turns.clear();
    this.#fault = this.#bug = this.#ignored = undefined;
    this.#driverFeatures.fill(0);
    for (const queue of this.queues) {
      queue.reset();
      queue.eventIndex = false;
    }
    this.device.reset();
    this.options.onInterrupt(false);
  }

  /** The driver has made chains available in a queue. */
  notify(queue: number): void {
    this.perform(() => {
      if (this.running && this.queues[queue]?.ready && !this.#turns.has(queue)) this.device.notify(queue);
    });
  }

  save(): TransportState {
    return {
      status: this.#status,
      interrupts: this.#interrupts,
      generation: this.#generation,
      selectors: [this.deviceFeaturesSel, this.driverFeaturesSel, this.queueSel],
      driverFeatures: [...this.#driverFeatures],
      queues: this.queues.map((queue) => queue.save()),
      device: this.device.save(),
      turns: [...this.#turns],
      ...this.#fault !== undefined && { fault: this.#fault },
      ...this.#bug !== undefined && { bug: this.#bug },
      ...this.#ignored && { ignored: this.#ignored },
    };
  }

  /** @throws Error if the state is not one of this device's */
  restore(state: TransportState): void {
    const { queues, turns, fault, bug, ignored } = inForm(TRANSPORT, state);
    demand(turns.every((turn, index) => turn < queues.length && turns.indexOf(turn) === index), "turns", "each is a queue, once");
    demand(queues.length === this.queues.length, "queues", `this device has ${this.queues.length}`);
    this.#status = state.status;
    this.#interrupts = state.interrupts;
    this.#fault = fault;
    this.#bug = bug;
    this.#ignored = ignored;
    this.#generation = state.generation;
    [this.deviceFeaturesSel, this.driverFeaturesSel, this.queueSel] = state.selectors;
    [this.#driverFeatures[0], this.#driverFeatures[1]] = state.driverFeatures;
    demand(!(this.#status & VirtioStatus.FEATURES_OK) || this.#featuresFit(), "driverFeatures", "this device does not offer them");
    this.queues.forEach((queue, index) => {
      queue.restore(state.queues[index]);
      queue.eventIndex = this.accepted(Feature.EVENT_IDX);
    });
    this.device.restore(state.device);
    for (const turn of turns) this.#turns.add(turn);
    if (this.waits) this.#awaitTurn();
  }

  // ---- what the registers show and set ----

  /** The reasons for an interrupt that the driver has not acknowledged. */
  protected get interrupts(): number {
    return this.#interrupts;
  }

  protected get generation(): number {
    return this.#generation;
  }

  /** The queue that the registers are about. */
  protected get queue(): Virtqueue | undefined {
    return this.queues[this.queueSel];
  }

  /** The selected word of the features that are offered. */
  protected get offered(): number {
    return this.#deviceFeatures[this.deviceFeaturesSel] ?? 0;
  }

  /** The selected word of the features that the driver has accepted. */
  protected get taken(): number {
    return this.#driverFeatures[this.driverFeaturesSel] ?? 0;
  }

  protected take(features: number): void {
    if (this.driverFeaturesSel < 2 && !(this.#status & VirtioStatus.FEATURES_OK)) {
      this.#driverFeatures[this.driverFeaturesSel] = features;
    }
  }

  protected acknowledge(interrupts: number): void {
    this.#interrupts &= ~interrupts;
    if (this.#interrupts === 0) this.options.onInterrupt(false);
  }

  protected setStatus(value: number): void {
    if (value === 0) return this.reset();
    const before = this.#status;
    let status = value & 0xff | before & VirtioStatus.NEEDS_RESET;
    const fresh = status & ~before;
    if (fresh & VirtioStatus.FEATURES_OK && !this.#featuresFit()) status &= ~VirtioStatus.FEATURES_OK;
    this.#status = status;
    if (fresh & VirtioStatus.DRIVER_OK) {
      for (const queue of this.queues) queue.eventIndex = this.accepted(Feature.EVENT_IDX);
      this.device.start?.();
      // A driver may have filled queues before it was ready (section 3.1.1), when its notifications
      // had no effect.
      this.queues.forEach((queue, index) => {
        if (this.running && queue.available > 0) this.device.notify(index);
      });
    }
  }

  protected readConfiguration(offset: number, size: number): bigint {
    const bytes = this.device.configuration();
    let value = 0n;
    for (let i = size - 1; i >= 0; i--) value = value << 8n | BigInt(bytes[offset + i] ?? 0);
    return value;
  }

  protected writeConfiguration(offset: number, size: number, value: bigint): void {
    const bytes = Uint8Array.from({ length: size }, (_, index) => Number(value >> BigInt(8 * index) & 0xffn));
    this.perform(() => this.device.configure?.(offset, bytes));
  }

  /** The same work, which is not done when the device was reset meanwhile. */
  #unlessReset(act: () => void): () => void {
    const resets = this.#resets;
    return () => {
      if (this.#resets === resets && this.running) this.perform(act);
    };
  }

  /** Only offered features, and VERSION_1, which our devices require (section 6.2). */
  #featuresFit(): boolean {
    const offered = this.#driverFeatures.every((word, index) => (word & ~this.#deviceFeatures[index]) === 0);
    return offered && this.accepted(Feature.VERSION_1);
  }

  /** An interrupt for this reason, of a queue or of the configuration. */
  protected raise(interrupt: number, _queue?: Virtqueue): void {
    this.#interrupts |= interrupt;
    this.options.onInterrupt(true);
  }
}
