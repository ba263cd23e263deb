// A verdict on a VM as text: `el2 diagnose` prints these lines, and so does what ends with one.

import type { RowOf } from "../table.ts";
import type { DIAGNOSES } from "../tables.ts";

/** The verdict, the way out of it, the evidence, and the command that shows more. */
export function diagnosisLines({ id, verdict, text, evidence, way_out, next }: RowOf<typeof DIAGNOSES>): [string, ...string[]] {
  return [
    `${id} ${verdict}: ${text}`,
    ...way_out === null ? [] : [`  way out: ${way_out}`],
    ...evidence.map((line) => `  ${line}`),
    ...next === null ? [] : [`  next: ${next}`],
  ];
}

/**
 * The verdicts on all VMs when the time of a run is over: what makes no progress with its evidence,
 * and a line for each other VM.
 */
export function timedOutLines(rows: readonly RowOf<typeof DIAGNOSES>[]): string[] {
  const { sick = [], healthy = [] } = Object.groupBy(rows, (row) => row.healthy ? "healthy" : "sick");
  return [...sick.flatMap(diagnosisLines), ...healthy.map((row) => diagnosisLines(row)[0])];
}
