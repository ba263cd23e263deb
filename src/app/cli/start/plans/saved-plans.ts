// Plans of recordings and snapshots, which anybody may have written. Their machines use nothing of
// this computer before the user has consented.

import { planOfSaved } from "../../../configuration/saved-plan.ts";
import { recordingOf } from "../../../replays/planned-recording.ts";
import type { SessionPlan } from "../../../../model/plans/plan.ts";
import type { Recording } from "../../../../session/recordings/file/recording.ts";
import { refusedEngine } from "./other-engine.ts";
import { SnapshotError, type SnapshotFile } from "../../../../session/snapshots/file.ts";
import { hint } from "../../../../kit/support/text/hint.ts";
import { isTold, problemOf } from "../../../../kit/support/problem.ts";

/**
 * A recording whose machine is planned. One of another engine is refused, unless it is to be opened
 * anyway: then a line on stderr says so.
 * @throws RecordingError, or the system's error on the file
 */
export const plannedRecording = (file: string, bytes?: Uint8Array, anyway?: boolean): Promise<Recording> =>
  recordingOf(file, bytes, (maker) => refusedEngine(file, maker, hint("replay", file), anyway));

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
