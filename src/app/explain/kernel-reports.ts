// Reports of a guest's kernel about itself, by the forms by which el2 finds them in a kernel's
// memory (model/queries/facts/kernel-report.ts), and the cause that each is.

import { KERNEL_REPORTS, REPORT_KINDS, type ReportKind } from "../../model/queries/facts/kernel-report.ts";
import { hint } from "../../kit/support/text/hint.ts";
import { hintsOf, way } from "../../kit/support/text/way-out.ts";
import type { Cause } from "./cause.ts";
import { PROGRAMS } from "./forms/form.ts";
import type { Explained, LinePlace } from "./forms/sign.ts";

/** All but suspending, which is not a failure. */
const FAILURES: readonly ReportKind[] = REPORT_KINDS.filter((kind) => KERNEL_REPORTS[kind].holds !== "suspended");

/** Drivers and disks of virtio, which VMs have. */
const OF_VM = /\bvirtio_|\bvd[a-z]\d*\b/;

/**
 * A line that begins a report; undefined if it begins none.
 * @param body the line without what loggers put before it
 */
export function reported({ text, body }: { readonly text: string; readonly body: string }, at: LinePlace): Explained | undefined {
  for (const report of FAILURES) {
    const { begins, what } = KERNEL_REPORTS[report];
    const match = begins.map((form) => form.exec(body)).find((one) => one !== null);
    if (!match) continue;
    const { device } = match.groups ?? {};
    return {
      at,
      text,
      by: PROGRAMS.kernel.name,
      count: 1,
      says: `it reports ${what}`,
      ...!OF_VM.test(body) && { shared: true },
      sign: { kind: "kernel-report", values: { report, ...device !== undefined && { device } }, at },
    };
  }
  return undefined;
}

/** The function that a report is about, where it has a stack. */
const FUNCTION = "the first function of its stack that does not only check";

/** Exceptions of its own code, which have forms (forms/exception-forms.ts). */
const EXCEPTIONS: readonly Cause[] = [
  {
    id: "guest-null",
    says: "code of the guest's kernel used a pointer that nobody had set, or a field of one: the VM around it works",
    certain: true,
    evidence: [{ of: "oops", where: { what: "null" }, points: 22, must: true }],
    tries: [
      "the line `pc :` names the function and its module; the address is the offset of the field in its structure",
      way`boot the same kernel here, with its ramdisk and module: ${hint("vcpu stack")} has lines and variables, and ${
        hint("back")
      } goes to who left it zero`,
    ],
  },
  {
    id: "guest-address",
    says:
      "code of the guest's kernel used an address that is not mapped, or not for that: freed memory, an end of a buffer, a device's address without ioremap, a constant",
    certain: true,
    evidence: [{ of: "oops", where: { what: "address" }, points: 22, must: true }],
    tries: [
      "the line `pc :` names the function and its module; the line with pgd, pmd and pte shows at which level its translation ends",
      way`boot the same kernel here, with its ramdisk and module: ${hint("who")} names the last writer of the pointer`,
    ],
  },
  {
    id: "guest-bug",
    says:
      "code of the guest's kernel found a state that its author has excluded (BUG_ON), or jumped where it may not: the VM around it works",
    certain: true,
    evidence: [{ of: "oops", where: { what: ["bug", "jump"] }, points: 22, must: true }],
    tries: ["the line `pc :` names the function and its module; boot the same kernel here, and look back from there"],
  },
];

export const KERNEL_REPORT_CAUSES: readonly Cause[] = [...EXCEPTIONS, ...FAILURES.map(causeOf)];

function causeOf(report: ReportKind): Cause {
  const { what, wayOut } = KERNEL_REPORTS[report], help = wayOut(FUNCTION);
  return {
    id: `report-${report}`,
    says: `the guest's kernel reports ${what}; the VM around it works`,
    certain: true,
    evidence: [{ of: "kernel-report", where: { report }, points: 18, must: true }],
    tries: [
      // A command of el2 asks a VM that runs.
      ...hintsOf(help).length === 0 ? [help] : [],
      "read on below its first line: task, function and module; boot the same kernel here, and el2 names them while it is true",
    ],
  };
}
