// The command line: every command is a file of this folder that registers itself here.

import { Command, CommanderError } from "@commander-js/extra-typings";
import { registerBoot } from "./boot.ts";
import { registerDisasm } from "./disasm.ts";
import { ExitCode, Failure } from "./failure.ts";
import { registerGuests } from "./guests.ts";
import { registerRun, runDemo } from "./run.ts";
import { didYouMean } from "../workstation/did-you-mean.ts";
import { PlanError } from "../workstation/plan.ts";
import { VERSION } from "../workstation/version.ts";

/** Runs a command line and returns the exit code. */
export async function main(args: readonly string[], entry: URL): Promise<number> {
  let code: number = ExitCode.Done;
  const exit = (value: number) => {
    code = value;
  };
  const program = new Command("el2")
    .description("a Gunyah workstation in a terminal: runs arm64 software as VMs under a Gunyah-compatible hypervisor")
    .version(VERSION, "--version", "print the version")
    .exitOverride()
    .configureOutput({ outputError: (text, write) => write(`el2: ${text.replace(/^error: /, "")}`) })
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
    .action(async () => exit(await runDemo(entry)));
  registerBoot(program, entry, exit);
  registerRun(program, entry, exit);
  registerGuests(program);
  registerDisasm(program);
  for (const command of program.commands) command.exitOverride().showHelpAfterError("(--help shows the options and examples)");
  try {
    const names = program.commands.map((command) => command.name());
    if (/^[^-]/.test(args[0] ?? "") && ![...names, "help"].includes(args[0])) {
      throw new Failure(`unknown command ${JSON.stringify(args[0])}${didYouMean(args[0], names)}; there are ${names.join(", ")}`);
    }
    await program.parseAsync(args, { from: "user" });
    return code || (Deno.exitCode ?? 0);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.Done : ExitCode.Usage;
    if (error instanceof PlanError || error instanceof Failure) {
      console.error(`el2: ${error.message}`);
      return error instanceof Failure ? error.code : ExitCode.Usage;
    }
    throw error;
  }
}
