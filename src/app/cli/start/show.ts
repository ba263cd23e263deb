// Shows a session: the TUI on a terminal, consoles as text elsewhere. Each loads its own modules on
// demand, so that a machine without a screen starts sooner.

import { namesKeysOrColors } from "./look/file-ui.ts";
import { runHeadless } from "./headless/headless.ts";
import type { GdbPlace } from "./debuggers/gdb-link.ts";
import { withLog } from "./log.ts";
import type { ShownMachine } from "./screens/screens.ts";
import type { LookSettings } from "./look/terminal-look.ts";
import { groupWarning } from "../common/computer.ts";
import { Failure } from "../common/failure.ts";
import { report } from "../common/print.ts";
import { giveUp } from "../common/rights.ts";
import type { FileUi } from "../../configuration/schema.ts";
import { isAtEl2, type SessionPlan } from "../../../model/plans/plan.ts";
import { connectEmbedded, type SessionClient } from "../../../session/worker/client.ts";
import { boundGarbage } from "../../../kit/support/computer/garbage.ts";
import { hint, hintText } from "../../../kit/support/text/hint.ts";
import { unlessGone } from "../../../kit/support/files/cache.ts";
import { warn } from "../../../kit/support/warn.ts";

/** How a session is shown. */
interface ShowOptions extends ShownMachine {
  /** A machine without a plan, which is loading already. */
  readonly machine?: SessionClient;
  /** Join the (first) console to stdin and stdout. */
  readonly stdio: boolean;
  /** File that gets a line for each event. */
  readonly log: string | undefined;
  /** Begin at the first prompt, where the cache has that (`instant.ts`). */
  readonly instant?: boolean;
  /** Wall time in ms. */
  readonly timeout: number | undefined;
  /** Without a screen: where the recording of a run that fails goes, or `none`. */
  readonly recordings?: string;
  /** Without a screen: print what the core did at the end. */
  readonly stats?: boolean;
  /** Without screens: run on when a VM has crashed or panicked. */
  readonly keepGoing?: boolean;
  /** Where gdb connects to the VM that the plan gives to a debugger. */
  readonly gdb?: GdbPlace;
  /** Whether consoles on stdout have their names before each line. */
  readonly names: boolean;
  /** No screen, also on a terminal. */
  readonly headless?: boolean;
  /** Without a screen: the one console that is shown. */
  readonly only?: string;
  /** Without a screen, escape sequences of guests go to a terminal as they are. */
  readonly raw?: true;
  /** The configuration's settings of the screens. */
  readonly ui?: FileUi;
  /** The console that `stdio` joins. */
  readonly console: string | undefined;
}

/** Options of commands that run machines: what they show, log and keep. `timeout`: ns. */
export type DisplayOptions = LookSettings & Pick<ShowOptions, "raw" | "readOnly" | "instant" | "recordings" | "keepGoing"> & {
  readonly stdio?: true;
  readonly log?: string;
  readonly timeout?: number;
};

/** How a session is shown by those options. */
export function displayed(options: DisplayOptions) {
  const { stdio = false, raw, log, readOnly, instant, recordings, timeout, keepGoing } = options;
  return { stdio, raw, log, readOnly, instant, recordings, keepGoing, look: options, timeout: timeout && timeout / 1e6 };
}

/** Runs the plan in a worker and returns the exit code. */
export async function showSession(entry: URL, planned: SessionPlan, options: ShowOptions): Promise<number> {
  const { record } = planned, before = record && inodeOf(record.path);
  const code = await shownUntilEnd(entry, planned, options);
  if (record) await checkRecorded(record.path, before);
  return code;
}

/** Undefined for no file. */
const inodeOf = (path: string) => unlessGone(() => Deno.statSync(path).ino);

/**
 * @param before the inode of an older file, which stays where there is no recording
 * @throws Failure if the recording that was asked for lacks its end
 */
