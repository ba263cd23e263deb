// The kinds of kernels that el2 knows.

import type { AddressSpace, Vcpu } from "../../../machine/hypervisor/inspect.ts";
import type { EndedBy } from "../../../model/queries/facts/linux-finding.ts";
import type { NamedTask } from "../../../model/queries/facts/program-wait.ts";
import type { Evidence } from "../../../model/queries/facts/evidence.ts";
import { firstOf } from "../../../kit/support/values/in-order.ts";
import { LINUX } from "../linux/linux.ts";
import type { GuestKernel, KernelFindings, KernelPlaces } from "../readers/guest/guest-kernel.ts";
import type { GuestPanic, LoggedLine, View } from "../readers/inspected.ts";

export { KERNEL_READERS } from "../linux/read-linux.ts";

const KERNELS: readonly GuestKernel[] = [LINUX];

/** Whether a console's text has the words of a panic, which any program can print. */
export const showsPanic = (text: string): boolean => KERNELS.some((kernel) => kernel.showsPanic(text));

/** Whether it shows the end of the report on it. */
export const showsPanicEnd = (text: string): boolean => KERNELS.some((kernel) => kernel.showsPanicEnd(text));

/** The first answer that one of the kernels has. */
const first = <T>(ask: (kernel: GuestKernel) => T | undefined) => firstOf(KERNELS, ask);

/** The panic that a vCPU executes; undefined without one. */
export const panicOf = (view: View, vcpu: Vcpu): GuestPanic | undefined => first((kernel) => kernel.panicOf(view, vcpu));

/** The task that has halted a vCPU for good. */
export const haltedBy = (view: View, vcpu: Vcpu): NamedTask | undefined => first((kernel) => kernel.haltedBy(view, vcpu));

/** The findings in the memory of a VM's kernel. */
export function findingsOf(view: View, space: AddressSpace): KernelFindings {
  const all = KERNELS.map((kernel) => kernel.findingsOf(view, space));
  return {
    brokenBy: () => firstOf(all, (one) => one.brokenBy()),
    awaits: () => firstOf(all, (one) => one.awaits()),
    stage: () => firstOf(all, (one) => one.stage()),
    hang: () => firstOf(all, (one) => one.hang()),
    waits: () => all.flatMap((one) => one.waits()),
    runs: () => all.flatMap((one) => one.runs()),
    remarks: () => all.flatMap((one) => one.remarks()),
  };
}

/** The task that made the kernel of a vCPU end its VM. */
export const endedBy = (view: View, vcpu: Vcpu): EndedBy | undefined => first((kernel) => kernel.endedBy(view, vcpu));

/** The last lines of its log. */
export const logOf = (view: View, space: AddressSpace): readonly LoggedLine[] => first((kernel) => kernel.logOf(view, space)) ?? [];

/** Why its consoles show nothing. */
export const unshownBecause = (view: View, space: AddressSpace) => first((kernel) => kernel.unshownBecause(view, space));

/** The places in the code of a VM's kernel at which it is observed. */
export const placesOf = (view: View, space: AddressSpace): KernelPlaces | undefined => first((kernel) => kernel.placesOf(view, space));

/** Remarks on a healthy VM, from what its console has shown. */
export const notesOf = (shown: string): Evidence[] => KERNELS.flatMap((kernel) => kernel.notes(shown));
