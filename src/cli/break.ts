// `el2 break`, `pause`, `resume`, `vcpu step`: where a session's machine stands still, and goes on.

import type { Command } from "@commander-js/extra-typings";
import { answer } from "./answer.ts";
import { ExitCode, Failure } from "./failure.ts";
import { type OpenSession, openSession, withSessionOptions } from "./session.ts";
import { checkedEventFilter, parseDuration, parseWhole } from "./values.ts";
import type { StopChange } from "../queries/stop-rule.ts";

/** Wall time (ns) that a vCPU has for its instructions. */
const STEP_TIMEOUT = 30e9;

/** Adds the commands. */
export function registerBreak(program: Command, vcpu: Command, exit: (code: number) => void): void {
  withSessionOptions(
    program.command("break").description(
      "stop a session's machine at the next event that a filter lets through, or before an instruction; changes nothing in it",
    ),
  )
    .argument("[rule...]", "filters of events, each as one argument; without one, the rules that hold")
    .option("--at <place>", "stop before this instruction: VM:SYMBOL, VM:ADDRESS; repeatable", collectPlaces, [])
    .option("--list", "the rules that hold, and what they have stopped at")
    .option("--remove <id>", "end a rule: stop:NUMBER, or all")
    .option("--wait", "wait until a rule stops the machine, and print which and where")
    .option("--timeout <time>", "wall time for --wait; exit code 4 after it", parseDuration)
    .addHelpText(
      "after",
      `
el2 resume lets the machine go on. Symbols are those of el2 symbols; one VM at a time has breakpoints, or a gdb.

Examples:
  el2 break 'kind=rpc refused=yes' --wait         the next request that the resource manager refuses
  el2 break 'kind=hvc name=addrspace_map vm=rm'
  el2 break --at debian:vfs_open --wait --timeout 60s && el2 vcpu stack debian/0
  el2 break --remove all && el2 resume`,
    )
    .action(async (rules, options) => {
      if (options.remove !== undefined && rules.length + options.at.length > 0) {
        throw new Failure("break: --remove takes no rule beside it");
      }
      const changes: StopChange[] = [
        ...rules.map((filter): StopChange => ({ kind: "event", filter: checkedEventFilter("break", filter) })),
        ...options.at.map((at): StopChange => ({ kind: "place", at })),
        ...options.remove === undefined ? [] : [{ kind: "remove", rule: options.remove } as const],
      ];
      using open = await openSession(options);
      const stopped = firstStop(open);
      for (const change of changes) await changed(open, change);
      // Without a new rule, a machine that stands still is what was waited for.
      const waits = options.wait && (rules.length + options.at.length > 0 || !open.session.info.paused);
      const stop = waits ? await within(stopped, options.timeout, "no rule has stopped the machine") : undefined;
      const filter = stop && `id=${stop.rule}`;
      await answer(open, { table: "stop.ls", args: { filter } }, options.json ?? false);
      exit(ExitCode.Done);
    });
  withSessionOptions(program.command("pause").description("pause a session's machine: virtual time stands still; changes the machine"))
    .addHelpText("after", "\nExamples:\n  el2 pause && el2 vcpu ls && el2 resume")
    .action(async (options) => exit(await setPaused(options, true)));
  withSessionOptions(
    program.command("resume").description("let a session's paused machine go on, from where it really is; changes the machine"),
  )
    .addHelpText("after", "\nExamples:\n  el2 resume")
    .action(async (options) => exit(await setPaused(options, false)));
  withSessionOptions(
    vcpu.command("step").description(
      "let the machine go on until a vCPU has executed so many instructions, then pause it; changes the machine",
    ),
  )
    .argument("<vcpu>", "vcpu:VM/INDEX or VM/INDEX")
    .option("--count <n>", "instructions", parseWhole(1, 1_000_000), 1)
    .option(
      "--timeout <time>",
      `wall time, as the vCPU may wait for something; exit code 4 after it (default: ${STEP_TIMEOUT / 1e9}s)`,
      parseDuration,
    )
    .addHelpText("after", "\nExamples:\n  el2 vcpu step debian/0\n  el2 vcpu step debian/0 --count 100 && el2 vcpu regs debian/0")
    .action(async (id, options) => {
      using open = await openSession(options);
      const stopped = firstStop(open);
      await changed(open, { kind: "step", vcpu: id, count: options.count });
      const { rule, text } = await within(stopped, options.timeout ?? STEP_TIMEOUT, `${id} has not executed ${options.count} instructions`);
      if (rule !== "step") throw new Failure(`${rule} stopped the machine before: ${text}`, ExitCode.Failed);
      await answer(open, { table: "vcpu.ls", args: { filter: `id=${id}` } }, options.json ?? false);
      exit(ExitCode.Done);
    });
}

function collectPlaces(text: string, before: string[]): string[] {
  return [...before, text];
}

async function changed({ asker }: OpenSession, change: StopChange): Promise<void> {
  const error = await asker.stopRule(change);
  if (error !== undefined) throw new Failure(error, ExitCode.Failed);
}

/** The first stop from now on. */
function firstStop(open: OpenSession): Promise<{ readonly rule: string; readonly text: string }> {
  return open.next((event) => event.kind === "stopped" ? event : undefined);
}

/** What comes, unless `timeout` (ns of wall time) passes before. */
async function within<T>(coming: Promise<T>, timeout: number | undefined, failure: string): Promise<T> {
  if (timeout === undefined) return await coming;
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Failure(`${failure} within ${timeout / 1e9} s`, ExitCode.TimedOut)), timeout / 1e6);
  try {
    return await Promise.race([coming, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

async function setPaused(options: { socket?: string; readOnly?: boolean; json?: boolean }, paused: boolean): Promise<number> {
  using open = await openSession(options);
  const { session } = open;
  const done = session.info.paused === paused
    ? undefined
    : open.next((event) => event.kind === "paused" && event.paused === paused ? event : undefined);
  // Also where it is so already: who may not change it hears that.
  session.send({ kind: paused ? "pause" : "resume" });
  await done;
  return await answer(open, { table: "vcpu.ls", args: {} }, options.json ?? false) > 0 ? ExitCode.Done : ExitCode.Failed;
}
