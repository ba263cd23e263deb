// A verdict on a VM as text: `el2 diagnose` prints these lines, and so does what ends with one.

import type { RowOf } from "./table.ts";
import type { DIAGNOSES } from "./tables.ts";

/** The verdict, its evidence, and the command that shows more. */
export function diagnosisLines({ id, verdict, text, evidence, next }: RowOf<typeof DIAGNOSES>): [string, ...string[]] {
  return [`${id} ${verdict}: ${text}`, ...evidence.map((line) => `  ${line}`), ...next === null ? [] : [`  next: ${next}`]];
}
