// Sessions on a terminal: the TUI, for a machine of this process and for sessions that run
// elsewhere.

import { commandOptions } from "../look/own-commands.ts";
import { ownProgram } from "./own-program.ts";
import { profilerOf } from "./profiler.ts";
import { startOffers } from "./start-offers.ts";
import { forkOf, freeName, SCREENS, starter } from "./start-session.ts";
import { takeOpening } from "./opening.ts";
import { recordedTo } from "../plans/recorded.ts";
import { type ScreenSurroundings, surroundings, uiOfFile } from "../look/surroundings.ts";
import type { LookSettings } from "../look/terminal-look.ts";
import { loadUiState, saveUiState } from "./ui-state-file.ts";
import { ExitCode, Failure } from "../../common/failure.ts";
import { report } from "../../common/print.ts";
import { DEFAULT_UI } from "../../../configuration/schema.ts";
import { SessionHub } from "../../../../session/control/hub.ts";
import { NoPlace, sessionFolder, socketPath } from "../../../../session/control/places.ts";
import { defaultName } from "../../../../session/control/session-names.ts";
import { connectSession, NoSession, type RemoteSession } from "../../../../session/control/remote.ts";
import { SessionServer, SocketInUse } from "../../../../session/control/server.ts";
import { memoryLimits } from "../../../../model/plans/memory-budget.ts";
import type { SessionPlan } from "../../../../model/plans/plan.ts";
import type { SessionClient } from "../../../../session/worker/client.ts";
import { isOfSystem } from "../../../../kit/support/system-error.ts";
import { runStart } from "../../../tui/app/start/run-start.ts";
import { deedHint } from "../../../tui/app/start/start-screen.ts";
import { runConfigErrors } from "../../../tui/app/frame/run-config-errors.ts";
import { type Leaving, runTui, type TuiOptions } from "../../../tui/app/run.ts";
import type { UnseenStart } from "../../../tui/app/start/starts.ts";
import { type Cut, ProcessTerminal, type TerminalPort } from "../../../tui/terminal/terminal.ts";
import type { Guide } from "../../../tui/app/guide/guide.ts";
import { hint, hintText, hintWords } from "../../../../kit/support/text/hint.ts";
import { onSignals } from "../../../../kit/support/computer/signals.ts";
import type { Problem } from "../../../../kit/support/problem.ts";
import { wayOutText } from "../../../../kit/support/text/way-out.ts";
import { LIST_SESSIONS, showOrEnd } from "../../common/session.ts";

/** A machine of this process as its screens see it. */
export interface ShownMachine {
  readonly title: string;
  /** The command line's settings of the screens. */
  readonly look?: LookSettings;
  /** A tour of the screens: they begin with their defaults, and their state is not kept. */
  readonly guide?: Guide;
  /** The screens only look. */
  readonly readOnly?: boolean;
  /** Absolute path of the configuration. */
  readonly configuration?: string;
  /** Absolute path of the recording that is run again. */
  readonly recording?: string;
  /** The screens of a link, shown first. */
  readonly linked?: TuiOptions["linked"];
}

let process: TerminalPort | undefined;

/** The process's only terminal. */
function terminalOfProcess(): TerminalPort {
  return process ??= new ProcessTerminal();
}

