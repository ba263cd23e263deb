// Whether interrupts are pending, by their ids.

import type { Hypervisor } from "../../hypervisor/inspect.ts";
import { parseAs, vmOfName } from "../../queries/ids.ts";

/** Of a machine: asks of an interrupt of a VM, and of a private one by the index of its vCPU. */
export function pendingIn({ scheduler, names }: Hypervisor): (irq: string, index: number | undefined) => boolean {
  return (irq, index) => {
    const id = parseAs("irq", irq);
    if (!id) return false;
    for (const vcpu of scheduler.vcpus) {
      const { vic, gic } = vcpu;
      if (!vic || vmOfName(names.vcpu(vcpu)) !== id.vm || index !== undefined && vcpu.index !== index) continue;
      return vic.gic.bank(gic, id.intid).isPending(id.intid);
    }
    return false;
  };
}
