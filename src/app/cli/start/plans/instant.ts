// `--instant`, of commands that run a machine.

import { Failure } from "../../common/failure.ts";
import type { SessionPlan } from "../../../../model/plans/plan.ts";
import { instantPath } from "../../../../session/snapshots/instant.ts";
import { readIfThere } from "../../../../kit/support/files/cache.ts";
import { hint } from "../../../../kit/support/text/hint.ts";
import { way } from "../../../../kit/support/text/way-out.ts";

/**
 * The plan, beginning at its first prompt where the cache has that; otherwise it leaves it there.
 * @throws Failure if a run cannot begin so.
 */
export async function instantly(plan: SessionPlan, instant: boolean | undefined): Promise<SessionPlan> {
  if (!instant) return plan;
  if (plan.record) throw new Failure("--instant and --record are mutually exclusive: a recording begins at the start", "give one");
  if (plan.debug !== undefined) {
    throw new Failure(
      "--instant and --gdb are mutually exclusive: gdb waits at the start",
      way`give one, or use ${hint("gdb", plan.debug.kind === "vm" ? plan.debug.vm : "el2")} in the session`,
    );
  }
  const path = await instantPath(plan);
  const bytes = readIfThere(path);
  return bytes ? { ...plan, from: { path, spare: true, bytes } } : { ...plan, instant: path };
}