/** Shows a machine of this process from its start, and returns the exit code. */
export async function showOnScreens(
  entry: URL,
  client: SessionClient,
  plan: SessionPlan,
  options: ShownMachine,
  looks: ScreenSurroundings,
  start: () => void,
): Promise<number> {
  const called = defaultName(options.title);
  const name = await freeName(called);
  const commands = commandOptions(looks.commands, name), recording = options.recording ?? recordedTo(plan);
  const hub = new SessionHub(client, {
    name,
    what: options.title,
    started: new Date().toISOString(),
    logs: undefined,
    configuration: options.configuration,
    recording,
    by: SCREENS,
  }, memoryLimits(plan.memoryBudget).consoles);
  // As a signal does, also while another session is shown.
  hub.onDown = () => Deno.kill(Deno.pid, "SIGTERM");
  const server = await listen(hub, name);
  // They come twice where a launcher forwards what its group got: the second must not cut the end.
  const endSignals = onSignals(["SIGTERM", "SIGHUP"], () => {});
  const guise = { ...options.look, readOnly: options.readOnly };
  try {
    for (let greeting = looks.note, first = true;; first = false) {
      const here = hub.connect(options.readOnly);
      const shown = runTui(here, terminalOfProcess(), {
        // Of several of one name each says which it is.
        title: name === called ? options.title : name,
        greeting,
        readOnly: options.readOnly,
        ...beside(entry, name),
        replay: plan.replay !== undefined,
        recording,
        linked: first ? options.linked : undefined,
        guide: options.guide,
        state: options.guide ? undefined : await loadUiState(called, options.configuration),
        ...looks,
        ...commands,
        opened: takeOpening(),
      });
      if (first) start();
      const { left, end, state, unseen } = await shown;
      if (left.kind === "cut") report(`el2: ${left.by}`);
      await nameUnseen(unseen);
      here.close();
      if (!options.guide) await saveUiState(called, options.configuration, state);
      const onward = await follow(left, options.title, guise, looks, entry);
      if (onward.kind === "back") {
        greeting = onward.greeting;
        continue;
      }
      // The screen is gone: its last message must not be.
      if (end) report(`el2: ${end.message}`);
      return end?.code ?? codeOf(onward);
    }
  } finally {
    await commands.close();
    server?.close();
    await hub.endInOrder();
    endSignals();
  }
}

/** Commands find a session on this terminal too, where sockets are available. */
async function listen(hub: SessionHub, name: string): Promise<SessionServer | undefined> {
  try {
    return await SessionServer.listen(hub, socketPath(name));
  } catch (error) {
    if (error instanceof SocketInUse || error instanceof NoPlace || isOfSystem(error)) return undefined;
    throw error;
  }
}

/**
 * Shows a session of another process; quitting does not end it.
 * @throws Failure
 */
export async function showRemote(
  session: RemoteSession,
  look: LookSettings,
  entry: URL,
  known?: ScreenSurroundings,
): Promise<number> {
  const looks = known ?? surroundings(look, await uiOfFile(session.info.configuration));
  return (await showAttached(session, { ...look, readOnly: session.readOnly }, entry, undefined, looks)).code;
}

/** The look that one session after the other is shown with, and whether keys may change them. */
interface Guise extends LookSettings {
  readonly readOnly?: boolean;
}

/**
 * How the user left a session of another process: the exit code; `over`: nothing more is to be
 * shown.
 */
interface Visit {
  readonly code: number;
  readonly over: boolean;
  /** Why the session could not be shown. */
  readonly missed?: string;
}

/** The session that the user came from and can return to, if any. */
interface Arrival {
  readonly from: string | undefined;
}

