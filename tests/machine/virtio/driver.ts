// A virtio driver in TypeScript over a megabyte of memory, for tests of the devices: it drives a
// slot's registers as a guest would.

import assert from "node:assert/strict";
import type { VirtioDevice } from "../../../src/machine/virtio/device.ts";
import type { GuestMemory, VirtioFault } from "../../../src/machine/virtio/memory.ts";
import { VirtioMmioRegister as R, VirtioStatus } from "../../../src/machine/devices/virtio-mmio-registers.ts";
import { MmioTransport } from "../../../src/machine/virtio/mmio-transport.ts";
import type { DeviceFaults } from "../../../src/machine/virtio/transport.ts";

const QUEUE_STRIDE = 0x4000;
const BUFFERS = 0x8_0000;
export const MEMORY_BASE = 0x4000_0000;
const MEMORY_SIZE = 0x10_0000;
/** Entries of each queue. */
export const QUEUE_SIZE = 16;

/** Memory of a guest; pages can be taken away, as if they were lent. */
export class TestMemory implements GuestMemory {
  readonly bytes = new Uint8Array(MEMORY_SIZE);
  /** Numbers of pages that the device's side may not touch. */
  readonly lent = new Set<number>();

  read(address: number, into: Uint8Array): boolean {
    const offset = address - MEMORY_BASE;
    if (!this.#allowed(offset, into.length)) return false;
    into.set(this.bytes.subarray(offset, offset + into.length));
    return true;
  }

  write(address: number, from: Uint8Array): boolean {
    const offset = address - MEMORY_BASE;
    if (!this.#allowed(offset, from.length)) return false;
    this.bytes.set(from, offset);
    return true;
  }

  #allowed(offset: number, size: number): boolean {
    if (!(offset >= 0 && offset + size <= MEMORY_SIZE)) return false;
    for (let page = offset >> 12; page <= (offset + size - 1) >> 12; page++) if (this.lent.has(page)) return false;
    return true;
  }
}

/** One buffer of a chain. */
export type Buffer = { readonly out: Uint8Array } | { readonly in: number };

/** A slot with its driver. */
export class TestDriver {
  readonly memory = new TestMemory();
  readonly view = new DataView(this.memory.bytes.buffer);
  readonly transport: MmioTransport;
  readonly faults: VirtioFault[] = [];
  /** Deferred work of the device. */
  readonly later: (() => void)[] = [];
  interrupts = 0;
  level = false;
  readonly #next: number[] = [];
  readonly #used: number[] = [];

  constructor(readonly device: VirtioDevice, wanted?: DeviceFaults) {
    this.transport = new MmioTransport(device, {
      memory: this.memory,
      faults: wanted,
      later: (act) => this.later.push(act),
      onInterrupt: (level) => {
        if (level && !this.level) this.interrupts++;
        this.level = level;
      },
      onFault: (fault) => this.faults.push(fault),
    });
  }

  /**
   * Takes over from another driver: its memory, and its positions in the rings. The device's state
   * is the caller's to restore.
   */
  adopt(other: TestDriver): void {
    this.memory.bytes.set(other.memory.bytes);
    this.#next.splice(0, Infinity, ...other.#next);
    this.#used.splice(0, Infinity, ...other.#used);
  }

  get(register: number): number {
    return Number(this.transport.read(register, 4));
  }

  set(register: number, value: number): void {
    this.transport.write(register, 4, BigInt(value >>> 0));
  }

  /** Brings the device up as section 3.1.1 says, with the features that `accept` lets pass. */
  initialize(accept: (bit: number) => boolean = (bit) => bit !== 29): void {
    assert.equal(this.get(R.MagicValue), 0x74726976);
    assert.equal(this.get(R.Version), 2);
    assert.equal(this.get(R.DeviceID), this.device.id);
    this.set(R.Status, 0);
    this.set(R.Status, VirtioStatus.ACKNOWLEDGE | VirtioStatus.DRIVER);
    for (const word of [0, 1]) {
      this.set(R.DeviceFeaturesSel, word);
      let features = this.get(R.DeviceFeatures);
      for (let bit = 0; bit < 32; bit++) if (!accept(32 * word + bit)) features &= ~(1 << bit);
      this.set(R.DriverFeaturesSel, word);
      this.set(R.DriverFeatures, features);
    }
    this.set(R.Status, VirtioStatus.ACKNOWLEDGE | VirtioStatus.DRIVER | VirtioStatus.FEATURES_OK);
    assert.ok(this.get(R.Status) & VirtioStatus.FEATURES_OK);
    for (let queue = 0; queue < this.device.queueCount; queue++) this.#setUp(queue);
    this.set(R.Status, this.get(R.Status) | VirtioStatus.DRIVER_OK);
  }

