// The kinds of kernels that el2 knows.

import type { Vcpu } from "../../hypervisor/inspect.ts";
import type { Evidence } from "../../queries/facts/verdict.ts";
import { LINUX } from "../linux/linux.ts";
import type { GuestKernel, GuestPanic } from "../readers/guest-kernel.ts";
import type { View } from "../readers/inspected.ts";

export { KERNEL_READERS } from "../linux/read-linux.ts";

const KERNELS: readonly GuestKernel[] = [LINUX];

/** Whether a console's text has the words of a panic, which any program can print. */
export const showsPanic = (text: string): boolean => KERNELS.some((kernel) => kernel.showsPanic(text));

/** The panic that a vCPU executes; undefined without one. */
export function panicOf(view: View, vcpu: Vcpu): GuestPanic | undefined {
  return KERNELS.find((kernel) => kernel.isPanicking(view, vcpu))?.panicOf(view, vcpu);
}

/** Remarks on a healthy VM, from what its console has shown. */
export const notesOf = (shown: string): Evidence[] => KERNELS.flatMap((kernel) => kernel.notes(shown));
