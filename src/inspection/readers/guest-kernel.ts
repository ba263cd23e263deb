// Questions to a kernel in a VM. Each kind of kernel answers from its own structures.

import type { AddressSpace, Vcpu } from "../../hypervisor/inspect.ts";
import type { NamedTask } from "../../queries/facts/linux-finding.ts";
import type { Evidence, VerdictFact } from "../../queries/facts/verdict.ts";
import type { GuestPanic, View } from "./inspected.ts";

export interface GuestKernel {
  /** Whether a console's text has the words of a panic, which any program can print. */
  showsPanic(text: string): boolean;
  /** The panic that a vCPU executes; undefined without one. */
  panicOf(view: View, vcpu: Vcpu): GuestPanic | undefined;
  /** The task that has halted a vCPU for good; undefined if none has. */
  haltedBy(view: View, vcpu: Vcpu): NamedTask | undefined;
  /** A defect with which a kernel still runs. */
  troubleOf(view: View, space: AddressSpace): VerdictFact | undefined;
  /** The stage of an unfinished boot. */
  stageOf(view: View, space: AddressSpace): Evidence | undefined;
  /** Remarks on a healthy VM, from what its console has shown. */
  notes(shown: string): readonly Evidence[];
}
