// Which session a command talks to: `--session NAME|PATH`, else EL2_SESSION, else the only session
// that exists.

import { type Command, Option } from "@commander-js/extra-typings";
import type { NamedCore } from "./core-session.ts";
import { common, jsonOption, RenamedOption } from "./common-options.ts";
import { ExitCode, failed, Failure } from "./failure.ts";
import { report } from "./print.ts";
import { Asker } from "../../../session/control/asker.ts";
import { silenceAt } from "../../../session/control/ownership.ts";
import { sessionNames, socketPath } from "../../../session/control/places.ts";
import { isSessionName } from "../../../session/control/session-names.ts";
import { connectSession, NoSession, type RemoteSession } from "../../../session/control/remote.ts";
import type { SessionEvent } from "../../../model/protocol/protocol.ts";
import { didYouMeanOneOf } from "../../../kit/support/text/did-you-mean.ts";
import { lstatIfThere } from "../../../kit/support/files/own-files.ts";
import type { Problem } from "../../../kit/support/problem.ts";
import { nameOf, withoutKind } from "../../../model/queries/ids.ts";
import { endProblem, hasEnded } from "../../../model/queries/facts/problem.ts";
import { hint } from "../../../kit/support/text/hint.ts";
import { way, wayOutText } from "../../../kit/support/text/way-out.ts";

export const LIST_SESSIONS = way`list the sessions with ${hint("ls")}`;
export const START_ONE = way`start one with ${hint("up", "demo")}`;
/** The ways on with a session that runs elsewhere. */
export const showOrEnd = (name: string) => way`show it with ${hint("attach", name)}, end it with ${hint("down", name)}`;

/** A session, and questions to it. */
export interface OpenSession extends Disposable {
  readonly session: RemoteSession;
  readonly asker: Asker;
  /**
   * The first event from now on for which `make` returns a value. Rejects when the machine ends.
   */
  next<T>(make: (event: SessionEvent) => T | undefined): Promise<T>;
}

/** How a command connects. */
interface SessionOptions {
  /** Its name, or the path of its socket. */
  readonly session?: string;
  readonly readOnly?: boolean;
  /** It wants console output and samples too. */
  readonly follow?: boolean;
  /** The consoles, or VMs, whose output it wants; all if it names none. */
  readonly consoles?: readonly string[];
  /** A dump that is asked instead. */
  readonly core?: NamedCore;
  /** How one of several sessions is named, for the error that says so. */
  readonly naming?: string;
}

/**
 * Connects, for queries. `onConsole` gets the consoles' output, with `follow`.
 * @throws Failure with exit code 3 without a session.
 */
export async function openSession(options: SessionOptions, onConsole?: (console: string, bytes: Uint8Array) => void): Promise<OpenSession> {
  const { core } = options;
  const session = core ? await (await import("./core-session.ts")).coreSession(core) : await connectNamed(options);
  const asker = new Asker(session);
  const waiting = new Set<(event: SessionEvent) => void>();
  session.onEvent = (event) => {
    if (asker.receive(event)) return;
    for (const hear of [...waiting]) hear(event);
    if (event.kind !== "console") return;
    session.send({ kind: "taken", bytes: event.bytes.length });
    onConsole?.(event.console, event.bytes);
  };
  session.onGone = (reason) => {
    report(`el2: ${reason ?? "the session has ended"}; ${wayOutText(LIST_SESSIONS)}`);
    Deno.exit(ExitCode.NoSession);
  };
  session.onRefused = (message) => {
    report(`el2: ${message}`);
    Deno.exit(ExitCode.ReadOnly);
  };
  const next = <T>(make: (event: SessionEvent) => T | undefined): Promise<T> => {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    // An abandoned wait must not report the end.
    promise.catch(() => {});
    const hear = (event: SessionEvent) => {
      const made = make(event);
      if (made !== undefined) resolve(made);
      else if (event.kind === "ended") reject(failed(hasEnded(endProblem(event.end))));
      else if (event.kind === "undone") reject(failed(event.problem));
      else if (event.kind === "failed") reject(failed(`the machine has failed: ${event.message.split("\n", 1)[0]}`));
      else return;
      waiting.delete(hear);
    };
    waiting.add(hear);
    return promise;
  };
  return { session, asker, next, [Symbol.dispose]: () => session.close() };
}

/**
 * Checks that a session has a VM of this name, after a query without rows.
 * @throws Failure if it has none
 */
export async function checkVm({ asker }: OpenSession, named: string): Promise<void> {
  const { rows } = await asker.ask({ table: "vm.ls", args: {} });
  const vm = withoutKind("vm", named), there = rows.map(({ id }) => nameOf(id));
  if (there.includes(vm)) return;
  throw failed(`no VM called "${vm}"`, didYouMeanOneOf(vm, there));
}

/**
 * Connects; events wait for a listener.
 * @throws Failure with exit code 3 without a session.
 */
export async function connectNamed(options: SessionOptions): Promise<RemoteSession> {
  return await connectTo(options.session ?? chosenSession(), options);
}

async function connectTo(
  named: string | undefined,
  { readOnly = false, follow = false, consoles, naming = "--session NAME or EL2_SESSION=NAME" }: SessionOptions,
): Promise<RemoteSession> {
  const role = { readOnly, follow, consoles };
  if (named !== undefined) {
    try {
      return await connectSession(socketPath(named), role);
    } catch (error) {
      if (!(error instanceof NoSession)) throw error;
      const silent = silenceAt(socketPath(named));
      if (silent && !error.refused) throw new Failure(silent, undefined, ExitCode.NoSession);
      if (error.refused || !isSessionName(named) || lstatIfThere(socketPath(named)) !== undefined) {
        throw new Failure(error.message, way`${LIST_SESSIONS}, or ${START_ONE}`, ExitCode.NoSession);
      }
      const others = sessionNames();
      throw new Failure(`no session called "${named}"`, others.length > 0 ? didYouMeanOneOf(named, others) : START_ONE, ExitCode.NoSession);
    }
  }
  const alive: RemoteSession[] = [];
  let silent: Problem | undefined;
  for (const name of sessionNames()) {
    const path = socketPath(name);
    try {
      alive.push(await connectSession(path, role));
    } catch (error) {
      if (!(error instanceof NoSession)) throw error;
      silent ??= error.refused ? { what: error.message } : silenceAt(path);
    }
  }
  if (alive.length === 1) return alive[0];
  for (const session of alive) session.close();
  if (alive.length === 0 && silent) throw new Failure(silent, undefined, ExitCode.NoSession);
  if (alive.length === 0) throw new Failure("no session is running", START_ONE, ExitCode.NoSession);
  const names = alive.map(({ info }) => info.name).join(", ");
  throw new Failure(`several sessions are running: ${names}`, `name one: ${naming}`, ExitCode.NoSession);
}

/** The session that the environment chooses for all commands of a shell. */
export function chosenSession(): string | undefined {
  return Deno.env.get("EL2_SESSION") || Deno.env.get("EL2_SOCKET") || undefined;
}

export const sessionOption = common(
  new RenamedOption("--session <session>", "the session: its name, or the path of its socket", "--socket"),
);

/** Adds the options of all commands that talk to a session. */
export function withSessionOptions<Args extends unknown[], Opts extends Record<string, unknown>>(command: Command<Args, Opts>) {
  return command
    .addOption(jsonOption)
    .addOption(sessionOption)
    .addOption(common(new Option("--read-only", "read-only; commands that would change anything exit with 5")));
}
