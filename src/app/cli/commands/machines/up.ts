// `el2 up`, and the hidden `background` that it starts: a session without a terminal, in its own
// process behind a Unix socket.

import { Argument, Command, Option } from "@commander-js/extra-typings";
import { machineOffers } from "../../options/machine-words.ts";
import { offering } from "../../common/command-tree.ts";
import { resolve } from "node:path";
import type { CommandContext } from "../../common/command.ts";
import { groupWarning } from "../../common/computer.ts";
import { ExitCode, failed, Failure } from "../../common/failure.ts";
import { failingText, failingVms } from "./failing.ts";
import { report } from "../../common/print.ts";
import { giveUp, needsNetwork } from "../../common/rights.ts";
import { openSession, showOrEnd } from "../../common/session.ts";
import { argumentsOf, seedOption } from "../../options/behavior.ts";
import { anywayOption, hostOption } from "../../options/host.ts";
import { logOption } from "../../options/look.ts";
import { recordOption, turboOption, withCoreOptions, withStartOptions } from "../../options/start.ts";
import { type StartOptions, startPlan } from "../../options/start-plan.ts";
import { withLog } from "../../start/log.ts";
import type { PlannedRun } from "../../start/plans/planned.ts";
import { recorded, recordedTo } from "../../start/plans/recorded.ts";
import { coreOption, dumpFile, opened } from "../../common/core-session.ts";
import { hostConsent } from "../../start/plans/consent.ts";
import { planOfSnapshot } from "../../start/plans/snapshots.ts";
import { checkedUi, configurationOf } from "../../start/look/file-ui.ts";
import { BY, SCREENS, startSession } from "../../start/screens/start-session.ts";
import type { Asker } from "../../../../session/control/asker.ts";
import { SessionHub } from "../../../../session/control/hub.ts";
import { besideSocket, socketPath } from "../../../../session/control/places.ts";
import { defaultName, isSessionName } from "../../../../session/control/session-names.ts";
import type { SessionInfo } from "../../../../session/control/conversation.ts";
import { sessionInfo } from "../../../../session/control/remote.ts";
import { SessionServer, SocketInUse } from "../../../../session/control/server.ts";
import { memoryLimits } from "../../../../model/plans/memory-budget.ts";
import type { SessionEvent } from "../../../../model/protocol/protocol.ts";
import type { SessionPlan } from "../../../../model/plans/plan.ts";
import { vmId } from "../../../../model/queries/ids.ts";
import { rowsOf } from "../../../../model/queries/query.ts";
import { reasonLines } from "../../../../model/queries/texts/reason-text.ts";
import { REASONS } from "../../../../model/queries/tables.ts";
import { connectEmbedded, type SessionClient } from "../../../../session/worker/client.ts";
import { isSnapshot } from "../../../../session/snapshots/file.ts";
import { boundGarbage } from "../../../../kit/support/computer/garbage.ts";
import { ownFolder } from "../../../../kit/support/files/own-folders.ts";
import { onEnd } from "../../../../kit/support/computer/launcher.ts";
import { END_CODES, END_SIGNALS, onSignals } from "../../../../kit/support/computer/signals.ts";
import { warn } from "../../../../kit/support/warn.ts";
import { type Problem, whatText } from "../../../../kit/support/problem.ts";
import { way, wayOutText } from "../../../../kit/support/text/way-out.ts";
import { hint, hintText } from "../../../../kit/support/text/hint.ts";

