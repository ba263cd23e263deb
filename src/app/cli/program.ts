// The program around its commands: options of all, help, and how errors end it.

import { Command, CommanderError } from "@commander-js/extra-typings";
import { commandTree } from "./common/command-tree.ts";
import type { CommandContext, Register } from "./common/command.ts";
import { commonOptionsText, formatHelp } from "./common/common-options.ts";
import { ExitCode, Failure } from "./common/failure.ts";
import { output, report } from "./common/print.ts";
import { giveUpFor } from "./common/rights.ts";
import { hostOption } from "./options/host.ts";
import { asciiOption, logOption, plainOption, readOnlyOption, themeOption } from "./options/look.ts";
import { ArgumentError } from "../../model/commands/argument.ts";
import { NoPlace } from "../../session/control/places.ts";
import { PlanError } from "../../model/plans/plan.ts";
import { documentText, ERROR } from "../../model/queries/documents.ts";
import { NoCacheFolder } from "../../kit/support/files/cache.ts";
import { type Problem, problemOf, problemText, whatText } from "../../kit/support/problem.ts";
import { isOfSystem } from "../../kit/support/system-error.ts";
import { didYouMean, didYouMeanOneOf } from "../../kit/support/text/did-you-mean.ts";
import { VERSION } from "../../kit/support/version.ts";
import { removeUnfinishedAtEnd } from "../../kit/support/files/unfinished.ts";
import { WriteFailure } from "../../kit/support/files/write-all.ts";
import { type Hint, hint, hintText } from "../../kit/support/text/hint.ts";
import { way, type WayOut, wayOutText } from "../../kit/support/text/way-out.ts";

/** Commands below a heading of `el2 --help`. */
export type CommandGroup = readonly [heading: string, commands: readonly Register[]];

/**
 * The program with these commands. `entry` is its module, for the machine's worker; `exit` takes
 * the exit code.
 */
export function programOf(groups: readonly CommandGroup[], entry: URL, exit: (code: number) => void): Command {
  const program = new Command("el2")
    .description("a Gunyah workstation in a terminal: runs arm64 software as VMs under a Gunyah-compatible hypervisor")
    .version(VERSION, "--version", "print the version")
    .exitOverride()
    .configureOutput({
      writeOut: output,
      writeErr: (text) => report(text.replace(/\n$/, "")),
      outputError: (text, write) => write(`el2: ${text.replace(/^error: /, "")}`),
    })
    .configureHelp({ formatHelp })
    .showHelpAfterError("(--help shows the options and examples)")
    .addHelpText(
      "after",
      `
el2 help COMMAND explains a command, el2 help options the options that many commands have.

Examples:
  el2                                          run the demo: three VMs that communicate
  el2 tour                                     learn the screens, key by key
  el2 guests fetch debian                      fetch an unmodified Debian kernel and a busybox ramdisk
  el2 run debian                               run Debian as a VM of the native host
  el2 boot Image --initrd initrd --stdio       boot a kernel as the primary VM, with its console on this terminal`,
    )
    .enablePositionalOptions()
    .option("--config <file>", "configuration to use instead of ./el2.toml")
    .addOption(hostOption())
    .addOption(logOption)
    .addOption(readOnlyOption)
    .addOption(asciiOption)
    .addOption(plainOption)
    .addOption(themeOption)
    .action(async (options) => {
      const { runDemo } = await import("./commands/machines/run.ts");
      const code = await runDemo(entry, options, context.run);
      if (code !== undefined) exit(code);
    });
  const context: CommandContext = {
    entry,
    exit,
    run: async (args) => void await programOf(groups, entry, exit).parseAsync(args, { from: "user" }),
  };
  for (const [heading, commands] of groups) {
    const before = program.commands.length;
    for (const register of commands) register(program, context);
    for (const command of program.commands.slice(before)) command.helpGroup(heading);
  }
  strict(program.commands);
  refuseOptions(program, (flag) => {
    const follows = withOption(program.commands, flag).length ? `it follows its command: el2 COMMAND ${flag}` : undefined;
    return follows ?? didYouMean(flag, optionsOf(program), "list the options with el2 --help");
  });
  return program;
}

