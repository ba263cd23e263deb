// The state of the hypervisor as plain data, whole: two dumps are equal exactly if nothing has
// changed in between.

import type { Fields } from "./archive/state-dump.ts";
import type { Hypervisor } from "./hypervisor.ts";

/** Everything that the hypervisor knows. */
export function dumpHypervisor(hypervisor: Hypervisor): Fields {
  return {
    objects: [...hypervisor.objects].map((object) => object.dump()),
    memory: [...hypervisor.memory.all()].map(({ pa, size, owner }) => [pa, size, owner.name]),
    addressSpaces: [...hypervisor.addressSpaces].map(([vmid, space]) => [vmid, space.name]),
    hwirqs: [...hypervisor.hwirqs].map(([intid, hwirq]) => [intid, hwirq.name]),
    virtioPages: [...hypervisor.virtioPages].map(([pa, device]) => [pa, device.name]),
    scheduler: hypervisor.scheduler.dump(),
    traceClasses: hypervisor.trace.classes.flags,
    random: hypervisor.random.dump(),
    stage2Tables: hypervisor.options.stage2.available,
    stopped: hypervisor.machine.stopReason !== undefined,
  };
}
