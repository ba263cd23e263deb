// The plan of a configuration that the user fixes while a screen shows its errors.

import { type PlanReader, planRun } from "../../../configuration/plan-run.ts";
import { checked, type PlannedRun } from "../plans/planned.ts";

/**
 * The plan of a configuration; on a terminal its errors are shown on a screen while the user fixes
 * them.
 */
export async function fixedPlan(what: string, reader: PlanReader, changes: readonly string[]): Promise<PlannedRun> {
  const first = await planRun(what, reader, changes);
  // No editor fixes what the user has typed: an error without a place is in a change.
  const isTyped = changes.length > 0 && !first.ok && first.problems.every(({ at }) => at === undefined);
  if (first.ok || isTyped || !what.endsWith(".toml") || !Deno.stdin.isTerminal() || !Deno.stdout.isTerminal()) return checked(first);
  const { showConfigErrors } = await import("./screens.ts");
  const right = await showConfigErrors(what, async () => {
    // Nothing starts from this plan.
    const result = await planRun(what, { consent: () => {} }, changes);
    return result.ok ? [] : result.problems;
  });
  if (!right) return checked(first);
  return checked(await planRun(what, reader, changes));
}