/** Commands that always repeat whole runs: their worker asks for huge pages. */
const REPEATING = new Set(["profile", "coverage", "compare-runs", "diff"]);

/** Runs a command line of a program with these commands, and returns the exit code. */
export async function runProgram(groups: readonly CommandGroup[], args: readonly string[], entry: URL): Promise<number> {
  removeUnfinishedAtEnd();
  let code: number = ExitCode.Done;
  const program = programOf(groups, entry, (value) => code = value);
  if (args.join(" ") === "help options") {
    output(commonOptionsText(program));
    return ExitCode.Done;
  }
  args = helpArguments(args);
  if (REPEATING.has(args[0]) && !args.includes("--help")) (await import("../jobs/run-job.ts")).Jobs.startFirst(entry);
  giveUpFor(args);
  try {
    const names = commandTree(program).commands.map(({ name }) => name);
    const hidden = program.commands.map((command) => command.name());
    if (/^[^-]/.test(args[0] ?? "") && ![...hidden, "help"].includes(args[0])) {
      const gone = REMOVED.get(args.slice(0, 2).join(" ")) ?? REMOVED.get(args[0]);
      const meant: WayOut | undefined = gone ? way`use ${gone}` : TYPED.get(args[0]) ?? wayBelow(program.commands, args[0]);
      const wayOut = meant ?? didYouMean(args[0], names, "list the commands with el2 --help");
      throw new Failure(`unknown command ${JSON.stringify(args[0])}`, wayOut);
    }
    await program.parseAsync(args, { from: "user" });
    return code || (Deno.exitCode ?? 0);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.Done : ExitCode.Usage;
    if (error instanceof WriteFailure) {
      report(`el2: ${error.message}`);
      return ExitCode.Failed;
    }
    const code = codeOf(error);
    if (code === undefined) throw error;
    const problem = problemOf(error);
    report(args.includes("--json") ? errorJson(code, problem) : `el2: ${problemText(problem)}`);
    return code;
  }
}

/** The exit code of an error that is the user's to fix; undefined for a bug. */
function codeOf(error: unknown): number | undefined {
  if (error instanceof Failure) return error.code;
  if (error instanceof ArgumentError || error instanceof PlanError || error instanceof NoPlace || error instanceof NoCacheFolder) {
    return ExitCode.Usage;
  }
  // A system error that no command expected.
  return error instanceof Error && isOfSystem(error) ? ExitCode.Failed : undefined;
}

/** `el2 help COMMAND …` as `el2 COMMAND … --help`. */
function helpArguments(args: readonly string[]): readonly string[] {
  return args[0] === "help" ? [...args.slice(1), "--help"] : args;
}

/** Words of other programs, and what el2 has for them. */
const TYPED: ReadonlyMap<string, WayOut> = new Map(Object.entries({
  stop: way`${hint("vm stop", "VM")} shuts a VM down, ${hint("down", "SESSION")} ends a session, ${hint("pause")} stops the time`,
  kill: way`${hint("vm kill", "VM")} ends a VM, ${hint("down", "SESSION")} ends a session`,
  list: way`${hint("ls")} lists sessions, ${hint("vm ls")} lists VMs`,
  ps: way`${hint("ls")} lists sessions, ${hint("vm ls")} lists VMs`,
  exec: way`${hint("console", "VM", { send: "TEXT\\n" })} types into a guest`,
  start: way`${hint("up", "WHAT")} starts a session, ${hint("vm start", "VM")} starts a VM of a session`,
  restart: way`${hint("vm reset", "VM")} restarts a VM`,
  inspect: way`${hint("show", "ID")} shows everything about an object`,
  status: way`${hint("ls")} lists sessions, ${hint("diagnose")} says what each VM does`,
  exit: way`${hint("down", "SESSION")} ends a session`,
  quit: way`${hint("down", "SESSION")} ends a session`,
  shell: way`${hint("attach", "SESSION")}, then c, types into a guest; ${hint("console", "VM", { send: "TEXT\\n" })} types a line`,
  ssh: way`${hint("attach", "SESSION")}, then c, types into a guest; ${
    hint("run", "WHAT", { net: "user", forward: "2222:22" })
  } forwards a port to it`,
  connect: way`${hint("attach", "SESSION")} shows a session's screens`,
  memory: way`${hint("mem map")} lists who owns and maps memory, ${hint("linux memory")} what a Linux uses`,
  top: way`${hint("vcpu ls", { watch: true })} shows what vCPUs do, ${hint("irq top")} interrupts, ${hint("profile")} where the time goes`,
  debug: way`${hint("gdb", "VM")} serves gdb, ${hint("dap")} an editor`,
  step: way`${hint("on")} continues by instructions or to the next event, ${hint("back")} returns to earlier ones`,
  continue: way`${hint("resume")} continues a session`,
  save: way`${hint("snapshot save", "FILE")} saves a machine`,
  load: way`${hint("snapshot load", "FILE")} continues a saved machine`,
  log: way`${hint("logs")} prints consoles, ${hint("events")} lists events`,
}));

