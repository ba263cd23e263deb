// A verdict on a VM, before its row says whose it is; the VM as rules see it; and the forms of a
// rule and of a reader of evidence.

import type { FaultKind } from "../../../machine/abi/faults.ts";
import type { Reason } from "../../../machine/abi/trace.ts";
import type { Vcpu } from "../../../machine/hypervisor/inspect.ts";
import type { Evidence } from "../../../model/queries/facts/evidence.ts";
import { isHealthy } from "../../../model/queries/facts/verdict-words.ts";
import type { NamedTask } from "../../../model/queries/facts/program-wait.ts";
import { type VerdictFact, wordOf } from "../../../model/queries/facts/verdict.ts";
import type { KernelFindings } from "../readers/guest/guest-kernel.ts";
import type { GuestPanic, View } from "../readers/inspected.ts";
import type { FoundIrq } from "../readers/objects/read-irqs.ts";
import type { VmFacts } from "../readers/objects/read-vms.ts";
import type { Prospects } from "./prospects.ts";
import type { Sleep, SleepingVms } from "./sleep.ts";
import type { Hint } from "../../../kit/support/text/hint.ts";

export type VerdictCode = VerdictFact["code"];

/** The activity, wait or defect of a VM, and what that follows from. */
export interface Verdict<C extends VerdictCode = VerdictCode> {
  readonly fact: VerdictFact & { readonly code: C };
  readonly evidence?: readonly Evidence[];
  /** The refusal that led to it. */
  readonly reason?: Reason;
  /** The command that shows more. */
  readonly next?: Hint;
  /** The cause, which is shown instead of the fact. */
  readonly cause?: Evidence;
  /** Whether the fact says the same as this evidence. */
  readonly tells?: (one: Evidence) => boolean;
  readonly vain?: VainWait;
}

/** Whether a verdict gives a reason to look further. */
export const isSick = ({ fact }: Verdict) => !isHealthy(wordOf(fact));

/** A wait in vain: what may be missing. */
export interface VainWait {
  /** Kinds of operations for which it may wait: injected faults may have lost one. */
  readonly operations: readonly FaultKind[];
  /** Perhaps a vCPU that is off. */
  readonly vcpus?: true;
  /** The fact's own way out is as good as that of evidence. */
  readonly precise?: true;
}

/** A kernel as rules see it: that of a VM in a machine, or of a dump. */
export interface JudgedKernel extends KernelFindings {
  /** The VM's name. */
  readonly vm: string;
  /** Whether it is memory of a dump, in which nothing runs. */
  readonly isSaved: boolean;
  /** Whether it has nothing to execute. */
  isAsleep(): boolean;
  /** The panic in which it is. */
  panic(): FoundPanic | undefined;
  /** The task that has halted it. */
  haltedBy(): NamedTask | undefined;
}

/** A panic, with what has shown it and the command that shows more. */
export interface FoundPanic extends GuestPanic, Required<Pick<Verdict, "evidence" | "next">> {}

/** A VM with what the verdict on it follows from. */
export interface Patient {
  readonly view: View;
  readonly vm: VmFacts;
  readonly vcpus: readonly Vcpu[];
  /** Those of its vCPUs that are powered on. */
  readonly online: readonly Vcpu[];
  readonly irqs: readonly FoundIrq[];
  /** Undefined while no vCPU is on. */
  readonly kernel: JudgedKernel | undefined;
  readonly others: OtherVms;
}

/** Knowledge of all VMs. */
export interface OtherVms extends SleepingVms {
  readonly prospects: Prospects;
  /** Whether a VM failed, or ended by a fault: nobody serves its queues. */
  readonly isDead: (vm: string) => boolean;
  /** The verdict on a VM; undefined for one that is not known, or is being judged. */
  readonly verdictOn: (vm: string) => Verdict | undefined;
  /** The interrupts of a VM that have a finding. */
  readonly irqsOf: (vm: string) => readonly FoundIrq[];
}

/** The subject of a rule: the VM as a whole, each of its vCPUs that is on, or its sleep. */
interface Subjects {
  vm: undefined;
  vcpu: Vcpu;
  sleep: Sleep;
}

interface RuleOf<O extends keyof Subjects, C extends VerdictCode> {
  /** Codes of the verdicts that it may give. */
  readonly codes: readonly C[];
  readonly of: O;
  /** Whether it applies to a VM; absent: to all. */
  readonly when?: (patient: Patient) => boolean;
  readonly judge: (patient: Patient, subject: Subjects[O]) => Verdict<C> | undefined;
}

/** A rule that sees a kernel alone, so that it applies to dumps, too. */
export interface KernelRule<C extends VerdictCode = VerdictCode> {
  readonly codes: readonly C[];
  readonly of: "kernel";
  /** Whether it applies to a VM of a machine; absent: to all. */
  readonly when?: (patient: Patient) => boolean;
  readonly judge: (kernel: JudgedKernel) => Verdict<C> | undefined;
}

/** A rule of verdicts. It sees evidence and the machine's state, and nothing else. */
export type VerdictRule = { [O in keyof Subjects]: RuleOf<O, VerdictCode> }[keyof Subjects] | KernelRule;

/** Declares a rule: its verdicts have its codes. */
export function verdictRule<O extends keyof Subjects, const C extends VerdictCode>(rule: RuleOf<O, C>): RuleOf<O, C> {
  return rule;
}

/** Declares a rule on kernels: its verdicts have its codes. */
export function kernelRule<const C extends VerdictCode>(rule: Omit<KernelRule<C>, "of">): KernelRule<C> {
  return { ...rule, of: "kernel" };
}

export interface EvidenceOf<S, C extends Evidence["code"]> {
  readonly codes: readonly C[];
  /** Whether it applies to a VM with such a verdict; absent: to all. */
  readonly when?: (subject: S, verdict: Verdict) => boolean;
  readonly read: (subject: S, verdict: Verdict) => readonly (Evidence & { readonly code: C })[];
}

/** A reader of evidence in the machine. */
interface PatientEvidence<C extends Evidence["code"] = Evidence["code"]> extends EvidenceOf<Patient, C> {
  readonly of?: undefined;
}

/** A reader of evidence that sees a kernel, if there is one, so that it applies to dumps, too. */
interface KernelEvidence<C extends Evidence["code"] = Evidence["code"]> extends EvidenceOf<JudgedKernel | undefined, C> {
  readonly of: "kernel";
}

/** A reader of evidence. */
export type EvidenceRule = PatientEvidence | KernelEvidence;

/** Declares a reader: its evidence has its codes. */
export function evidenceRule<const C extends Evidence["code"]>(rule: PatientEvidence<C>): PatientEvidence<C> {
  return rule;
}

/** Declares a reader in kernels: its evidence has its codes. */
export function kernelEvidence<const C extends Evidence["code"]>(rule: Omit<KernelEvidence<C>, "of">): KernelEvidence<C> {
  return { ...rule, of: "kernel" };
}
