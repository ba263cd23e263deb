// The resources of `el2 mcp`: documents, books, and the recordings of the working folder.

import { boundedText } from "./answers.ts";
import { DOCUMENTS } from "./documents.ts";
import type { RunProgram } from "./program.ts";
import { Failure } from "../common/failure.ts";
import type { Json } from "../../../model/queries/table.ts";
import { RecordingError } from "../../../session/recordings/file/recording.ts";
import { isRecording } from "../start/plans/recordings.ts";
import { plannedRecording } from "../start/plans/saved-plans.ts";
import { problemOf } from "../../../kit/support/problem.ts";

const BOOKS = ["hypervisor", "resource-manager", "vm-manager", "geniezone", "phones", "observed", "observed-ioctl"];
const MARKDOWN = "text/markdown";
/** Recordings that the list names. */
const RECORDINGS = 100;
/** Inputs of a recording that are shown. */
const INPUTS = 50;

export interface Resource {
  readonly uri: string;
  readonly name: string;
  readonly description: string;
  readonly mimeType: string;
}

export async function listResources(): Promise<readonly Resource[]> {
  const documents = [...DOCUMENTS].map(([path, text]) => ({
    uri: `el2://docs/${path}`,
    name: path,
    description: /^# (.*)$/m.exec(text)![1],
    mimeType: MARKDOWN,
  }));
  const books = BOOKS.map((book) => ({
    uri: `el2://spec/${book}`,
    name: `spec ${book}`,
    description: `the sections of the book ${book}; the tool reference_spec reads them`,
    mimeType: "text/plain",
  }));
  const files = await recordingFiles();
  const recordings = files.slice(0, RECORDINGS).map((file, index) => ({
    uri: `el2://recordings/${encodeURIComponent(file)}`,
    name: file,
    description: index === RECORDINGS - 1 && files.length > RECORDINGS
      ? `a recorded run; ${files.length - RECORDINGS} more recordings in this folder are left out`
      : "a recorded run",
    mimeType: "application/json",
  }));
  return [...documents, ...books, ...recordings];
}

/** Names of the recordings in the working folder. */
async function recordingFiles(): Promise<string[]> {
  const names: string[] = [];
  for await (const { name, isFile } of Deno.readDir(".")) if (isFile && name.endsWith(".rec")) names.push(name);
  return names.sort().filter(isRecording);
}

/**
 * The text of a resource.
 * @throws Failure if there is none at this address
 */
export async function readResource(uri: string, el2: RunProgram): Promise<{ readonly text: string; readonly mimeType: string }> {
  const [, kind, path] = /^el2:\/\/(docs|spec|recordings)\/(.+)$/.exec(uri) ?? [];
  if (kind === "docs") {
    const text = DOCUMENTS.get(path);
    if (text !== undefined) return { text, mimeType: MARKDOWN };
  } else if (kind === "spec" && BOOKS.includes(path)) {
    const { text } = await el2(["reference", "spec", "--", path]);
    return { text, mimeType: "text/plain" };
  } else if (kind === "recordings") {
    const file = unescaped(path);
    if (file !== undefined && (await recordingFiles()).includes(file)) {
      return { text: await recordingText(file), mimeType: "application/json" };
    }
  }
  throw new Failure(`there is no resource "${uri}"`, "resources/list names them");
}

/** A part of an address without its percent signs; undefined if they are wrong. */
function unescaped(part: string): string | undefined {
  try {
    return decodeURIComponent(part);
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
  }
}

/** The content of a recording, without its files. */
async function recordingText(file: string): Promise<string> {
  try {
    const { plan, inputs, end } = await plannedRecording(file);
    const shown = inputs.slice(0, INPUTS).map(({ at, input }) => ({ ns: String(at), kind: input.kind }));
    const summary: Json = {
      file,
      runs: plan.what.kind,
      physical_cpus: plan.cpus,
      memory: plan.memory,
      inject: [...plan.inject ?? []],
      inputs: { count: inputs.length, first: shown, left_out: inputs.length - shown.length },
      end: end
        ? { ns: String(end.at), insn: String(end.end.instructions), code: end.end.code, message: end.end.message }
        : "cut off: its program was killed",
      see: "tool replay runs it again; tool diff compares it with another",
    };
    return boundedText(JSON.stringify(summary), "replay runs it");
  } catch (error) {
    if (error instanceof RecordingError) throw new Failure(problemOf(error));
    throw error;
  }
}
