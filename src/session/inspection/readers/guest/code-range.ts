// Places of code as verdicts name them.

import type { Vcpu } from "../../../../machine/hypervisor/inspect.ts";
import { lastPart } from "../../../../model/queries/texts/format.ts";
import type { CodeRange } from "../../../../model/queries/facts/verdict.ts";
import { hex } from "../../../../kit/support/text/number-text.ts";
import { framesOf } from "./read-stack.ts";
import { readInstruction } from "./read-symbols.ts";
import type { View } from "../inspected.ts";

/** Code with the symbol and the source line of its first address, if a known image has them. */
export function rangeOf(view: View, vcpu: Vcpu, first: bigint, last = first): CodeRange {
  const vm = view.vmNameOf(vcpu.addressSpace), { symbols } = view.system;
  const source = symbols.sourceOf(vm, first);
  return {
    first: hex(first),
    last: hex(last),
    symbol: symbols.nameIn(vcpu, first) ?? null,
    source: source === undefined ? null : lastPart(source),
  };
}

/** Places on the stack that are named. */
const PLACES_MAX = 3;

/** The address of a call of EL2: PC is after an HVC, and at an SMC. */
export const calledAt = (view: View, vcpu: Vcpu, pc: bigint): bigint =>
  readInstruction(view, vcpu, pc - 4n)?.startsWith("hvc") ? pc - 4n : pc;

/** The place at which a vCPU has called EL2, and its callers as far as the stack shows them. */
export function callPlaces(view: View, vcpu: Vcpu): CodeRange[] {
  const frames = framesOf(view, vcpu).filter(({ inlined }) => !inlined).slice(0, PLACES_MAX);
  return frames.map(({ frame: { at } }, index) => rangeOf(view, vcpu, index === 0 ? calledAt(view, vcpu, at) : at));
}
