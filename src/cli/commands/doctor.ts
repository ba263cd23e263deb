// `el2 doctor`: el2's requirements on this computer, and what to do where something is missing.

import type { Command } from "@commander-js/extra-typings";
import { type CommandContext, examplesText } from "../common/command.ts";
import { ExitCode, Failure } from "../common/failure.ts";
import { output } from "../common/print.ts";
import { platformState } from "../common/platform.ts";
import { colorsOf, localeOf, programsOf } from "../common/requirements.ts";
import { ALL_RIGHTS, PROCESS_RIGHTS, type ProcessRights } from "../common/rights.ts";
import { catalogEntries } from "../../catalog/catalog.ts";
import { sessionFolder } from "../../control/places.ts";
import { documentText, FINDINGS } from "../../queries/documents.ts";
import { rightsOfWorker } from "../../session/client.ts";
import { WORKER_OPTIONS } from "../../session/worker-rights.ts";
import { findProgram, SYSTEM_FOLDERS } from "../../support/installed-programs.ts";
import { GiB, WASM_PAGE_SIZE } from "../../support/sizes.ts";
import { MINIMUM } from "../../tui/frame.ts";

/** The result of one check. */
interface Finding {
  readonly id: string;
  readonly ok: boolean;
  readonly says: string;
  /** The remedy, of one or more lines; empty if none is needed. */
  readonly remedy: string;
}

const environment = (name: string) => Deno.env.get(name);

/** Wasm memory of a machine with 1 GiB for its guests, bytes. */
const MACHINE_SIZE = 1.25 * GiB;

/** Adds the command. */
export function registerDoctor(program: Command, { entry, exit }: CommandContext): void {
  program.command("doctor")
    .description("check the system, terminal, memory, sockets, images and programs, and report how to get what is missing")
    .option("--rights", "show the Deno permissions of each el2 process")
    .option("--json", "print JSON")
    .addHelpText("after", examplesText(["doctor", "doctor --json", "doctor --rights"]))
    .action(async ({ json, rights }) => {
      const found = rights ? [...PROCESS_RIGHTS.map(rightsOf), ownRights(), await workerRights(entry)] : [
        { id: "platform", ...platformState() },
        terminal(),
        { id: "colors", ok: true, ...colorsOf(environment) },
        { id: "locale", ok: true, ...localeOf(environment) },
        memory(),
        sockets(),
        await images(),
        { id: "programs", ok: true, ...programsOf((name) => findProgram(name, SYSTEM_FOLDERS) !== undefined) },
      ];
      if (json) output(`${documentText(FINDINGS, { data: found.map((one) => ({ ...one })) })}\n`);
      else {
        for (const { id, ok, says, remedy } of found) {
          const lines = [says, ...remedy.split("\n").filter(Boolean)];
          output(`${ok ? "ok " : "!! "} ${id.padEnd(9)} ${lines.join(`\n${" ".repeat(14)}`)}\n`);
        }
      }
      exit(found.every(({ ok }) => ok) ? ExitCode.Done : ExitCode.Failed);
    });
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

/** Rights of the worker that runs guests, as it finds by trying. */
async function workerRights(entry: URL): Promise<Finding> {
  const { rights, confined } = await rightsOfWorker(entry);
  const none = "none; it reads el2's own code and cache, and the process does for it what its plan names";
  if (rights.length === 0) return { id: "worker", ok: true, says: none, remedy: "" };
  const remedy = confined ? "this is a bug of el2" : `to run guests without them, start Deno with ${WORKER_OPTIONS.join(" ")}`;
  return { id: "worker", ok: !confined, says: `${rights.join(" ")}; those of its process`, remedy };
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

function memory(): Finding {
  try {
    const pages = MACHINE_SIZE / WASM_PAGE_SIZE;
    new WebAssembly.Memory({ initial: pages, maximum: pages });
    return { id: "memory", ok: true, says: "there is room for a machine with 1 GiB of RAM", remedy: "" };
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return {
      id: "memory",
      ok: false,
      says: "there is no room for a machine with 1 GiB of RAM",
      remedy: "use --memory 512MiB, or raise the limit of virtual memory: ulimit -v unlimited",
    };
  }
}

function sockets(): Finding {
  try {
    const folder = sessionFolder();
    const mode = Deno.statSync(folder).mode ?? 0;
    const ok = (mode & 0o077) === 0;
    return { id: "sockets", ok, says: folder, remedy: ok ? "" : `other users can read it; run chmod 700 ${folder}` };
  } catch (error) {
    if (
      !(error instanceof Deno.errors.PermissionDenied || error instanceof Deno.errors.NotFound || error instanceof Deno.errors.NotCapable)
    ) throw error;
    return {
      id: "sockets",
      ok: false,
      says: error.message,
      remedy: "set XDG_RUNTIME_DIR to your own folder: commands and attach need it",
    };
  }
}

async function images(): Promise<Finding> {
  try {
    const entries = await catalogEntries();
    if (entries.length) return { id: "images", ok: true, says: `${entries.length} in the cache: el2 guests ls`, remedy: "" };
    return { id: "images", ok: true, says: "no guest fetched yet; the demo needs none", remedy: "fetch Debian: el2 guests fetch debian" };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { id: "images", ok: false, says: error.message, remedy: "set EL2_CACHE to a writable folder" };
  }
}
