// Plans that files bring, with values exchanged for others of their kind: the form of plans or a
// rule between their parts refuses each, or a machine is made that runs. EL2_LONG=1 has 20,000.

import { assemble } from "../../src/session/assembly/assemble.ts";
import { planOfFile } from "../../src/session/assembly/layout/plan-schema.ts";
import { alone, PlanError } from "../../src/model/plans/plan.ts";
import { ChangedPlans } from "./changed-plans.ts";
import { LONG } from "../support/long.ts";
import { fuzzTest } from "./run.ts";
import { isTold } from "../../src/kit/support/problem.ts";

const ROUNDS = LONG ? 20_000 : 60;
/** Virtual time (ns) and turns, in which VMs begin. */
const TIME = 5e6, TURNS = 10_000;

/** An error of `planOfFile`, before a machine is made. */
class Refused extends Error {}

function accepted(given: unknown) {
  try {
    return planOfFile(given);
  } catch (error) {
    throw isTold(error) ? new Refused(String(error)) : error;
  }
}

let plans: ChangedPlans;

fuzzTest(
  "plans",
  (random) => {
    const plan = accepted(plans.changed(random));
    const system = assemble(alone({ ...plan, tier: "interp" }));
    system.machine.run(TIME, TURNS);
    const [bug] = system.takeBugs();
    if (bug) throw new TypeError(`${bug.where}: ${bug.error instanceof Error ? bug.error.stack : bug.error}`);
  },
  (error) => error instanceof Refused || error instanceof PlanError,
  ROUNDS,
  async () => void (plans = await ChangedPlans.make()),
);
