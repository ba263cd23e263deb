// `el2 doctor`: el2's requirements on this computer, and what to do where something is missing.

import type { Command } from "@commander-js/extra-typings";
import { jsonOption } from "../../common/common-options.ts";
import { type CommandContext, examplesText } from "../../common/command.ts";
import { ExitCode } from "../../common/failure.ts";
import { type Finding, folders, limits, memory } from "../../common/computer.ts";
import { output } from "../../common/print.ts";
import { platformState } from "../../common/platform.ts";
import { colorsOf, copyingOf, localeOf, programsOf } from "../../common/requirements.ts";
import { ALL_RIGHTS, giveUp, PROCESS_RIGHTS, type ProcessRights } from "../../common/rights.ts";
import { catalogEntries } from "../../../catalog/catalog.ts";
import { DEFAULT_UI } from "../../../configuration/schema.ts";
import { NoPlace, sessionFolder } from "../../../../session/control/places.ts";
import { documentText, FINDINGS } from "../../../../model/queries/documents.ts";
import { canConfine, WORKER_OPTIONS } from "../../../../session/worker/rights/worker-rights.ts";
import { NoCacheFolder } from "../../../../kit/support/files/cache.ts";
import { isOfSystem } from "../../../../kit/support/system-error.ts";
import { findProgram, SYSTEM_FOLDERS } from "../../../../kit/support/computer/installed-programs.ts";
import { addressText, DNS_PORT } from "../../../../kit/formats/ip-addresses.ts";
import { ANSWER_MS, computerResolvers, RESOLV_CONF } from "../../../../kit/formats/resolv-conf.ts";
import { lstatIfThere } from "../../../../kit/support/files/own-files.ts";
import { MINIMUM } from "../../../tui/app/frame/frame.ts";
import { UserError } from "../../../../kit/support/problem.ts";
import { wayOutText } from "../../../../kit/support/text/way-out.ts";
import { hint, hintText } from "../../../../kit/support/text/hint.ts";

const environment = (name: string) => Deno.env.get(name);

export function registerDoctor(program: Command, { exit }: CommandContext): void {
  program.command("doctor")
    .description("check the system, memory, sockets, terminal, guests and programs, and report how to get what is missing")
    .option("--rights", "show the Deno permissions of each el2 process")
    .addOption(jsonOption)
    .addHelpText("after", examplesText(["doctor", "doctor --json", "doctor --rights"]))
    .action(async ({ json, rights }) => {
      const copying = await copyingOf(environment, tmuxSetting);
      giveUp("run");
      const found = rights ? [...PROCESS_RIGHTS.map(rightsOf), ownRights(), workerRights()] : [
        { id: "platform", ...platformState() },
        limits(),
        memory(),
        folders(),
        sockets(),
        await names(),
        terminal(),
        { id: "colors", ok: true, ...colorsOf(environment) },
        { id: "locale", ok: true, ...localeOf(environment) },
        { id: "copying", ok: true, ...copying },
        await guests(),
        await settings(),
        { id: "programs", ok: true, ...programsOf((name) => findProgram(name, SYSTEM_FOLDERS) !== undefined) },
      ];
      if (json) output(`${documentText(FINDINGS, { data: found.map((one) => ({ ...one })) })}\n`);
      else {
        for (const { id, ok, says, remedy } of found) {
          const lines = [says, ...remedy.split("\n").filter(Boolean)];
          output(`${!ok ? "!! " : remedy ? "tip" : "ok "} ${id.padEnd(9)} ${lines.join(`\n${" ".repeat(14)}`)}\n`);
        }
        if (!rights) output(`\n${conclusion(found)}\n`);
      }
      exit(found.every(({ ok }) => ok) ? ExitCode.Done : ExitCode.Failed);
    });
}

/** The conclusion from all checks. */
function conclusion(found: readonly Finding[]): string {
  const failed = found.filter(({ ok }) => !ok).map(({ id }) => id);
  if (failed.length) return `Parts of el2 do not work here until you fix the lines marked !!: ${failed.join(", ")}`;
  const optional = found.some(({ remedy }) => remedy) ? ' Lines marked "tip" are optional.' : "";
  return `el2 can run on this computer.${optional} Start with: ${hintText(hint("tour"))}`;
}

/** The rights of a kind of process. */
function rightsOf({ id, rights, why }: ProcessRights): Finding {
  return { id, ok: true, says: `${rights.join(" ")}; ${why}`, remedy: "" };
}

/** Rights that this process still has, as Deno says. */
function ownRights(): Finding {
  const granted = ALL_RIGHTS.filter((name) => Deno.permissions.querySync({ name }).state === "granted");
  const denied = ALL_RIGHTS.filter((name) => !granted.includes(name));
  return { id: "here", ok: true, says: `${granted.join(" ")}; this command, which has given up ${denied.join(", ")}`, remedy: "" };
}

