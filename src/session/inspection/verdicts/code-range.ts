// Places of code as verdicts name them.

import type { Vcpu } from "../../../machine/hypervisor/inspect.ts";
import { lastPart } from "../../../model/queries/texts/format.ts";
import type { CodeRange } from "../../../model/queries/facts/verdict.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import type { View } from "../readers/inspected.ts";

/** Code with the symbol and the source line of its first address, if a known image has them. */
export function rangeOf(view: View, vcpu: Vcpu, first: bigint, last = first): CodeRange {
  const vm = view.vmNameOf(vcpu.addressSpace), { symbols } = view.system;
  const source = symbols.sourceOf(vm, first);
  return {
    first: hex(first),
    last: hex(last),
    symbol: symbols.nameOf(vm, first) ?? null,
    source: source === undefined ? null : lastPart(source),
  };
}