export function registerUp(program: Command, { entry, exit }: CommandContext): void {
  const waitOption = new Option("--wait", 'return when every VM with start = "auto" runs; exit code 1 when one has failed');
  const up = withBeginOptions(program.command("up"))
    .addOption(waitOption)
    .description("start a session in the background; el2 attach shows it, el2 down ends it")
    .addHelpText(
      "after",
      `
Consoles are logged in a folder that ${hintText(hint("ls"))} shows.

Examples:
  el2 up phone.toml --name phone
  el2 attach phone
  el2 up before.snap --name again --seed 2`,
    );
  up.action(async (what, options) => {
    const name = options.name ?? defaultName(what);
    if (!isSessionName(name)) throw new Failure(`--name: "${name}" is not a session name`, 'use letters, digits, "-", "_" and "."');
    // All that can be wrong with the configuration is said here, before anything starts.
    const { plan } = await sessionPlan(what, options);
    const warning = groupWarning(plan.memory);
    if (warning !== undefined) warn(warning);
    const log = options.log === undefined ? undefined : resolve(options.log);
    const { wait, by = hintText(hint("up")), ...begin } = options;
    const passed = up.options.filter((option) => option.long !== "--wait");
    // The process of the session continues.
    const unheard = onEnd(END_SIGNALS, (signal) => {
      report(`el2: session ${name} begins; ${wayOutText(showOrEnd(name))}`);
      Deno.exit(END_CODES[signal]);
    });
    try {
      await startSession(entry, name, [what, ...argumentsOf(passed, { ...begin, by, name, log })]);
      if (wait) await vmsRun(name, plan);
    } finally {
      unheard();
    }
    const failing = await failingVms(socketPath(name), { filter: "verdict=failed | verdict=panicked", until: BEGINNING, patience: ENDING });
    const all = plan.what.kind === "run" ? plan.what.host.vms.length : 1;
    const ended = await howEnded(socketPath(name), failing.filter(({ verdict }) => verdict === "failed").length === all ? ENDING : 0);
    if (ended !== undefined) {
      const why = await hasReason(socketPath(name)) ? way`${hint("why", { session: name })} says why, ` : "";
      const before = ended.wayOut === undefined ? "" : way`${ended.wayOut}; `;
      throw failed(`session ${name} has ended: ${whatText(ended)}`, way`${before}${why}${hint("down", name)} removes it`);
    }
    if (failing.length) {
      const session = { session: name };
      // In the words of el2 ls, with those that hang.
      const all = await failingVms(socketPath(name));
      report(
        `el2: ${failingText(all.length > 0 ? all : failing)}; ${
          wayOutText(way`${hint("why", session)} and ${hint("diagnose", session)} say why`)
        }`,
      );
    }
    report(`el2: session ${name} is running; ${wayOutText(showOrEnd(name))}`);
  });
  withBeginOptions(program.command("background", { hidden: true }))
    .addOption(coreOption(entry))
    .description("serve a session (internal)")
    .action(async (what, { name = defaultName(what), by = SCREENS, log, core, ...options }) => {
      if (core) {
        const machine = connectEmbedded(entry);
        const heard = await opened(machine, core.files.map(dumpFile));
        return exit(await serveSession(machine, { name, what, by: hintText(hint("open")) }, undefined, heard));
      }
      const { plan, record } = await sessionPlan(what, options), whole = await recorded(plan, options.record ?? record);
      exit(await serveSession(withLog(connectEmbedded(entry), log), { name, what, by }, whole));
    });
}

/** How often `--wait` looks, ms. */
const LOOK = 50;
/** Virtual time (ns) at the start of a machine in which `up` still looks for VMs that fail. */
const BEGINNING = 20_000_000n;
/** Wall time (ms) that this may take, as may a machine's end after all VMs have failed. */
const ENDING = 10_000;

/** How a session's machine has ended, if it does within so many milliseconds. */
async function howEnded(path: string, patience: number): Promise<Problem | undefined> {
  for (const limit = performance.now() + patience;;) {
    const { ended } = await sessionInfo(path);
    if (ended !== undefined || performance.now() >= limit) return ended;
    await new Promise((resolve) => setTimeout(resolve, LOOK));
  }
}

/** Whether `el2 why` has something to say: a Resource Manager that cannot boot refuses nothing. */
async function hasReason(session: string): Promise<boolean> {
  using open = await openSession({ session, readOnly: true });
  return (await open.asker.ask({ table: "why", args: { limit: 1 } })).rows.length > 0;
}

/**
 * Waits until every VM with `start = "auto"` runs.
 * @throws Failure when one has failed
 */
async function vmsRun(session: string, { what }: SessionPlan): Promise<void> {
  if (what.kind !== "run") return;
  const awaited = new Set(what.host.vms.filter(({ start = "auto" }) => start !== "manual").map(({ name }) => vmId(name)));
  const path = socketPath(session);
  using open = await openSession({ session: path, readOnly: true });
  for (;;) {
    const { rows } = await open.asker.ask({ table: "vm.ls", args: {} });
    const dead = rows.find(({ state }) => state === "failed");
    if (dead) await explain(open.asker, session, dead.id);
    for (const { id, state } of rows) if (state === "running" || state === "stopped") awaited.delete(id);
    if (awaited.size === 0 || (await sessionInfo(path)).ended !== undefined) return;
    await new Promise((resolve) => setTimeout(resolve, LOOK));
  }
}

