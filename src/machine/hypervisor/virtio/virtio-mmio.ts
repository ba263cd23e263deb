// virtio-mmio: a page of registers between a frontend, which reads it as memory and whose writes
// trap, and a backend, which fills it by plain stores and hypercalls (docs/spec/hypervisor.md
// §7.1). The hypercalls are in virtio-mmio-calls.ts.

import { ErrorCode } from "../../abi/errors.ts";
import type { Pa } from "../../abi/numbers.ts";
import { Access, ExtentType } from "../../abi/words.ts";
import { VirtioMmioRegister, VirtioStatus } from "../../devices/virtio-mmio-registers.ts";
import type { ObjectArchive } from "../archive/archive.ts";
import { type Heap, HypervisorObject } from "../capabilities/object.ts";
import { VirqSource } from "../gic/vic-source.ts";
import type { MemoryServices } from "../memory/addrspace.ts";
import type { Memextent } from "../memory/memextent.ts";
import { VirtioInput } from "./virtio-input.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

declare module "../capabilities/object-types.ts" {
  interface ObjectTypes {
    virtio_mmio: VirtioMmio;
  }
}

/** Requirements of virtio-mmio devices on the hypervisor. */
export interface VirtioServices extends MemoryServices {
  /** Active devices by the physical address of their page. */
  readonly virtioPages: Map<number, VirtioMmio>;
}

/** Why the backend is notified. */
const NotifyReason = { NewBuffer: 1n << 0n, ResetRequest: 1n << 1n, DriverOk: 1n << 3n, Failed: 1n << 4n } as const;

/** Queues that a device can have. */
const MAXIMUM_QUEUES = 16;
/**
 * Features come in banks of 32. Bank 1 must offer VERSION_1 and ACCESS_PLATFORM and must not offer
 * NOTIFICATION_DATA.
 */
const FEATURE_BANKS = 2;
const BANK_1_REQUIRED = 0x03;
const BANK_1_FORBIDDEN = 0x40;
/** configure's flags: `device_type` is valid; and the one type that is known. */
const FLAG_DEVICE_TYPE = 1n << 6n;
const DEVICE_TYPE_INPUT = 18;

/** The frontend's settings of a queue. Addresses are in its address space. */
interface VirtioQueue {
  numMax: number;
  num: number;
  ready: number;
  desc: bigint;
  driver: bigint;
  device: bigint;
}

const newQueue = (): VirtioQueue => ({ numMax: 0, num: 0, ready: 0, desc: 0n, driver: 0n, device: 0n });

/** `address` with its low or high half replaced. */
function withHalf(address: bigint, high: boolean, value: number): bigint {
  const half = BigInt(value >>> 0);
  return high ? address & 0xffff_ffffn | half << 32n : address & ~0xffff_ffffn | half;
}

