// `el2 run WHAT` and bare `el2`: VMs under the native host.

import { type Command, Option } from "@commander-js/extra-typings";
import { Failure } from "./failure.ts";
import { showSession } from "./show.ts";
import { parseDuration, parsePort } from "./values.ts";
import { didYouMean } from "../workstation/did-you-mean.ts";
import { planDemo, planRun, type RunResult } from "../workstation/config-plan.ts";
import { type SessionPlan, TIERS } from "../workstation/plan.ts";

/** Virtual time (ns) that bare `el2` runs without a terminal. */
const DEMO_TIME = 5e9;

/** Adds the command. */
export function registerRun(program: Command, entry: URL, exit: (code: number) => void): void {
  program.command("run")
    .description("run the VMs of a configuration, an image, or a guest of the catalogue under the native host")
    .argument("<what>", "FILE.toml, an image (arm64 Linux Image, ELF, raw), or debian")
    .option("--stdio", "join the console of the first VM to stdin and stdout byte for byte")
    .option("--for <time>", "end after this much virtual time", parseDuration)
    .option("--turbo", "skip idle time instead of sleeping through it")
    .addOption(
      new Option("--tier <tier>", "what executes instructions; guests see no difference").choices(TIERS).default("interp" as const),
    )
    .option("--gdb <[vm:]port>", "a gdb server for a VM, else the first, on this port of 127.0.0.1; the VM waits for gdb", parseGdb)
    .option("--log <file>", "write a line for each event: refusals, accesses to nothing, undefined instructions")
    .option("--timeout <time>", "wall time after which the run ends with exit code 4", parseDuration)
    .addHelpText(
      "after",
      `
Exit codes: 0 --for was reached or each VM ended by its own will; 1 a VM crashed; 2 usage or configuration; 4 --timeout passed.

Examples:
  el2 run phone.toml
  el2 run debian --stdio
  el2 run guest.bin --for 10s --turbo`,
    )
    .action(async (what, options) => {
      const run = checked(await planRun(what));
      const debug = options.gdb && debuggedVm(run, options.gdb.vm);
      const turbo = run.turbo || (options.turbo ?? false);
      const plan: SessionPlan = { ...run, turbo, tier: options.tier, duration: options.for, debug };
      exit(
        await showSession(entry, plan, {
          title: what.split("/").at(-1) ?? what,
          stdio: options.stdio ?? false,
          log: options.log,
          timeout: options.timeout === undefined ? undefined : options.timeout / 1e6,
          gdb: options.gdb?.port,
          names: true,
          console: firstConsole(plan),
        }),
      );
    });
}

/** `--gdb`: a port, behind a VM's name or not. */
function parseGdb(text: string): { vm: string | undefined; port: number } {
  const at = text.lastIndexOf(":");
  return { vm: at < 0 ? undefined : text.slice(0, at), port: parsePort(text.slice(at + 1)) };
}

/** The VM that `--gdb` names, or the first. */
function debuggedVm({ what }: SessionPlan, name: string | undefined): string {
  const names = what.kind === "run" ? what.host.vms.map((vm) => vm.name) : [];
  if (name === undefined) return names[0];
  if (!names.includes(name)) throw new Failure(`--gdb ${name}: no such VM${didYouMean(name, names)}; there are ${names.join(", ")}`);
  return name;
}

/** The embedded demo: on a terminal until the person leaves, elsewhere for five virtual seconds. */
export async function runDemo(entry: URL): Promise<number> {
  const plan = checked(await planDemo());
  const terminal = Deno.stdin.isTerminal() && Deno.stdout.isTerminal();
  return await showSession(entry, terminal ? plan : { ...plan, turbo: true, duration: DEMO_TIME }, {
    title: "demo",
    stdio: false,
    log: undefined,
    timeout: undefined,
    names: true,
    console: firstConsole(plan),
  });
}

function checked(result: RunResult): SessionPlan {
  if (!result.ok) throw new Failure(result.errors.join("\n     "));
  const { cpus, memory, turbo, seed, host } = result.run;
  return { cpus, memory, turbo, seed, duration: undefined, hashAt: [], what: { kind: "run", host } };
}

/** The console that `--stdio` joins: that of the first VM that has one. */
function firstConsole(plan: SessionPlan): string | undefined {
  return plan.what.kind === "run" ? plan.what.host.vms.find((vm) => vm.console)?.name : undefined;
}
