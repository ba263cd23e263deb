// The way out of a verdict: that of its fact, of the evidence that explains it, or of the refusal
// that led to it; else what helps all of its kind. And rules of injected faults that may have
// caused it.

import { FAULT_KINDS, type FaultKind } from "../../../machine/abi/faults.ts";
import { fits } from "../../../machine/hypervisor/options.ts";
import { EVIDENCE, type Evidence, injectedBy } from "../../../model/queries/facts/evidence.ts";
import { VERDICT_FACTS, type VerdictFact, wordOf } from "../../../model/queries/facts/verdict.ts";
import { isHealthy } from "../../../model/queries/facts/verdict-words.ts";
import { nameOf } from "../../../model/queries/ids.ts";
import type { View } from "../readers/inspected.ts";
import { remedyOf } from "../readers/objects/read-trace.ts";
import type { Verdict } from "./verdict.ts";

const OF_VMM: readonly FaultKind[] = ["hvc", "ioctl"], OF_MANAGER: readonly FaultKind[] = ["hvc", "rpc", "ioctl", "alloc", "assign"];

/**
 * Verdicts on what waits in vain, and the operations for which it may wait; the evidence of a lost
 * interrupt has its rules already.
 */
const VAIN: { readonly [C in VerdictFact["code"]]?: readonly FaultKind[] } = {
  "spins": FAULT_KINDS,
  "exit-loop": FAULT_KINDS,
  "no-wakeup": FAULT_KINDS,
  "deadlock": FAULT_KINDS,
  "awaits-dead": FAULT_KINDS,
  "vmm-silent": OF_VMM,
  "vmm-absent": OF_VMM,
  "not-started": OF_MANAGER,
  "leaked": OF_MANAGER,
  "unheard": [],
  "source-idle": ["dev"],
};
/** Those of them whose own way out is as good as that of evidence. */
const PRECISE: ReadonlySet<VerdictFact["code"]> = new Set<VerdictFact["code"]>(["source-idle"]);
/** Evidence that may explain what waits in vain. */
const EXPLAINS: ReadonlySet<Evidence["code"]> = new Set<Evidence["code"]>([
  ...["lost-sgi", "start-refused", "stale-translation", "gicv2-driver", "misplaced", "barred", "wakeup"] as const,
]);

/** @param because the evidence, in its order. Gives the way out, and the evidence whose it is. */
export function wayOutOf(
  view: View,
  { fact, reason }: Verdict,
  because: readonly Evidence[],
): { readonly wayOut?: string; readonly of?: Evidence } {
  const own = VERDICT_FACTS.wayOut(fact), isVain = fact.code in VAIN;
  if (isHealthy(wordOf(fact)) || own !== undefined && !isVain) return { wayOut: own };
  const waysOf = (test: (code: Evidence["code"]) => boolean) =>
    because.flatMap((of) => {
      const wayOut = test(of.code) ? EVIDENCE.wayOut(of) : undefined;
      return wayOut === undefined ? [] : [{ wayOut, of }];
    });
  const [cause] = waysOf((code) => code === "cause" || code === "injected"), remedy = reason && remedyOf(view, reason);
  if (cause) return cause;
  if (remedy !== undefined) return { wayOut: remedy };
  const [explains] = isVain && !PRECISE.has(fact.code) ? waysOf((code) => EXPLAINS.has(code)) : [];
  return explains ?? { wayOut: own };
}

/** Rules that have hit operations for which a VM may wait in vain; of interrupts, its own. */
export function injectedInto(view: View, vm: string, { code }: VerdictFact): Evidence[] {
  return view.hypervisor.faults.entries.flatMap((entry): Evidence[] => {
    const { rule: { kind, conditions, effect }, hits } = entry;
    if (hits === 0 || !VAIN[code]?.includes(kind) || effect.kind === "delay" || effect.kind === "double") return [];
    const isOfOther = kind === "virq" && conditions.some((one) => one.field === "vm" && !fits(one, { vm: nameOf(vm) }));
    return isOfOther ? [] : [injectedBy(entry)];
  });
}
