// How far the driver of a virtio device has come, by the Status register (virtio 1.2 section 2.1).

import { VirtioStatus } from "../../../../machine/virtio/device.ts";
import { irqId } from "../../../../model/queries/ids.ts";
import type { DriverProgress, SourceState } from "../../../../model/queries/facts/source-state.ts";
import { hex } from "../../../../kit/support/text/number-text.ts";
import type { View, VirtioSlot } from "../inspected.ts";
import { virqOf } from "./virq-sources.ts";

/** Failures first, then the steps of initialization, the last one first. */
const STEPS: readonly (readonly [bit: number, word: DriverProgress])[] = [
  [VirtioStatus.FAILED, "failed"],
  [VirtioStatus.NEEDS_RESET, "needs-reset"],
  [VirtioStatus.DRIVER_OK, "ready"],
  [VirtioStatus.FEATURES_OK, "features-ok"],
  [VirtioStatus.DRIVER, "driver"],
  [VirtioStatus.ACKNOWLEDGE, "acknowledged"],
];

/** How far a driver has come, by the Status register of its device. */
export function driverProgress(status: number): DriverProgress {
  return STEPS.find(([bit]) => status & bit)?.[1] ?? "none";
}

/** The Status register of a device. */
export function statusOf(view: View, { vm, intid, device }: VirtioSlot): number {
  const irq = irqId(vm, intid), object = view.objects("virtio_mmio").find(({ backendVirq }) => virqOf(view, backendVirq) === irq);
  return object?.status ?? device.transport?.status ?? 0;
}

/** Why a device does not serve its driver, whatever its driver does next but a reset. */
export function defectOf({ id: device, device: { transport } }: VirtioSlot, status: number): SourceState | undefined {
  const { fault, bug } = transport?.broken ?? {};
  if (bug !== undefined) return { code: "virtio-out-of-order", device, bug };
  if (status & VirtioStatus.NEEDS_RESET || fault !== undefined) {
    return { code: "virtio-needs-reset", device, status, fault: fault ?? null };
  }
  const queue = transport?.queues.findIndex(({ legacy }) => legacy !== undefined) ?? -1, rings = transport?.queues[queue]?.legacy;
  return rings === undefined ? undefined : { code: "virtio-legacy", device, queue, rings: hex(rings) };
}
