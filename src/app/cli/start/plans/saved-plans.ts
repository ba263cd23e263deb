// Plans of recordings and snapshots, which anybody may have written. Their machines use nothing of
// this computer before the user has consented.

import { planOfSaved } from "../../../configuration/saved-plan.ts";
import { type SessionPlan, writtenDisk } from "../../../../model/plans/plan.ts";
import { type Recording, RecordingError } from "../../../../session/recordings/file/recording.ts";
import { refusedEngine } from "./other-engine.ts";
import { readRecording } from "../../../../session/recordings/file/recording-reader.ts";
import { SnapshotError, type SnapshotFile } from "../../../../session/snapshots/file.ts";
import { hint } from "../../../../kit/support/text/hint.ts";
import { terminalWord } from "../../../../kit/support/text/terminal-text.ts";
import { isTold, problemOf } from "../../../../kit/support/problem.ts";

/**
 * A recording whose machine is planned. A machine that writes through to a disk
 * is refused: none was recorded. So is one of another engine, unless it is to be opened anyway:
 * then a line on stderr says so.
 * @throws RecordingError, or the system's error on the file
 */
export async function plannedRecording(file: string, bytes?: Uint8Array, anyway?: boolean): Promise<Recording> {
  const { saved, from, maker, sources, ...run } = await readRecording(file, bytes),
    refused = refusedEngine(file, maker, hint("replay", file), anyway);
  if (refused) throw new RecordingError(refused);
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
 * The plan of a snapshot's machine.
 * @throws SnapshotError if it makes none, or another one than the header says
 */
export async function snapshotPlan(path: string, { header, saved }: Pick<SnapshotFile, "header" | "saved">): Promise<SessionPlan> {
  let plan: SessionPlan;
  try {
    plan = await planOfSaved(saved);
  } catch (error) {
    if (!isTold(error)) throw error;
    throw new SnapshotError(problemOf(error, `${path}: its plan does not make a machine`));
  }
  const { cpus, memory } = plan;
  if (memory === header.memory && cpus === header.cpus) return plan;
  const says = `its header says ${header.cpus} and ${header.memory}`;
  throw new SnapshotError(`${path}: its plan has ${cpus} CPUs and ${memory} bytes, ${says}`);
}
