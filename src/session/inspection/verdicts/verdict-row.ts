// The row of a verdict: its text, the way out, and the evidence in the order in which it counts.

import { EVIDENCE, type Evidence, evidenceLine } from "../../../model/queries/facts/evidence.ts";
import { VERDICT_FACTS, wordOf } from "../../../model/queries/facts/verdict.ts";
import type { RowOf } from "../../../model/queries/table.ts";
import type { DIAGNOSES } from "../../../model/queries/tables.ts";
import { hintText, hintValues } from "../../../kit/support/text/hint.ts";
import { wayOutText } from "../../../kit/support/text/way-out.ts";
import { ranked } from "./evidence-rank.ts";
import { type EvidenceOf, isSick, type Verdict } from "./verdict.ts";
import { type RemedyOf, wayOutOf } from "./way-out.ts";

interface Judged {
  /** The VM's. */
  readonly id: string;
  readonly judged: Verdict;
  readonly evidence: readonly Evidence[];
  /** The mistake in its configuration that explains its state. */
  readonly planned?: Evidence;
  readonly remedyOf: RemedyOf;
}

export function diagnosisOf({ id, judged, evidence, planned, remedyOf }: Judged): RowOf<typeof DIAGNOSES> {
  const { fact, next } = judged, healthy = !isSick(judged), text = VERDICT_FACTS.text(fact);
  const cause = healthy ? undefined : planned ?? judged.cause;
  const because = ranked(evidence.filter((one) => !judged.tells?.(one)));
  const { wayOut, of } = cause ? { wayOut: EVIDENCE.wayOut(cause) } : wayOutOf(remedyOf, judged, because);
  // The verdict has its way out already.
  const lines = [...cause ? [text] : [], ...because.map((one) => one === of ? EVIDENCE.text(one) : evidenceLine(one))];
  return {
    id,
    verdict: wordOf(fact),
    healthy,
    text: cause ? EVIDENCE.text(cause) : text,
    evidence: [...new Set(lines)],
    way_out: wayOutText(wayOut) ?? null,
    next: next ? hintText(next) : null,
    hint: next ? hintValues(next) : null,
    fact,
    because: cause ? [cause, ...because] : because,
  };
}

/** The evidence of a reader about a VM or a kernel with a verdict. */
export const evidenceBy = <S>(rule: EvidenceOf<S, Evidence["code"]>, subject: S, judged: Verdict): readonly Evidence[] =>
  rule.when?.(subject, judged) ?? true ? rule.read(subject, judged) : [];
