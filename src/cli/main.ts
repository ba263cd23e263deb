// The command line: every command is a file of this folder that registers itself here.

import { registerDiff } from "./diff.ts";
import { Command, CommanderError } from "@commander-js/extra-typings";
import { registerBack } from "./back.ts";
import { registerSnapshot } from "./snapshot.ts";
import { registerBench } from "./bench.ts";
import { registerBoot } from "./boot.ts";
import { commandTree } from "./command-tree.ts";
import { registerCompletion } from "./completion.ts";
import { registerConsole } from "./console.ts";
import { registerDaemon } from "./daemon.ts";
import { registerDisasm } from "./disasm.ts";
import { registerDoctor } from "./doctor.ts";
import { ExitCode, Failure } from "./failure.ts";
import { addExamples } from "./examples.ts";
import { registerEvents } from "./events.ts";
import { registerGdb } from "./gdb.ts";
import { registerGuests } from "./guests.ts";
import { registerIoctl } from "./ioctl.ts";
import { registerInject } from "./inject.ts";
import { asciiOption, logLevelOption, logOption, noColorOption, readOnlyOption } from "./look-options.ts";
import { output, report } from "./print.ts";
import { registerPersonas } from "./personas.ts";
import { groupCommands } from "./help-groups.ts";
import { registerInspect } from "./inspect.ts";
import { registerMan } from "./man.ts";
import { registerRecord } from "./record.ts";
import { registerRun, runDemo } from "./run.ts";
import { registerSpec } from "./spec.ts";
import { registerSymbols } from "./symbols.ts";
import { registerSchema } from "./schema.ts";
import { registerTest } from "./test-scenarios.ts";
import { registerVersion } from "./version.ts";
import { registerVmm } from "./vmm.ts";
import { isOfSystem, NoCacheFolder } from "../support/cache.ts";
import { didYouMean } from "../support/did-you-mean.ts";
import { NoPlace } from "../control/places.ts";
import { documentText, ERROR } from "../queries/documents.ts";
import { PlanError } from "../plans/plan.ts";
import { WriteFailure } from "../support/write-all.ts";
import { VERSION } from "../support/version.ts";

/**
 * The program with all its commands. `entry` is its module, for the machine's worker; `exit` takes
 * the exit code.
 */
export function makeProgram(entry: URL, exit: (code: number) => void): Command {
  const program = new Command("el2")
    .description("a Gunyah workstation in a terminal: runs arm64 software as VMs under a Gunyah-compatible hypervisor")
    .version(VERSION, "--version", "print the version")
    .exitOverride()
    .configureOutput({ writeOut: output, outputError: (text, write) => write(`el2: ${text.replace(/^error: /, "")}`) })
    .showHelpAfterError("(--help shows the options and examples)")
    .addHelpText(
      "after",
      `
Examples:
  el2                                          the demo: three VMs that talk to each other
  el2 guests fetch debian                      fetch an unmodified Debian kernel and a busybox ramdisk
  el2 run debian                               Debian as a VM of the native host
  el2 boot Image --initrd initrd --stdio       a kernel as the primary VM, its console on this terminal`,
    )
    .enablePositionalOptions()
    .option("--config <file>", "configuration in the place of ./el2.toml")
    .addOption(logOption)
    .addOption(logLevelOption)
    .addOption(readOnlyOption)
    .addOption(noColorOption)
    .addOption(asciiOption)
    .action(async (options) => exit(await runDemo(entry, options)));
  registerBoot(program, entry, exit);
  registerRun(program, entry, exit);
  registerRecord(program, entry, exit, async (args) => void await makeProgram(entry, exit).parseAsync(args, { from: "user" }));
  registerDiff(program, exit);
  registerDaemon(program, entry, exit);
  registerInspect(program, exit);
  registerInject(program);
  registerTest(program, exit);
  registerConsole(program, exit);
  registerBack(program, exit);
  registerSnapshot(program, entry, exit);
  registerEvents(program, entry, exit);
  registerGdb(program, exit);
  registerSymbols(program, exit);
  registerSpec(program);
  registerSchema(program);
  registerGuests(program);
  registerDisasm(program, exit);
  registerIoctl(program);
  registerPersonas(program);
  registerVmm(program, exit);
  registerBench(program, entry, exit);
  registerVersion(program);
  registerCompletion(program);
  registerMan(program);
  registerDoctor(program, exit);
  addExamples(program);
  groupCommands(program);
  strict(program.commands);
  return program;
}

/** Runs a command line and returns the exit code. */
export async function main(args: readonly string[], entry: URL): Promise<number> {
  let code: number = ExitCode.Done;
  const program = makeProgram(entry, (value) => code = value);
  try {
    const names = commandTree(program).commands.map(({ name }) => name);
    const hidden = program.commands.map((command) => command.name());
    if (/^[^-]/.test(args[0] ?? "") && ![...hidden, "help"].includes(args[0])) {
      throw new Failure(`unknown command ${JSON.stringify(args[0])}${didYouMean(args[0], names)}; el2 --help lists them`);
    }
    await program.parseAsync(args, { from: "user" });
    return code || (Deno.exitCode ?? 0);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.Done : ExitCode.Usage;
    if (error instanceof WriteFailure) {
      report(`el2: ${error.message}`);
      return ExitCode.Failed;
    }
    if (error instanceof PlanError || error instanceof Failure || error instanceof NoPlace || error instanceof NoCacheFolder) {
      const code = error instanceof Failure ? error.code : ExitCode.Usage;
      report(args.includes("--json") ? errorJson(code, error.message) : `el2: ${error.message}`);
      return code;
    }
    // The surroundings refuse something that nobody has asked them for by name.
    if (error instanceof Error && isOfSystem(error)) {
      report(args.includes("--json") ? errorJson(ExitCode.Failed, error.message) : `el2: ${error.message}`);
      return ExitCode.Failed;
    }
    throw error;
  }
}

/** Every command, however deep, reports its errors to `main`. */
function strict(commands: Command["commands"]): void {
  for (const command of commands) {
    command.exitOverride().showHelpAfterError("(--help shows the options and examples)");
    strict(command.commands);
  }
}

const CODE_NAMES: Readonly<Record<number, string>> = {
  [ExitCode.Failed]: "failed",
  [ExitCode.Usage]: "config",
  [ExitCode.NoSession]: "no_session",
  [ExitCode.TimedOut]: "timeout",
  [ExitCode.ReadOnly]: "read_only",
  [ExitCode.Interrupted]: "interrupted",
};

/**
 * An error as a line for programs (docs/design/workstation.md §2). The way out stands behind the
 * last `;`.
 */
function errorJson(code: number, text: string): string {
  const split = text.lastIndexOf("; ");
  const [message, hint] = split < 0 ? [text, null] : [text.slice(0, split), text.slice(split + 2)];
  const place = /^([^\s:]+):(\d+):(\d+): /.exec(message);
  const at = place ? { file: place[1], line: Number(place[2]), col: Number(place[3]) } : null;
  return documentText(ERROR, { code: CODE_NAMES[code] ?? "failed", message, at, hint });
}
