// Virtio over MMIO, version 2 (virtio 1.2 section 4.2): the registers of one slot, and their
// device.

import { VirtioMmioRegister, VirtioStatus } from "../devices/virtio-mmio-registers.ts";
import { type ChainFate, type ChainInterceptor, Feature, type VirtioDevice, type VirtioPort } from "./device.ts";
import { type GuestMemory, VirtioFault } from "./memory.ts";
import { type Chain, QUEUE_SIZE_MAX, Virtqueue, type VirtqueueState } from "./virtqueue.ts";

const R = VirtioMmioRegister;
const MAGIC = 0x7472_6976;
const VERSION = 2;
/** `el2 ` as little-endian characters. */
const VENDOR = 0x2032_6c65;
const Interrupt = { USED: 1, CONFIG: 2 } as const;
const ALL_ONES = 0xffff_ffff;

/**
 * Slots without a device: they have the registers of version 2, and their device id says so (virtio
 * 1.2 section 4.2.2).
 */
export class EmptySlots {
  /** @param stride bytes of a slot */
  constructor(readonly stride: number) {}

  read(offset: number, size: number): bigint {
    if (size !== 4) return 0n;
    switch (offset % this.stride) {
      case R.MagicValue:
        return BigInt(MAGIC);
      case R.Version:
        return BigInt(VERSION);
      case R.VendorID:
        return BigInt(VENDOR);
      default:
        return 0n;
    }
  }

  write(): void {}
}

/** State of a slot: plain data. */
export interface MmioTransportState {
  readonly status: number;
  readonly interrupts: number;
  readonly generation: number;
  readonly selectors: readonly [deviceFeatures: number, driverFeatures: number, queue: number];
  readonly driverFeatures: readonly [number, number];
  readonly queues: readonly VirtqueueState[];
  readonly device: unknown;
}

/** A slot's requirements on its surroundings. */
export interface MmioTransportOptions {
  readonly memory: GuestMemory;
  /** The interrupt line changed. */
  readonly onInterrupt: (level: boolean) => void;
  /** The guest broke a rule; the device waits for its reset. */
  readonly onFault: (fault: VirtioFault) => void;
  /**
   * Does something a moment of the guest's time later; one thing at a time. While a device is
   * restored, it is what the device was waiting for when it was saved.
   */
  readonly later: (act: () => void) => void;
  /** Decides the fate of a chain when faults are injected, undefined otherwise. */
  readonly faults?: DeviceFaults;
}

/** Injected faults of a device. */
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

/**
 * One slot with its device. Registers are 32 bits; the configuration space takes 1, 2, 4 and 8
 * bytes.
 */
export class MmioTransport implements VirtioPort {
  readonly queues: readonly Virtqueue[];
  #status = 0;
  #interrupts = 0;
  #generation = 0;
  #deviceFeaturesSel = 0;
  #driverFeaturesSel = 0;
  #queueSel = 0;
  /** Number of resets by the driver: work begun before one is void. */
  #resets = 0;
  #waits = false;
  readonly #driverFeatures: [number, number] = [0, 0];
  readonly #deviceFeatures: readonly [number, number];