async function showAttached(
  session: RemoteSession,
  guise: Guise,
  entry: URL,
  arrival?: Arrival,
  known?: ScreenSurroundings,
): Promise<Visit> {
  const { info, readOnly } = session;
  const connect = () => connectSession(socketPath(info.name), { readOnly, follow: true });
  let current = session;
  let greeting = arrival && `session ${info.name} is running${arrival.from === undefined ? "" : `; q returns to ${arrival.from}`}`;
  for (let looks = known;; looks = undefined) {
    // The file may have changed since the session was last shown.
    looks ??= surroundings(guise, await uiOfFile(info.configuration), "pass");
    const commands = commandOptions(looks.commands, info.name);
    const { left, lost, state, unseen } = await runTui(current, terminalOfProcess(), {
      title: info.name,
      greeting: greeting ?? looks.note,
      readOnly,
      recording: info.recording,
      ...beside(entry, info.name),
      logs: info.logs,
      log: `${sessionFolder()}/${info.name}.log`,
      state: await loadUiState(info.name, info.configuration),
      reconnect: async () => current = await connect(),
      ...looks,
      ...commands,
      opened: takeOpening(),
    }).catch((error) => {
      report(`el2: the screens have failed; ${goesOn(info.name)}`);
      throw error;
    }).finally(() => commands.close());
    if (left.kind === "cut") report(`el2: ${left.by}`);
    await saveUiState(info.name, info.configuration, state);
    await nameUnseen(unseen);
    current.close();
    if (lost) return await leaveLost(left, info.name, arrival, guise, looks, entry);
    const onward = await follow(left, info.name, guise, looks, entry);
    if (onward.kind !== "back") {
      report(`el2: ${goesOn(info.name)}`);
      return { code: codeOf(onward), over: onward.kind === "over" };
    }
    try {
      current = await connect();
    } catch (error) {
      if (!(error instanceof NoSession)) throw error;
      report(`el2: session ${info.name} has ended; ${wayOutText(LIST_SESSIONS)}`);
      return { code: ExitCode.NoSession, over: false };
    }
    greeting = onward.greeting;
  }
}

/**
 * The next step after the screens of a session: the same again, with a message; nothing, as the
 * user has quit; or nothing, as no screen can be shown.
 */
type Onward =
  | { readonly kind: "back"; readonly greeting: string | undefined }
  | { readonly kind: "quit" }
  | { readonly kind: "over"; readonly code: number };

const codeOf = (onward: Onward): number => onward.kind === "over" ? onward.code : ExitCode.Done;

/** Goes where the user wants to go from a session, and returns when that was left. */
async function follow(left: Leaving, from: string, guise: Guise, looks: ScreenSurroundings, entry: URL): Promise<Onward> {
  const way = left.kind === "choose" ? await chooseNext(from, looks, entry) : left;
  switch (way.kind) {
    case "visit": {
      const { over, code, missed } = await visit(way.session, from, guise, entry);
      return over ? { kind: "over", code } : { kind: "back", greeting: missed ?? goesOn(way.session) };
    }
    case "cut":
      return { kind: "over", code: way.code };
    case "back":
    case "quit":
      return way;
  }
}

/** The screens of a session whose connection is lost were left: only others can be shown. */
async function leaveLost(
  left: Leaving,
  name: string,
  arrival: Arrival | undefined,
  guise: Guise,
  looks: ScreenSurroundings,
  entry: URL,
): Promise<Visit> {
  const way = left.kind === "choose" ? await chooseNext(name, looks, entry) : left;
  report(`el2: lost the connection to ${name}; ${wayOutText(LIST_SESSIONS)}`);
  if (way.kind === "cut") return { code: way.code, over: true };
  if (way.kind !== "visit") return { code: ExitCode.NoSession, over: false };
  // The only session to return to is the previous one.
  return await visit(way.session, arrival?.from, guise, entry);
}

/**
 * Shows a session that a screen has started or chosen; `from` is the session to come back to. One
 * that has ended meanwhile is not shown.
 */
async function visit(name: string, from: string | undefined, guise: Guise, entry: URL): Promise<Visit> {
  let session: RemoteSession;
  try {
    session = await connectSession(socketPath(name), { readOnly: guise.readOnly === true, follow: true });
  } catch (error) {
    if (!(error instanceof NoSession)) throw error;
    if (from === undefined) report(`el2: session ${name}: ${error.message}`);
    return { code: ExitCode.NoSession, over: false, missed: `session ${name}: ${error.message}` };
  }
  return await showAttached(session, guise, entry, { from });
}

/**
 * Waits for sessions that still started when their screen was left, and says what they are called,
 * or what is wrong.
 */
