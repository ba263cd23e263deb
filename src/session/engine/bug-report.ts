// The report of an el2 bug: the program's messages, and a recording that reproduces it.

import type { RecordedInput } from "../../model/plans/recorded-run.ts";
import type { SessionPlan } from "../../model/plans/plan.ts";
import type { Query } from "../../model/queries/query.ts";
import { RecordingError } from "../recordings/file/recording.ts";
import { RecordingWriter } from "../recordings/file/recording-writer.ts";
import { savedHeader } from "../recordings/file/save.ts";
import { makerText } from "../../kit/support/files/maker.ts";
import { isOfSystem } from "../../kit/support/system-error.ts";
import { exceptionText } from "../../kit/support/problem.ts";
import { files, reportIn } from "../../kit/support/files/files.ts";
import { WriteFailure } from "../../kit/support/files/write-all.ts";
import { hint, hintText } from "../../kit/support/text/hint.ts";

/** A run in which a bug has ended the machine, or a part of it. */
export interface BrokenRun {
  readonly error: unknown;
  readonly plan: SessionPlan;
  /** The inputs so far, in order. */
  readonly inputs: readonly RecordedInput[];
  /** Why inputs are missing; undefined if none are. */
  readonly lost?: string;
  readonly instructions: number;
  /** Virtual time in ns. */
  readonly time: number;
  /** The part of the machine that the bug has ended, where the others continue. */
  readonly part?: string;
  /** The question during whose answer it happened. */
  readonly query?: Query;
}

/**
 * Writes the report and a recording beside it. Returns the report's path; undefined if the
 * environment names no folder for it.
 * @param folder instead of the one that the environment names
 * @param now gives the files their names there
 * @throws Error when the report cannot be written
 */
export async function writeBugReport(run: BrokenRun, folder?: string, now = new Date()): Promise<string | undefined> {
  const base = folder === undefined ? files().report() : reportIn(folder, now);
  if (base === undefined) return undefined;
  const recording = await recorded(`${base}.rec`, run);
  const { error, instructions, time, part, query } = run, maker = files().maker();
  const who = query !== undefined
    ? ` to answer ${query.table} ${JSON.stringify(query.args)}, and continued`
    : part === undefined
    ? ""
    : ` in ${part}, and continued without it`;
  const lines = [
    `el2 ${maker.version} failed${who} at t=${(time / 1e9).toFixed(6)}s, after ${instructions} instructions.`,
    recording,
    "",
    error instanceof Error ? error.stack ?? error.message : String(error),
    "",
    makerText(maker),
    "",
  ];
  using report = files().whole(`${base}.txt`);
  report.write(new TextEncoder().encode(lines.join("\n")));
  report.commit();
  return `${base}.txt`;
}

/**
 * Writes the recording that reproduces the bug. A replay continues after the last input, until it
 * fails, too.
 */
async function recorded(path: string, { plan, inputs, lost, error, instructions, time, part, query }: BrokenRun): Promise<string> {
  if (lost !== undefined) return `The run cannot be recorded: ${lost}`;
  try {
    using writer = new RecordingWriter(path, await savedHeader(plan), true);
    for (const { at, settled, input } of inputs) writer.input({ at, settled }, input);
    const state = { instructions, registers: "", memory: "", console: "" };
    if (query !== undefined) {
      writer.end(time, { ...state, own: false, code: 0, message: "the run continued" });
      return `The question was asked at the end of: ${hintText(hint("replay", path))}`;
    }
    writer.end(time, { ...state, own: part === undefined, code: 1, message: `a bug of el2: ${exceptionText(error)}` });
    return `It happens again with: ${hintText(hint("replay", path))}`;
  } catch (error) {
    if (!(error instanceof Error) || !(error instanceof RecordingError || error instanceof WriteFailure || isOfSystem(error))) throw error;
    return `The run cannot be recorded: ${error.message}`;
  }
}
