// Marks that get into a recording that is complete already: its file is written again, with every
// other line as it was.

import { readToEnd } from "../../../kit/support/files/named-file.ts";
import { writeWhole } from "../../../kit/support/files/whole-file.ts";
import { node } from "../../../kit/support/node-modules.ts";
import { encodePlain } from "../../../kit/support/values/plain-json.ts";
import { addMark } from "../../../model/plans/recorded-run.ts";
import type { Mark } from "../../../model/queries/move.ts";
import { RecordingError } from "./recording.ts";
import { readRecordingLines, type RecordingLines } from "./recording-reader.ts";

/** A mark's line, which has a time and the mark alone. */
const MARK_LINE = /^\{"at":[^,"]*,"mark":\{/;

/**
 * Adds marks to a recording; each replaces one of its name.
 * @throws RecordingError for a file that cannot have them, or the system's error on the file
 */
export function keepMarks(path: string, added: readonly Mark[], bytes = readToEnd(path)): void {
  const { end, marks } = complete(path, bytes);
  const all = new Map(marks.map((mark) => [mark.name, mark]));
  for (const mark of added) {
    const refused = addMark(all, mark);
    if (refused !== undefined) throw new RecordingError(`${path}: ${refused}`);
  }
  const run = runLines(bytes), last = run.length - 1, marked = [...all.values()].map((mark) => encodePlain({ at: end.at, mark }));
  const lines = run.slice(0, last).concat(marked, run.slice(last));
  const text = `${lines.join("\n")}\n`;
  writeWhole(path, `${text}${encodePlain({ sha256: node.crypto.createHash("sha256").update(text).digest("hex") })}\n`);
}

/** A file and its content. */
interface ReadFile {
  readonly path: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/**
 * Adds the marks of copies of a recording; of several with a name, the last counts. Returns how
 * many marks it has then.
 * @throws RecordingError if a file is not a copy: its run is another one
 */
export function mergeMarks({ path, bytes: own }: ReadFile, copies: readonly ReadFile[]): number {
  const run = runLines(own).join("\n"), added = new Map<string, Mark>(), { marks } = complete(path, own);
  for (const { path: copy, bytes } of copies) {
    const { marks } = complete(copy, bytes);
    if (runLines(bytes).join("\n") !== run) throw new RecordingError(`${copy} is not a copy of ${path}: its run is another one`);
    for (const mark of marks) added.set(mark.name, mark);
  }
  keepMarks(path, [...added.values()], own);
  return new Set([...marks.map(({ name }) => name), ...added.keys()]).size;
}

/** The lines of its run: those of marks and the checksum are left out. */
function runLines(bytes: Uint8Array): string[] {
  return new TextDecoder().decode(bytes).split("\n").slice(0, -2).filter((line) => !MARK_LINE.test(line));
}

/** The parts of a complete recording that its marks depend on. */
type Complete = Required<Pick<RecordingLines, "marks">> & { readonly end: NonNullable<RecordingLines["end"]> };

/** @throws RecordingError for one that was cut off: its program may still write it */
function complete(path: string, bytes: Uint8Array): Complete {
  const { marks, end } = readRecordingLines(path, bytes);
  if (end) return { marks, end };
  throw new RecordingError(`${path}: a recording that was cut off, or is being written, takes no marks`);
}
