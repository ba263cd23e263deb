// Common options of `el2 screenshot` and `el2 cast` without a terminal, and the stage that they
// name.

import { InvalidArgumentError } from "commander";
import { Option } from "@commander-js/extra-typings";
import { Failure } from "../common/failure.ts";
import { readNamedFile } from "../common/named-file.ts";
import { connectNamed } from "../common/session.ts";
import { parseDuration } from "../common/values.ts";
import type { Size, Stage } from "./stage.ts";
import type { TourStep } from "./tour-script.ts";

/** Sizes of terminals that el2 draws. */
const LEAST = { columns: 60, rows: 16 }, MOST = { columns: 400, rows: 200 };
export const DEFAULT_SIZE: Size = { columns: 120, rows: 36 };

function parseTerminalSize(text: string): Size {
  const match = /^(\d{1,4})x(\d{1,4})$/.exec(text);
  const size = { columns: Number(match?.[1]), rows: Number(match?.[2]) };
  const { columns, rows } = size;
  if (!(columns >= LEAST.columns && columns <= MOST.columns && rows >= LEAST.rows && rows <= MOST.rows)) {
    throw new InvalidArgumentError(
      `"${text}" is not a size from ${LEAST.columns}x${LEAST.rows} to ${MOST.columns}x${MOST.rows}; use for example 120x36.`,
    );
  }
  return size;
}

export const sizeOption = () =>
  new Option("--size <size>", `columns and rows of the terminal (default: ${DEFAULT_SIZE.columns}x${DEFAULT_SIZE.rows})`)
    .argParser(parseTerminalSize);
export const socketOption = new Option("--socket <session>", "the session: its name, or the path of its socket");
export const recordingOption = new Option("--recording <file>", "show a recording instead of a session");
export const toOption = () =>
  new Option("--to <time>", "with --recording: replay up to this virtual time (default: to the end)").argParser(parseDuration);
export const runOption = new Option("--run <what>", "show a new machine, paused at its start: a configuration, demo, debian");
export const scriptOption = new Option("--script <file>", "steps to perform first, one per line, such as keys 7, wait 2s, until FILTER");

/** Values of these options. */
export interface StagedOptions {
  readonly theme?: string;
  readonly socket?: string;
  readonly recording?: string;
  readonly to?: number;
  readonly run?: string;
  readonly script?: string;
  readonly readOnly?: boolean;
}

/**
 * The steps of `--script`.
 * @throws Failure
 */
export async function scriptSteps(file: string | undefined): Promise<readonly TourStep[]> {
  if (file === undefined) return [];
  const { tourSteps } = await import("./tour-script.ts");
  return tourSteps(file, new TextDecoder().decode(readNamedFile(file, "--script")));
}

/**
 * The stage that the options name. The connection to a session is read-only unless a step changes
 * it.
 * @throws Failure
 */
export async function stageOf(entry: URL, options: StagedOptions, steps: readonly TourStep[]): Promise<Stage> {
  const { recording, run, socket, to, theme } = options;
  const given = Object.entries({ "--recording": recording, "--run": run, "--socket": socket }).filter(([, value]) => value !== undefined);
  if (given.length > 1) throw new Failure(`${given.map(([flag]) => flag).join(" and ")} are mutually exclusive; give one`);
  if (to !== undefined && recording === undefined) throw new Failure("--to: only a recording has an end; name it with --recording");
  const { Stage, withoutNetworkFor } = await import("./stage.ts");
  if (recording !== undefined) {
    const { readNamedRecording } = await import("./recordings.ts");
    const { plan, ...recorded } = await readNamedRecording(recording);
    withoutNetworkFor(plan);
    const stage = Stage.ofPlan(entry, { ...plan, replay: { recording: recorded, verify: false, to } }, {
      title: `replay ${recording.split("/").at(-1)}`,
      ...{ theme, replay: true },
    });
    await stage.ready();
    // A script says itself how far the recording runs.
    if (!options.script) await stage.runToEnd();
    return stage;
  }
  if (run !== undefined) {
    const { plannedOf } = await import("./planned.ts");
    const { checkedUi } = await import("./file-ui.ts");
    const { plan, ui } = await plannedOf(run);
    withoutNetworkFor(plan);
    const stage = Stage.ofPlan(entry, plan, { title: run.split("/").at(-1)!, theme, ui: await checkedUi(run, ui) });
    await stage.ready();
    return stage;
  }
  const { uiOfFile } = await import("./surroundings.ts");
  const { changesMachine } = await import("./tour-script.ts");
  const readOnly = options.readOnly ?? !steps.some(changesMachine);
  const session = await connectNamed({ socket, readOnly, follow: true });
  const stage = Stage.ofSession(session, { title: session.info.name, theme, ui: await uiOfFile(session.info.configuration) });
  await stage.ready();
  return stage;
}
