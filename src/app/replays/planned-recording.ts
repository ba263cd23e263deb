// A recording's machine: the plan that its file has, checked. The file may be anybody's.

import { planOfSaved } from "../configuration/saved-plan.ts";
import { Failure } from "../jobs/failure.ts";
import { noMark, type PlaceOfRun, type PlainPlace } from "../../model/queries/move.ts";
import { type SessionPlan, writtenDisk } from "../../model/plans/plan.ts";
import { type Recording, RecordingError } from "../../session/recordings/file/recording.ts";
import { readRecording } from "../../session/recordings/file/recording-reader.ts";
import type { GivenFiles } from "../../session/recordings/file/plan-files.ts";
import type { Maker } from "../../kit/support/files/maker.ts";
import { terminalWord } from "../../kit/support/text/terminal-text.ts";
import { isTold, type Problem, problemOf } from "../../kit/support/problem.ts";

/**
 * A recording whose machine is planned. A machine that writes through to a disk is refused: none
 * was recorded.
 * @param bytes its content, if known
 * @param refused says why what an el2 made is not opened
 * @param given files of the run that need not be looked for
 * @throws RecordingError, or the system's error on the file
 */
export async function recordingOf(
  file: string,
  bytes: Uint8Array | undefined,
  refused: (maker: Maker) => Problem | undefined,
  given?: GivenFiles,
): Promise<Recording> {
  const { saved, from, maker, sources, ...run } = await readRecording(file, bytes, given), problem = refused(maker);
  if (problem) throw new RecordingError(problem);
  let plan: SessionPlan;
  try {
    plan = await planOfSaved(saved);
  } catch (error) {
    if (!isTold(error)) throw error;
    throw new RecordingError(problemOf(error, `${file}:1: its plan does not make a machine`));
  }
  const written = writtenDisk(plan);
  if (written !== undefined) {
    throw new RecordingError(`${file}:1: its machine writes to ${terminalWord(written)}, which no recorded machine does`);
  }
  return { plan: { ...plan, sources, ...from && { from } }, ...run };
}

/**
 * The place of a recorded run to which it is replayed.
 * @throws Failure for the name of a mark that it does not have
 */
export function placeIn({ marks = [] }: Pick<Recording, "marks">, file: string, place: PlaceOfRun): PlainPlace {
  if (place.kind !== "mark") return place;
  const mark = marks.find(({ name }) => name === place.name);
  if (mark) return { kind: "instructions", count: mark.instructions };
  if (marks.length) throw new Failure(noMark(place.name, marks.map(({ name }) => name).toSorted()));
  throw new Failure(`${file} has no marks`, "use a count of instructions or a virtual time, for example 120000 or 12ms");
}
