// Adds marks to a complete recording: its file is written again, with every other line as it was.

import { readToEnd } from "../../../kit/support/files/named-file.ts";
import { writeWhole } from "../../../kit/support/files/whole-file.ts";
import { encodePlain } from "../../../kit/support/values/plain-json.ts";
import { addMark } from "../../../model/plans/recorded-run.ts";
import type { Mark } from "../../../model/queries/move.ts";
import { imagesOf } from "./recorded-images.ts";
import { RecordingError } from "./recording.ts";
import { readRecordingLines } from "./recording-reader.ts";
import { sealed } from "./recording-writer.ts";

/** A mark's line, which has a time and the mark alone. */
const MARK_LINE = /^\{"at":[^,"]*,"mark":\{/;

/**
 * Adds marks to a recording; each replaces one of its name.
 * @throws RecordingError for a file that cannot have them, or the system's error on the file
 */
export function keepMarks(path: string, added: readonly Mark[]): void {
  write(path, complete(path, readToEnd(path)), added);
}

/** Writes a recording with more marks. Returns how many it has then. */
function write(path: string, { at, marks, run }: Complete, added: readonly Mark[]): number {
  const all = new Map(marks.map((mark) => [mark.name, mark]));
  for (const mark of added) {
    const refused = addMark(all, mark);
    if (refused !== undefined) throw new RecordingError(`${path}: ${refused}`);
  }
  const marked = [...all.values()].map((mark) => encodePlain({ at, mark }));
  writeWhole(path, sealed(run.slice(0, -1).concat(marked, run.slice(-1)).map((line) => `${line}\n`).join("")));
  return all.size;
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
export function mergeMarks({ path, bytes }: ReadFile, copies: readonly ReadFile[]): number {
  const own = complete(path, bytes), run = runOf(own), added = new Map<string, Mark>();
  for (const { path: other, bytes } of copies) {
    const copy = complete(other, bytes);
    if (runOf(copy) !== run) throw new RecordingError(`${other} is not a copy of ${path}: its run is another one`);
    for (const mark of copy.marks) added.set(mark.name, mark);
  }
  return write(path, own, [...added.values()]);
}

/** A complete recording. */
interface Complete {
  /** Virtual time (ns) of its end. */
  readonly at: number;
  readonly marks: readonly Mark[];
  /** The lines of its run: those of marks and the checksum are left out. */
  readonly run: readonly string[];
}

/**
 * A text that copies of a recording have in common: all but the first line, of which a packed copy
 * has another one, and the images of that.
 */
function runOf({ run: [header, ...lines] }: Complete): string {
  return [...[...imagesOf(header).values()].sort(), ...lines].join("\n");
}

/** @throws RecordingError for one that was cut off: its program may still write it */
function complete(path: string, bytes: Uint8Array): Complete {
  const { marks, end } = readRecordingLines(path, bytes);
  if (end) {
    const lines = new TextDecoder().decode(bytes).split("\n").slice(0, -2);
    return { at: end.at, marks, run: lines.filter((line) => !MARK_LINE.test(line)) };
  }
  throw new RecordingError(`${path}: a recording that was cut off, or is being written, takes no marks`);
}
