// The plan of a machine that begins: what was named, with the options of `run` and `up`.

import { changesOf, checkedRules, type KeyOptions, readRules } from "./behavior.ts";
import { type DeviceOptions, devicesOf, firstDevice } from "./devices.ts";
import { Failure } from "../common/failure.ts";
import { typedBy } from "../start/plans/consent.ts";
import { plannedLine, plannedOf, type PlannedRun, withDevices, withImages } from "../start/plans/planned.ts";
import type { PlanReader } from "../../configuration/plan-run.ts";
import type { SessionPlan } from "../../../model/plans/plan.ts";
import { hint } from "../../../kit/support/text/hint.ts";
import { terminalWord } from "../../../kit/support/text/terminal-text.ts";
import { way } from "../../../kit/support/text/way-out.ts";

/** Makes the plan of a configuration, an image or a guest. */
type Planner = (what: string, reader: PlanReader, changes: readonly string[]) => Promise<PlannedRun>;

/** Options of a machine that begins. */
export interface StartOptions extends KeyOptions, DeviceOptions, Partial<Pick<SessionPlan, "tier" | "memoryBudget">> {
  /** Texts of fault rules. */
  readonly inject?: readonly string[];
  /** `KEY=VALUE` each. */
  readonly set?: readonly string[];
  readonly allowHost?: readonly string[];
  /** A command line of another program, instead of what is named. */
  readonly from?: string;
}

/**
 * The plan of a machine that begins.
 * @throws Failure with all errors
 */
export async function startPlan(whats: readonly string[], options: StartOptions, planner: Planner = plannedOf): Promise<PlannedRun> {
  const { inject, tier, memoryBudget } = options;
  const rules = inject && await readRules(inject), run = await namedPlan(whats, options, planner);
  const checked = rules && await checkedRules(rules, run.plan);
  return { ...run, plan: { ...run.plan, tier, memoryBudget, inject: checked } };
}

async function namedPlan(whats: readonly string[], options: StartOptions, planner: Planner): Promise<PlannedRun> {
  const changes = [...options.set ?? [], ...changesOf(options)], device = firstDevice(options), [what] = whats;
  if (options.from !== undefined) {
    if (what !== undefined) throw new Failure(`${terminalWord(what)} and --from`, "give one");
    if (device !== undefined) throw new Failure(`${device}: the command line of --from lists the devices`, "add it there");
    return await plannedLine(options.from, typedBy(options.allowHost), changes);
  }
  if (what === undefined) {
    throw new Failure("missing required argument 'what'", way`for example ${hint("run", "demo")}; --help shows more, and --from`);
  }
  if (whats.length > 1) {
    if (device !== undefined) throw new Failure(`${device}: several images have no devices in common`, "write a configuration");
    return await withImages(whats, changes);
  }
  if (device !== undefined) return await withDevices(what, { devices: devicesOf(options), option: device }, changes);
  return await planner(what, typedBy(options.allowHost), changes);
}
