// A verdict on a VM, before its row says whose it is; the VM as rules see it; and the forms of a
// rule and of a reader of evidence.

import type { FaultKind } from "../../../machine/abi/faults.ts";
import type { Reason } from "../../../machine/abi/trace.ts";
import type { Vcpu } from "../../../machine/hypervisor/inspect.ts";
import type { Evidence } from "../../../model/queries/facts/evidence.ts";
import { isHealthy } from "../../../model/queries/facts/verdict-words.ts";
import { type VerdictFact, wordOf } from "../../../model/queries/facts/verdict.ts";
import type { View } from "../readers/inspected.ts";
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

/** A VM with what the verdict on it follows from. */
export interface Patient {
  readonly view: View;
  readonly vm: VmFacts;
  readonly vcpus: readonly Vcpu[];
  /** Those of its vCPUs that are powered on. */
  readonly online: readonly Vcpu[];
  readonly irqs: readonly FoundIrq[];
  readonly others: OtherVms;
}

/** Knowledge of all VMs. */
export interface OtherVms extends SleepingVms {
  readonly prospects: Prospects;
  /** Whether a VM failed, or ended by a fault: nobody serves its queues. */
  readonly isDead: (vm: string) => boolean;
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

/** A rule of verdicts. It sees evidence and the machine's state, and nothing else. */
export type VerdictRule = { [O in keyof Subjects]: RuleOf<O, VerdictCode> }[keyof Subjects];

/** Declares a rule: its verdicts have its codes. */
export function verdictRule<O extends keyof Subjects, const C extends VerdictCode>(rule: RuleOf<O, C>): RuleOf<O, C> {
  return rule;
}

/** A reader of evidence. */
export interface EvidenceRule<C extends Evidence["code"] = Evidence["code"]> {
  readonly codes: readonly C[];
  /** Whether it applies to a VM with such a verdict; absent: to all. */
  readonly when?: (patient: Patient, verdict: Verdict) => boolean;
  readonly read: (patient: Patient, verdict: Verdict) => readonly (Evidence & { readonly code: C })[];
}

/** Declares a reader: its evidence has its codes. */
export function evidenceRule<const C extends Evidence["code"]>(rule: EvidenceRule<C>): EvidenceRule<C> {
  return rule;
}
