// The run of a recording in another machine, from its start to its end.

import { alone, PlanError } from "../../../model/plans/plan.ts";
import { beginSystem } from "../../snapshots/begin.ts";
import { Past } from "../past/past.ts";
import type { Recording } from "../file/recording.ts";

/**
 * A machine at the start of a recorded run, which ends as the recording does; one that was cut off
 * ends with its last line.
 * @param counts whether its core counts how often each instruction is executed
 * @throws PlanError if a file of its plan cannot be used
 */
export function beginAgain({ plan, inputs, checks, end }: Recording, counts = false): Past {
  const begun = beginSystem(alone(plan), counts);
  if ("refused" in begun) throw new PlanError(begun.refused);
  const last = end ?? [...inputs, ...checks].sort((a, b) => a.at - b.at).at(-1);
  return new Past(begun.system, inputs, last?.at ?? 0, 0, end?.end.instructions);
}
