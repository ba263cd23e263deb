// The backend of virtio-mmio objects, as in a host kernel, for VMs whose accesses do not exit to a
// VMM: those that the hypervisor schedules. The hypervisor answers the frontend; the frontend's
// settings arrive by hypercalls and are copied to the registers of a device's own transport, whose
// answers are copied to the object's page (docs/spec/hypervisor.md §4.11 and §7.1;
// docs/spec/resource-manager.md §3.10, type 6).

import { ErrorCode, errorName } from "../../abi/errors.ts";
import { type CallShape, type FallibleCall, HypercallMethods } from "../../abi/hypercall-caller.ts";
import type { HypercallArguments, HypercallResults } from "../../abi/hypercalls.ts";
import type { NativeVcpu } from "../../abi/native-guest.ts";
import { ResourceType } from "../../abi/rpc/messages/resources.ts";
import { VirtioMmioRegister as R, VirtioStatus } from "../../devices/virtio-mmio-registers.ts";
import { ACCESS_PLATFORM, VirtioId } from "../../virtio/device.ts";
import type { MmioTransport } from "../../virtio/mmio-transport.ts";
import type { Resource } from "../gunyah/state.ts";
import type { HostServices } from "./host-guest.ts";
import { backendLabel } from "../boards/labels.ts";

/** Why the frontend notifies (docs/spec/hypervisor.md §7.1). */
const Reason = { NEW_BUFFER: 1n, RESET_REQUEST: 2n, DRIVER_OK: 8n, FAILED: 16n } as const;
/**
 * The feature that the hypervisor asks every backend to offer: the platform says where the device
 * reaches memory. It changes nothing here.
 */
const ACCESS_PLATFORM_BIT = 1 << ACCESS_PLATFORM - 32;
const BANKS = [0, 1];
const WORD = 4;
/** Registers that are the transport's to say, and that the frontend reads in the page. */
const IDENTITY = [R.MagicValue, R.Version, R.DeviceID, R.VendorID, R.SHMLenLow, R.SHMLenHigh, R.SHMBaseLow, R.SHMBaseHigh];
/**
 * Selections of an input device's driver, with their maximum size (virtio 1.2 §5.8.2; the
 * hypervisor answers the selections).
 */
const INPUT_SELECTIONS = [[1, 1], [2, 1], [3, 1], [0x10, 1], [0x11, 32], [0x12, 64]] as const;
const INPUT_DEVIDS = 3, INPUT_PROP_BITS = 0x10, INPUT_EV_BITS = 0x11, INPUT_ABS_INFO = 0x12;
/** `size` and data of a selection, after `select` and `subsel`. */
const INPUT_SIZE = R.Config + 2, INPUT_DATA = R.Config + 8;

type AssertVirq = HypercallArguments<"virtio_mmio_backend_assert_virq">;

/** State of a backend that is connected: plain data. */
export interface BackendState {
  readonly slot: number;
  readonly configuration: Uint8Array;
  readonly generation: number;
}

/** The device of one slot and its object. */
class Backend {
  /**
   * Configuration space as we last wrote it to the page: a difference is a write of the frontend.
   */
  #configuration = new Uint8Array(0);
  #generation = 0;
  readonly #calls = new ReportedCalls(this);
  /** Arguments of the calls of each notification and interrupt: no object is made per call. */
  readonly #object: HypercallArguments<"virtio_mmio_backend_get_notification">;
  readonly #interrupt: { -readonly [A in keyof AssertVirq]: AssertVirq[A] };

  constructor(
    readonly slot: number,
    readonly transport: MmioTransport,
    readonly resource: Resource,
    readonly host: HostServices,
    readonly problem: (message: string) => void,
  ) {
    this.#object = { virtio_mmio: resource.cap };
    this.#interrupt = { virtio_mmio: resource.cap, interrupt_status: 0 };
  }

