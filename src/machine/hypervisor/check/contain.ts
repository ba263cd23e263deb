// An exception in el2 itself while a vCPU ran: it ends that vCPU, and the others continue, if the
// hypervisor's state is still one that it can be in.

import type { Vcpu } from "../scheduling/vcpu.ts";
import { Checker } from "./check.ts";
import type { CheckedServices } from "./violation.ts";

/**
 * Ends the vCPU. It halts with a fault, as if its guest had caused it.
 * @throws the exception, if the system needs this vCPU or an invariant is broken
 */
export function contain(services: CheckedServices, vcpu: Vcpu, error: unknown): void {
  if (vcpu.settings.isCritical || new Checker(services).sweep().length > 0) throw error;
  vcpu.trace.abandonCall();
  vcpu.trace.reset();
  vcpu.fault("bug");
}
