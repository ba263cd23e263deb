// Questions to a kernel in a VM. Each kind of kernel answers from its own structures.

import type { TraceKind } from "../../../../machine/abi/trace.ts";
import type { VcpuState } from "../../../../cpu/core/interface.ts";
import type { AddressSpace, Observed, Vcpu } from "../../../../machine/hypervisor/inspect.ts";
import type { LoadedSymbols } from "../../../../inside/symbols/module-file.ts";
import type { Gap } from "../../../../model/queries/facts/gap.ts";
import type { OfCode } from "../../../../model/queries/facts/fact.ts";
import type { EndedBy, LinuxFinding } from "../../../../model/queries/facts/linux-finding.ts";
import type { NamedTask } from "../../../../model/queries/facts/program-wait.ts";
import type { Evidence } from "../../../../model/queries/facts/evidence.ts";
import type { GuestPanic, LoggedLine, View } from "../inspected.ts";

export interface GuestKernel {
  /** Whether a console's text has the words of a panic, which any program can print. */
  showsPanic(text: string): boolean;
  /** Whether the text has the end of such a report. */
  showsPanicEnd(text: string): boolean;
  /** The panic that a vCPU executes; undefined without one. */
  panicOf(view: View, vcpu: Vcpu): GuestPanic | undefined;
  /** The task that has halted a vCPU for good; undefined if none has. */
  haltedBy(view: View, vcpu: Vcpu): NamedTask | undefined;
  /** The task that made the kernel of a vCPU end its VM, in the vCPU's last call. */
  endedBy(view: View, vcpu: Vcpu): EndedBy | undefined;
  /** The findings in the memory of a VM's kernel, each read when it is asked for. */
  findingsOf(view: View, space: AddressSpace): KernelFindings;
  /** The last lines of a kernel's own log. */
  logOf(view: View, space: AddressSpace): readonly LoggedLine[] | undefined;
  /** Why none of the consoles that a kernel's command line names shows anything. */
  unshownBecause(view: View, space: AddressSpace): OfCode<LinuxFinding, "console-unregistered"> | undefined;
  /** Remarks on a healthy VM, from what its console has shown. */
  notes(shown: string): readonly Evidence[];
  /**
   * The places in a VM's kernel at which events of its tasks are seen; undefined without a kernel.
   * @throws SymbolSearch
   */
  placesOf(view: View, space: AddressSpace): KernelPlaces | undefined;
}

/** Findings in the memory of a kernel. */
export interface KernelFindings {
  /** A defect with which it still runs. */
  brokenBy(): LinuxFinding | undefined;
  /** Something without which it cannot boot, and which does not come. */
  awaits(): LinuxFinding | undefined;
  /** The stage of an unfinished boot. */
  stage(): LinuxFinding | undefined;
  /** Tasks that wait for ever, though nothing else is wrong with its VM. */
  hang(): LinuxFinding | undefined;
  /** Waits of its programs for one another, and for answers of its networks. */
  waits(): readonly LinuxFinding[];
  /** Programs on its CPUs. */
  runs(): readonly LinuxFinding[];
  /** Remarks on it, healthy or not, from its state. */
  remarks(): readonly LinuxFinding[];
}

/** Places in the code of one kernel. */
export interface KernelPlaces {
  /** The kernel that they are in. Each life of a VM has its own. */
  readonly of: object;
  /** Why there are none. */
  readonly gap?: Gap | undefined;
  /** By virtual address, those at which events of these kinds are seen. */
  at(kinds: readonly TraceKind[]): ReadonlyMap<bigint, KernelPlace>;
  /** Where it calls a function when a module is in its place, and nothing of it was executed. */
  readonly loads?: KernelLoads | undefined;
  /** Forgets calls in progress: the kernel continues unobserved. */
  forget(): void;
}

export interface KernelLoads {
  readonly at: bigint;
  /** The modules that it has now. */
  modules(): readonly LoadedSymbols[];
}

export interface KernelPlace {
  /**
   * The event of a vCPU that executes the instruction there; a gap if its memory cannot be read.
   * @param time virtual time (ns)
   */
  seen(vcpu: VcpuState, time: number): Observed | Gap | undefined;
}
