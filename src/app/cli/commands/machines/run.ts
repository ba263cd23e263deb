// `el2 run WHAT` and bare `el2`: VMs under the native host.

import { Argument, type Command } from "@commander-js/extra-typings";
import { machineOffers } from "../../options/machine-words.ts";
import { type Exits, exitsText, offering, withExits } from "../../common/command-tree.ts";
import type { CommandContext } from "../../common/command.ts";
import { Failure } from "../../common/failure.ts";
import { checkedEventFilter, parseDuration, parseGdbPlace } from "../../common/values.ts";
import { asciiOption, keepGoingOption, logOption, plainOption, rawOption, readOnlyOption, themeOption } from "../../options/look.ts";
import { hostOption } from "../../options/host.ts";
import {
  headlessOption,
  recordingsOption,
  recordOption,
  stdioOption,
  timeoutOption,
  withCoreOptions,
  withStartOptions,
} from "../../options/start.ts";
import { startPlan } from "../../options/start-plan.ts";
import { typedBy } from "../../start/plans/consent.ts";
import { checkedUi, configurationOf } from "../../start/look/file-ui.ts";
import type { GdbPlace } from "../../start/debuggers/gdb-link.ts";
import { checked, plannedOf } from "../../start/plans/planned.ts";
import { fixedPlan } from "../../start/screens/fixed-plan.ts";
import { recorded } from "../../start/plans/recorded.ts";
import { displayed, showSession } from "../../start/show.ts";
import { collectSymbols, readSymbolFiles } from "../../start/plans/symbol-files.ts";
import { planDemo } from "../../../configuration/plan-run.ts";
import { OWN_CONFIGURATION } from "../../../configuration/ui.ts";
import { plannedVms, PRIMARY_CONSOLE, type SessionPlan } from "../../../../model/plans/plan.ts";
import { exists } from "../../../../kit/support/files/cache.ts";
import { didYouMeanOneOf } from "../../../../kit/support/text/did-you-mean.ts";
import { type DebuggedVms, oneVm } from "../../../../model/queries/debugged-vms.ts";

const EXITS: Exits = {
  codes: {
    0: "--for or --until was reached or every VM shut itself down",
    1: "a VM crashed or hung",
    2: "usage or configuration",
    4: "--timeout passed, or --for before --until",
  },
};

/** Virtual time (ns) that bare `el2` runs without a terminal. */
const DEMO_TIME = 5e9;

export function registerRun(program: Command, { entry, exit }: CommandContext): void {
  runCommand(program)
    .action(async (whats, options) => {
      if (options.headless && options.stdio) throw new Failure("run: --headless prints consoles, and --stdio connects one", "give one");
      const what = whats.join(" "), headless = options.headless || options.stdio || options.console !== undefined;
      const { plan: run, ui, record } = await startPlan(whats, options, headless ? plannedOf : fixedPlan);
      if (options.console !== undefined) checkVm("--console", options.console, vmsOf(run));
      for (const vm of Object.keys(options.symbols ?? {})) checkVm("--symbols", vm, vmsOf(run));
      const debug = options.gdb && debuggedVm(run, options.gdb.vm);
      const plan: SessionPlan = {
        ...run,
        duration: options.for,
        until: options.until,
        debug,
        symbols: await readSymbolFiles(options.symbols, run.symbols),
      };
      exit(
        await showSession(entry, await recorded(plan, options.record ?? record), {
          ...displayed(options),
          title: options.from === undefined ? what.split("/").at(-1) ?? what : "from",
          gdb: options.gdb?.place,
          names: options.console === undefined,
          headless: options.headless ?? options.console !== undefined,
          only: options.console,
          console: options.console ?? firstConsole(plan),
          ui: await checkedUi(what, ui),
          configuration: configurationOf(what),
        }),
      );
    });
}

