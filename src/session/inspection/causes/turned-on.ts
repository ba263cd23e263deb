// The write of SCTLR_EL1 that turned stage 1 on just before a fetch faulted: code without stage 1
// has its intermediate physical address.

import type { Vcpu } from "../../../machine/hypervisor/inspect.ts";
import { readSpace } from "../readers/objects/read-memory.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import type { View } from "../readers/inspected.ts";
import { causeRule, type Suspect } from "./cause-rule.ts";
import { endOf } from "./stage1-walk.ts";

/** MSR SCTLR_EL1, Xt; the instructions before a fetch among which it is: an ISB may follow. */
const MSR_SCTLR = 0xd518_1000, RT_MASK = 0x1f, TURNED_WITHIN = 2;

/** The address of that write; undefined for another access, or if it is not there. */
export function turnedOn({ view, vcpu, taken: { elr }, access }: Suspect): bigint | undefined {
  if (access.kind !== "instruction fetch") return undefined;
  for (let back = 1; back <= TURNED_WITHIN; back++) {
    const at = elr - 4n * BigInt(back), word = wordAtIpa(view, vcpu, at);
    if (word !== undefined && (word & ~RT_MASK) >>> 0 === MSR_SCTLR) return at;
  }
  return undefined;
}

/** The word at an address as code has it that runs without stage 1. */
function wordAtIpa(view: View, { space }: Vcpu, at: bigint): number | undefined {
  const ipa = Number(at), bytes = Number.isSafeInteger(ipa) ? readSpace(view, space, ipa, 4) : undefined;
  return bytes && new DataView(bytes.buffer).getUint32(0, true);
}

export const TURNED_ON_RULE = causeRule({
  codes: ["turned-on-unmapped"],
  asks: "has the code just turned stage 1 on?",
  judge(suspect) {
    const at = turnedOn(suspect);
    return at === undefined ? undefined : { code: "turned-on-unmapped", at: hex(at), walk: endOf(suspect.walk()) ?? null };
  },
});
