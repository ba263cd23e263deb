// Machines whose CPUs execute EL2 run another hypervisor there. Questions and actions about
// Gunyah's objects are refused on them: those that exist only make the machine.

import { gunyahsIn } from "../../../model/commands/all.ts";
import type { readFaultRule } from "../../../model/queries/fault-rule.ts";
import { hint } from "../../../kit/support/text/hint.ts";
import { way } from "../../../kit/support/text/way-out.ts";
import { QueryError, type View } from "../readers/inspected.ts";

/** Whether another hypervisor than el2's own runs at EL2. */
const hasOther = ({ system }: View): boolean => system.symbols.core.cpu.features.has("FEAT_EL2");

/** Refuses what is about these things of Gunyah's, if any, where the hypervisor is another. */
function need(view: View, things: string | undefined): void {
  if (things === undefined || !hasOther(view)) return;
  const wayOut = way`list its VMs with ${hint("vm ls")}, and their exits with ${hint("events", { kinds: "trap" })}`;
  throw new QueryError(`this machine has no ${things}: they are Gunyah's, and another hypervisor runs at its EL2`, wayOut);
}

/**
 * Refuses a table or an action that is about Gunyah's things.
 * @throws QueryError
 */
export const needGunyah = (view: View, asked: string): void => need(view, gunyahsIn(asked));

type FaultRule = ReturnType<typeof readFaultRule>;

/** Faults of Gunyah's calls and resources. */
const FAULTS: { readonly [K in FaultRule["kind"]]?: string } = {
  hvc: "hypercalls",
  rpc: "requests to the Resource Manager",
  ioctl: "ioctls of VMMs",
  alloc: "limited resources",
};

/** The same of a fault. @throws QueryError */
export const needGunyahForFault = (view: View, { kind }: FaultRule): void => need(view, FAULTS[kind]);
