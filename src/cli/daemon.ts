// `el2 up`, `serve`, `attach`, `down`, `ls`: sessions that live without a terminal, in a process of
// their own behind a Unix socket.

import { resolve } from "node:path";
import { type Command, Option } from "@commander-js/extra-typings";
import { argumentsOf, capIdsOption, checkOption, injectOption, quirksOption, strictOption, withBehaviour } from "./behaviour-options.ts";
import { hypervisorNodeOption } from "./hypervisor-node-option.ts";
import { ExitCode, Failure } from "./failure.ts";
import { withLog } from "./log.ts";
import { asciiOption, logLevelOption, logOption, noColorOption, readOnlyOption } from "./look-options.ts";
import { output, report } from "./print.ts";
import { type Planned, plannedOf } from "./run.ts";
import { recorded } from "./record.ts";
import { connectNamed, openSession, withSessionOptions } from "./session.ts";
import { startSession } from "./start-session.ts";
import { showRemote } from "./show.ts";
import { hostOption, planOfSnapshot } from "./snapshot.ts";
import { connectEmbedded, type SessionClient } from "../session/client.ts";
import { documentText, SESSIONS } from "../queries/documents.ts";
import type { Json } from "../queries/table.ts";
import { SessionHub } from "../control/hub.ts";
import { defaultName, isSessionName, sessionFolder, sessionNames, socketPath } from "../control/places.ts";
import { answers, NoSession, ownerOf, sessionInfo } from "../control/remote.ts";
import { SessionServer, SocketInUse } from "../control/server.ts";
import { type Behaviour, type SessionPlan, TIERS } from "../plans/plan.ts";
import { ownFolder, removeIfThere } from "../support/own-files.ts";
import { warn } from "../support/warn.ts";
import { isSnapshot } from "../snapshots/file.ts";

/** How long `down` waits for the session to end, ms. */
const END_TIME = 5_000;

/** Adds the commands. */
export function registerDaemon(program: Command, entry: URL, exit: (code: number) => void): void {
  const up = withBeginOptions(program.command("up"))
    .description("start a session in the background; el2 attach shows it, el2 down ends it")
    .addHelpText(
      "after",
      `
Consoles are logged beside the socket; el2 ls says where.

Examples:
  el2 up phone.toml --name phone
  el2 attach phone
  el2 up before.snap --name again`,
    );
  up.action(async (what, options) => {
    const name = options.name ?? defaultName(what);
    if (!isSessionName(name)) throw new Failure(`--name ${name}: letters, digits, "-", "_" and "." only`);
    // All that can be wrong with the configuration is said here, before anything starts.
    await sessionPlan(what, options);
    const log = options.log === undefined ? undefined : resolve(options.log);
    await startSession(entry, name, [what, ...argumentsOf(up.options, { ...options, name, log })]);
    report(`el2: session ${name} runs; el2 attach ${name} shows it, el2 down ${name} ends it`);
  });
  withBeginOptions(program.command("serve", { hidden: true }))
    .description("be the process of a session")
    .action(async (what, { name = defaultName(what), turbo, tier, log, logLevel, ...options }) => {
      const { plan, record } = await sessionPlan(what, options);
      const whole: SessionPlan = { ...plan, turbo: turbo ?? plan.turbo, ...tier && { tier } };
      exit(await serveSession(withLog(connectEmbedded(entry), log, logLevel), name, what, await recorded(whole, record)));
    });
  const attach = program.command("attach")
    .description("show a session that runs in the background")
    .argument("[session]", "its name, or the path of its socket")
    .addOption(readOnlyOption)
    .addOption(noColorOption)
    .addOption(asciiOption);
  attach.action(async (session, options) => {
    if (!Deno.stdin.isTerminal() || !Deno.stdout.isTerminal()) {
      throw new Failure("attach needs a terminal; without one: el2 console VM --log, el2 events --follow, el2 vm ls");
    }
    exit(
      await showRemote(await connectNamed({ socket: session, readOnly: options.readOnly, follow: true, naming: "el2 attach NAME" }), {
        ascii: options.ascii,
        color: options.color,
      }, entry),
    );
  });
  program.command("down")
    .description("end a session: its VMs stop, its process ends")
    .argument("[session]", "its name, or the path of its socket")
    .option("--force", "remove the socket of a session that does not answer")
    .action(async (session, options) => exit(await down(session, options.force ?? false)));
  withSessionOptions(program.command("ls").description("list the sessions")).action(async (options) =>
    exit(await list(options.json ?? false))
  );
}

