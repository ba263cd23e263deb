// `--memory-budget SIZE`, of commands that run a machine.

import { Option } from "@commander-js/extra-typings";
import { BUDGET_MAX, BUDGET_MIN } from "../../plans/memory-budget.ts";
import { parseSizeIn } from "../common/values.ts";

export const memoryBudgetOption = new Option(
  "--memory-budget <size>",
  "limit the memory of the session besides guests' RAM: translated code, events, states for going back, inputs, console output; " +
    "el2 ls SESSION shows each part and what was dropped at its limit",
).argParser(parseSizeIn(BUDGET_MIN, BUDGET_MAX));
