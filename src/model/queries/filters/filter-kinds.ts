// Kinds of events that a filter can match.

import { KERNEL_KINDS, MACHINE_KINDS, TRACE_KINDS, type TraceKind } from "../../../machine/abi/trace.ts";
import { tokensOf } from "./filter.ts";
import { isTemporal } from "./temporal-filter.ts";

/**
 * Kinds whose events a filter has to see: the one that it names, or else all kinds of the machine,
 * and those kinds of kernels in VMs that it mentions.
 */
export function kindsForFilter(filter: string): readonly TraceKind[] {
  const terms = tokensOf(filter).map(({ text }) => text), allHold = !terms.includes("|") && !isTemporal(filter);
  const one = TRACE_KINDS.find((kind) => allHold && terms.includes(`kind=${kind}`));
  return one ? [one] : [...MACHINE_KINDS, ...KERNEL_KINDS.filter((kind) => filter.includes(kind))];
}
