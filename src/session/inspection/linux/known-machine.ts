// The machine of a kernel, as findings in its memory need it: what the VM has, and the kernel may
// not see. A dump does not tell.

import type { GivenDisk } from "../../../inside/linux/verdicts/root.ts";
import { VirtioId } from "../../../machine/virtio/device.ts";
import { PciTransport } from "../../../machine/virtio/pci-transport.ts";
import type { View } from "../readers/inspected.ts";
import { hasFailed, stateNow } from "../readers/objects/device-state.ts";

export interface KnownMachine {
  /** Whether it lacks the console that the command line names. */
  readonly lacksConsole: boolean;
  /** Its disks; undefined if they are unknown. */
  readonly disks: readonly GivenDisk[] | undefined;
  /** Disks that serve nothing before somebody acts, while no other one serves a request. */
  readonly silentDisks: readonly string[];
}

/** That of a dump. */
export const UNKNOWN_MACHINE: KnownMachine = { lacksConsole: false, disks: undefined, silentDisks: [] };

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
  get silentDisks() {
    const states = slotsOfDisks(view, vm).map((slot) => ({ id: slot.id, state: stateNow(view, slot) }));
    return states.some(({ state }) => state.code === "virtio-serves")
      ? []
      : states.filter(({ state }) => hasFailed(state)).map(({ id }) => id);
  },
});

/** The virtio disks of a VM. */
const slotsOfDisks = (view: View, vm: string) => view.system.virtio.filter((slot) => slot.vm === vm && slot.device.id === VirtioId.Block);
