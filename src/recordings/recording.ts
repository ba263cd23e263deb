// Recordings: a plan and all input to its machine from outside, each with its place in virtual
// time. The same plan and inputs give the same run, so that a recording is the run
// (docs/design/decisions.md §3).
//
// A file of JSON lines (`plain-json.ts`), readable in an editor:
//   header   {"schema":"el2.recording/1","version":VERSION,"plan":{..}}
//   input    {"at":NS,"settled":BOOL,"input":{..}}      in order
//   check    {"at":NS,"check":{..}}                     registers at a place, for `replay --verify`
//   end      {"at":NS,"end":{..}}                       how it ended, with hashes of everything
//   sum      {"sha256":".."}                            of all bytes before this line
// Files of the plan above a size are not in it but in the cache, under their hash.

import * as v from "valibot";
import { exists } from "../support/cache.ts";
import { sha256 } from "../support/sha256.ts";
import { files, type GrowingFile, type PendingFile, storedFile } from "../support/files.ts";
import { readToEnd } from "../support/named-file.ts";
import { type SessionPlan, writtenDisk } from "../plans/plan.ts";
import { decodePlain, encodePlain } from "../support/plain-json.ts";
import { VERSION } from "../support/version.ts";
import { CHECK, END, INPUT } from "./line-schema.ts";
import { writeAll } from "../support/write-all.ts";
import type { Check, EndState, Input, Place, RecordedInput, RecordedRun } from "../plans/recorded-run.ts";
import { KiB } from "../support/sizes.ts";
import { node } from "../support/node-modules.ts";

const SCHEMA = "el2.recording/1";
/** Start of every recording, of any version. */
export const RECORDING_START = '{"schema":"el2.recording/';
/** Size in bytes from which a file is kept in the cache. */
const LARGE = 64 * KiB;

/** A recording, read. */
export interface Recording extends RecordedRun {
  readonly plan: SessionPlan;
}

/** A defect of a recording, for its user. */
export class RecordingError extends Error {}

/**
 * The text of a recording's first line. It contains the snapshot that the run began with, as its
 * file may be gone when the run is replayed. Large files of the plan go to the cache.
 */
export async function recordingHeader(plan: SessionPlan): Promise<string> {
  const { record: _, from, ...rest } = plan;
  const whole = from ? { ...rest, from: { ...from, path: node.path.basename(from.path) } } : rest;
  return `${encodePlain({ schema: SCHEMA, version: VERSION, plan: await withoutFiles(whole) })}\n`;
}

/**
 * Writes a recording, line by line: of a run, so that the lines so far survive the end of the
 * program; of a past run, as a whole.
 */
export class RecordingWriter implements Disposable {
  /** Its file: the one or the other. */
  readonly #growing: GrowingFile | undefined;
  readonly #whole: PendingFile | undefined;
  readonly #sum = node.crypto.createHash("sha256");

  /** @throws Error if the file cannot be written. */
  constructor(readonly path: string, header: string, whole = false) {
    this.#whole = whole ? files().whole(path) : undefined;
    this.#growing = whole ? undefined : files().emptied(path);
    this.#write(header);
  }

  input(place: Place, input: Input): void {
    this.#line({ ...place, input });
  }

  check(at: number, check: Check): void {
    this.#line({ at, check });
  }

  /** Seals it. */
  end(at: number, end: EndState): void {
    this.#line({ at, end });
    const sum = `${encodePlain({ sha256: this.#sum.copy().digest("hex") })}\n`;
    this.#write(sum);
    this.#whole?.commit();
    this.#growing?.close();
  }

  /** One that is written as a whole and was not sealed leaves nothing. */
  [Symbol.dispose](): void {
    this.#whole?.[Symbol.dispose]();
  }

  #line(value: unknown): void {
    this.#write(`${encodePlain(value)}\n`);
  }

  #write(text: string): void {
    const bytes = new TextEncoder().encode(text);
    this.#sum.update(bytes);
    writeAll((this.#whole ?? this.#growing)!, bytes, `--record ${this.path}`);
  }
}

/**
 * Reads a recording.
 * @throws RecordingError that names the line and the defect: not a recording, another version,
 * edited, or without its files; or the system's error on the file.
 */