  constructor(readonly device: VirtioDevice, readonly options: MmioTransportOptions) {
    this.queues = Array.from({ length: device.queueCount }, () => new Virtqueue(options.memory));
    const features: [number, number] = [0, 0];
    for (const bit of [...device.features, ...Object.values(Feature)]) features[bit >> 5] |= 1 << (bit & 31);
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

  get running(): boolean {
    return (this.#status & (VirtioStatus.DRIVER_OK | VirtioStatus.NEEDS_RESET)) === VirtioStatus.DRIVER_OK;
  }

  /** The interrupt line. */
  get interrupt(): boolean {
    return this.#interrupts !== 0;
  }

  accepted(feature: number): boolean {
    return (this.#driverFeatures[feature >> 5] >>> (feature & 31) & 1) === 1;
  }

  signal(queue: Virtqueue): void {
    if (queue.takeSignal()) this.#raise(Interrupt.USED);
  }

  configurationChanged(): void {
    this.#generation = this.#generation + 1 >>> 0;
    if (this.#status & VirtioStatus.DRIVER_OK) this.#raise(Interrupt.CONFIG);
  }

  /** Whether the device waits for what it has put off. */
  get waits(): boolean {
    return this.#waits;
  }

  later(work: () => void): void {
    this.#waits = true;
    this.options.later(this.#unlessReset(() => {
      this.#waits = false;
      work();
    }));
  }

  perform(work: () => void): void {
    try {
      work();
    } catch (fault) {
      if (!(fault instanceof VirtioFault)) throw fault;
      this.#status |= VirtioStatus.NEEDS_RESET;
      this.options.onFault(fault);
      if (this.#status & VirtioStatus.DRIVER_OK) this.#raise(Interrupt.CONFIG);
    }
  }

  /** A load of `size` bytes. */
  read(offset: number, size: number): bigint {
    if (offset >= R.Config) return this.#readConfiguration(offset - R.Config, size);
    return size === 4 ? BigInt(this.#readRegister(offset) >>> 0) : 0n;
  }

  /** A store of `size` bytes. */
  write(offset: number, size: number, value: bigint): void {
    if (offset >= R.Config) this.#writeConfiguration(offset - R.Config, size, value);
    else if (size === 4) this.perform(() => this.#writeRegister(offset, Number(BigInt.asUintN(32, value))));
  }

  save(): MmioTransportState {
    return {
      status: this.#status,
      interrupts: this.#interrupts,
      generation: this.#generation,
      selectors: [this.#deviceFeaturesSel, this.#driverFeaturesSel, this.#queueSel],
      driverFeatures: [...this.#driverFeatures],
      queues: this.queues.map((queue) => queue.save()),
      device: this.device.save(),
    };
  }

  restore(state: MmioTransportState): void {
    this.#status = state.status;
    this.#interrupts = state.interrupts;
    this.#generation = state.generation;
    [this.#deviceFeaturesSel, this.#driverFeaturesSel, this.#queueSel] = state.selectors;
    [this.#driverFeatures[0], this.#driverFeatures[1]] = state.driverFeatures;
    this.queues.forEach((queue, index) => {
      queue.restore(state.queues[index]);
      queue.eventIndex = this.accepted(Feature.EVENT_IDX);
    });
    this.device.restore(state.device);
  }

  /** The same work, which is not done when the device was reset meanwhile. */
  #unlessReset(act: () => void): () => void {
    const resets = this.#resets;
    return () => {
      if (this.#resets === resets && this.running) this.perform(act);
    };
  }

  #readRegister(offset: number): number {
    const queue = this.queues[this.#queueSel];
    switch (offset) {
      case R.MagicValue:
        return MAGIC;
      case R.Version:
        return VERSION;
      case R.DeviceID:
        return this.device.id;
      case R.VendorID:
        return VENDOR;
      case R.DeviceFeatures:
        return this.#deviceFeatures[this.#deviceFeaturesSel] ?? 0;
      case R.QueueNumMax:
        return queue ? QUEUE_SIZE_MAX : 0;
      case R.QueueReady:
        return queue?.ready ? 1 : 0;
      case R.InterruptStatus:
        return this.#interrupts;
      case R.Status:
        return this.#status;
      case R.SHMLenLow:
      case R.SHMLenHigh:
      case R.SHMBaseLow:
      case R.SHMBaseHigh:
        // Shared memory regions are not implemented (section 4.2.2).
        return ALL_ONES;
      case R.ConfigGeneration:
        return this.#generation;
      default:
        return 0;
    }
  }

  #writeRegister(offset: number, value: number): void {
    const queue = this.queues[this.#queueSel];
    switch (offset) {
      case R.DeviceFeaturesSel:
        this.#deviceFeaturesSel = value;
        return;
      case R.DriverFeaturesSel:
        this.#driverFeaturesSel = value;
        return;
      case R.DriverFeatures:
        if (this.#driverFeaturesSel < 2 && !(this.#status & VirtioStatus.FEATURES_OK)) {
          this.#driverFeatures[this.#driverFeaturesSel] = value;
        }
        return;
      case R.QueueSel:
        this.#queueSel = value;
        return;
      case R.QueueNum:
        return queue?.resize(value);
      case R.QueueReady:
        return queue?.enable(value === 1);
      case R.QueueDescLow:
      case R.QueueDescHigh:
        return queue?.place("descriptors", offset === R.QueueDescHigh, value);
      case R.QueueDriverLow:
      case R.QueueDriverHigh:
        return queue?.place("driver", offset === R.QueueDriverHigh, value);
      case R.QueueDeviceLow:
      case R.QueueDeviceHigh:
        return queue?.place("device", offset === R.QueueDeviceHigh, value);
      case R.QueueNotify:
        if (this.running && this.queues[value]?.ready) this.device.notify(value);
        return;
      case R.InterruptACK:
        this.#interrupts &= ~value;
        if (this.#interrupts === 0) this.options.onInterrupt(false);
        return;
      case R.Status:
        return this.#writeStatus(value);
    }
  }

  #writeStatus(value: number): void {
    if (value === 0) return this.#reset();
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

  /** Only offered features, and VERSION_1, which our devices require (section 6.2). */
  #featuresFit(): boolean {
    const offered = this.#driverFeatures.every((word, index) => (word & ~this.#deviceFeatures[index]) === 0);
    return offered && this.accepted(Feature.VERSION_1);
  }

  #reset(): void {
    this.#resets++;
    this.#status = 0;
    this.#interrupts = 0;
    this.#deviceFeaturesSel = this.#driverFeaturesSel = this.#queueSel = 0;
    this.#waits = false;
    this.#driverFeatures.fill(0);
    for (const queue of this.queues) {
      queue.reset();
      queue.eventIndex = false;
    }
    this.device.reset();
    this.options.onInterrupt(false);
  }

  #raise(interrupt: number): void {
    this.#interrupts |= interrupt;
    this.options.onInterrupt(true);
  }

  #readConfiguration(offset: number, size: number): bigint {
    const bytes = this.device.configuration();
    let value = 0n;
    for (let i = size - 1; i >= 0; i--) value = value << 8n | BigInt(bytes[offset + i] ?? 0);
    return value;
  }

  #writeConfiguration(offset: number, size: number, value: bigint): void {
    const bytes = Uint8Array.from({ length: size }, (_, index) => Number(value >> BigInt(8 * index) & 0xffn));
    this.perform(() => this.device.configure?.(offset, bytes));
  }
}
