// `el2 run WHAT` and bare `el2`: VMs under the native host.

import { type Command, Option } from "@commander-js/extra-typings";
import { capIdsOption, checkOption, injectOption, quirksOption, strictOption, withBehaviour } from "./behaviour-options.ts";
import { hypervisorNodeOption } from "./hypervisor-node-option.ts";
import { shareOption } from "./devices.ts";
import { Failure } from "./failure.ts";
import type { LogLevel } from "./log.ts";
import { asciiOption, logLevelOption, logOption, noColorOption, rawOption, readOnlyOption } from "./look-options.ts";
import { recorded, recordOption } from "./record.ts";
import { showConfigErrors, showSession } from "./show.ts";
import { checkedEventFilter, parseDuration, parsePort } from "./values.ts";
import { collectSymbols } from "./symbols.ts";
import { KeyClash, Keymap, withPrefix } from "../tui/actions.ts";
import { exists } from "../support/cache.ts";
import { DISK_GUEST_MEMORY, diskGuestBoot } from "../catalog/boot.ts";
import { DEFAULT_UI, type FileUi } from "../configuration/schema.ts";
import { didYouMean } from "../support/did-you-mean.ts";
import { planDemo, planRun, type RunResult } from "../configuration/plan.ts";
import { DEFAULT_TIER, type DevicePlan, PRIMARY_CONSOLE, type SessionPlan, TIERS } from "../plans/plan.ts";

/** What bare `el2` runs where it is there. */
const OWN_CONFIGURATION = "el2.toml";
/** Virtual time (ns) that bare `el2` runs without a terminal. */
const DEMO_TIME = 5e9;

/** Adds the command. */
export function registerRun(program: Command, entry: URL, exit: (code: number) => void): void {
  program.command("run")
    .description("run the VMs of a configuration, an image, or a guest of the catalogue under the native host")
    .argument(
      "<what>",
      "FILE.toml, an image (arm64 Linux Image, ELF, raw), demo, or debian: with a disk, where guests fetch --disk has made one",
    )
    .option("--stdio", "join the console of the first VM to stdin and stdout byte for byte")
    .option("--for <time>", "end after this much virtual time", parseDuration)
    .option(
      "--until <filter>",
      "end when an event passes this filter; with --for, exit code 4 when none does before",
      (text) => checkedEventFilter("--until", text),
    )
    .option("--headless", "no screen: consoles as text, also on a terminal")
    .option("--console <vm>", "show, or with --stdio join, the console of this VM alone")
    .option("--set <key=value>", "change a value of the configuration, such as vm.rt.memory=8MiB; may be repeated", collect)
    .option("--symbols <vm=file>", "ELF file with symbols of a VM, such as rt=rt.elf; repeatable", collectSymbols)
    .addOption(shareOption())
    .option("--turbo", "skip idle time instead of sleeping through it")
    .option("--instant", "begin at the first prompt: the first run leaves a snapshot of it in the cache")
    .addOption(
      new Option("--tier <tier>", "what executes instructions; guests see no difference").choices(TIERS).default(DEFAULT_TIER),
    )
    .option("--gdb <[vm:]port>", "a gdb server for a VM, else the first, on this port of 127.0.0.1; the VM waits for gdb", parseGdb)
    .addOption(hypervisorNodeOption)
    .addOption(capIdsOption)
    .addOption(quirksOption)
    .addOption(strictOption)
    .addOption(checkOption)
    .addOption(injectOption())
    .addOption(logOption)
    .addOption(logLevelOption)
    .addOption(rawOption)
    .addOption(readOnlyOption)
    .addOption(noColorOption)
    .addOption(asciiOption)
    .addOption(recordOption)
    .option("--timeout <time>", "wall time after which the run ends with exit code 4", parseDuration)
    .addHelpText(
      "after",
      `
Exit codes: 0 --for or --until was reached or each VM ended by its own will; 1 a VM crashed; 2 usage or configuration; 4 --timeout passed, or --for before --until.

Examples:
  el2 run phone.toml
  el2 run debian --stdio --share .
  el2 run guest.bin --for 10s --turbo`,
    )
    .action(async (what, options) => {
      const headless = options.headless || options.stdio || options.console !== undefined;
      const { plan: run, ui, record } = await diskGuest(what, options) ??
        (headless ? checked(await planRun(what, options.set)) : await mended(what, options.set ?? []));
      if (options.console !== undefined) checkConsole(run, options.console);
      const debug = options.gdb && debuggedVm(run, options.gdb.vm);
      const turbo = run.turbo || (options.turbo ?? false);
      const plan: SessionPlan = {
        ...withBehaviour(run, options),
        turbo,
        tier: options.tier,
        inject: options.inject,
        duration: options.for,
        until: options.until,
        debug,
        symbols: { ...run.symbols, ...options.symbols },
      };
      exit(
        await showSession(entry, await recorded(plan, options.record ?? record), {
          instant: options.instant,
          title: what.split("/").at(-1) ?? what,
          stdio: options.stdio ?? false,
          raw: options.raw,
          log: options.log,
          logLevel: options.logLevel,
          look: options,
          readOnly: options.readOnly,
          timeout: options.timeout === undefined ? undefined : options.timeout / 1e6,
          gdb: options.gdb?.port,
          names: options.console === undefined,
          headless: options.headless ?? options.console !== undefined,
          only: options.console,
          console: options.console ?? firstConsole(plan),
          ui: checkedUi(what, ui),
        }),
      );
    });
}

function collect(text: string, before: string[] = []): string[] {
  if (!/^[^=]+=./.test(text)) throw new Failure(`--set ${text}: write KEY=VALUE, such as vm.rt.memory=8MiB`);
  return [...before, text];
}

