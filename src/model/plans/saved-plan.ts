// The plan of a machine as recordings and snapshots keep it: the table of a configuration that made
// it, with the files that its keys name, and fields of the run besides. `planOfSaved` makes the
// plan again (configuration/saved-plan.ts).

import type { PlanTable, SessionPlan } from "./plan.ts";
import { UserError } from "../../kit/support/problem.ts";

/** Fields of a plan beside its table, or that a command may change after the table was planned. */
const RUN_FIELDS = [
  ...["turbo", "seed", "tier", "inject", "duration", "until", "hashAt", "debug", "symbols", "history", "endsOnFailure"],
  ...["memoryBudget", "historyMemory", "diskBudget"],
] as const satisfies readonly (keyof SessionPlan)[];
/** Those of them that make a machine. */
const MACHINE_FIELDS = ["turbo", "seed"] as const;

/** The fields of a run beside its table. */
export type SavedRun = Partial<Pick<SessionPlan, typeof RUN_FIELDS[number]>> & {
  /** Time of a clock that started with the computer's: seconds since 1970. */
  readonly startsAt?: number;
};

export interface SavedPlan {
  readonly table: PlanTable;
  readonly run: SavedRun;
}

function savedRun(saved: unknown) {
  return (saved as { readonly run?: { readonly [field in keyof SavedRun]: unknown } } | undefined)?.run;
}

/** The time of a saved clock that started with the computer's, in a file of anybody. */
export function savedStart(saved: unknown): number | undefined {
  const at = savedRun(saved)?.startsAt;
  return typeof at === "number" && at >= 0 && at < 2 ** 32 ? Math.floor(at) : undefined;
}

/** The seed of a saved machine, in a file of anybody. */
export function savedSeed(saved: unknown): number | undefined {
  const seed = savedRun(saved)?.seed;
  return typeof seed === "number" ? seed : undefined;
}

/**
 * A plan as files keep it.
 * @param part all of it, or its machine alone
 * @throws UserError for a plan that was made without a table, as programs do
 */
export function savedPlan(plan: SessionPlan, part: "run" | "machine"): SavedPlan {
  const { table, what } = plan;
  if (table === undefined) throw new UserError("this machine cannot be saved: no configuration describes it");
  const given = (part === "run" ? RUN_FIELDS : MACHINE_FIELDS).filter((field) => plan[field] !== undefined);
  const startsAt = what.kind === "boot" && what.startsNow && what.clock !== undefined ? { startsAt: what.clock } : {};
  return { table, run: { ...Object.fromEntries(given.map((field) => [field, plan[field]])), ...startsAt } };
}
