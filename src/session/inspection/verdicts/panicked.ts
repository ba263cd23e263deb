// Whether a kernel has panicked: what is asked again and again while nothing has failed. It takes
// less than the verdicts on all VMs.

import type { Vcpu } from "../../../machine/hypervisor/inspect.ts";
import { panicOf } from "../kernels/kernels.ts";
import type { View } from "../readers/inspected.ts";
import { isOnline } from "./sleep.ts";

/** The vCPUs that run guests' instructions. */
const running = (view: View): Vcpu[] => view.vcpus().filter((vcpu) => !vcpu.native && isOnline(vcpu));

/** Whether a VM that runs is not among these. */
export const runsAnother = (view: View, vms: ReadonlySet<string>): boolean =>
  running(view).some(({ addressSpace }) => !vms.has(view.vmNameOf(addressSpace)));

/** Whether the kernel of a vCPU that runs has panicked. */
export const hasPanicked = (view: View): boolean => running(view).some((vcpu) => panicOf(view, vcpu) !== undefined);
