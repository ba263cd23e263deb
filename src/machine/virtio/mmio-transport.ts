// Virtio over MMIO, version 2 (virtio 1.2 section 4.2): the registers of one slot, and their
// device.

import { LEGACY_PAGE_SIZE, QUEUE_PFN, VirtioMmioRegister } from "../devices/virtio-mmio-registers.ts";
import { registerName } from "../devices/seen-register.ts";
import { VirtioTransport } from "./transport.ts";
import { QUEUE_SIZE_MAX } from "./virtqueue.ts";

const R = VirtioMmioRegister;
const MAGIC = 0x7472_6976;
const VERSION = 2;
/** `el2 ` as little-endian characters. */
const VENDOR = 0x2032_6c65;
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

/**
 * One slot with its device. Registers are 32 bits; the configuration space takes 1, 2, 4 and 8
 * bytes.
 */
export class MmioTransport extends VirtioTransport {
  read(offset: number, size: number): bigint {
    if (offset >= R.Config) return this.readConfiguration(offset - R.Config, size);
    return size === 4 ? BigInt(this.#readRegister(offset) >>> 0) : 0n;
  }

  write(offset: number, size: number, value: bigint): void {
    if (offset >= R.Config) this.writeConfiguration(offset - R.Config, size, value);
    else if (size === 4) this.perform(() => this.#writeRegister(offset, Number(BigInt.asUintN(32, value))));
    else this.ignore({ offset, size });
  }

  /** The name of a register; undefined in the configuration space, and where none is. */
  static nameOf(offset: number): string | undefined {
    return offset < R.Config ? registerName(R, offset) : undefined;
  }

  #readRegister(offset: number): number {
    const { queue } = this;
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
        return this.offered;
      case R.QueueNumMax:
        return queue ? QUEUE_SIZE_MAX : 0;
      case R.QueueReady:
        return queue?.ready ? 1 : 0;
      case R.InterruptStatus:
        return this.interrupts;
      case R.Status:
        return this.status;
      case R.SHMLenLow:
      case R.SHMLenHigh:
      case R.SHMBaseLow:
      case R.SHMBaseHigh:
        // Shared memory regions are not implemented (section 4.2.2).
        return ALL_ONES;
      case R.ConfigGeneration:
        return this.generation;
      default:
        return 0;
    }
  }

  #writeRegister(offset: number, value: number): void {
    const { queue } = this;
    switch (offset) {
      case R.DeviceFeaturesSel:
        this.deviceFeaturesSel = value;
        return;
      case R.DriverFeaturesSel:
        this.driverFeaturesSel = value;
        return;
      case R.DriverFeatures:
        return this.take(value);
      case R.QueueSel:
        this.queueSel = value;
        return;
      case R.QueueNum:
        return queue?.resize(value);
      case R.QueueReady:
        return queue?.enable(value === 1);
      case QUEUE_PFN:
        return queue?.placeLegacy(value * LEGACY_PAGE_SIZE);
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
        return this.notify(value);
      case R.InterruptACK:
        return this.acknowledge(value);
      case R.Status:
        return this.setStatus(value);
    }
  }
}