  /** Makes a chain available and notifies; gives the addresses of its buffers. */
  offer(queue: number, buffers: readonly Buffer[], notify = true): number[] {
    const base = this.#base(queue);
    const first = this.#next[queue] % QUEUE_SIZE;
    const addresses = buffers.map((buffer, index) => {
      const last = index === buffers.length - 1;
      const descriptor = (first + index) % QUEUE_SIZE;
      const address = BUFFERS + queue * 0x8000 + descriptor * 0x800;
      if ("out" in buffer) this.memory.bytes.set(buffer.out, address);
      const length = "out" in buffer ? buffer.out.length : buffer.in;
      assert.ok(length <= 0x800);
      this.descriptor(
        queue,
        descriptor,
        MEMORY_BASE + address,
        length,
        ("in" in buffer ? 2 : 0) | (last ? 0 : 1),
        (descriptor + 1) % QUEUE_SIZE,
      );
      return address;
    });
    this.#next[queue] += buffers.length;
    const avail = base + 0x1000;
    const index = this.view.getUint16(avail + 2, true);
    this.view.setUint16(avail + 4 + 2 * (index % QUEUE_SIZE), first, true);
    this.view.setUint16(avail + 2, index + 1, true);
    if (notify) this.set(R.QueueNotify, queue);
    return addresses;
  }

  /** Writes a descriptor. */
  descriptor(queue: number, index: number, address: number, length: number, flags: number, next: number): void {
    const at = this.#base(queue) + 16 * index;
    this.view.setBigUint64(at, BigInt(address), true);
    this.view.setUint32(at + 8, length, true);
    this.view.setUint16(at + 12, flags, true);
    this.view.setUint16(at + 14, next, true);
  }

  /** Lengths of the chains that came back since the last call. */
  used(queue: number): number[] {
    const ring = this.#base(queue) + 0x2000;
    const lengths: number[] = [];
    for (; this.#used[queue] !== this.view.getUint16(ring + 2, true); this.#used[queue] = this.#used[queue] + 1 & 0xffff) {
      lengths.push(this.view.getUint32(ring + 8 + 8 * (this.#used[queue] % QUEUE_SIZE), true));
    }
    return lengths;
  }

  /** Offers a request of queue 0, and gives what the device wrote into its `in` buffers. */
  request(buffers: readonly Buffer[], queue = 0): Uint8Array {
    const addresses = this.offer(queue, buffers);
    const [length] = this.used(queue);
    assert.notEqual(length, undefined, "the request came back");
    const parts = buffers.flatMap((buffer, index) =>
      "in" in buffer ? [...this.memory.bytes.subarray(addresses[index], addresses[index] + buffer.in)] : []
    );
    return Uint8Array.from(parts.slice(0, length));
  }

  acknowledge(): void {
    this.set(R.InterruptACK, this.get(R.InterruptStatus));
  }

  #setUp(queue: number): void {
    const base = MEMORY_BASE + this.#base(queue);
    this.memory.bytes.fill(0, this.#base(queue), this.#base(queue) + QUEUE_STRIDE);
    this.#next[queue] = this.#used[queue] = 0;
    this.set(R.QueueSel, queue);
    assert.ok(this.get(R.QueueNumMax) >= QUEUE_SIZE);
    this.set(R.QueueNum, QUEUE_SIZE);
    this.set(R.QueueDescLow, base);
    this.set(R.QueueDriverLow, base + 0x1000);
    this.set(R.QueueDeviceLow, base + 0x2000);
    this.set(R.QueueReady, 1);
    assert.equal(this.get(R.QueueReady), 1);
  }

  #base(queue: number): number {
    return queue * QUEUE_STRIDE;
  }
}
