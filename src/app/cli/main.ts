// The command line: every command is a file of src/app/cli/commands that is listed here.

import type { Command } from "@commander-js/extra-typings";
import { registerAttach } from "./commands/screens/attach.ts";
import { registerBench } from "./commands/machines/bench.ts";
import { registerBoot } from "./commands/machines/boot.ts";
import { registerCompletion } from "./commands/reference/completion.ts";
import { registerConsent } from "./commands/machines/consent.ts";
import { registerCoverage } from "./commands/runs/coverage.ts";
import { registerDap } from "./commands/clients/dap.ts";
import { registerCompareRuns } from "./commands/runs/compare-runs.ts";
import { registerDiff } from "./commands/runs/diff.ts";
import { registerDoctor } from "./commands/reference/doctor.ts";
import { registerDown } from "./commands/machines/down.ts";
import { registerExplain } from "./commands/reference/explain.ts";
import { registerGdb } from "./commands/clients/gdb.ts";
import { registerGuests } from "./commands/machines/guests.ts";
import { registerKernel } from "./commands/machines/kernel.ts";
import { registerLs } from "./commands/machines/ls.ts";
import { registerMan } from "./commands/reference/man.ts";
import { registerMcp } from "./commands/clients/mcp.ts";
import { registerOpen } from "./commands/machines/open.ts";
import { registerProfile } from "./commands/runs/profile.ts";
import { registerRecord } from "./commands/runs/record.ts";
import { registerRecording } from "./commands/runs/recording.ts";
import { registerReference } from "./commands/reference/reference.ts";
import { registerPublish } from "./commands/runs/publish.ts";
import { registerReplay } from "./commands/runs/replay.ts";
import { registerRun } from "./commands/machines/run.ts";
import { registerScreenshot } from "./commands/screens/screenshot.ts";
import { registerServe } from "./commands/screens/serve.ts";
import { registerSnapshot } from "./commands/runs/snapshot.ts";
import { registerSession } from "./session-commands.ts";
import { registerTest } from "./commands/scenarios/test.ts";
import { registerTour } from "./commands/screens/tour.ts";
import { registerUp } from "./commands/machines/up.ts";
import { registerVersion } from "./commands/reference/version.ts";
import { keepSpare, type SessionClient } from "../../session/worker/client.ts";
import { type CommandGroup, programOf, runProgram } from "./program.ts";
import { type CommandNode, commandTree } from "./common/command-tree.ts";

/** The commands, below the headings of `el2 --help`. */
const COMMANDS: readonly CommandGroup[] = [
  ["Run:", [
    registerBoot,
    registerKernel,
    registerRun,
    registerUp,
    registerOpen,
    registerAttach,
    registerServe,
    registerDown,
    registerLs,
    registerGuests,
    registerConsent,
    registerMcp,
    registerTour,
  ]],
  ["Inspect a session:", [
    registerSession("vm"),
    registerSession("vcpu"),
    registerSession("irq"),
    registerSession("linux"),
    registerSession("mem"),
    registerSession("caps"),
    registerSession("queue"),
    registerSession("rpc"),
    registerSession("console"),
    registerSession("logs"),
    registerSession("events"),
    registerSession("why"),
    registerSession("who"),
    registerSession("find"),
    registerSession("diagnose"),
    registerSession("show"),
    registerSession("trace"),
    registerSession("print"),
    registerSession("symbols"),
    registerSession("disasm"),
  ]],
  ["Stop, change, debug:", [
    registerSession("break"),
    registerSession("pause"),
    registerSession("resume"),
    registerSession("inject"),
    registerSession("input"),
    registerGdb,
    registerDap,
  ]],
  ["Record, go back, compare:", [
    registerRecord,
    registerReplay,
    registerPublish,
    registerDiff,
    registerCompareRuns,
    registerRecording,
    registerSession("link"),
    registerSession("mark"),
    registerSession("back"),
    registerSession("on"),
    registerSnapshot,
    registerSession("state"),
    registerScreenshot,
  ]],
  ["Test and measure:", [registerTest, registerCoverage, registerProfile, registerBench, registerDoctor, registerExplain]],
  ["Reference:", [
    registerReference,
    registerCompletion,
    registerMan,
    registerVersion,
  ]],
];

/**
 * The program with all its commands. `entry` is its module, for the machine's worker; `exit` takes
 * the exit code.
 */
export function makeProgram(entry: URL, exit: (code: number) => void): Command {
  return programOf(COMMANDS, entry, exit);
}

/** The commands of the program as data, for a part of it. */
export const treeOf = (entry: URL): CommandNode => commandTree(makeProgram(entry, () => {}));

/**
 * Runs a command line and returns the exit code.
 * @param spare a worker that was started for it
 */
export async function main(args: readonly string[], entry: URL, spare?: SessionClient): Promise<number> {
  keepSpare(spare);
  return await runProgram(COMMANDS, args, entry);
}
