// The command line: every command is a file of src/cli/commands that is listed here.

import type { Command } from "@commander-js/extra-typings";
import { registerAttach } from "./commands/attach.ts";
import { registerBack } from "./commands/back.ts";
import { registerBench } from "./commands/bench.ts";
import { registerBoot } from "./commands/boot.ts";
import { registerBreak } from "./commands/break.ts";
import { registerCaps } from "./commands/caps.ts";
import { registerCompletion } from "./commands/completion.ts";
import { registerConsent } from "./commands/consent.ts";
import { registerConsole } from "./commands/console.ts";
import { registerCoverage } from "./commands/coverage.ts";
import { registerCpu } from "./commands/cpu.ts";
import { registerDap } from "./commands/dap.ts";
import { registerDiagnose } from "./commands/diagnose.ts";
import { registerCompareRuns } from "./commands/compare-runs.ts";
import { registerDiff } from "./commands/diff.ts";
import { registerDisasm } from "./commands/disasm.ts";
import { registerDoctor } from "./commands/doctor.ts";
import { registerDown } from "./commands/down.ts";
import { registerEvents } from "./commands/events.ts";
import { registerFind } from "./commands/find.ts";
import { registerGdb } from "./commands/gdb.ts";
import { registerGuests } from "./commands/guests.ts";
import { registerInject } from "./commands/inject.ts";
import { registerInput } from "./commands/input.ts";
import { registerIoctl } from "./commands/ioctl.ts";
import { registerIrq } from "./commands/irq.ts";
import { registerLogs } from "./commands/logs.ts";
import { registerLs } from "./commands/ls.ts";
import { registerMan } from "./commands/man.ts";
import { registerMcp } from "./commands/mcp.ts";
import { registerLinux } from "./commands/linux.ts";
import { registerMark } from "./commands/mark.ts";
import { registerMem } from "./commands/mem.ts";
import { registerOn } from "./commands/on.ts";
import { registerPause } from "./commands/pause.ts";
import { registerPersonas } from "./commands/personas.ts";
import { registerPhone } from "./commands/phone.ts";
import { registerProfile } from "./commands/profile.ts";
import { registerQueue } from "./commands/queue.ts";
import { registerRecord } from "./commands/record.ts";
import { registerReplay } from "./commands/replay.ts";
import { registerResume } from "./commands/resume.ts";
import { registerRpc } from "./commands/rpc.ts";
import { registerRun } from "./commands/run.ts";
import { registerSchema } from "./commands/schema.ts";
import { registerScreenshot } from "./commands/screenshot.ts";
import { registerSnapshot } from "./commands/snapshot.ts";
import { registerSpec } from "./commands/spec.ts";
import { registerState } from "./commands/state.ts";
import { registerSymbols } from "./commands/symbols.ts";
import { registerTest } from "./commands/test.ts";
import { registerTheme } from "./commands/theme.ts";
import { registerTour } from "./commands/tour.ts";
import { registerTrace } from "./commands/trace.ts";
import { registerUp } from "./commands/up.ts";
import { registerVcpu } from "./commands/vcpu.ts";
import { registerVersion } from "./commands/version.ts";
import { registerVm } from "./commands/vm.ts";
import { registerVmm } from "./commands/vmm.ts";
import { registerWho } from "./commands/who.ts";
import { registerWhy } from "./commands/why.ts";
import { keepSpare, type SessionClient } from "../session/client.ts";
import { type CommandGroup, programOf, runProgram } from "./program.ts";

/** The commands, below the headings of `el2 --help`. */
const COMMANDS: readonly CommandGroup[] = [
  ["Run:", [
    registerBoot,
    registerRun,
    registerUp,
    registerAttach,
    registerDown,
    registerLs,
    registerGuests,
    registerConsent,
    registerVmm,
    registerMcp,
    registerTour,
  ]],
  ["Inspect a session:", [
    registerVm,
    registerVcpu,
    registerIrq,
    registerLinux,
    registerMem,
    registerCaps,
    registerQueue,
    registerRpc,
    registerConsole,
    registerLogs,
    registerEvents,
    registerWhy,
    registerWho,
    registerFind,
    registerDiagnose,
    registerTrace,
    registerSymbols,
    registerDisasm,
  ]],
  ["Stop, change, debug:", [registerBreak, registerPause, registerResume, registerInject, registerInput, registerGdb, registerDap]],
  ["Record, go back, compare:", [
    registerRecord,
    registerReplay,
    registerDiff,
    registerCompareRuns,
    registerMark,
    registerBack,
    registerOn,
    registerSnapshot,
    registerState,
    registerScreenshot,
  ]],
  ["Test and measure:", [registerTest, registerCoverage, registerProfile, registerBench, registerDoctor]],
  ["Reference:", [
    registerSpec,
    registerSchema,
    registerIoctl,
    registerCpu,
    registerPersonas,
    registerPhone,
    registerTheme,
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

/**
 * Runs a command line and returns the exit code.
 * @param spare a worker that was started for it
 */
export async function main(args: readonly string[], entry: URL, spare?: SessionClient): Promise<number> {
  keepSpare(spare);
  return await runProgram(COMMANDS, args, entry);
}
