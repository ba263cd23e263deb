// The program around its commands: options of all, help, and how errors end it.

import { Command, CommanderError } from "@commander-js/extra-typings";
import { commandAt, commandsAbout, foundText } from "./common/command-search.ts";
import { type CommandNode, commandTree, programTree, setProgramTree } from "./common/command-tree.ts";
import { partsOfHelp, type Register } from "./common/command.ts";
import { commonOptionsText, formatHelp, HELP_WIDTH, wrapped } from "./common/common-options.ts";
import { ExitCode, Failure } from "./common/failure.ts";
import { output, report } from "./common/print.ts";
import { giveUpFor } from "./common/rights.ts";
import { hostOption } from "./options/host.ts";
import { asciiOption, logOption, plainOption, readOnlyOption, themeOption } from "./options/look.ts";
import { ArgumentError } from "../../model/commands/argument.ts";
import { NoPlace } from "../../session/control/places.ts";
import { PlanError } from "../../model/plans/plan.ts";
import { documentText, ERROR } from "../../model/queries/documents.ts";
import { type IdKind, withKind } from "../../model/queries/ids.ts";
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
      writeOut: (text) => output(wrapped(text, program.configureOutput().getOutHelpWidth?.() ?? HELP_WIDTH)),
      writeErr: (text) => report(text.replace(/\n$/, "")),
      outputError: (text, write) => write(`el2: ${text.replace(/^error: /, "")}`),
    })
    .configureHelp({ formatHelp })
    .showHelpAfterError("(--help shows the options and examples)")
    .addHelpText(
      "after",
      `
el2 help COMMAND explains a command, el2 help WORD finds commands, el2 help options explains common options.

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
      const run = async (args: readonly string[]) => void await programOf(groups, entry, exit).parseAsync(args, { from: "user" });
      const code = await runDemo(entry, options, run);
      if (code !== undefined) exit(code);
    });
  for (const [heading, commands] of groups) {
    const before = program.commands.length;
    for (const register of commands) register(program, { entry, exit });
    for (const command of program.commands.slice(before)) command.helpGroup(heading);
  }
  strict(program.commands, () => commandTree(program));
  refuseOptions(program, (flag) => {
    const follows = withOption(program.commands, flag).length ? `it follows its command: el2 COMMAND ${flag}` : undefined;
    return follows ?? didYouMean(flag, optionsOf(program), "list the options with el2 --help");
  });
  return program;
}

/** Commands that always repeat whole runs: their worker asks for huge pages. */
const REPEATING = new Set(["profile", "coverage", "compare-runs", "diff"]);

/**
 * Runs a command line of a program with these commands, and returns the exit code.
 * @param all the tree of the whole program, of which these are a part
 */
export async function runProgram(
  groups: readonly CommandGroup[],
  args: readonly string[],
  entry: URL,
  all = () => Promise.resolve(programTree()),
): Promise<number> {
  removeUnfinishedAtEnd();
  let code: number = ExitCode.Done;
  const program = programOf(groups, entry, (value) => code = value);
  setProgramTree(() => commandTree(program), all);
  try {
    const asked = helpAsked(args, program);
    if (typeof asked === "string") {
      output(asked);
      return ExitCode.Done;
    }
    args = asked;
    if (REPEATING.has(args[0]) && !args.includes("--help")) (await import("../jobs/run-job.ts")).Jobs.startFirst(entry);
    giveUpFor(args);
    const known = program.commands.map((command) => command.name());
    if (/^[^-]/.test(args[0] ?? "") && ![...known, "help"].includes(args[0])) {
      const tree = programTree(), names = tree.commands.map(({ name }) => name);
      const gone = insteadOf(args, tree), wanted = TYPED.get(args[0]);
      const meant = gone ? way`use ${gone}` : wanted ? waysTo(wanted, tree, args.slice(1)) : wayBelow(program.commands, args[0]);
      const wayOut = meant ?? didYouMean(args[0], names, "list the commands with el2 --help");
      throw new Failure(`unknown command ${JSON.stringify(args[0])}`, wayOut);
    }
    await program.parseAsync(args, { from: "user" });
    return code || (Deno.exitCode ?? 0);
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.Done : ExitCode.Usage;
    if (error instanceof WriteFailure) {
      report(`el2: ${error.message}`);
      return ExitCode.Usage;
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

/**
 * `el2 help COMMAND` as `el2 COMMAND --help`; for other words a text: the common options, or the
 * commands that are about these words. A word that none has is an unknown command.
 * @throws Failure if none is about several words
 */
function helpAsked(args: readonly string[], program: Command): readonly string[] | string {
  const [help, ...words] = args;
  if (help !== "help") return args;
  if (words.join(" ") === "options") return commonOptionsText(program);
  const tree = programTree();
  if (commandAt(tree, words)) return [...words, "--help"];
  const found = commandsAbout(tree, words);
  if (found.length > 0) return foundText(found);
  if (words.length > 1) throw new Failure(`no command "${words.join(" ")}", and no help about it`, "list the commands with el2 --help");
  return [...words, "--help"];
}

/** An effect, and the command that has it. */
type Wanted = readonly [effect: string, command: Hint];

const SHUT_DOWN: Wanted = ["shut a VM down", hint("vm stop")], END_VM: Wanted = ["end a VM", hint("vm kill")];
const END_SESSION: Wanted = ["end a session", hint("down")],
  SESSIONS: Wanted = ["list sessions", hint("ls")],
  VMS: Wanted = ["list VMs", hint("vm ls")];
const START: Wanted = ["start a session", hint("up")], SCREENS: Wanted = ["show a session's screens", hint("attach")];
const TYPE_LINE: Wanted = ["type a line into a guest", hint("console", { send: "uname -a\\n" })];

/** Words of other programs, and what el2 has for them. */
const TYPED: ReadonlyMap<string, readonly Wanted[]> = new Map(Object.entries<readonly Wanted[]>({
  stop: [SHUT_DOWN, END_SESSION, ["stop the time", hint("pause")]],
  kill: [END_VM, END_SESSION],
  list: [SESSIONS, VMS],
  ps: [SESSIONS, VMS, ["list a Linux's processes", hint("linux ps")]],
  exec: [TYPE_LINE],
  start: [START, ["start a VM of a session", hint("vm start")]],
  restart: [["restart a VM", hint("vm reset")]],
  inspect: [["see all about an object", hint("show")]],
  status: [SESSIONS, ["see what each VM does", hint("diagnose")]],
  exit: [END_SESSION],
  quit: [END_SESSION],
  shell: [SCREENS, TYPE_LINE],
  ssh: [SCREENS, ["forward a port to a guest", hint("run", "debian", { net: "user", forward: "2222:22" })]],
  connect: [SCREENS],
  memory: [["list who owns and maps memory", hint("mem map")], ["see what a Linux uses", hint("linux memory")]],
  crash: [["ask a dump of memory", hint("open", "vmcore")]],
  top: [["see what vCPUs do", hint("vcpu ls", { watch: true })], ["list busy interrupts", hint("irq top")], [
    "see where the time goes",
    hint("profile"),
  ]],
  strace: [["list system calls as they return", hint("events", { follow: true, kinds: "syscall" })]],
  debug: [["serve gdb", hint("gdb")], ["serve an editor", hint("dap")]],
  step: [["continue by instructions or to an event", hint("on")], ["go back to earlier ones", hint("back")]],
  continue: [["continue a session", hint("resume")]],
  save: [["save a machine", hint("snapshot save")]],
  load: [["continue a saved machine", hint("snapshot load")]],
  log: [["print consoles", hint("logs")], ["list events", hint("events")]],
}));

/** Ways to what one may want, on the words that follow. */
function waysTo(wanted: readonly Wanted[], tree: CommandNode, words: readonly string[]): WayOut {
  return wanted.reduce<WayOut>((before, [effect, command], index) => {
    const found = hintOn(tree, command, words);
    return index === 0 ? way`to ${effect}: ${found}` : way`${before}; to ${effect}: ${found}`;
  }, "");
}

/** The command on the words that it takes of these; without one that it needs, its help. */
function hintOn(tree: CommandNode, one: Hint, typed: readonly string[]): Hint {
  const taken = commandAt(tree, one.command.split(" "))?.arguments ?? [], end = typed.findIndex((word) => word.startsWith("-"));
  const words = typed.slice(0, Math.min(taken.length, end < 0 ? Infinity : end));
  if (words.length > 0) return { ...one, words };
  return taken[0]?.required && one.words.length === 0 ? { ...one, options: { help: true } } : one;
}

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
function strict(commands: Command["commands"], tree: () => CommandNode, all = commands): void {
  for (const command of commands) {
    command.exitOverride().showHelpAfterError("(--help shows the options and examples)");
    refuseOptions(command, (flag) => REMOVED_OPTIONS.get(flag) ?? didYouMean(flag, optionsOf(command), haveIt(withOption(all, flag))));
    Object.assign(command, {
      missingArgument(name: string): never {
        const [example] = partsOfHelp(commandTree(command).after).examples;
        const text = problemText({ what: `missing required argument '${name}'`, wayOut: example && `for example ${example.line}` });
        return command.error(text, { code: "commander.missingArgument" });
      },
      unknownCommand(): never {
        const [typed] = command.args, names = namesOf(command), meant = names.find((name) => SUBCOMMANDS.get(name)?.includes(typed));
        const gone = insteadOf([command.name(), ...command.args], tree());
        const wayOut = gone ? `use ${hintText(gone)}` : meant ? `did you mean ${JSON.stringify(meant)}?` : didYouMeanOneOf(typed, names);
        const text = problemText({ what: `unknown command ${JSON.stringify(typed)} of el2 ${command.name()}`, wayOut });
        return command.error(text, { code: "commander.unknownCommand" });
      },
    });
    strict(command.commands, tree, all);
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

/** Groups that had a command `show`, with the kind of their ids. */
const SHOWN: Readonly<Record<string, IdKind>> = {
  "vm show": "vm",
  "vcpu show": "vcpu",
  "irq show": "irq",
  "caps show": "cap",
  "queue show": "mq",
  "rpc show": "rpc",
  "mem parcel": "parcel",
};

/** Commands that there were, and what does the same, on the word that follows. */
const REMOVED: ReadonlyMap<string, Hint> = new Map([
  ["irq findings", hint("irq ls", { filter: "finding!=-" })],
  ["caps refused", hint("caps ls", { filter: "err=yes" })],
  ["mem blocked", hint("mem parcels", { filter: "state=blocked" })],
  ["vm console", hint("console")],
  ["vcpu exits", hint("vcpu ls")],
  ["vmm", hint("run", "demo", { headless: true, log: "run.log,debug" })],
  ["cpu", hint("reference cpu")],
  ["phone", hint("reference phone")],
  ["theme", hint("reference theme")],
  ["ioctl", hint("reference ioctl")],
  ["personas", hint("reference personas")],
  ["spec", hint("reference spec")],
  ["schema", hint("reference schema")],
]);
/** Words after a page of reference that there were: `el2 cpu show NAME`. */
const OF_PAGES: ReadonlySet<string> = new Set(["ls", "show", "decode"]);

/** The command that does the same as one that there was; undefined where there never was one. */
function insteadOf(words: readonly string[], tree: CommandNode): Hint | undefined {
  const [first, second, ...rest] = words, pair = `${first} ${second}`;
  const kind = Object.hasOwn(SHOWN, pair) ? SHOWN[pair] : undefined;
  if (kind) return hintOn(tree, hint("show"), rest.map((id) => withKind(kind, id)));
  const page = REMOVED.get(first), below = REMOVED.get(pair);
  if (below) return hintOn(tree, below, rest);
  return page && hintOn(tree, page, OF_PAGES.has(second) ? rest : words.slice(1));
}

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
