// `--memory-budget SIZE` and `--disk-budget SIZE`, of commands that run a machine.

import { Option } from "@commander-js/extra-typings";
import { BUDGET_MAX, BUDGET_MIN, DEFAULT_DISK_BUDGET, DISK_BUDGET_MAX } from "../../../model/plans/memory-budget.ts";
import { parseSizeIn } from "../common/values.ts";
import { formatSize } from "../../../kit/support/text/units.ts";
import { hint, hintText } from "../../../kit/support/text/hint.ts";

export const memoryBudgetOption = new Option(
  "--memory-budget <size>",
  "limit the memory of the session besides guests' RAM: translated code, events, states for going back, inputs, console output; " +
    `${hintText(hint("ls"))} SESSION shows each part and what was dropped at its limit`,
).argParser(parseSizeIn(BUDGET_MIN, BUDGET_MAX));

export const diskBudgetOption = new Option(
  "--disk-budget <size>",
  "limit the file in the cache that holds states for going back when memory is full; it is removed with the session " +
    `(default: ${formatSize(DEFAULT_DISK_BUDGET)}; 0: no file)`,
).argParser(parseSizeIn(0, DISK_BUDGET_MAX));
