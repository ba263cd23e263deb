// Reports of a guest's kernel about itself, by the forms by which el2 finds them in a kernel's
// memory (model/queries/facts/kernel-report.ts), and the cause that each is.

import { KERNEL_REPORTS, REPORT_KINDS, type ReportKind } from "../../model/queries/facts/kernel-report.ts";
import { hintsOf } from "../../kit/support/text/way-out.ts";
import type { Cause } from "./cause.ts";
import { PROGRAMS } from "./forms/form.ts";
import type { Explained, LinePlace } from "./forms/sign.ts";
import { bodyOf } from "./lines.ts";

/** All but suspending, which is not a failure. */
const FAILURES: readonly ReportKind[] = REPORT_KINDS.filter((kind) => KERNEL_REPORTS[kind].holds !== "suspended");

/** Drivers and disks of virtio, which VMs have. */
const OF_VM = /\bvirtio_|\bvd[a-z]\d*\b/;

/** A line that begins a report; undefined if it begins none. */
export function reported(line: string, at: LinePlace): Explained | undefined {
  const body = bodyOf(line).trimEnd();
  for (const report of FAILURES) {
    const { begins, what } = KERNEL_REPORTS[report];
    const match = begins.map((form) => form.exec(body)).find((one) => one !== null);
    if (!match) continue;
    const { device } = match.groups ?? {};
    return {
      at,
      text: line,
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

export const KERNEL_REPORT_CAUSES: readonly Cause[] = FAILURES.map((report) => {
  const { what, wayOut } = KERNEL_REPORTS[report], way = wayOut(FUNCTION);
  return {
    id: `report-${report}`,
    says: `the guest's kernel reports ${what}; the VM around it works`,
    certain: true,
    evidence: [{ of: "kernel-report", where: { report }, points: 18, must: true }],
    tries: [
      // A command of el2 asks a VM that runs.
      ...hintsOf(way).length === 0 ? [way] : [],
      "read on below its first line: task, function and module; boot the same kernel here, and el2 names them while it is true",
    ],
  };
});