  /** Describes the device to a frontend that has not begun. */
  begin(): void {
    const virtio_mmio = this.resource.cap;
    for (const register of IDENTITY) this.#set(register, this.#register(register));
    for (const bank of BANKS) this.#calls.virtio_mmio_backend_set_dev_features({ virtio_mmio, sel: bank, dev_feat: this.#offered(bank) });
    this.transport.queues.forEach((_, index) => {
      this.#put(R.QueueSel, index);
      const queue_num_max = this.#register(R.QueueNumMax);
      this.#calls.virtio_mmio_backend_set_queue_num_max({ virtio_mmio, sel: index, queue_num_max });
    });
    if (this.#isInput) this.#describeInput();
    else this.#writeConfiguration();
  }

  /** Its vIRQ: the frontend has done something. */
  notified(): void {
    const { vqs_bitmap: queues, reason } = this.#calls.virtio_mmio_backend_get_notification(this.#object);
    if (!this.#isInput) this.#takeConfiguration();
    if (reason & Reason.RESET_REQUEST) this.#reset(reason);
    if (reason & Reason.DRIVER_OK) this.#start();
    if (reason & Reason.FAILED) this.#put(R.Status, this.#register(R.Status) | VirtioStatus.FAILED);
    if (reason & Reason.NEW_BUFFER) {
      this.transport.queues.forEach((_, index) => {
        if (queues >> BigInt(index) & 1n) this.#put(R.QueueNotify, index);
      });
    }
  }

  /** The transport's line is high: its reasons become the object's. */
  interrupt(): void {
    const status = this.#register(R.InterruptStatus);
    // A number in two places would be acknowledged in one.
    this.#put(R.InterruptACK, status);
    if (status & ~1 && !this.#isInput) this.#writeConfiguration();
    // A frontend that has asked for a reset listens to nothing.
    this.#interrupt.interrupt_status = status;
    const { error } = this.host.kernel.calls.virtio_mmio_backend_assert_virq(this.#interrupt);
    if (error !== ErrorCode.DENIED) this.#calls.report("virtio_mmio_backend_assert_virq", error);
    this.#tellBroken();
  }

  save(): BackendState {
    return { slot: this.slot, configuration: this.#configuration.slice(), generation: this.#generation };
  }

  /** Restores the frontend's view; the object has its own state. */
  restore({ configuration, generation }: BackendState): void {
    this.#configuration = configuration.slice();
    this.#generation = generation;
  }

  get #isInput(): boolean {
    return this.transport.device.id === VirtioId.Input;
  }

  // ---- what the frontend has set up ----

  /** The driver is ready: the transport gets what a driver would have written. */
  #start(): void {
    const { ACKNOWLEDGE, DRIVER, FEATURES_OK, DRIVER_OK } = VirtioStatus;
    this.#put(R.Status, ACKNOWLEDGE | DRIVER);
    for (const bank of BANKS) {
      const { drv_feat } = this.#calls.virtio_mmio_backend_get_drv_features({ virtio_mmio: this.resource.cap, sel: bank });
      this.#put(R.DriverFeaturesSel, bank);
      this.#put(R.DriverFeatures, drv_feat & ~(bank === 1 ? ACCESS_PLATFORM_BIT : 0));
    }
    this.#put(R.Status, ACKNOWLEDGE | DRIVER | FEATURES_OK);
    if ((this.#register(R.Status) & FEATURES_OK) === 0) {
      this.problem(
        `virtio-${this.transport.device.name} in slot ${this.slot}: the driver takes features that were not offered (virtio 6.1)`,
      );
      this.#updateStatus(VirtioStatus.NEEDS_RESET);
      return;
    }
    this.transport.queues.forEach((_, index) => this.#placeQueue(index));
    this.#put(R.Status, ACKNOWLEDGE | DRIVER | FEATURES_OK | DRIVER_OK);
    // A queue that is not set up gives no interrupt: there was no driver when the transport met it.
    this.#tellBroken();
  }

  /** Reports to the frontend that a device needs a reset. */
  #tellBroken(): void {
    if ((this.#register(R.Status) & VirtioStatus.NEEDS_RESET) === 0) return;
    this.#updateStatus(VirtioStatus.NEEDS_RESET);
  }

  #updateStatus(val: number): void {
    this.#calls.virtio_mmio_backend_update_status({ virtio_mmio: this.resource.cap, val });
  }

  #placeQueue(index: number): void {
    const { queue_num, queue_ready, queue_desc, queue_drv, queue_dev } = this.#calls.virtio_mmio_backend_get_queue_info({
      virtio_mmio: this.resource.cap,
      sel: index,
    });
    if (queue_ready === 0) return;
    this.#put(R.QueueSel, index);
    this.#put(R.QueueNum, queue_num);
    const places = [[R.QueueDescLow, queue_desc], [R.QueueDriverLow, queue_drv], [R.QueueDeviceLow, queue_dev]] as const;
    for (const [register, address] of places) {
      this.#put(register, Number(address & 0xffff_ffffn));
      this.#put(register + WORD, Number(address >> 32n));
    }
    this.#put(R.QueueReady, 1);
  }

  /**
   * A driver that does not wait for its reset may have started over before this arrives: its newer
   * settings stay.
   */
  #reset(reason: bigint): void {
    this.#put(R.Status, 0);
    const since = reason & Reason.DRIVER_OK ? this.#page(R.Status) & ~VirtioStatus.NEEDS_RESET : 0;
    this.#calls.virtio_mmio_backend_acknowledge_reset({ virtio_mmio: this.resource.cap });
    if (since !== 0) this.#updateStatus(since);
    if (!this.#isInput) this.#writeConfiguration();
  }

  // ---- configuration space ----

  #writeConfiguration(): void {
    const bytes = this.transport.device.configuration();
    this.#configuration = new Uint8Array(Math.ceil(bytes.length / WORD) * WORD);
    this.#configuration.set(bytes);
    this.#store(R.Config, this.#configuration);
    this.#set(R.ConfigGeneration, ++this.#generation >>> 0);
  }

  /** The hypervisor stores the frontend's writes there without a notification. */
  #takeConfiguration(): void {
    const { length } = this.#configuration;
    const page = this.#load(R.Config, length);
    for (let at = 0; at < length; at += WORD) {
      const word = new DataView(page.buffer, page.byteOffset + at, WORD).getUint32(0, true);
      if (word === new DataView(this.#configuration.buffer, at, WORD).getUint32(0, true)) continue;
      this.transport.write(R.Config + at, WORD, BigInt(word));
    }
    this.#configuration = page.slice();
  }

  /** All that a driver may ask of an input device, as the hypervisor keeps it. */
  #describeInput(): void {
    const found = INPUT_SELECTIONS.flatMap(([select, count]) =>
      Array.from({ length: count }, (_, subselect) => ({ select, subselect, data: this.#inputData(select, subselect) }))
    ).filter(({ data }) => data.length > 0);
    const word = (select: number) => {
      const bytes = new Uint8Array(8);
      bytes.set(found.find((each) => each.select === select)?.data ?? []);
      return new DataView(bytes.buffer).getBigUint64(0, true);
    };
    const count = (select: number) => found.filter((each) => each.select === select).length;
    this.#calls.virtio_input_configure({
      virtio_mmio_cap: this.resource.cap,
      devids: word(INPUT_DEVIDS),
      prop_bits: Number(BigInt.asUintN(32, word(INPUT_PROP_BITS))),
      num_evtypes: count(INPUT_EV_BITS),
      num_absaxes: count(INPUT_ABS_INFO),
    });
    const buffer = this.host.kernel.memory.createContiguous(1);
    if (buffer === undefined) return this.problem(`virtio-input in slot ${this.slot}: the host has no page left to describe it by`);
    const at = buffer.runs[0].ipa;
    for (const { select, subselect, data } of found) {
      if (select === INPUT_DEVIDS || select === INPUT_PROP_BITS) continue;
      this.host.kernel.cpu.write(at, data);
      this.#calls.virtio_input_set_data({
        virtio_mmio_cap: this.resource.cap,
        sel: select,
        subsel: subselect,
        size: data.length,
        data: at,
      });
    }
    this.host.kernel.memory.dropObject(buffer.id);
  }

