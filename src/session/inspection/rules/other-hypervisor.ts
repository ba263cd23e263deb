// Machines whose CPUs execute EL2 have a hypervisor of their own there. What is about Gunyah's
// objects is refused on them: el2 has some to make the machine, which are nothing of that hypervisor.

import { gunyahsIn } from "../../../model/commands/all.ts";
import { hint } from "../../../kit/support/text/hint.ts";
import { way } from "../../../kit/support/text/way-out.ts";
import { QueryError, type View } from "../readers/inspected.ts";

/** Whether another hypervisor than el2's own runs at EL2. */
const hasOther = ({ system }: View): boolean => system.symbols.core.cpu.features.has("FEAT_EL2");

/**
 * Refuses what is about Gunyah where the hypervisor is another.
 * @param things by default those of a table or an action
 * @throws QueryError
 */
export function needGunyah(view: View, asked: string, things = gunyahsIn(asked)): void {
  if (things === undefined || !hasOther(view)) return;
  const wayOut = way`${hint("vm ls")} has its VMs, ${hint("events", { kinds: "trap" })} their exits`;
  throw new QueryError(`this machine has no ${things}: they are Gunyah's, and another hypervisor runs at its EL2`, wayOut);
}
