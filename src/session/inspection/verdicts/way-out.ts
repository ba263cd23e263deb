// The way out of a verdict: that of its fact, of the evidence that explains it, or of the refusal
// that led to it; else what helps all of its kind.

import { EVIDENCE, type Evidence } from "../../../model/queries/facts/evidence.ts";
import { VERDICT_FACTS } from "../../../model/queries/facts/verdict.ts";
import { isSick, type Verdict } from "./verdict.ts";
import type { WayOut } from "../../../kit/support/text/way-out.ts";

/** Evidence that may explain what waits in vain. */
const EXPLAINS: ReadonlySet<Evidence["code"]> = new Set<Evidence["code"]>([
  ...["unserved-call", "lost-sgi", "start-refused", "stale-translation", "gicv2-driver", "misplaced", "barred", "wakeup"] as const,
  ...["unheard-ring", "swallowed", "same-answer", "stray-exclusive", "masked-pending", "other-end", "own-lock"] as const,
  ...["taken-locks", "barred-sgi", "left-lock", "refused-send", "unchanging", "in-handler"] as const,
]);

/** The way out of a refusal. */
export type RemedyOf = (reason: NonNullable<Verdict["reason"]>) => WayOut | undefined;

/** @param because the evidence, in its order. Gives the way out, and the evidence whose it is. */
export function wayOutOf(
  remedyOf: RemedyOf,
  verdict: Verdict,
  because: readonly Evidence[],
): { readonly wayOut?: WayOut; readonly of?: Evidence } {
  const { fact, reason, vain } = verdict, own = VERDICT_FACTS.wayOut(fact);
  if (!isSick(verdict) || own !== undefined && !vain) return { wayOut: own };
  const waysOf = (test: (code: Evidence["code"]) => boolean) =>
    because.flatMap((of) => {
      const wayOut = test(of.code) ? EVIDENCE.wayOut(of) : undefined;
      return wayOut === undefined ? [] : [{ wayOut, of }];
    });
  const [cause] = waysOf((code) => code === "cause" || code === "injected"), remedy = reason && remedyOf(reason);
  if (cause) return cause;
  if (remedy !== undefined) return { wayOut: remedy };
  const [explains] = vain && !vain.precise ? waysOf((code) => EXPLAINS.has(code)) : [];
  return explains ?? { wayOut: own };
}