/** Rights of the worker that runs guests. */
function workerRights(): Finding {
  const none = "none; it has its disks open, reads el2's own code and cache, and the process does for it what its plan names";
  if (canConfine()) return { id: "worker", ok: true, says: none, remedy: "" };
  const remedy = `to run guests without them, start Deno with ${WORKER_OPTIONS.join(" ")}`;
  return { id: "worker", ok: true, says: "those of its process", remedy };
}

function terminal(): Finding {
  if (!Deno.stdout.isTerminal()) {
    return { id: "terminal", ok: true, says: "stdout is not a terminal: run and boot are headless", remedy: "" };
  }
  const { columns, rows } = Deno.consoleSize();
  const ok = columns >= MINIMUM.columns && rows >= MINIMUM.rows;
  return {
    id: "terminal",
    ok,
    says: `${columns}x${rows}`,
    remedy: ok ? "" : `the screens need ${MINIMUM.columns}x${MINIMUM.rows}; enlarge the terminal`,
  };
}

/** A setting of the tmux that this runs in; undefined if it does not say. */
async function tmuxSetting(name: string): Promise<string | undefined> {
  const tmux = findProgram("tmux");
  if (tmux === undefined) return undefined;
  const { success, stdout } = await new Deno.Command(tmux, { args: ["show-options", "-gv", name], stdin: "null", stderr: "null" }).output();
  return success ? new TextDecoder().decode(stdout).trim() || undefined : undefined;
}

function sockets(): Finding {
  try {
    return { id: "sockets", ok: true, says: `sessions are in ${sessionFolder()}`, remedy: "" };
  } catch (error) {
    if (!(error instanceof NoPlace)) throw error;
    return { id: "sockets", ...failed(error) };
  }
}

/** Whether guests with a network card can look up names. */
async function names(): Promise<Finding> {
  const resolvers = computerResolvers().map(addressText);
  const answers = await Promise.all(resolvers.map(resolverAnswers)), silent = resolvers.filter((_, index) => !answers[index]);
  if (silent.length === 0) return { id: "names", ok: true, says: `${resolvers.join(", ")}: look-ups of guests are answered`, remedy: "" };
  const remedy = silent.length < resolvers.length
    ? `guests ask the others after a second; remove it from ${RESOLV_CONF}, or start its service`
    : `guests find no names on the network; start its service, or name another in ${RESOLV_CONF}`;
  return { id: "names", ok: true, says: `${silent.join(", ")}: no answer within a second`, remedy };
}

/** Whether a resolver answers, whatever it says. */
async function resolverAnswers(ipAddr: string): Promise<boolean> {
  const signal = AbortSignal.timeout(ANSWER_MS);
  try {
    await Deno.resolveDns(".", "NS", { nameServer: { ipAddr, port: DNS_PORT }, signal });
    return true;
  } catch (error) {
    // "No such record" is an answer. For all else Deno has texts, not classes.
    if (error instanceof TypeError) throw error;
    return error instanceof Deno.errors.NotFound;
  }
}

/** The parts of a finding from an error that names its way out. */
function failed(error: UserError): Pick<Finding, "ok" | "says" | "remedy"> {
  return { ok: false, says: error.problem.what, remedy: wayOutText(error.problem.wayOut) ?? "" };
}

/** The user's settings of the screens. */
async function settings(): Promise<Finding> {
  const { userFile, withUserFile } = await import("../../start/look/user-look.ts");
  const { problems } = withUserFile(DEFAULT_UI), file = userFile();
  if (problems.length === 0) {
    const is = file !== undefined && lstatIfThere(file) ? "your own are in" : "none of your own; they would be in";
    return { id: "settings", ok: true, says: file ? `${is} ${file}` : "none: HOME is not set", remedy: "" };
  }
  return { id: "settings", ok: false, says: "parts of your own are left out", remedy: problems.join("\n") };
}

async function guests(): Promise<Finding> {
  try {
    const entries = await catalogEntries();
    if (entries.length) {
      return { id: "guests", ok: true, says: `${entries.length} fetched; list them: ${hintText(hint("guests ls"))}`, remedy: "" };
    }
    return {
      id: "guests",
      ok: true,
      says: "none fetched; the demo needs none",
      remedy: `for Debian: ${hintText(hint("guests fetch", "debian"))}`,
    };
  } catch (error) {
    if (error instanceof NoCacheFolder) return { id: "guests", ...failed(error) };
    if (!(error instanceof Error && isOfSystem(error))) throw error;
    // Deno's answer for devices and /proc names rights that el2 cannot have.
    const says = error instanceof Deno.errors.NotCapable ? "the cache folder cannot be read" : error.message;
    return { id: "guests", ok: false, says, remedy: "set EL2_CACHE to a writable folder" };
  }
}
