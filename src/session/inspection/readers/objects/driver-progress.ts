// How far the driver of a virtio device has come, by the Status register (virtio 1.2 section 2.1).

import { VirtioStatus } from "../../../../machine/virtio/device.ts";
import { irqId } from "../../../../model/queries/ids.ts";
import type { DriverProgress } from "../../../../model/queries/facts/source-state.ts";
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

export function driverProgress(view: View, { vm, intid, device }: VirtioSlot): DriverProgress {
  const irq = irqId(vm, intid), object = view.objects("virtio_mmio").find(({ backendVirq }) => virqOf(view, backendVirq) === irq);
  const status = object?.status ?? device.transport?.status ?? 0;
  return STEPS.find(([bit]) => status & bit)?.[1] ?? "none";
}
