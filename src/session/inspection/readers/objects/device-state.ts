// The state of a virtio device of a VM, from its registers and the rings in the VM's memory. It is
// read without a change of the machine.

import { MmioTransport } from "../../../../machine/virtio/mmio-transport.ts";
import { VirtioId, VirtioStatus } from "../../../../machine/virtio/device.ts";
import type { SourceState } from "../../../../model/queries/facts/source-state.ts";
import { hex } from "../../../../kit/support/text/number-text.ts";
import type { View, VirtioSlot } from "../inspected.ts";
import { stateOfDevice } from "./device-rules.ts";
import { defectOf, statusOf } from "./driver-progress.ts";
import { readSpace } from "./read-memory.ts";

/** Addresses of a VM are below this. */
const IPA_END = 2 ** 40;

/** The memory of a device's VM, to be read. */
export function memoryOf(view: View, { vm }: VirtioSlot) {
  const space = [...view.hypervisor.addressSpaces.values()].find((one) => view.vmNameOf(one) === vm);
  return {
    read(address: number, into: Uint8Array): boolean {
      const bytes = space && address + into.length <= IPA_END ? readSpace(view, space, address, into.length) : undefined;
      if (bytes) into.set(bytes);
      return bytes !== undefined;
    },
    write: () => false,
  };
}

/** The state of a virtio device, whatever the host is about to do. */
export function stateNow(view: View, slot: VirtioSlot): SourceState {
  const state = stateByRules(view, slot), ignored = slot.device.transport?.ignored;
  if (!ignored || !hasFailed(state)) return state;
  // The failure may follow from it; a driver that works may have made one, too.
  const { offset, size } = ignored;
  return { code: "virtio-ignored-write", device: slot.id, register: MmioTransport.nameOf(offset) ?? null, offset: hex(offset, 3), size };
}

function stateByRules(view: View, slot: VirtioSlot): SourceState {
  const { id: device, device: { transport, id } } = slot, memory = memoryOf(view, slot);
  const status = statusOf(view, slot), defect = defectOf(slot, status), isUp = !defect && (status & VirtioStatus.DRIVER_OK) !== 0;
  const queues = (isUp ? transport?.condition(memory).queues : undefined) ?? [];
  const numbered = queues.map((queue, index) => ({ ...queue, queue: index, input: slot.device.takesInput(index) }));
  return stateOfDevice({ device, status, defect, hasTarget: id === VirtioId.Balloon, queues: numbered });
}

/** Steps that a driver has left out, or that failed. */
const FAILED: ReadonlySet<string> = new Set<SourceState["code"]>([
  "virtio-not-ready",
  "virtio-needs-reset",
  "virtio-out-of-order",
  "virtio-queue-off",
  "virtio-legacy",
  "virtio-ignored-write",
  "virtio-ring-unreadable",
  "virtio-not-notified",
  "virtio-lost",
]);

/** Whether a driver has left out a step, or failed: what polls for its device waits in vain. */
export const servesNothing = ({ code }: SourceState): boolean => FAILED.has(code);

/** The same of what waits for the device's interrupt. */
export const hasFailed = (state: SourceState): boolean => servesNothing(state) || state.code === "virtio-silent";
