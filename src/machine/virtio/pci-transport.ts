// Virtio over PCI, modern devices only (virtio 1.2 section 4.1): the registers in BAR 0, where
// crosvm has them (docs/spec/phones.md §C2), and the capabilities that lead to them. Interrupts are
// INTx, or messages where the platform takes them.

import * as v from "valibot";
import { inForm, list, ofBits } from "../../kit/support/values/forms.ts";
import { PCI_CAPABILITY_VENDOR, type PciDevice, PciFunction, type PciIdentity, type PciWindow } from "../devices/pci.ts";
import { CommonConfig, NOTIFY_MULTIPLIER, VIRTIO_BAR_NOTIFY, VIRTIO_BAR_SIZE } from "../devices/virtio-pci-registers.ts";
import { Msix } from "./msix.ts";
import { type TransportState, VirtioTransport } from "./transport.ts";
import { QUEUE_SIZE_MAX, type Virtqueue } from "./virtqueue.ts";

/** The structures in BAR 0. */
const COMMON = { offset: 0, size: 56 }, ISR = { offset: 0x1000, size: 1 };
const DEVICE = { offset: 0x2000, size: 0x1000 }, NOTIFY = { offset: VIRTIO_BAR_NOTIFY, size: 0x1000 };

const MSIX_TABLE = 0x6000, MSIX_PENDING = 0x7000;

const VENDOR = 0x1af4, FIRST_DEVICE = 0x1040, REVISION = 1;

/** Types of the structures (section 4.1.4). */
const Structure = { COMMON: 1, NOTIFY: 2, ISR: 3, DEVICE: 4, CONFIG_ACCESS: 5 } as const;
const CAPABILITY_SIZE = 16;

const C = CommonConfig;
const NO_VECTOR = 0xffff;
const SIZES: ReadonlyMap<number, number> = new Map([
  ...[C.device_feature_select, C.device_feature, C.driver_feature_select, C.driver_feature].map((field) => [field, 4] as const),
  ...[C.config_msix_vector, C.num_queues, C.queue_select, C.queue_size].map((field) => [field, 2] as const),
  ...[C.queue_msix_vector, C.queue_enable, C.queue_notify_off].map((field) => [field, 2] as const),
  ...[C.device_status, C.config_generation].map((field) => [field, 1] as const),
  ...[C.queue_desc, C.queue_driver, C.queue_device].flatMap((field) => [[field, 4], [field + 4, 4]] as const),
]);

/** One device behind a function of bus 0. */
export class PciTransport extends VirtioTransport implements PciDevice {
  /** Of configuration, and then of each queue. */
  readonly #vectors = new Uint16Array(1 + this.queues.length).fill(NO_VECTOR);
  /** Of the function, which is made anew with its platform. */
  msix: Msix | undefined;

  protected override raise(interrupt: number, queue?: Virtqueue): void {
    if (!this.msix?.enabled) return super.raise(interrupt);
    const vector = this.#vectors[queue === undefined ? 0 : 1 + this.queues.indexOf(queue)];
    if (vector !== NO_VECTOR) this.msix.fire(vector);
  }

  override reset(): void {
    super.reset();
    this.#vectors.fill(NO_VECTOR);
  }