async function checkRecorded(path: string, before: number | null | undefined): Promise<void> {
  const { isSealed } = await import("../../../session/recordings/file/recording-reader.ts");
  const info = unlessGone(() => Deno.statSync(path));
  // Bytes that go through a pipe are its reader's.
  const isThere = info !== undefined && (!info.isFile || info.ino !== before && isSealed(path));
  if (!isThere) throw new Failure(`--record ${path}: the recording is not complete, and cannot be replayed`);
  report(`el2: recorded ${path}; ${hintText(hint("replay", path))} repeats the run`);
}

async function shownUntilEnd(entry: URL, planned: SessionPlan, options: ShowOptions): Promise<number> {
  const terminal = Deno.stdin.isTerminal() && Deno.stdout.isTerminal();
  const headless = options.stdio || options.headless || !terminal;
  const warning = groupWarning(planned.memory);
  if (warning !== undefined) warn(warning);
  const looks = headless && !saysOfLooks(options) ? undefined : await looksOf(options);
  if (looks && !headless) {
    const { showOpening, STARTING } = await import("./screens/opening.ts");
    const { title, configuration, readOnly, guide } = options;
    const state = planned.replay === undefined ? "LIVE" : "REPLAY";
    await showOpening(looks, { title, configuration, readOnly, state, fresh: guide !== undefined, awaited: STARTING });
  }
  const machine = options.machine ?? connectEmbedded(entry);
  if (options.instant) machine.send({ kind: "prepare", plan: { memory: planned.memory, cpu: planned.cpu }, atEl2: isAtEl2(planned) });
  const plan = options.instant ? await instantPlan(machine, planned) : planned;
  const { recording } = options,
    marked = recording !== undefined && planned.replay && !headless
      ? (await import("./kept-marks.ts")).withMarksKept(machine, recording)
      : machine;
  const logged = withLog(marked, options.log);
  const client = options.gdb === undefined ? logged : await withGdb(logged, options.gdb, plan);
  // Without a screen or gdb there is no travel back.
  const history = !headless || options.gdb !== undefined;
  const kept = history && plan.record ? (await import("../../../session/recordings/past/states-path.ts")).withStatesKept(plan) : plan;
  const start = () => client.send({ kind: "start", plan: { ...kept, history, endsOnFailure: !history && !options.keepGoing } });
  if (looks && !headless) {
    const { showOnScreens } = await import("./screens/screens.ts");
    return await showOnScreens(entry, client, plan, options, looks, start);
  }
  const shown = (plan.replay || plan.from) && (await import("./headless/shown-progress.ts")).withProgress(client, plan);
  giveUp("run");
  const ended = runHeadless(shown ?? client, {
    stdio: options.stdio,
    console: options.console,
    names: !options.stdio && options.names,
    timeout: options.timeout,
    interactive: terminal,
    prefix: options.ui?.console_prefix,
    only: options.only,
    raw: options.raw,
    stats: options.stats,
    title: options.title,
    recordings: options.recordings,
    record: plan.record?.path,
  });
  start();
  boundGarbage();
  return await ended;
}

/**
 * Whether screens are given names that may be wrong, which is an error without a screen, too.
 * Otherwise the modules that draw are not loaded.
 */
function saysOfLooks({ look, ui }: ShowOptions): boolean {
  return look?.theme !== undefined || ui !== undefined && namesKeysOrColors(ui) || Boolean(Deno.env.get("EL2_THEME"));
}

async function looksOf({ look, ui }: ShowOptions) {
  const { surroundings } = await import("./look/surroundings.ts");
  return surroundings(look ?? {}, ui);
}

async function instantPlan(machine: SessionClient, planned: SessionPlan): Promise<SessionPlan> {
  try {
    const { instantly } = await import("./plans/instant.ts");
    return await instantly(planned, true);
  } catch (error) {
    machine.close();
    throw error;
  }
}

async function withGdb(client: SessionClient, place: GdbPlace, { debug }: SessionPlan): Promise<SessionClient> {
  if (!debug) throw new Error("a plan for gdb names the VMs that gdb has");
  const link = await import("./debuggers/gdb-link.ts");
  return link.withGdb(client, place, debug);
}