/** `--gdb`: a port, behind a VM's name or not. */
function parseGdb(text: string): { vm: string | undefined; port: number } {
  const at = text.lastIndexOf(":");
  return { vm: at < 0 ? undefined : text.slice(0, at), port: parsePort(text.slice(at + 1)) };
}

/** Names of the VMs of a plan that its primary VM is not. */
function vmNames({ what }: SessionPlan): string[] {
  return what.kind === "run" ? what.host.vms.map((vm) => vm.name) : [];
}

/** `--console`: a console that there will be. */
function checkConsole(plan: SessionPlan, name: string): void {
  const names = [...vmNames(plan), PRIMARY_CONSOLE, ...plan.root ? ["rm"] : []];
  if (!names.includes(name)) throw new Failure(`--console ${name}: no such VM${didYouMean(name, names)}; there are ${names.join(", ")}`);
}

/** The VM that `--gdb` names, or the first. */
function debuggedVm(plan: SessionPlan, name: string | undefined): string {
  const names = plan.what.kind === "run" ? vmNames(plan) : [PRIMARY_CONSOLE];
  if (name === undefined) return names[0];
  if (!names.includes(name)) throw new Failure(`--gdb ${name}: no such VM${didYouMean(name, names)}; there are ${names.join(", ")}`);
  return name;
}

/** Options of `el2` alone. */
export interface BareOptions {
  /** A configuration in the place of `./el2.toml`. */
  readonly config?: string;
  readonly log?: string;
  readonly logLevel?: LogLevel;
  readonly readOnly?: boolean;
  readonly color?: boolean;
  readonly ascii?: boolean;
}

/**
 * `./el2.toml`, else the embedded demo: on a terminal until the person leaves, elsewhere for five
 * virtual seconds.
 */
export async function runDemo(entry: URL, options: BareOptions): Promise<number> {
  const own = options.config ?? (await exists(OWN_CONFIGURATION) ? OWN_CONFIGURATION : undefined);
  const { plan, ui, record } = own === undefined ? checked(await planDemo()) : await mended(own, []);
  const terminal = Deno.stdin.isTerminal() && Deno.stdout.isTerminal();
  return await showSession(entry, await recorded(terminal ? plan : { ...plan, turbo: true, duration: DEMO_TIME }, record), {
    title: own?.split("/").at(-1) ?? "demo",
    stdio: false,
    log: options.log,
    logLevel: options.logLevel,
    look: options,
    readOnly: options.readOnly,
    timeout: undefined,
    names: true,
    console: firstConsole(plan),
    ui: checkedUi(own ?? "demo", ui),
  });
}

/**
 * What `el2 up` names: as for `run`. Nothing is written yet. @throws Failure that says all that is
 * wrong
 */
export async function plannedOf(what: string): Promise<Planned> {
  return await diskGuest(what, {}) ?? checked(await planRun(what));
}

/**
 * A Debian with a disk, which is the primary VM. Undefined where `what` names none that is in the
 * cache.
 */
async function diskGuest(
  what: string,
  { set = [], share }: { set?: readonly string[]; share?: DevicePlan[] },
): Promise<Planned | undefined> {
  const boot = await diskGuestBoot(what, { more: share });
  if (!boot) {
    if (share) throw new Failure(`--share: ${what} is no guest with a disk that is here; el2 guests fetch debian --disk makes one`);
    return undefined;
  }
  if (set.length > 0) throw new Failure(`--set ${set[0]}: ${what} has no configuration; el2 boot ${what} has options for its machine`);
  const machine = { cpus: 1, memory: DISK_GUEST_MEMORY, turbo: false, seed: 1, duration: undefined, hashAt: [] };
  return { plan: { ...machine, what: boot }, ui: DEFAULT_UI, record: undefined };
}

/**
 * The plan of a configuration; on a terminal its errors are a screen, from which the person can
 * mend them.
 */
async function mended(what: string, changes: readonly string[]): Promise<Planned> {
  const first = await planRun(what, changes);
  if (first.ok || !what.endsWith(".toml") || !Deno.stdin.isTerminal() || !Deno.stdout.isTerminal()) return checked(first);
  const right = await showConfigErrors(what, async () => {
    const result = await planRun(what, changes);
    return result.ok ? [] : result.errors;
  });
  if (!right) throw new Failure(first.errors.join("\n     "));
  return checked(await planRun(what, changes));
}

/** A machine, and what its configuration says of the screens and of a recording. */
export interface Planned {
  readonly plan: SessionPlan;
  readonly ui: FileUi;
  /** File that the run is to be recorded to, by `recorded` once the plan is complete. */
  readonly record: string | undefined;
}

function checked(result: RunResult): Planned {
  if (!result.ok) throw new Failure(result.errors.join("\n     "));
  const { ui, recordTo: record, ...machine } = result.run;
  const plan: SessionPlan = { ...machine, duration: undefined, hashAt: [] };
  return { plan, ui, record };
}

/** Keys that clash, or belong to no action, are errors of the configuration. */
function checkedUi(file: string, ui: FileUi): FileUi {
  try {
    new Keymap(withPrefix(ui.keys, ui.console_prefix));
    return ui;
  } catch (error) {
    if (!(error instanceof KeyClash)) throw error;
    throw new Failure(`${file}: [ui] ${ui.console_prefix === undefined ? "keys" : "keys and console_prefix"}: ${error.message}`);
  }
}

/** The console that `--stdio` joins: that of the first VM that has one. */
function firstConsole(plan: SessionPlan): string | undefined {
  return plan.what.kind === "run" ? plan.what.host.vms.find((vm) => vm.console)?.name : PRIMARY_CONSOLE;
}
