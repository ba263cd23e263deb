// The machine of a kernel, as findings in its memory need it: what the VM has, and the kernel may
// not see. A dump does not tell.

import type { GivenDisk } from "../../../inside/linux/verdicts/root.ts";
import { VirtioId } from "../../../machine/virtio/device.ts";
import { PciTransport } from "../../../machine/virtio/pci-transport.ts";
import type { View } from "../readers/inspected.ts";

export interface KnownMachine {
  /** Whether it lacks the console that the command line names. */
  readonly lacksConsole: boolean;
  /** Its disks; undefined if they are unknown. */
  readonly disks: readonly GivenDisk[] | undefined;
}

/** That of a dump. */
export const UNKNOWN_MACHINE: KnownMachine = { lacksConsole: false, disks: undefined };

/** That of a VM, each part when it is asked for. */
export const machineOf = (view: View, vm: string): KnownMachine => ({
  get lacksConsole() {
    return view.system.vms.findings.get(vm)?.some(({ code }) => code === "console-absent") ?? false;
  },
  get disks() {
    return disksOf(view, vm);
  },
});

/** The virtio disks of a VM. */
function disksOf(view: View, vm: string): GivenDisk[] {
  const slots = view.system.virtio.filter((slot) => slot.vm === vm && slot.device.id === VirtioId.Block);
  return slots.map(({ id, device }) => ({ id, bus: device.transport instanceof PciTransport ? "pci" : "mmio" }));
}