  #inputData(select: number, subselect: number): Uint8Array {
    const { transport } = this;
    transport.write(R.Config, 1, BigInt(select));
    transport.write(R.Config + 1, 1, BigInt(subselect));
    const size = Number(transport.read(INPUT_SIZE, 1));
    return Uint8Array.from({ length: size }, (_, index) => Number(transport.read(INPUT_DATA + index, 1)));
  }

  // ---- registers, page, calls ----

  #offered(bank: number): number {
    this.#put(R.DeviceFeaturesSel, bank);
    return (this.#register(R.DeviceFeatures) | (bank === 1 ? ACCESS_PLATFORM_BIT : 0)) >>> 0;
  }

  #register(offset: number): number {
    return Number(this.transport.read(offset, WORD));
  }

  #put(offset: number, value: number): void {
    this.transport.write(offset, WORD, BigInt(value >>> 0));
  }

  #page(offset: number): number {
    const bytes = this.#load(offset, WORD);
    return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
  }

  #set(offset: number, value: number): void {
    const bytes = new Uint8Array(WORD);
    new DataView(bytes.buffer).setUint32(0, value, true);
    this.#store(offset, bytes);
  }

  #load(offset: number, length: number): Uint8Array {
    const bytes = this.#cpu.read(this.resource.base + offset, length);
    if (bytes === undefined) throw new Error(`the page of virtio slot ${this.slot} is not the host's to read`);
    return bytes;
  }

  #store(offset: number, bytes: Uint8Array): void {
    if (!this.#cpu.write(this.resource.base + offset, bytes)) {
      throw new Error(`the page of virtio slot ${this.slot} is not the host's to write`);
    }
  }

  get #cpu(): NativeVcpu {
    return this.host.kernel.cpu;
  }
}

