// The machine of a kernel, as findings in its memory need it: what the VM has, and the kernel may
// not see. A dump does not tell.

import type { GivenDisk } from "../../../inside/linux/verdicts/root.ts";
import { once } from "../../../kit/support/values/once.ts";
import { NetDevice } from "../../../machine/virtio/net/net.ts";
import type { Reading } from "../../../inside/linux/kernel/reading.ts";
import { findReading } from "./read-linux.ts";
import { VirtioId } from "../../../machine/virtio/device.ts";
import { PciTransport } from "../../../machine/virtio/pci-transport.ts";
import type { View } from "../readers/inspected.ts";
import { hasFailed, stateNow } from "../readers/objects/device-state.ts";

export interface KnownMachine {
  /** Whether it lacks the console that the command line names. */
  readonly lacksConsole: boolean;
  /** Its disks; undefined if they are unknown. */
  readonly disks: readonly GivenDisk[] | undefined;
  /** Disks that serve nothing until somebody acts; none while another disk serves a request. */
  readonly silentDisks: readonly string[];
  /** Kernels of other VMs on its networks. */
  readonly neighbors: () => readonly Reading[];
}

/** That of a dump. */
export const UNKNOWN_MACHINE: KnownMachine = { lacksConsole: false, disks: undefined, silentDisks: [], neighbors: () => [] };

/** That of a VM, each part when it is asked for. */
export const machineOf = (view: View, vm: string): KnownMachine => ({
  get lacksConsole() {
    return view.system.vms.findings.get(vm)?.some(({ code }) => code === "console-absent") ?? false;
  },
  get disks() {
    return slotsOfDisks(view, vm).map(({ id, device }) => ({
      id,
      bus: device.transport instanceof PciTransport ? "pci" as const : "mmio" as const,
    }));
  },
  neighbors: once(() => neighborsOf(view, vm)),
  get silentDisks() {
    const states = slotsOfDisks(view, vm).map((slot) => ({ id: slot.id, state: stateNow(view, slot) }));
    return states.some(({ state }) => state.code === "virtio-serves")
      ? []
      : states.filter(({ state }) => hasFailed(state)).map(({ id }) => id);
  },
});

/** The kernels of VMs whose network cards get frames of a VM's. */
function neighborsOf(view: View, vm: string): Reading[] {
  const slots = view.system.virtio, own = slots.filter((slot) => slot.vm === vm);
  const others = own.flatMap(({ device }) => device instanceof NetDevice ? device.backend?.others?.() ?? [] : []);
  const vms = new Set(slots.filter(({ device }) => others.some((other) => other === device)).map((slot) => slot.vm));
  return [...view.hypervisor.addressSpaces.values()].filter((space) => vms.has(view.vmNameOf(space)) && view.vmNameOf(space) !== vm)
    .flatMap((space) => findReading(view, space) ?? []);
}

/** The virtio disks of a VM. */
const slotsOfDisks = (view: View, vm: string) => view.system.virtio.filter((slot) => slot.vm === vm && slot.device.id === VirtioId.Block);
