// Guests of crosvm's platform as scripts of vCPUs: accesses, calls, and a driver of a virtio device
// over PCI.

import { CROSVM_CAM, crosvmBar, crosvmPciSpi } from "../../../src/machine/host/boards/crosvm/map.ts";
import { VirtioStatus } from "../../../src/machine/devices/virtio-mmio-registers.ts";
import { CommonConfig as C, NOTIFY_MULTIPLIER, VIRTIO_BAR_NOTIFY } from "../../../src/machine/devices/virtio-pci-registers.ts";
import { LPI_FIRST } from "../../../src/machine/hypervisor/gic/its/its-registers.ts";
import { ACCESS_PLATFORM, Feature } from "../../../src/machine/virtio/device.ts";
import type { Step } from "./scripted-core.ts";
import type { Stack } from "./stack.ts";

export type Guest = Generator<Step, void, bigint>;
export type Reading = Generator<Step, bigint, bigint>;

export const BASE = 0x8000_0000;
const OFF = 0x8400_0008n;
export const FIRST_VMID = 0x80;
export const DONE = ["a creating", "a ready", "a running", "a exited system-off", "a stopped", "finished"];
export const FILL = 0x5a, BYTES = 16;

export function* load(address: number, size: number): Reading {
  return yield { do: "load", address, size };
}

export function* store(address: number, size: number, value: number): Guest {
  yield { do: "store", address, size, value: BigInt(value) };
}

export function* off(): Guest {
  yield { do: "hvc", immediate: 0, x: [OFF] };
}

/** Whether an interrupt is pending at the VM's vCPU. */
export function pending(stack: Stack, intid: number): boolean {
  const { gic } = [...stack.hypervisor.scheduler.vcpus].find((vcpu) => vcpu.addressSpace?.vmid === FIRST_VMID)!;
  return intid >= LPI_FIRST ? gic.lpis!.pending.has(intid) : gic.gic.bank(gic, intid).isPending(intid);
}

export const CONFIG = (slot: number, register: number) => CROSVM_CAM.base + (slot << 11) + register;

/** The parts of the queue, and the buffer that it offers: offsets. */
const DRIVER = 0x1000, DEVICE = 0x2000, BUFFER = 0x3000;
/** Where the queue is by default: in RAM. */
export const QUEUE = BASE + 0x10_0000;

export interface Seen {
  buffer?: Uint8Array;
  pending?: boolean[];
  isr?: bigint[];
  fields?: bigint[];
}

/** How a driver differs from the usual one. */
export interface Driver {
  /** Whether INTx reaches the line: the default. */
  readonly intx?: boolean;
  /** Where the queue and its buffer are. */
  readonly queue?: number;
  /** It takes ACCESS_PLATFORM. */
  readonly platform?: boolean;
  /** Where the function is: configuration space, BAR, and the interrupt to check. */
  readonly place?: { readonly config: number; readonly bar: number; readonly intid: number };
  /** Vector of the queue's MSI-X. */
  readonly vector?: number;
}

/** The first function of crosvm's platform. */
const FIRST_FUNCTION = { config: CONFIG(1, 0), bar: crosvmBar(0), intid: 32 + crosvmPciSpi(0) };

/** A driver of the entropy device. */
export function* drive(
  stack: Stack,
  seen: Seen,
  { intx = true, queue = QUEUE, platform = false, vector, place = FIRST_FUNCTION }: Driver = {},
): Guest {
  const vcpu = [...stack.hypervisor.scheduler.vcpus].find((vcpu) => vcpu.addressSpace?.vmid === FIRST_VMID)!;
  const ram = (offset: number) => vcpu.addressSpace!.stage2.lookup(queue + offset)!.pa;
  const { ram: memory } = stack.machine;
  // Pages that the guest has not touched may not exist yet.
  for (const offset of [0, DRIVER, DEVICE, BUFFER]) {
    if (!vcpu.addressSpace!.stage2.lookup(queue + offset)) yield* load(queue + offset, 8);
  }
  const descriptor = new DataView(new ArrayBuffer(16));
  descriptor.setBigUint64(0, BigInt(queue + BUFFER), true);
  descriptor.setUint32(8, BYTES, true);
  descriptor.setUint16(12, 2, true);
  memory.write(ram(0), new Uint8Array(descriptor.buffer));

  const { config, bar, intid } = place;
  const set = (field: number, size: number, value: number) => store(bar + field, size, value);
  const { ACKNOWLEDGE, DRIVER: HAS_DRIVER, FEATURES_OK, DRIVER_OK } = VirtioStatus;
  yield* store(config + 4, 2, intx ? 6 : 0x406);
  yield* set(C.device_status, 1, ACKNOWLEDGE | HAS_DRIVER);
  yield* set(C.device_feature_select, 4, 1);
  yield* set(C.driver_feature_select, 4, 1);
  yield* set(C.driver_feature, 4, 1 << Feature.VERSION_1 - 32 | (platform ? 1 << ACCESS_PLATFORM - 32 : 0));
  yield* set(C.device_status, 1, ACKNOWLEDGE | HAS_DRIVER | FEATURES_OK);
  const size = yield* load(bar + C.queue_size, 2);
  yield* set(C.queue_size, 2, 1);
  yield* set(C.queue_desc, 4, queue);
  yield* set(C.queue_driver, 4, queue + DRIVER);
  yield { do: "store", address: bar + C.queue_device, size: 8, value: BigInt(queue + DEVICE) };
  if (vector !== undefined) yield* set(C.queue_msix_vector, 2, vector);
  yield* set(C.queue_enable, 2, 1);
  yield* set(C.device_status, 1, ACKNOWLEDGE | HAS_DRIVER | FEATURES_OK | DRIVER_OK);
  const fields = [C.device_feature, C.driver_feature, C.queue_desc, C.queue_device];
  seen.fields = [size];
  for (const field of fields) seen.fields.push(yield* load(bar + field, 4));
  for (const field of [C.config_msix_vector, C.queue_msix_vector, C.queue_enable, C.queue_notify_off, C.num_queues]) {
    seen.fields.push(yield* load(bar + field, 2));
  }
  for (const field of [C.device_status, C.config_generation]) seen.fields.push(yield* load(bar + field, 1));
  seen.pending = [pending(stack, intid)];
  memory.write(ram(DRIVER), Uint8Array.of(0, 0, 1, 0, 0, 0));
  yield* store(bar + VIRTIO_BAR_NOTIFY + 0 * NOTIFY_MULTIPLIER, 2, 0);
  yield { do: "work", count: 100_000 };
  seen.buffer = memory.bytes(ram(BUFFER), BYTES).slice();
  seen.pending.push(pending(stack, intid));
  const status = yield* load(config + 6, 2);
  seen.isr = [status & 8n, yield* load(bar + 0x1000, 1), yield* load(bar + 0x1000, 1)];
  yield* off();
}