/**
 * Has a command say the way out of an option that it lacks. Commander's own suggestions name
 * options that have nothing to do with what was typed.
 */
function refuseOptions(command: Command["commands"][number], wayOut: (flag: string) => string | undefined): void {
  Object.assign(command, {
    unknownOption(flag: string): never {
      const text = problemText({ what: `unknown option "${flag}"`, wayOut: wayOut(flag) });
      return command.error(text, { code: "commander.unknownOption" });
    },
  });
}

/** Every command, however deep, reports its errors to `main`. */
function strict(commands: Command["commands"], all = commands): void {
  for (const command of commands) {
    command.exitOverride().showHelpAfterError("(--help shows the options and examples)");
    refuseOptions(command, (flag) => REMOVED_OPTIONS.get(flag) ?? didYouMean(flag, optionsOf(command), haveIt(withOption(all, flag))));
    Object.assign(command, {
      unknownCommand(): never {
        const [typed] = command.args, names = namesOf(command), meant = names.find((name) => SUBCOMMANDS.get(name)?.includes(typed));
        const gone = REMOVED.get(`${command.name()} ${typed}`);
        const wayOut = gone ? `use ${hintText(gone)}` : meant ? `did you mean ${JSON.stringify(meant)}?` : didYouMeanOneOf(typed, names);
        const text = problemText({ what: `unknown command ${JSON.stringify(typed)} of el2 ${command.name()}`, wayOut });
        return command.error(text, { code: "commander.unknownCommand" });
      },
    });
    strict(command.commands, all);
  }
}

/** Words of other programs for commands below a group. */
const SUBCOMMANDS: ReadonlyMap<string, readonly string[]> = new Map(Object.entries({
  ls: ["list", "ps", "all"],
  stop: ["shutdown", "poweroff", "off"],
  kill: ["destroy", "terminate", "delete", "rm"],
  reset: ["restart", "reboot"],
  save: ["create", "take"],
  load: ["restore", "revert"],
  read: ["dump", "peek"],
  write: ["poke"],
  regs: ["registers"],
  stack: ["backtrace", "bt"],
  ps: ["tasks", "processes"],
  log: ["dmesg"],
}));