  override save(): TransportState {
    return this.msix === undefined ? super.save() : { ...super.save(), vectors: [...this.#vectors] };
  }

  override restore(state: TransportState): void {
    super.restore(state);
    if (state.vectors !== undefined) this.#vectors.set(state.vectors);
  }

  /** A load from BAR 0. */
  read(offset: number, size: number): bigint {
    if (offset < COMMON.size) return this.#readCommon(offset, size);
    if (offset === ISR.offset) {
      const reasons = this.interrupts;
      this.acknowledge(reasons);
      return BigInt(reasons);
    }
    if (this.msix !== undefined && offset >= MSIX_PENDING) return this.msix.readPending(offset - MSIX_PENDING);
    if (this.msix !== undefined && offset >= MSIX_TABLE) return this.msix.readTable(offset - MSIX_TABLE, size);
    return within(DEVICE, offset) ? this.readConfiguration(offset - DEVICE.offset, size) : 0n;
  }

  /** A store to it. */
  write(offset: number, size: number, value: bigint): void {
    if (offset < COMMON.size) this.#writeCommon(offset, size, value);
    else if (within(DEVICE, offset)) this.writeConfiguration(offset - DEVICE.offset, size, value);
    else if (offset >= MSIX_TABLE && offset < MSIX_PENDING) this.msix?.writeTable(offset - MSIX_TABLE, size, value);
    else if (within(NOTIFY, offset)) this.notify((offset - NOTIFY.offset) / NOTIFY_MULTIPLIER);
  }

  #readCommon(offset: number, size: number): bigint {
    // Halves of a field of 64 bits may be read at once.
    if (size === 8) return this.#readCommon(offset, 4) | this.#readCommon(offset + 4, 4) << 32n;
    return SIZES.get(offset) === size ? BigInt(this.#field(offset) >>> 0) : 0n;
  }

  #writeCommon(offset: number, size: number, value: bigint): void {
    if (size === 8) {
      this.#writeCommon(offset, 4, BigInt.asUintN(32, value));
      this.#writeCommon(offset + 4, 4, value >> 32n);
    } else if (SIZES.get(offset) === size) this.perform(() => this.#setField(offset, Number(BigInt.asUintN(8 * size, value))));
  }

  #field(offset: number): number {
    const { queue } = this;
    switch (offset) {
      case C.device_feature_select:
        return this.deviceFeaturesSel;
      case C.device_feature:
        return this.offered;
      case C.driver_feature_select:
        return this.driverFeaturesSel;
      case C.driver_feature:
        return this.taken;
      case C.config_msix_vector:
        return this.#vectors[0];
      case C.queue_msix_vector:
        return this.#vectors[1 + this.queueSel] ?? NO_VECTOR;
      case C.num_queues:
        return this.queues.length;
      case C.device_status:
        return this.status;
      case C.config_generation:
        return this.generation & 0xff;
      case C.queue_select:
        return this.queueSel;
      case C.queue_size:
        return queue === undefined ? 0 : queue.size || QUEUE_SIZE_MAX;
      case C.queue_enable:
        return queue?.ready ? 1 : 0;
      case C.queue_notify_off:
        return queue === undefined ? 0 : this.queueSel;
      default:
        return queue?.placed(partOf(offset), isHigh(offset)) ?? 0;
    }
  }

  #setField(offset: number, value: number): void {
    const { queue } = this;
    switch (offset) {
      case C.device_feature_select:
        this.deviceFeaturesSel = value;
        return;
      case C.driver_feature_select:
        this.driverFeaturesSel = value;
        return;
      case C.driver_feature:
        return this.take(value);
      case C.device_status:
        return this.setStatus(value);
      case C.queue_select:
        this.queueSel = value;
        return;
      case C.queue_size:
        return queue?.resize(value);
      case C.config_msix_vector:
        this.#vectors[0] = this.#vectorOf(value);
        return;
      case C.queue_msix_vector:
        if (queue !== undefined) this.#vectors[1 + this.queueSel] = this.#vectorOf(value);
        return;
      case C.queue_enable:
        // Only a reset of the device disables a queue (section 4.1.4.3.2).
        if (value !== 1 || queue === undefined) return;
        if (queue.size === 0) queue.resize(QUEUE_SIZE_MAX);
        return queue.enable(true);
      default:
        if (offset >= C.queue_desc) queue?.place(partOf(offset), isHigh(offset), value);
    }
  }

  /** A vector that does not exist means no vector (section 4.1.5.1.2.1). */
  #vectorOf(value: number): number {
    return this.msix !== undefined && value < this.msix.vectors ? value : NO_VECTOR;
  }
}

function within({ offset: from, size }: { readonly offset: number; readonly size: number }, offset: number): boolean {
  return offset >= from && offset < from + size;
}

/** The part of a queue whose address a field holds. */
function partOf(offset: number): "descriptors" | "driver" | "device" {
  return offset < C.queue_driver ? "descriptors" : offset < C.queue_device ? "driver" : "device";
}

function isHigh(offset: number): boolean {
  return (offset & 4) !== 0;
}

