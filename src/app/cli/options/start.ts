// The options of commands that start a machine, in the groups that help shows: `boot`, `run` and
// `up` make one, `replay` and `snapshot load` continue one. Each option is declared once.

import { type Command, Option } from "@commander-js/extra-typings";
import { cpuOption, injectOption, phoneOption, setOption } from "./behavior.ts";
import { diskOption, forwardOption, netOption, shareOption } from "./devices.ts";
import { anywayOption, hostOption } from "./host.ts";
import { diskBudgetOption, memoryBudgetOption } from "./memory-budget.ts";
import type { StartOptions } from "./start-plan.ts";
import { parseDuration } from "../common/values.ts";
import { DEFAULT_TIER, TIERS } from "../../../model/plans/plan.ts";

export const turboOption = new Option("--turbo", "skip idle time instead of sleeping");
export const stdioOption = new Option("--stdio", "connect the first VM's console to this terminal, raw (ctrl-] d ends the run)");
export const headlessOption = new Option("--headless", "print consoles as text instead of showing the screens");
export const timeoutOption = new Option("--timeout <time>", "end the run with exit code 4 after this much wall time")
  .argParser(parseDuration);
export const recordOption = new Option("--record <file>", "record the machine's inputs; el2 replay FILE repeats the run exactly");
export const recordingsOption = new Option(
  "--recordings <folder|none>",
  "folder for the recording of a run that fails (default: recordings/ in el2's state folder, the newest 10)",
);

/** Options of a new machine. */
export function withMachineOptions<Args extends unknown[], Opts extends Record<string, unknown>>(command: Command<Args, Opts>) {
  return command
    .optionsGroup("Machine:")
    .addOption(cpuOption())
    .addOption(turboOption)
    .addOption(setOption())
    .addOption(injectOption());
}

/** Devices of a new machine. */
export function withDeviceOptions<Args extends unknown[], Opts extends Record<string, unknown>>(command: Command<Args, Opts>) {
  return command
    .optionsGroup("Devices:")
    .addOption(diskOption())
    .addOption(netOption())
    .addOption(forwardOption())
    .addOption(shareOption());
}

/**
 * Options of a machine that `startPlan` makes. The type is declared: where it is inferred through
 * both functions, a check of types can take hours.
 */
export function withStartOptions<Args extends unknown[], Opts extends Record<string, unknown>>(
  command: Command<Args, Opts>,
): Command<Args, Opts & Pick<StartOptions, keyof StartOptions>>;
export function withStartOptions(command: Command<unknown[], Record<string, unknown>>) {
  return withDeviceOptions(withMachineOptions(command).addOption(phoneOption()));
}

/** How a machine is executed. */
export function withCoreOptions<Args extends unknown[], Opts extends Record<string, unknown>>(command: Command<Args, Opts>) {
  const tier = new Option("--tier <tier>", `how instructions are executed (results are identical; default: "${DEFAULT_TIER}")`);
  return command
    .optionsGroup("Core:")
    .addOption(tier.choices(TIERS))
    .addOption(memoryBudgetOption);
}

/** Options about a recording or snapshot, whose machine is continued. */
export function withSavedOptions<Args extends unknown[], Opts extends Record<string, unknown>>(command: Command<Args, Opts>) {
  return command
    .optionsGroup("File:")
    .addOption(hostOption())
    .addOption(anywayOption)
    .addOption(diskBudgetOption);
}
