// Sessions in the background: their processes, and forks of what a screen shows.

import { ExitCode, failed, Failure } from "../../common/failure.ts";
import { requireUnix } from "../../common/platform.ts";
import { runtimeArguments } from "../../common/runtime.ts";
import { openSession, showOrEnd } from "../../common/session.ts";
import { besideSocket, NoPlace, sessionFolder, sessionNames, socketPath } from "../../../../session/control/places.ts";
import { defaultName } from "../../../../session/control/session-names.ts";
import { type Owner, ownerOf, silence } from "../../../../session/control/ownership.ts";
import { answers, NoSession, sessionInfo } from "../../../../session/control/remote.ts";
import { isOfSystem } from "../../../../kit/support/system-error.ts";
import { lstatIfThere, openOwn } from "../../../../kit/support/files/own-files.ts";
import type { Start } from "../../../tui/app/start/other-sessions.ts";
import type { Fork } from "../../../tui/app/doing/time-menu.ts";

/** The starter of a session that no command started, as `el2 ls` shows it. */
export const SCREENS = "the screens";
/** The option with which a command says what starts a session for it. */
export const BY = "--by";

/** How long a session may take to listen, ms of wall time: a busy computer may need long. */
const START_TIME = 120_000;
/** Virtual time (ns) by which a host that makes VMs has made the first. */
const FIRST_VMS = 500_000_000n;
/** Looks in a row at one instant after which the machine waits for somebody. */
const LOOKS_AT_REST = 20;
const POLL = 50;
/** How long a process may own a name without listening, ms. */
const PASSING_TIME = 5_000;

/**
 * Starts the process of a session and waits until it listens.
 * @param args after `background`
 * @throws Failure with the reason if it does not start
 */
export async function startSession(entry: URL, name: string, args: string[]): Promise<void> {
  requireUnix("sessions in the background");
  const path = socketPath(name);
  const taken = () => failed(`session ${name} is already running`, showOrEnd(name));
  const listened = lstatIfThere(path) !== undefined;
  if (await answers(path)) throw taken();
  const owner = await stayingOwner(path);
  if (owner) {
    // One that was about to listen may do so by now.
    if (!listened && await answers(path)) throw taken();
    throw failed(silence(path, owner));
  }
  const { log } = besideSocket(path);
  openOwn(log, { truncate: true }).close();
  const child = new Deno.Command(shellPath(), {
    // The shell gives the process a log for what it says last, which Deno's own pipes would not
    // outlive.
    args: ["-c", `exec "$@" >>"$0" 2>&1 </dev/null`, log, Deno.execPath(), ...runtimeArguments(entry), "background", ...args],
    stdin: "null",
    stdout: "null",
    stderr: "null",
    detached: true,
  }).spawn();
  child.unref();
  let ended: number | undefined;
  child.status.then(({ code }) => ended = code);
  const limit = performance.now() + START_TIME;
  while (!await answers(path)) {
    if (ended !== undefined) {
      throw new Failure(
        (await Deno.readTextFile(log)).replace(/^el2: /, "").trim() ||
          `the session could not start (exit code ${ended}) and its log ${log} is empty; is there room on its disk?`,
        undefined,
        ended || ExitCode.Failed,
      );
    }
    if (performance.now() > limit) {
      throw failed(`session ${name} has not started after ${START_TIME / 1000} s`, `see its log ${log}`);
    }
    await new Promise((resolve) => setTimeout(resolve, POLL));
  }
  try {
    // Another process has started a session of this name at the same time.
    if ((await sessionInfo(path)).pid !== child.pid) throw taken();
    await firstVms(path);
  } catch (error) {
    if (!(error instanceof NoSession)) throw error;
    throw failed(`session ${name} ended during its start: ${error.message}`, `see its log ${log}`);
  }
}

/**
 * The process that owns a session's name and does not answer. One without a socket is about to end,
 * or to listen: that takes a moment.
 */
async function stayingOwner(path: string): Promise<Owner | undefined> {
  const limit = performance.now() + PASSING_TIME;
  let owner = ownerOf(path);
  while (owner && lstatIfThere(path) === undefined && performance.now() < limit) {
    await new Promise((resolve) => setTimeout(resolve, POLL));
    owner = ownerOf(path);
  }
  return owner;
}

/** Waits until the host has made a VM, so that the next command finds it. */
async function firstVms(path: string): Promise<void> {
  using open = await openSession({ session: path, readOnly: true });
  for (const beginning = new Beginning();;) {
    const { rows, at } = await open.asker.ask({ table: "vm.ls", args: { filter: "via!=native state=running" } });
    const { ended, paused } = await sessionInfo(path);
    if (rows.length > 0 || ended !== undefined || paused || beginning.isOver(BigInt(at.ns))) return;
    await new Promise((resolve) => setTimeout(resolve, POLL));
  }
}

/**
 * The time in which a host makes its first VM. Not every host makes one: the machine's own time
 * bounds it, as a busy computer may need long for the first instruction.
 */
export class Beginning {
  #seen = 0n;
  #looks = 0;

  /** Whether it is over at this virtual time (ns) of the next look. */
  isOver(now: bigint): boolean {
    // At 0, its images are still being read.
    this.#looks = now === this.#seen && now > 0n ? this.#looks + 1 : 0;
    this.#seen = now;
    return now >= FIRST_VMS || this.#looks >= LOOKS_AT_REST;
  }
}

function shellPath(): string {
  return "/bin/sh";
}

/** The name of a session, followed by a number if another session has that name. */
export async function freeName(wanted: string): Promise<string> {
  try {
    for (let name = wanted, number = 2;; name = `${wanted}-${number++}`) {
      const path = socketPath(name);
      if (!ownerOf(path) && !await answers(path)) return name;
    }
  } catch (error) {
    if (error instanceof NoPlace || isOfSystem(error)) return wanted;
    throw error;
  }
}

/** Starts sessions named on a screen; their process reports errors in the name. */
export function starter(entry: URL): Start {
  return async (what, allowHost) => {
    const name = await freeName(defaultName(what));
    await startSession(entry, name, ["--name", name, ...allowHost ? ["--allow-host", "all"] : [], "--", what]);
    return name;
  };
}

/** Starts forks of session `of`, which may have what that has of this computer. */
export function forkOf(entry: URL, of: string): Fork {
  return async (save) => {
    const taken = sessionNames();
    let number = 1;
    while (taken.includes(`${of}-fork${number}`)) number++;
    const name = `${of}-fork${number}`, file = `${sessionFolder()}/${name}.snap`;
    try {
      const error = await save(file);
      if (error !== undefined) throw failed(error);
      await startSession(entry, name, [file, "--name", name, "--allow-host", "all"]);
    } finally {
      // The session has read it.
      await Deno.remove(file).catch((error) => {
        if (!(error instanceof Deno.errors.NotFound)) throw error;
      });
    }
    return name;
  };
}
