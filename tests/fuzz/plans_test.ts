// Plans that files bring, with values exchanged for others of their kind: the form of their keys or
// a rule between them refuses each, or a machine is made that runs. EL2_LONG=1 has 20,000.

import { assemble } from "../../src/session/assembly/assemble.ts";
import { planOfSaved } from "../../src/app/configuration/saved-plan.ts";
import { alone, PlanError } from "../../src/model/plans/plan.ts";
import { ChangedPlans } from "./changed-plans.ts";
import { LONG } from "../support/long.ts";
import { fuzzTest } from "./run.ts";
import { isTold } from "../../src/kit/support/problem.ts";

const ROUNDS = LONG ? 20_000 : 60;
/** Virtual time (ns) and turns, in which VMs begin. */
const TIME = 5e6, TURNS = 10_000;

/** An error of `planOfSaved`, before a machine is made. */
class Refused extends Error {}

async function accepted(given: unknown) {
  try {
    return await planOfSaved(given);
  } catch (error) {
    throw isTold(error) ? new Refused(String(error)) : error;
  }
}

let plans: ChangedPlans;

fuzzTest(
  "plans",
  async (random) => {
    const plan = await accepted(plans.changed(random));
    const system = assemble(alone({ ...plan, tier: "interp" }));
    system.machine.run(TIME, TURNS);
    const [bug] = system.takeBugs();
    if (bug) throw new TypeError(`${bug.where}: ${bug.error instanceof Error ? bug.error.stack : bug.error}`);
  },
  (error) => error instanceof Refused || error instanceof PlanError,
  ROUNDS,
  async () => void (plans = await ChangedPlans.make()),
);