/** A capability that says where a structure is in BAR 0 (section 4.1.4). */
function capability(type: number, { offset, size }: { readonly offset: number; readonly size: number }, extra: readonly number[] = []) {
  const bytes = new Uint8Array(CAPABILITY_SIZE + 4 * extra.length);
  const view = new DataView(bytes.buffer);
  bytes[0] = PCI_CAPABILITY_VENDOR;
  bytes[2] = bytes.length;
  bytes[3] = type;
  view.setUint32(8, offset, true);
  view.setUint32(12, size, true);
  extra.forEach((word, index) => view.setUint32(CAPABILITY_SIZE + 4 * index, word, true));
  return bytes;
}

/** The capability by which BAR 0 can be reached without memory accesses comes first. */
const ACCESS_AT = 0x40;
const CAPABILITIES = [
  capability(Structure.CONFIG_ACCESS, { offset: 0, size: 0 }, [0]),
  capability(Structure.COMMON, COMMON),
  capability(Structure.ISR, ISR),
  capability(Structure.DEVICE, DEVICE),
  capability(Structure.NOTIFY, NOTIFY, [NOTIFY_MULTIPLIER]),
];

/** Offset in the window of the data of an access, after BAR, offset and length. */
const DATA = 12;

/** An access to BAR 0 through configuration space, after the capability's first word. */
class ConfigAccess implements PciWindow {
  readonly offset = ACCESS_AT + 4;
  readonly size = CAPABILITY_SIZE;
  readonly words = 3;
  /** BAR, offset and length of the access. */
  readonly #words = new Uint32Array(3);

  constructor(readonly transport: PciTransport) {}

  read(offset: number, size: number): number {
    if (offset >= DATA) return this.#fits(size) ? Number(this.transport.read(this.#words[1], size)) : 0;
    const word = this.#words[offset >> 2] >>> 8 * (offset & 3);
    return size === 4 ? word : word & 2 ** (8 * size) - 1;
  }

  write(offset: number, size: number, value: number): void {
    if (offset >= DATA) {
      if (this.#fits(size)) this.transport.write(this.#words[1], size, BigInt(value));
    } else if (offset < 4) {
      if (offset === 0) this.#words[0] = value & 0xff;
    } else if (size === 4) this.#words[offset >> 2] = value;
  }

  save(): number[] {
    return [...this.#words];
  }

  restore(words: readonly number[]): void {
    this.#words.set(inForm(v.pipe(list(ofBits(32)), v.length(this.#words.length)), words));
  }

  /** Only BAR 0 exists, and an access has the length that was announced (section 4.1.4.9.1). */
  #fits(size: number): boolean {
    return this.#words[0] === 0 && this.#words[2] === size && this.#words[1] + size <= VIRTIO_BAR_SIZE;
  }
}

/** A virtio device as its platform shows it on the bus. */
interface VirtioFunctionPlace {
  readonly classCode: number;
  /** Where BAR 0 is. */
  readonly address: number;
  /** Number of the line at which INTA arrives. */
  readonly line: number;
  readonly subsystem?: number;
}

/** Where a capability begins that follows the others. */
const AFTER_CAPABILITIES = CAPABILITIES.reduce((at, { length }) => at + Math.ceil(length / 4) * 4, ACCESS_AT);

/** The function of a device; with a subsystem id unless that repeats the device's. */
export function virtioFunction(transport: PciTransport, { classCode, address, line, subsystem }: VirtioFunctionPlace): PciFunction {
  const id = FIRST_DEVICE + transport.device.id;
  const { message } = transport.options, vectors = 1 + transport.queues.length;
  transport.msix = message && new Msix(AFTER_CAPABILITIES, vectors, message);
  const identity: PciIdentity = {
    vendor: VENDOR,
    device: id,
    revision: REVISION,
    classCode,
    subsystemVendor: VENDOR,
    subsystem: subsystem ?? id,
    bar: { address, size: VIRTIO_BAR_SIZE, wide: true },
    line,
    capabilities: message ? [...CAPABILITIES, Msix.capability(vectors, MSIX_TABLE, MSIX_PENDING)] : CAPABILITIES,
  };
  return new PciFunction(identity, transport, [new ConfigAccess(transport), ...transport.msix ? [transport.msix] : []]);
}