/** Adds what `up` takes, and the process that it starts. */
function withBeginOptions(command: Command) {
  return command
    .argument("<what>", "FILE.toml, an image, debian, demo, or a snapshot")
    .option("--name <session>", "name of the session (default: from WHAT)")
    .option("--turbo", "skip idle time instead of sleeping through it")
    .addOption(new Option("--tier <tier>", "what executes instructions").choices(TIERS))
    .addOption(capIdsOption)
    .addOption(quirksOption)
    .addOption(strictOption)
    .addOption(checkOption)
    .addOption(injectOption())
    .addOption(hypervisorNodeOption)
    .addOption(hostOption())
    .addOption(logOption)
    .addOption(logLevelOption);
}

/** What says how a machine begins. */
interface BeginOptions extends Partial<Behaviour> {
  readonly inject?: string[];
  readonly allowHost?: true;
}

/**
 * The plan of what a session runs, and where it is to be recorded. @throws Failure that says all
 * that is wrong with it
 */
async function sessionPlan(what: string, { inject, allowHost, ...behaviour }: BeginOptions): Promise<Pick<Planned, "plan" | "record">> {
  if (!isSnapshot(what)) {
    const { plan, record } = await plannedOf(what);
    return { plan: { ...withBehaviour(plan, behaviour), inject }, record };
  }
  const fixed = [capIdsOption, quirksOption, hypervisorNodeOption, strictOption, checkOption, injectOption()];
  const [extra] = argumentsOf(fixed, { ...behaviour, inject });
  if (extra) throw new Failure(`${extra}: snapshot ${what} has what its machine began with; leave it out`);
  return { plan: (await planOfSnapshot(what, allowHost)).plan, record: undefined };
}

/** The process of a session: until it is told to end. */
async function serveSession(machine: SessionClient, name: string, what: string, plan: SessionPlan): Promise<number> {
  const logs = `${sessionFolder()}/${name}.consoles`;
  ownFolder(logs);
  const hub = new SessionHub(machine, { name, what, started: new Date().toISOString(), logs });
  const ended = Promise.withResolvers<number>();
  hub.onDown = () => ended.resolve(ExitCode.Done);
  hub.onEnd = ({ message }) => warn(message);
  for (const signal of ["SIGTERM", "SIGINT"] as const) Deno.addSignalListener(signal, () => ended.resolve(ExitCode.Interrupted));
  // A terminal that goes away is none of its business.
  Deno.addSignalListener("SIGHUP", () => {});
  let server: SessionServer;
  try {
    server = await SessionServer.listen(hub, socketPath(name));
  } catch (error) {
    if (!(error instanceof SocketInUse)) throw error;
    throw new Failure(`a session ${name} runs already`, ExitCode.Failed);
  }
  machine.send({ kind: "start", plan: { ...plan, history: true } });
  const code = await ended.promise;
  // `down` waits until the socket is gone: by then the recording is whole.
  await hub.endInOrder();
  server.close();
  return code;
}

async function down(named: string | undefined, force: boolean): Promise<number> {
  let path: string, pid: number;
  try {
    using open = await openSession({ socket: named, naming: "el2 down NAME" });
    const { session } = open;
    pid = session.info.pid;
    path = socketPath((named ?? Deno.env.get("EL2_SOCKET")) || session.info.name);
    const gone = Promise.withResolvers<void>();
    session.onGone = () => gone.resolve();
    session.down();
    const late = setTimeout(() => gone.resolve(), END_TIME);
    await gone.promise;
    clearTimeout(late);
  } catch (error) {
    if (!(error instanceof Failure) || !force || named === undefined) throw error;
    path = socketPath(named);
    const owner = ownerOf(path);
    if (owner) {
      throw new Failure(`the session at ${path} lives in process ${owner.pid}; kill ${owner.pid} ends it`, ExitCode.Failed);
    }
    removeIfThere(path);
    report(`el2: removed ${path}`);
    return ExitCode.Done;
  }
  if (await answers(path)) {
    throw new Failure(`the session at ${path} has not ended after ${END_TIME / 1000} s; kill ${pid} ends its process`, ExitCode.Failed);
  }
  return ExitCode.Done;
}

async function list(json: boolean): Promise<number> {
  const rows: Record<string, unknown>[] = [];
  for (const name of sessionNames()) {
    try {
      rows.push({ id: `session:${name}`, ...await sessionInfo(socketPath(name)) });
    } catch (error) {
      if (!(error instanceof NoSession)) throw error;
      if (error.otherVersion) rows.push({ id: `session:${name}`, name, what: "?", ended: error.message });
    }
  }
  if (json) output(`${documentText(SESSIONS, { data: rows as Json })}\n`);
  else if (!rows.length) report("el2: no session runs; el2 up WHAT starts one");
  else {
    for (const { name, what, clients, ended, paused, started, logs } of rows) {
      const state = ended ? `ended: ${ended}` : paused ? "paused" : "runs";
      output(`${name}  ${what}  ${state}  clients ${clients}  since ${started}${logs === undefined ? "" : `  consoles in ${logs}`}\n`);
    }
  }
  return ExitCode.Done;
}