export async function readRecording(path: string): Promise<Recording> {
  const text = new TextDecoder().decode(readToEnd(path));
  const lines = text.split("\n");
  // The program ended while it wrote the text after the last line break.
  lines.pop();
  const header = lineOf(path, lines, 0) as { schema?: unknown; version?: unknown; plan?: unknown };
  if (header.schema !== SCHEMA || typeof header.plan !== "object" || header.plan === null) {
    throw new RecordingError(`${path}:1: not a recording that this el2 reads (${SCHEMA})`);
  }
  if (header.version !== VERSION) {
    const by = typeof header.version === "string" ? header.version : "of an unknown version";
    throw new RecordingError(`${path}:1: recorded by el2 ${by}, this is ${VERSION}; only the same version gives the same run`);
  }
  const inputs: RecordedInput[] = [];
  const checks: { at: number; check: Check }[] = [];
  let end: { at: number; end: EndState } | undefined;
  const sum = node.crypto.createHash("sha256").update(`${lines[0]}\n`);
  let sealed = false, last = 0;
  for (let index = 1; index < lines.length; index++) {
    const line = lineOf(path, lines, index) as Partial<RecordedInput> & { check?: Check; end?: EndState; sha256?: unknown };
    if (sealed) throw new RecordingError(`${path}:${index + 1}: data after the end`);
    if (line.sha256 !== undefined) {
      if (!end || line.sha256 !== sum.digest("hex")) {
        throw new RecordingError(`${path}:${index + 1}: the checksum is wrong; the file was changed`);
      }
      sealed = true;
      continue;
    }
    sum.update(`${lines[index]}\n`);
    const place = `${path}:${index + 1}`;
    if (typeof line.at !== "number" || !(line.at >= last) || end) throw new RecordingError(`${path}:${index + 1}: out of order`);
    last = line.at;
    if (line.input !== undefined && typeof line.settled === "boolean") {
      inputs.push({ at: line.at, settled: line.settled, input: checked(place, INPUT, line.input) });
    } else if (line.check !== undefined) checks.push({ at: line.at, check: checked(place, CHECK, line.check) });
    else if (line.end !== undefined) end = { at: line.at, end: checked(place, END, line.end) };
    else throw new RecordingError(`${path}:${index + 1}: not an input, check or end`);
  }
  const plan = await withFiles(path, foreignPlan(path, header.plan as SessionPlan)) as SessionPlan;
  if (plan.from && !(plan.from.bytes instanceof Uint8Array)) {
    throw new RecordingError(`${path}:1: its snapshot is invalid`);
  }
  return {
    plan,
    inputs,
    checks,
    end: sealed ? end : undefined,
  };
}

/**
 * A recording is untrusted: the files that its plan would write are left out, as is a restart (a
 * recording is one life of a machine), and a machine that writes through to a disk is refused.
 */
function foreignPlan(path: string, foreign: SessionPlan): SessionPlan {
  const { record: _record, from, instant: _instant, logs: _logs, reboot: _reboot, ...plan } = foreign;
  let written: string | undefined;
  try {
    written = writtenDisk(plan);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new RecordingError(`${path}:1: its plan does not make a machine`);
  }
  if (written !== undefined) throw new RecordingError(`${path}:1: its machine writes to ${written}, which no recorded machine does`);
  // A snapshot is in the recording, or there is none.
  return from?.bytes ? { ...plan, from: { path: `${path}: its snapshot`, spare: false, bytes: from.bytes } } : plan;
}

/**
 * A value of a line, of a given shape.
 * @throws RecordingError that names the invalid field
 */
function checked<T>(place: string, schema: v.GenericSchema<unknown, T>, value: unknown): T {
  const parsed = v.safeParse(schema, value, { abortEarly: true });
  if (parsed.success) return parsed.output;
  const [issue] = parsed.issues;
  throw new RecordingError(`${place}: ${v.getDotPath(issue) ?? "it"}: ${issue.message}`);
}

function lineOf(path: string, lines: readonly string[], index: number): Record<string, unknown> {
  try {
    const value = decodePlain(lines[index] ?? "");
    if (typeof value === "object" && value !== null) return value as Record<string, unknown>;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw new RecordingError(`${path} is not an el2 recording (line ${index + 1})`);
}

/** The plan with marks instead of large files, which are put into the cache. */
async function withoutFiles(value: unknown): Promise<unknown> {
  if (value instanceof Uint8Array) {
    if (value.length < LARGE) return value;
    const hash = await sha256(value);
    files().store(hash, value);
    return { $file: hash };
  }
  if (Array.isArray(value)) return await Promise.all(value.map(withoutFiles));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(await Promise.all(Object.entries(value).map(async ([name, part]) => [name, await withoutFiles(part)])));
}

/** The plan with its files. */
async function withFiles(path: string, value: unknown): Promise<unknown> {
  if (value instanceof Uint8Array || typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return await Promise.all(value.map((part) => withFiles(path, part)));
  const hash = (value as { $file?: unknown }).$file;
  if (typeof hash === "string") {
    const file = storedFile(hash);
    if (!/^[0-9a-f]{64}$/.test(hash) || !await exists(file)) {
      throw new RecordingError(`${path}: a file of the run, SHA-256 ${hash}, is not in the cache; copy it to ${file}`);
    }
    const bytes = readToEnd(file);
    if (await sha256(bytes) !== hash) throw new RecordingError(`${path}: ${file} was changed; its SHA-256 does not match its name`);
    return bytes;
  }
  return Object.fromEntries(await Promise.all(Object.entries(value).map(async ([name, part]) => [name, await withFiles(path, part)])));
}