async function nameUnseen(unseen: readonly UnseenStart[]): Promise<void> {
  for (const { what, started } of unseen) {
    report(`el2: starting ${what} …`);
    try {
      report(`el2: ${goesOn(await started)}`);
    } catch (error) {
      report(`el2: ${what}: nothing was started: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
}

/** The message that a session continues although it is no longer shown. */
function goesOn(name: string): string {
  return `session ${name} continues; ${wayOutText(showOrEnd(name))}`;
}

/** Services of a session's screens to start other sessions. */
function beside(entry: URL, name: string): Pick<TuiOptions, "fork" | "start" | "program" | "profiler"> {
  return { fork: forkOf(entry, name), start: starter(entry), program: ownProgram(entry, name), profiler: profilerOf(entry) };
}

/** Shows the start screen, and does what is chosen there; undefined: that has its own exit code. */
export async function showStart(entry: URL, look: Guise, run: (args: readonly string[]) => Promise<void>): Promise<number | undefined> {
  const choice = await runStart(terminalOfProcess(), await startOffers(), surroundings(look));
  if (choice.kind === "leave") return ExitCode.Done;
  if (choice.kind === "cut") throw new Failure(choice.by, undefined, choice.code);
  if (choice.kind === "load") return (await visit(await starter(entry)(choice.snapshot, false), undefined, look, entry)).code;
  const options = [
    ...look.theme === undefined ? [] : ["--theme", look.theme],
    ...look.ascii ? ["--ascii"] : [],
    ...look.plain ? ["--plain"] : [],
    ...look.readOnly && choice.kind !== "replay" && choice.kind !== "tour" ? ["--read-only"] : [],
  ];
  await run([...hintWords(deedHint(choice)), ...options]);
  return undefined;
}

/** The start screen from a session that is shown: to another one, or back with a message. */
async function chooseNext(
  from: string,
  looks: ScreenSurroundings,
  entry: URL,
): Promise<Extract<Leaving, { readonly kind: "visit" }> | Extract<Onward, { readonly kind: "back" }> | Cut> {
  const choice = await runStart(terminalOfProcess(), await startOffers(from), looks);
  const back = (greeting?: string) => ({ kind: "back", greeting }) as const;
  switch (choice.kind) {
    case "leave":
      return back();
    case "cut":
      return choice;
    case "replay":
      return back(`a replay is not a session; show it with ${hintText(hint("replay", choice.recording, { tui: true }))}`);
    case "tour":
      return back(`the tour has its own machine; start it with ${hintText(hint("tour"))}`);
    case "attach":
      return { kind: "visit", session: choice.session };
    case "run":
    case "load":
      try {
        return { kind: "visit", session: await starter(entry)(choice.kind === "run" ? choice.what : choice.snapshot, false) };
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        return back(`nothing was started: ${error.message.split("\n", 1)[0]}`);
      }
  }
}

/**
 * Shows the errors of a configuration until it is valid, or the user quits: false.
 * @throws Failure if a signal ends that
 */
export async function showConfigErrors(file: string, check: () => Promise<readonly Problem[]>): Promise<boolean> {
  const right = await runConfigErrors(terminalOfProcess(), {
    // A theme of the configuration is not known before that is right.
    ...surroundings({}, DEFAULT_UI, "pass"),
    file,
    check: async () => {
      const problems = await check();
      // A missing file has no text to show; the error reports it.
      const text = await Deno.readTextFile(file).catch(() => "");
      return { text, problems };
    },
    async edit(line) {
      const editor = Deno.env.get("VISUAL") || Deno.env.get("EDITOR") || "vi";
      const inherit = { stdin: "inherit", stdout: "inherit", stderr: "inherit" } as const;
      await new Deno.Command("/bin/sh", { args: ["-c", `exec ${editor} "$@"`, "sh", `+${line}`, file], ...inherit }).output();
    },
  });
  if (typeof right !== "boolean") throw new Failure(right.by, undefined, right.code);
  return right;
}
