// Verdicts on kernels in VMs and in dumps, and evidence from their memory.

import type { Evidence } from "../../../model/queries/facts/evidence.ts";
import type { LinuxFinding } from "../../../model/queries/facts/linux-finding.ts";
import { isSick, type JudgedKernel, kernelEvidence, kernelRule, type Verdict } from "./verdict.ts";
import { hint } from "../../../kit/support/text/hint.ts";

/** A halt that a task has asked for. */
function halted(kernel: JudgedKernel): Verdict<"halted"> | undefined {
  const by = kernel.haltedBy();
  return by && { fact: { code: "halted", by } };
}

/** A verdict on a finding, with the command that shows more of it. */
const foundBy = <C extends "kernel-broken" | "kernel-waits">(
  code: C,
  read: (kernel: JudgedKernel) => LinuxFinding | undefined,
  command: "linux log" | "linux locks",
) =>
  kernelRule({
    codes: [code],
    judge(kernel) {
      const finding = read(kernel);
      return finding && {
        fact: { code, finding },
        next: hint(finding.code === "reported" ? "linux log" : command, kernel.vm),
        tells: (one: Evidence) => one.code === "kernel" && isSameReport(one.finding, finding),
      };
    },
  });

function isSameReport(one: LinuxFinding, other: LinuxFinding): boolean {
  return one.code === "reported" && other.code === "reported" && one.kind === other.kind && one.t === other.t;
}

/** Kernels that have halted, are damaged, or cannot boot. */
export const KERNEL_RULES = [
  kernelRule({ codes: ["halted"], judge: halted }),
  foundBy("kernel-broken", (kernel) => kernel.brokenBy(), "linux log"),
  foundBy("kernel-waits", (kernel) => kernel.awaits(), "linux log"),
];

/** Tasks that wait for ever, though nothing else is wrong. */
export const TASK_RULES = [foundBy("kernel-waits", (kernel) => kernel.hang(), "linux locks")];

/** Kernels of dumps in which nothing is wrong. */
export const SAVED_RULES = [
  kernelRule({
    codes: ["saved"],
    judge: ({ isSaved, vm }) => isSaved ? { fact: { code: "saved" }, next: hint("linux log", vm) } : undefined,
  }),
];

const asEvidence = (finding: LinuxFinding) => ({ code: "kernel" as const, finding });

/** The stage of its boot. */
export const STAGE_EVIDENCE = [
  kernelEvidence({
    codes: ["kernel"],
    when: (_, verdict) => isSick(verdict),
    read(kernel) {
      const stage = kernel?.stage();
      return stage ? [asEvidence(stage)] : [];
    },
  }),
];

/** The programs that run, in a VM that does not sleep. */
export const CPU_EVIDENCE = [
  kernelEvidence({
    codes: ["kernel"],
    when: (kernel, verdict) => kernel !== undefined && !kernel.isSaved && !kernel.isAsleep() && !isSick(verdict),
    read: (kernel) => (kernel?.runs() ?? []).map(asEvidence),
  }),
];

/** Waits of its programs, in a VM that sleeps. */
export const PROGRAM_EVIDENCE = [
  kernelEvidence({
    codes: ["kernel"],
    when: (kernel) => kernel?.isAsleep() ?? false,
    read: (kernel) => (kernel?.waits() ?? []).map(asEvidence),
  }),
];

/** Remarks on it, healthy or not. */
export const REMARK_EVIDENCE = [
  kernelEvidence({ codes: ["kernel"], read: (kernel) => (kernel?.remarks() ?? []).map(asEvidence) }),
];
