// Verdicts on kernels in VMs, and evidence from their memory.

import type { AddressSpace } from "../../../machine/hypervisor/inspect.ts";
import type { Evidence } from "../../../model/queries/facts/evidence.ts";
import type { LinuxFinding } from "../../../model/queries/facts/linux-finding.ts";
import { nameOf } from "../../../model/queries/ids.ts";
import { awaitedBy, brokenBy, haltedBy, hangOf, remarksOn, stageOf, waitsOf } from "../kernels/kernels.ts";
import type { View } from "../readers/inspected.ts";
import { evidenceRule, isSick, type Patient, type Verdict, verdictRule } from "./verdict.ts";
import { hint } from "../../../kit/support/text/hint.ts";

/** The findings of a reader in the kernel of a VM's vCPUs. */
function inKernel<T>({ view, online: [vcpu] }: Patient, read: (view: View, space: AddressSpace) => T | undefined): T | undefined {
  return vcpu?.addressSpace && read(view, vcpu.addressSpace);
}

/** A halt that a task has asked for. */
function halted({ view, online }: Patient): Verdict<"halted"> | undefined {
  for (const vcpu of online) {
    const by = haltedBy(view, vcpu);
    if (by) return { fact: { code: "halted", by } };
  }
  return undefined;
}

/** A verdict on a finding, with the command that shows more of it. */
function foundBy<C extends "kernel-broken" | "kernel-waits">(
  patient: Patient,
  code: C,
  read: (view: View, space: AddressSpace) => LinuxFinding | undefined,
  command: "linux log" | "linux locks",
) {
  const finding = inKernel(patient, read);
  return finding && {
    fact: { code, finding },
    next: hint(finding.code === "reported" ? "linux log" : command, nameOf(patient.vm.id)),
    tells: (one: Evidence) => one.code === "kernel" && isSameReport(one.finding, finding),
  };
}

function isSameReport(one: LinuxFinding, other: LinuxFinding): boolean {
  return one.code === "reported" && other.code === "reported" && one.kind === other.kind && one.t === other.t;
}

/** Kernels that have halted, are damaged, or cannot boot. */
export const KERNEL_RULES = [
  verdictRule({ codes: ["halted"], of: "vm", judge: halted }),
  verdictRule({ codes: ["kernel-broken"], of: "vm", judge: (patient) => foundBy(patient, "kernel-broken", brokenBy, "linux log") }),
  verdictRule({ codes: ["kernel-waits"], of: "vm", judge: (patient) => foundBy(patient, "kernel-waits", awaitedBy, "linux log") }),
];

/** Tasks that wait for ever, though nothing else is wrong. */
export const TASK_RULES = [
  verdictRule({ codes: ["kernel-waits"], of: "vm", judge: (patient) => foundBy(patient, "kernel-waits", hangOf, "linux locks") }),
];

const asEvidence = (finding: LinuxFinding) => ({ code: "kernel" as const, finding });

/** The stage of its boot. */
export const STAGE_EVIDENCE = [
  evidenceRule({
    codes: ["kernel"],
    when: (_, verdict) => isSick(verdict),
    read(patient) {
      const stage = inKernel(patient, stageOf);
      return stage ? [asEvidence(stage)] : [];
    },
  }),
];

/** Waits of its programs, in a VM that sleeps. */
export const PROGRAM_EVIDENCE = [
  evidenceRule({
    codes: ["kernel"],
    when: ({ vm, others }) => others.asleep.has(vm.id),
    read: (patient) => (inKernel(patient, waitsOf) ?? []).map(asEvidence),
  }),
];

/** Remarks on it, healthy or not. */
export const REMARK_EVIDENCE = [
  evidenceRule({ codes: ["kernel"], read: (patient) => (inKernel(patient, remarksOn) ?? []).map(asEvidence) }),
];
