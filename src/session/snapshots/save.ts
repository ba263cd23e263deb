// A system as a snapshot, and a snapshot as a system.

import type { SessionPlan } from "../../model/plans/plan.ts";
import { savedPlan } from "../../model/plans/saved-plan.ts";
import type { RememberingSystem, RunningSystem, SavableSystem } from "../assembly/system/system.ts";
import { type Snapshot, snapshotHeader } from "./file.ts";
import { UnsavableError } from "../state/parts.ts";
import { UserError } from "../../kit/support/problem.ts";
import { NotOurs } from "../../kit/support/files/own-files.ts";

/**
 * A system with its plan.
 * @throws UnsavableError, or UserError for a plan without a table
 */
export function snapshotOf(
  system: RunningSystem & SavableSystem & RememberingSystem,
  plan: SessionPlan,
  title: string,
  state = system.save(),
): Snapshot {
  const header = snapshotHeader({
    title,
    ns: String(Math.floor(system.machine.time)),
    insn: String(system.instructions()),
    cpus: plan.cpus,
    memory: plan.memory,
    pages: state.pages.size,
  });
  return { header, saved: savedPlan(plan, "machine"), state, memory: system.remember() };
}

/**
 * Whether an error is for the user to fix: a file that cannot be written, a state that cannot be
 * saved.
 */
export function isForTheUser(error: unknown): error is Error {
  return error instanceof UnsavableError || error instanceof UserError || error instanceof NotOurs ||
    error instanceof Error && Object.hasOwn(error, "code") ||
    Object.values(Deno.errors).some((kind) => error instanceof kind);
}