/** A virtio-mmio device. */
export class VirtioMmio extends HypervisorObject {
  static readonly SIZE = 2048;
  declare readonly services: VirtioServices;
  readonly type = "virtio_mmio";
  #extent: Memextent | undefined;
  #queues: VirtioQueue[] = [];
  #queueSel = 0;
  readonly #deviceFeatures = [0, 0];
  readonly #driverFeatures = [0, 0];
  #driverFeaturesSel = 0;
  #notifiedQueues = 0n;
  #reason = 0n;
  #input: VirtioInput | undefined;
  /** Asserted by the backend, for the frontend. */
  readonly backendVirq = new VirqSource(this, "interrupt status", () => this.#load(VirtioMmioRegister.InterruptStatus) !== 0);
  /** Asserted by the frontend's writes, for the backend. */
  readonly frontendVirq = new VirqSource(this, "notification", () => this.#reason !== 0n);

  constructor(services: VirtioServices, partition: Heap) {
    super(services, partition, VirtioMmio.SIZE);
  }

  /** The data of an input device, whose config space the hypervisor answers. */
  get input(): VirtioInput | undefined {
    return this.#input;
  }

  /** The Status register. */
  get status(): number {
    return this.#load(VirtioMmioRegister.Status);
  }

  /** Whether the frontend has done something that the backend has not taken. */
  get isNotified(): boolean {
    return this.#reason !== 0n;
  }

  /** Sets page, number of queues and device type, while in state INIT. */
  configure(extent: Memextent, queues: number, flags: bigint, deviceType: number): ErrorCode {
    const values = { extent: extent.name, queues, flags, deviceType };
    const invalid = (rule: string) => this.refuse(ErrorCode.ARGUMENT_INVALID, rule, values);
    if (extent.kind !== ExtentType.Basic || extent.extentSize !== PAGE_SIZE) return invalid("the page is a BASIC extent of 4096 bytes");
    if (queues > MAXIMUM_QUEUES) return invalid("at most 16 queues");
    const isInput = (flags & FLAG_DEVICE_TYPE) !== 0n;
    if (isInput && deviceType !== DEVICE_TYPE_INPUT) return invalid("input devices are the only type that is known");
    extent.attach();
    this.#extent?.detach();
    this.#extent = extent;
    this.#queues = Array.from({ length: queues }, newQueue);
    this.#input = isInput ? new VirtioInput() : undefined;
    return ErrorCode.OK;
  }

  /** A queue by number; undefined for an unknown number. */
  queue(index: number): VirtioQueue | undefined {
    return this.#queues[index];
  }

  /** Features that the backend offers in a bank, from the frontend's next selection of it on. */
  setDeviceFeatures(bank: number, features: number): ErrorCode {
    if (bank >= FEATURE_BANKS) return this.refuse(ErrorCode.ARGUMENT_INVALID, "there are two banks of features", { bank });
    if (bank === 1 && ((features & BANK_1_REQUIRED) !== BANK_1_REQUIRED || features & BANK_1_FORBIDDEN)) {
      return this.refuse(ErrorCode.DENIED, "VERSION_1 and ACCESS_PLATFORM are offered, NOTIFICATION_DATA is not", { features });
    }
    this.#deviceFeatures[bank] = features;
    return ErrorCode.OK;
  }

  /** Features that the frontend has accepted; undefined for an unknown bank. */
  driverFeatures(bank: number): number | undefined {
    return this.#driverFeatures[bank];
  }

  /** Raises the frontend's interrupt with these bits of InterruptStatus. */
  interrupt(status: number): ErrorCode {
    if (this.#load(VirtioMmioRegister.Status) & VirtioStatus.NEEDS_RESET) {
      return this.refuse(ErrorCode.DENIED, "a reset is under way", { status });
    }
    this.#store(VirtioMmioRegister.InterruptStatus, this.#load(VirtioMmioRegister.InterruptStatus) | status);
    this.backendVirq.assertLevel();
    return ErrorCode.OK;
  }

  /** The frontend's activity since the last call: queues it notified, and reasons. */
  takeNotification(): { readonly queues: bigint; readonly reason: bigint } {
    const taken = { queues: this.#notifiedQueues, reason: this.#reason };
    this.#notifiedQueues = 0n;
    this.#reason = 0n;
    return taken;
  }

  /** The backend has reset the device. */
  acknowledgeReset(): void {
    this.#store(VirtioMmioRegister.Status, 0);
  }

  /** Adds bits to Status. */
  updateStatus(bits: number): void {
    this.#store(VirtioMmioRegister.Status, this.#load(VirtioMmioRegister.Status) | bits);
  }

  /**
   * A store of the frontend to the page.
   * @param size bytes; whole words anywhere, single bytes in the config space
   * @returns false for an external abort
   */
  write(offset: number, size: number, value: number): boolean {
    if (offset >= VirtioMmioRegister.Config) return this.#writeConfig(offset, size, value);
    if (size !== 4 || offset % 4 !== 0) return false;
    return this.#writeRegister(offset, value >>> 0);
  }

  override held(): HypervisorObject[] {
    return this.#extent ? [...super.held(), this.#extent] : super.held();
  }

  virqSources(): VirqSource[] {
    return [this.backendVirq, this.frontendVirq];
  }

  protected archiveFields(archive: ObjectArchive): void {
    const word = (name: string, value: number | undefined) => archive.integer(name, value, 0, 0xffff_ffff);
    this.#extent = archive.objectOrNone("extent", this.#extent, "memextent");
    this.#queues = archive.list("queues", this.#queues, (queue) => ({
      numMax: word("numMax", queue?.numMax),
      num: word("num", queue?.num),
      ready: word("ready", queue?.ready),
      desc: archive.word("desc", queue?.desc),
      driver: archive.word("driver", queue?.driver),
      device: archive.word("device", queue?.device),
    }), MAXIMUM_QUEUES);
    this.#queueSel = archive.integer("queueSel", this.#queueSel, 0, Math.max(0, this.#queues.length - 1));
    for (let bank = 0; bank < FEATURE_BANKS; bank++) {
      this.#deviceFeatures[bank] = word(`deviceFeatures${bank}`, this.#deviceFeatures[bank]);
      this.#driverFeatures[bank] = word(`driverFeatures${bank}`, this.#driverFeatures[bank]);
    }
    this.#driverFeaturesSel = archive.integer("driverFeaturesSel", this.#driverFeaturesSel, 0, FEATURE_BANKS - 1);
    this.#notifiedQueues = archive.word("notifiedQueues", this.#notifiedQueues);
    this.#reason = archive.word("reason", this.#reason);
    this.#input = archive.maybe("input", this.#input, (input) => {
      const result = input ?? new VirtioInput();
      result.archive(archive);
      return result;
    });
    this.backendVirq.archive("backendVirq", archive);
    this.frontendVirq.archive("frontendVirq", archive);
    archive.later(() => {
      if (this.state !== "active") return;
      const { virtioPages, machine } = this.services, base = this.#extent?.base;
      const free = base !== undefined && !virtioPages.has(base) && machine.ram.contains(base, PAGE_SIZE);
      if (!free) return archive.fail("a device has a page of RAM");
      virtioPages.set(base, this);
    });
  }

  protected onActivate(): ErrorCode {
    const extent = this.#extent;
    if (!extent) return this.refuse(ErrorCode.OBJECT_CONFIG, "a device is configured before it is activated");
    const { virtioPages, machine } = this.services;
    if (virtioPages.has(extent.base)) return this.refuse(ErrorCode.BUSY, "the page is another device's", { extent: extent.name });
    const writable = (extent.access & Access.RW) === Access.RW && machine.ram.contains(extent.base, PAGE_SIZE);
    if (!writable || extent.partition !== this.partition) {
      return this.refuse(ErrorCode.DENIED, "the page is readable and writable RAM of the device's partition", { extent: extent.name });
    }
    virtioPages.set(extent.base, this);
    return ErrorCode.OK;
  }

  protected onDestroy(wasActive: boolean): void {
    if (wasActive) this.services.virtioPages.delete(this.#page());
    this.#extent?.detach();
    this.backendVirq.unbind();
    this.frontendVirq.unbind();
  }

  #writeRegister(offset: number, value: number): boolean {
    switch (offset) {
      case VirtioMmioRegister.DeviceFeaturesSel:
        if (value >= FEATURE_BANKS) return false;
        this.#store(VirtioMmioRegister.DeviceFeatures, this.#deviceFeatures[value]);
        return true;
      case VirtioMmioRegister.DriverFeatures:
        this.#driverFeatures[this.#driverFeaturesSel] = value;
        return true;
      case VirtioMmioRegister.DriverFeaturesSel:
        if (value >= FEATURE_BANKS) return false;
        this.#driverFeaturesSel = value;
        return true;
      case VirtioMmioRegister.QueueSel:
        return this.#selectQueue(value);
      case VirtioMmioRegister.QueueNotify:
        if (!this.#queues[value]) return false;
        this.#notifiedQueues |= 1n << BigInt(value);
        this.#notify(NotifyReason.NewBuffer);
        return true;
      case VirtioMmioRegister.InterruptACK:
        this.#store(VirtioMmioRegister.InterruptStatus, this.#load(VirtioMmioRegister.InterruptStatus) & ~value);
        return true;
      case VirtioMmioRegister.Status:
        return this.#writeStatus(value);
      default:
        return this.#writeQueue(offset, value);
    }
  }

  #selectQueue(index: number): boolean {
    const queue = this.#queues[index];
    if (!queue) return false;
    this.#queueSel = index;
    this.#store(VirtioMmioRegister.QueueNumMax, queue.numMax);
    this.#store(VirtioMmioRegister.QueueReady, queue.ready);
    return true;
  }

  /** Registers of the selected queue. */
  #writeQueue(offset: number, value: number): boolean {
    const queue = this.#queues[this.#queueSel];
    if (!queue) return false;
    const high = (offset & 4) !== 0;
    switch (offset) {
      case VirtioMmioRegister.QueueNum:
        queue.num = value;
        return true;
      case VirtioMmioRegister.QueueReady:
        queue.ready = value;
        this.#store(VirtioMmioRegister.QueueReady, value);
        return true;
      case VirtioMmioRegister.QueueDescLow:
      case VirtioMmioRegister.QueueDescHigh:
        queue.desc = withHalf(queue.desc, high, value);
        return true;
      case VirtioMmioRegister.QueueDriverLow:
      case VirtioMmioRegister.QueueDriverHigh:
        queue.driver = withHalf(queue.driver, high, value);
        return true;
      case VirtioMmioRegister.QueueDeviceLow:
      case VirtioMmioRegister.QueueDeviceHigh:
        queue.device = withHalf(queue.device, high, value);
        return true;
      default:
        return false;
    }
  }

  #writeStatus(value: number): boolean {
    const old = this.#load(VirtioMmioRegister.Status);
    if (value === 0) {
      if (old === 0) return true;
      this.#store(VirtioMmioRegister.Status, old | VirtioStatus.NEEDS_RESET);
      for (const queue of this.#queues) queue.ready = 0;
      this.#store(VirtioMmioRegister.QueueReady, 0);
      this.#notify(NotifyReason.ResetRequest);
      // The recorded build takes for success whether the backend's interrupt is an edge.
      return !this.services.hasQuirks || this.frontendVirq.isEdge;
    }
    this.#store(VirtioMmioRegister.Status, value);
    const risen = value & ~old;
    if (risen & VirtioStatus.DRIVER_OK) this.#notify(NotifyReason.DriverOk);
    if (risen & VirtioStatus.FAILED) this.#notify(NotifyReason.Failed);
    return true;
  }

  #writeConfig(offset: number, size: number, value: number): boolean {
    if (size !== 1 && (size !== 4 || offset % 4 !== 0)) return false;
    if (this.#input) {
      return this.#input.write(
        offset - VirtioMmioRegister.Config,
        size,
        value,
        (at, bytes) => this.#storeBytes(VirtioMmioRegister.Config + at, bytes),
      );
    }
    this.#storeBytes(offset, size === 1 ? Uint8Array.of(value) : new Uint8Array(Uint32Array.of(value).buffer));
    return true;
  }

  #notify(reason: bigint): void {
    this.#reason |= reason;
    this.frontendVirq.assertLevel();
  }

  /** Physical address of its page. */
  #page(): Pa {
    if (!this.#extent) throw new Error(`${this.name} has not been configured`);
    return this.#extent.base;
  }

  /** A register's value in the page. */
  #load(offset: number): number {
    const bytes = this.services.machine.ram.bytes(this.#page() + offset, 4);
    return new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true);
  }

  #store(offset: number, value: number): void {
    const bytes = new Uint8Array(4);
    new DataView(bytes.buffer).setUint32(0, value, true);
    this.#storeBytes(offset, bytes);
  }

  #storeBytes(offset: number, bytes: Uint8Array): void {
    this.services.machine.ram.write(this.#page() + offset, bytes);
  }
}
