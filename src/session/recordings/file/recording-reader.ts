// Reads recordings, which anybody may have written.

import * as v from "valibot";
import { ownFile, RECORDING_START } from "../../../kit/support/files/written-files.ts";
import { type Maker, makerOf } from "../../../kit/support/files/maker.ts";
import { within } from "../../../kit/support/problem.ts";
import { readToEnd } from "../../../kit/support/files/named-file.ts";
import { decodePlain } from "../../../kit/support/values/plain-json.ts";
import { CHECK, END, INPUT } from "./line-schema.ts";
import { type Mark, mark as MARK } from "../../../model/queries/move.ts";
import {
  addMark,
  type Check,
  type EndState,
  type RecordedInput,
  type RecordedRun,
  type Sources,
} from "../../../model/plans/recorded-run.ts";
import { node } from "../../../kit/support/node-modules.ts";
import { type GivenFiles, loadFiles } from "./plan-files.ts";
import { RecordingError, type RecordingFile, SCHEMA } from "./recording.ts";
import { sourcesIn } from "./sources.ts";

/** A recording without the files that are not in it. */
export interface RecordingLines extends RecordedRun {
  readonly maker: Maker;
  readonly marks: readonly Mark[];
  /** Its plan, without the large files. */
  readonly plan: object;
  readonly sources: Sources;
}

/**
 * Reads a recording.
 * @param bytes its content, if known
 * @param given files of the run that need not be looked for
 * @throws RecordingError that names the line and the defect: not a recording, of another form,
 * edited, or without its files; or the system's error on the file.
 */
export async function readRecording(path: string, bytes: Uint8Array = readToEnd(path), given?: GivenFiles): Promise<RecordingFile> {
  const { plan, ...run } = readRecordingLines(path, bytes);
  const { from, ...saved } = await loadFiles(path, plan, given) as { readonly from?: { readonly bytes?: unknown } };
  return { ...run, saved, from: from && { path: `${path}: its snapshot`, spare: false, bytes: snapshotIn(path, from.bytes) } };
}

/**
 * The same without the files that are not in it.
 * @throws RecordingError
 */
export function readRecordingLines(path: string, bytes: Uint8Array): RecordingLines {
  const text = new TextDecoder().decode(bytes), own = text.startsWith(RECORDING_START) ? undefined : ownFile(bytes, path);
  if (own) throw new RecordingError(within(path, own));
  const lines = text.split("\n");
  // The program ended while it wrote the text after the last line break.
  lines.pop();
  const header = lineOf(path, lines, 0), maker = makerOf(header);
  if (header.schema === FORMER) {
    const what = `recorded by el2 ${maker.version} in the form ${FORMER}, this el2 reads ${SCHEMA}`;
    throw new RecordingError(`${path}:1: ${what}`, "replay it with the el2 that recorded it, or record the run again");
  }
  if (header.schema !== SCHEMA || typeof header.plan !== "object" || header.plan === null) {
    throw new RecordingError(`${path}:1: not a recording that this el2 reads (${SCHEMA})`);
  }
  const inputs: RecordedInput[] = [];
  const marks = new Map<string, Mark>();
  const checks: { at: number; check: Check }[] = [];
  let end: { at: number; end: EndState } | undefined;
  const sum = node.crypto.createHash("sha256").update(`${lines[0]}\n`);
  let sealed = false, last = 0;
  for (let index = 1; index < lines.length; index++) {
    const line = lineOf(path, lines, index) as Partial<RecordedInput> & { mark?: Mark; check?: Check; end?: EndState; sha256?: unknown };
    if (sealed) throw defect(path, index, "data after the end");
    if (line.sha256 !== undefined) {
      if (!end || line.sha256 !== sum.digest("hex")) {
        throw new RecordingError(`${path}:${index + 1}: the checksum is wrong`, "the file was changed");
      }
      sealed = true;
      continue;
    }
    sum.update(`${lines[index]}\n`);
    const wrong = (what: string) => defect(path, index, what);
    if (typeof line.at !== "number" || !(line.at >= last) || end) throw wrong("out of order");
    last = line.at;
    // Marks change nothing in the run, so none is an input besides.
    if (line.mark !== undefined && Object.keys(line).length > 2) throw wrong("a mark with other parts");
    if (line.input !== undefined && typeof line.settled === "boolean") {
      inputs.push({ at: line.at, settled: line.settled, input: checked(wrong, INPUT, line.input) });
    } else if (line.check !== undefined) checks.push({ at: line.at, check: checked(wrong, CHECK, line.check) });
    else if (line.mark !== undefined) {
      const refused = addMark(marks, checked(wrong, MARK, line.mark));
      if (refused !== undefined) throw new RecordingError(`${path}:${index + 1}: ${refused}`);
    } else if (line.end !== undefined) end = { at: line.at, end: checked(wrong, END, line.end) };
    else throw wrong("not an input, mark, check or end");
  }
  return {
    maker,
    plan: header.plan,
    sources: sourcesIn(path, header.sources),
    inputs,
    marks: [...marks.values()],
    checks,
    end: sealed ? end : undefined,
  };
}

/** The form before plans were tables. */
const FORMER = "el2.recording/1";

/** A snapshot is in the recording, or there is none. */
function snapshotIn(path: string, bytes: unknown): Uint8Array {
  if (bytes instanceof Uint8Array) return bytes;
  throw new RecordingError(`${path}:1: its snapshot is invalid`);
}

/** Bytes of the last line of a sealed recording, at most. */
const SEAL_SIZE = 128;

/** Whether a recording was written to its end. What it says is not checked. */
export function isSealed(path: string): boolean {
  using file = Deno.openSync(path);
  file.seekSync(-Math.min(SEAL_SIZE, file.statSync().size), Deno.SeekMode.End);
  const bytes = new Uint8Array(SEAL_SIZE), length = file.readSync(bytes) ?? 0;
  return /\n\{"sha256":"[0-9a-f]{64}"\}\n$/.test(new TextDecoder().decode(bytes.subarray(0, length)));
}

/**
 * A value of a line, of a given shape.
 * @throws RecordingError that names the invalid field
 */
function checked<T>(wrong: (what: string) => RecordingError, schema: v.GenericSchema<unknown, T>, value: unknown): T {
  const parsed = v.safeParse(schema, value, { abortEarly: true });
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  throw wrong(`${v.getDotPath(issue) ?? "it"}: ${issue.message}`);
}

function lineOf(path: string, lines: readonly string[], index: number): Record<string, unknown> {
  try {
    const value = decodePlain(lines[index] ?? "");
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  if (index > 0) throw defect(path, index, "not a line of a recording");
  throw new RecordingError(`${path} is not an el2 recording (line 1)`);
}

/** The defect of a line. Those before it are whole, but for what a checksum would tell. */
function defect(path: string, index: number, what: string): RecordingError {
  const wayOut = index > 1 ? `the lines before it are a recording that was cut off: head -n ${index}` : undefined;
  return new RecordingError(`${path}:${index + 1}: ${what}`, wayOut);
}