const SHOW = hint("show", "ID");
/** Commands that there were, and what does the same. */
const REMOVED: ReadonlyMap<string, Hint> = new Map([
  ...["vm show", "vcpu show", "irq show", "caps show", "queue show", "rpc show", "mem parcel"].map((path) => [path, SHOW] as const),
  ["irq findings", hint("irq ls", { filter: "finding!=-" })],
  ["caps refused", hint("caps ls", { filter: "err=yes" })],
  ["mem blocked", hint("mem parcels", { filter: "state=blocked" })],
  ["vm console", hint("console", "VM")],
  ["vcpu exits", hint("vcpu ls")],
  ["vmm", hint("run", "WHAT", { headless: true, log: "FILE,debug" })],
  ...["cpu", "cpu ls"].map((path) => [path, hint("reference cpu")] as const),
  ...["phone", "phone ls"].map((path) => [path, hint("reference phone")] as const),
  ...["theme", "theme ls"].map((path) => [path, hint("reference theme")] as const),
  ...["ioctl", "ioctl decode"].map((path) => [path, hint("reference ioctl", "CODE")] as const),
  ["cpu show", hint("reference cpu", "NAME")],
  ["phone show", hint("reference phone", "NAME")],
  ["theme show", hint("reference theme", "NAME")],
  ["personas", hint("reference personas")],
  ["spec", hint("reference spec")],
  ["schema", hint("reference schema")],
]);

/** Options that there were, and what does the same. */
const REMOVED_OPTIONS: ReadonlyMap<string, string> = new Map(Object.entries({
  "--cap-ids": "use --set machine.cap_ids=random",
  "--quirks": "use --set machine.quirks=as-observed",
  "--hypervisor-node": "use --set machine.hypervisor_node=binding",
  "--strict": "use --set machine.strict=true",
  "--check": "use --set machine.check=true",
  "--disk-budget": "use --set history.disk=SIZE",
  "--log-level": "use --log FILE,LEVEL",
  "--no-color": "use NO_COLOR=1 in the environment",
  "--theme": "use EL2_THEME=NAME in the environment",
  "--firmware-vars": "use --set host.firmware_vars=FILE",
  "--symbols": "use --set host.symbols=FILE",
  "--since": "use --filter 't>1s'",
  "--process": "use --filter comm=NAME, or process=NUMBER",
  "--format": "the end of the file's name selects the format",
  "--cobertura": "use --lcov FILE, which lcov_cobertura converts",
  "--keep-going": "only run and snapshot load have it",
}));

/** The commands of groups that have this name, or stand for it; undefined for none. */
function wayBelow(groups: Command["commands"], typed: string): string | undefined {
  const found = groups.flatMap((group) =>
    namesOf(group)
      .filter((name) => name === typed || SUBCOMMANDS.get(name)?.includes(typed))
      .map((name) => `el2 ${group.name()} ${name}`)
  );
  return found.length ? `there ${found.length === 1 ? "is" : "are"} ${found.join(", ")}` : undefined;
}

function namesOf(command: Command["commands"][number]): string[] {
  return command.createHelp().visibleCommands(command).map((one) => one.name()).filter((name) => name !== "help");
}

const optionsOf = ({ options }: Command["commands"][number]) =>
  options.flatMap((option) => option.long && (!option.hidden || "common" in option) ? [option.long] : []);

/** That these commands have it; undefined for none. */
const haveIt = (commands: readonly string[]) =>
  commands.length ? `${commands.slice(0, 3).join(", ")} ${commands.length === 1 ? "has" : "have"} it` : undefined;

/** The commands that have an option: `el2 run`. */
function withOption(commands: Command["commands"], flag: string, path = "el2"): string[] {
  return commands.flatMap((command) => {
    const name = `${path} ${command.name()}`;
    return [...optionsOf(command).includes(flag) ? [name] : [], ...withOption(command.commands, flag, name)];
  });
}

const CODE_NAMES: Readonly<Record<number, string>> = {
  [ExitCode.Failed]: "failed",
  [ExitCode.Usage]: "config",
  [ExitCode.NoSession]: "no_session",
  [ExitCode.TimedOut]: "timeout",
  [ExitCode.ReadOnly]: "read_only",
  [ExitCode.Interrupted]: "interrupted",
};

/** An error as a line for programs (docs/design/workstation.md §2). */
function errorJson(code: number, problem: Problem): string {
  const { at, wayOut } = problem;
  const place = at ? { file: at.file, line: at.line, col: at.column } : null;
  return documentText(ERROR, {
    code: CODE_NAMES[code] ?? "failed",
    message: whatText(problem),
    at: place,
    hint: wayOutText(wayOut) ?? null,
  });
}