/** The command with its options. */
function runCommand(program: Command) {
  const run = withExits(program.command("run"), EXITS)
    .description("run the VMs of a configuration, an image, or a guest of the catalog under the native host")
    .addArgument(offering(
      new Argument(
        "[what...]",
        "FILE.toml, images (arm64 Linux Image, ELF, raw; each is a VM with the file's name), demo, or debian (with its disk if guests fetch --disk made one)",
      ),
      machineOffers,
      "files",
    ))
    .option(
      "--from <line>",
      "instead of WHAT: a command line of crosvm run, qemu-system-aarch64 or lkvm run, or Android's vm_config.json; its el2.toml and what is absent are printed first",
    )
    .optionsGroup("Run:")
    .addOption(stdioOption)
    .option("--for <time>", "end after this much virtual time", parseDuration)
    .option(
      "--until <filter>",
      "end at the first event that matches this filter; exits with 4 if --for passes first",
      (text) => checkedEventFilter("--until", text),
    )
    .addOption(headlessOption)
    .option("--console <vm>", "show, or with --stdio connect, only this VM's console")
    .option(
      "--symbols <vm=file>",
      "ELF file with symbols of a VM, such as rt=rt.elf, or a folder of Linux modules; repeatable",
      collectSymbols,
    )
    .addOption(hostOption())
    .option("--instant", "start at the first prompt, from a snapshot in the cache that the first run saves")
    .option(
      "--gdb <[vm:]where>",
      "start a gdb server for this VM (default: the first): a socket with a / in its path, or a port of 127.0.0.1, which every local user can connect to; the VM waits for gdb",
      parseGdb,
    )
    .addOption(keepGoingOption)
    .addOption(recordOption)
    .addOption(recordingsOption)
    .addOption(timeoutOption);
  return withCoreOptions(withStartOptions(run))
    .optionsGroup("Display:")
    .addOption(logOption)
    .addOption(rawOption)
    .addOption(readOnlyOption)
    .addOption(asciiOption)
    .addOption(plainOption)
    .addOption(themeOption)
    .addHelpText(
      "after",
      `
${exitsText(EXITS)}

Examples:
  el2 run phone.toml
  el2 run debian-bookworm-disk --share .
  el2 run debian --stdio --disk data.img
  el2 run server.elf client.elf
  el2 run debian --stdio --net user,lan=yes --forward 2222:22
  el2 run guest.bin --for 10s --turbo
  el2 run --from 'crosvm run --mem 512 --block root.img,root Image' --stdio`,
    );
}

/** `--gdb`: a port or the path of a socket, optionally after a VM's name. */
function parseGdb(text: string): { vm: string | undefined; place: GdbPlace } {
  // A path may have colons.
  const [, vm, where] = /^([^/:]*):(.*)$/s.exec(text) ?? [undefined, undefined, text];
  return { vm, place: parseGdbPlace(where) };
}

/** The VMs of a machine that have consoles and symbols. */
function vmsOf(plan: SessionPlan): string[] {
  return [...plannedVms(plan), PRIMARY_CONSOLE, ...plan.root ? ["rm"] : []];
}

/** @throws Failure where the VM that an option names is none of these */
function checkVm(option: string, name: string, names: readonly string[]): void {
  if (names.includes(name)) return;
  throw new Failure(`${option}: no VM called "${name}"`, didYouMeanOneOf(name, names));
}

/** The VM that `--gdb` names, or the first. */
function debuggedVm(plan: SessionPlan, name: string | undefined): DebuggedVms {
  const names = plan.what.kind === "run" ? plannedVms(plan) : [PRIMARY_CONSOLE];
  if (name === undefined) return oneVm(names[0]);
  checkVm("--gdb", name, names);
  return oneVm(name);
}

/** Options of `el2` alone. */
interface BareOptions {
  /** A configuration instead of `./el2.toml`. */
  readonly config?: string;
  readonly log?: string;
  readonly readOnly?: boolean;
  readonly ascii?: boolean;
  readonly plain?: boolean;
  readonly allowHost?: string[];
}

/**
 * `./el2.toml`, else the embedded demo: on a terminal until the user quits, elsewhere for five
 * virtual seconds. On a terminal where sessions run and nothing is configured, the start screen.
 * @param run another command line of this program, which returns its own exit code
 */
export async function runDemo(
  entry: URL,
  options: BareOptions,
  run: (args: readonly string[]) => Promise<void>,
): Promise<number | undefined> {
  const own = options.config ?? (await exists(OWN_CONFIGURATION) ? OWN_CONFIGURATION : undefined);
  const here = Deno.stdin.isTerminal() && Deno.stdout.isTerminal();
  if (own === undefined && here && (await (await import("../../start/screens/start-offers.ts")).runningSessions()).length > 0) {
    const { showStart } = await import("../../start/screens/screens.ts");
    return await showStart(entry, options, run);
  }
  const { plan, ui, record } = own === undefined ? checked(await planDemo()) : await fixedPlan(own, typedBy(options.allowHost), []);
  return await showSession(entry, await recorded(here ? plan : { ...plan, turbo: true, duration: DEMO_TIME }, record), {
    title: own?.split("/").at(-1) ?? "demo",
    stdio: false,
    log: options.log,
    look: options,
    readOnly: options.readOnly,
    timeout: undefined,
    names: true,
    console: firstConsole(plan),
    ui: await checkedUi(own ?? "demo", ui),
    configuration: own && configurationOf(own),
  });
}

/** The console that `--stdio` joins: that of the first VM that has one. */
function firstConsole(plan: SessionPlan): string | undefined {
  return plan.what.kind === "run" ? plan.what.host.vms.find((vm) => vm.console)?.name : PRIMARY_CONSOLE;
}