/** The hypercalls of a backend: a refusal is reported. */
class ReportedCalls extends HypercallMethods {
  constructor(readonly backend: Backend) {
    super();
  }

  override invoke<N extends FallibleCall>(call: CallShape<N>, args: HypercallArguments<N>): HypercallResults<N> {
    const results = this.backend.host.kernel.calls.invoke(call, args);
    this.report(call.name, results.error);
    return results;
  }

  report(name: FallibleCall, error: number): void {
    if (error !== ErrorCode.OK) this.backend.problem(`${name} of virtio slot ${this.backend.slot}: ${errorName(error)}`);
  }
}

/** The backends of one VM, while the VM has its objects. */
export class VirtioBackends {
  #backends: Backend[] = [];

  constructor(readonly transports: readonly MmioTransport[], readonly problem: (message: string) => void) {}

  /** The VM is about to start: describes its devices, and listens. */
  connect(host: HostServices, resources: readonly Resource[]): void {
    this.#backends = this.#find(host, resources);
    for (const backend of this.#backends) {
      backend.begin();
      host.listen(backend.resource.virq);
    }
  }

  /** The connected objects. */
  save(): BackendState[] {
    return this.#backends.map((backend) => backend.save());
  }

  /** Connects what was; the vIRQs are enabled already. */
  restore(states: readonly BackendState[], host: HostServices, resources: readonly Resource[]): void {
    this.#backends = states.length === 0 ? [] : this.#find(host, resources);
    for (const state of states) {
      const backend = this.#backends.find(({ slot }) => slot === state.slot);
      if (!backend) throw new Error(`virtio slot ${state.slot} has no object`);
      backend.restore(state);
    }
  }

  /** The VM's objects are gone, or about to go. */
  disconnect(): void {
    this.#backends = [];
  }

  /** A vIRQ: whether it was one of a backend. */
  virq(intid: number): boolean {
    const backend = this.#backends.find(({ resource }) => resource.virq === intid);
    backend?.notified();
    return backend !== undefined;
  }

  /** The interrupt line of a slot has risen. */
  interrupt(slot: number): void {
    this.#backends.find((backend) => backend.slot === slot)?.interrupt();
  }

  #find(host: HostServices, resources: readonly Resource[]): Backend[] {
    return this.transports.flatMap((transport, slot) => {
      const resource = resources.find(({ type, label }) => type === ResourceType.VirtioMmioBackend && label === backendLabel(slot));
      if (resource !== undefined) return [new Backend(slot, transport, resource, host, this.problem)];
      this.problem(`the Resource Manager lists no virtio-mmio object for virtio-${transport.device.name} in slot ${slot}`);
      return [];
    });
  }
}
