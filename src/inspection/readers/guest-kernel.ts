// Questions to a kernel in a VM, of whichever kind: each kind answers from its own structures.

import type { Vcpu } from "../../hypervisor/inspect.ts";
import type { LinuxFinding } from "../../queries/facts/linux-finding.ts";
import type { Evidence } from "../../queries/facts/verdict.ts";
import type { View } from "./inspected.ts";

/** The end that a kernel has come to by its own judgment. */
export interface GuestPanic {
  /** Null if it is nowhere. */
  readonly message: string | null;
  readonly cause: LinuxFinding | null;
}

export interface GuestKernel {
  /** Whether a console's text has the words of a panic, which any program can print. */
  showsPanic(text: string): boolean;
  /** Whether a vCPU executes the panic of a kernel of this kind. */
  isPanicking(view: View, vcpu: Vcpu): boolean;
  /** Of a vCPU that is panicking. */
  panicOf(view: View, vcpu: Vcpu): GuestPanic;
  /** Remarks on a healthy VM, from what its console has shown. */
  notes(shown: string): readonly Evidence[];
}