/** @throws Failure that says why a VM has failed */
async function explain(asker: Asker, session: string, vm: string): Promise<never> {
  const answer = await asker.ask({ table: "why", args: { filter: `ended=${vm}`, limit: 1 } });
  for (const row of rowsOf(REASONS, answer)) for (const { text } of reasonLines(row)) report(text);
  throw failed(`${vm} of session ${session} has failed`, way`${hint("attach", session)} shows it, ${hint("down", session)} ends it`);
}

/** Adds what `up` takes, and the process that it starts. */
function withBeginOptions(command: Command) {
  const session = command
    .addArgument(offering(new Argument("<what>", "FILE.toml, an image, debian, demo, or a snapshot"), machineOffers, "files"))
    .optionsGroup("Session:")
    .option("--name <session>", "name of the session (default: from WHAT)")
    .addOption(seedOption)
    .addOption(recordOption)
    .addOption(hostOption())
    .addOption(anywayOption)
    .addOption(new Option(`${BY} <program>`, "what starts the session, for el2 ls").hideHelp())
    .addOption(logOption);
  return withCoreOptions(withStartOptions(session));
}

/** Options for the start of a machine, new or of a snapshot. */
interface BeginOptions extends StartOptions {
  readonly seed?: number;
  readonly anyway?: boolean;
}

/** Options of a new machine that also apply to the machine of a snapshot. */
const OF_BOTH = [turboOption.long];

/**
 * The plan of a session's machine, and the file for its recording.
 * @throws Failure with all errors
 */
async function sessionPlan(what: string, options: BeginOptions): Promise<Pick<PlannedRun, "plan" | "record">> {
  const { seed, anyway, tier, memoryBudget } = options;
  if (!isSnapshot(what)) {
    if (seed !== undefined) throw new Failure(`--seed: ${what} is not a snapshot`, `use --set machine.seed=${seed}`);
    if (anyway) throw new Failure(`--anyway: ${what} is not a snapshot`, "remove the option");
    const { plan, record, ui } = await startPlan([what], options);
    await checkedUi(what, ui);
    return { plan, record };
  }
  const fixed = withStartOptions(new Command()).options.filter(({ long }) => !OF_BOTH.includes(long));
  const [extra] = argumentsOf(fixed, { ...options });
  if (extra) throw new Failure(`${extra}: the snapshot ${what} sets this`, "remove the option");
  const { plan } = await planOfSnapshot(what, hostConsent(options.allowHost), { seed, anyway, by: "up" });
  return {
    plan: { ...plan, ...options.turbo && { turbo: true }, ...tier && { tier }, ...memoryBudget && { memoryBudget } },
    record: undefined,
  };
}

/**
 * The process of a session, until it is asked to end.
 * @param plan of its machine; undefined for a dump, which is open already
 * @param heard events that came before any client could attach
 */
async function serveSession(
  machine: SessionClient,
  session: Pick<SessionInfo, "name" | "what" | "by">,
  plan: SessionPlan | undefined,
  heard: readonly SessionEvent[] = [],
): Promise<number> {
  const { name, what } = session, logs = besideSocket(socketPath(name)).consoles;
  ownFolder(logs);
  const hub = new SessionHub(
    machine,
    { ...session, started: new Date().toISOString(), logs, configuration: configurationOf(what), recording: plan && recordedTo(plan) },
    memoryLimits(plan?.memoryBudget).consoles,
  );
  for (const event of heard) machine.onEvent(event);
  const ended = Promise.withResolvers<number>();
  hub.onDown = () => ended.resolve(ExitCode.Done);
  hub.onEnd = ({ message }) => warn(message);
  onSignals(["SIGTERM", "SIGINT", "SIGQUIT"], (signal) => ended.resolve(END_CODES[signal]));
  // It does not depend on a terminal that closes.
  onSignals(["SIGHUP"], () => {});
  let server: SessionServer;
  try {
    server = await SessionServer.listen(hub, socketPath(name));
  } catch (error) {
    if (!(error instanceof SocketInUse)) throw error;
    throw failed(`session ${name} is already running`);
  }
  // The socket listens already: it needs no right any more to let clients in.
  if (!plan || !needsNetwork(plan)) giveUp("net");
  if (plan) {
    const kept = plan.record ? (await import("../../../../session/recordings/past/states-path.ts")).withStatesKept(plan) : plan;
    machine.send({ kind: "start", plan: { ...kept, history: true } });
  }
  boundGarbage();
  const code = await ended.promise;
  // `down` waits until the socket is gone: by then the recording is whole.
  await hub.endInOrder();
  server.close();
  return code;
}
