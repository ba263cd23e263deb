// Plans of tests, which may use whatever they name of this computer.

import type { PlanReader } from "../../src/app/configuration/plan-run.ts";

export const TRUSTED: PlanReader = { consent: () => {} };
