// The plan of a recording that anybody may have written.

import { planOfFile } from "../../assembly/layout/plan-schema.ts";
import { type SessionPlan, writtenDisk } from "../../../model/plans/plan.ts";
import { RecordingError } from "./recording.ts";
import { problemOf } from "../../../kit/support/problem.ts";

/**
 * A recording is untrusted: its plan has the form of a configuration's, the files that it would
 * write are left out, as is a restart (a recording is one life of a machine), and a machine that
 * writes through to a disk is refused.
 * @param foreign the plan with its files
 */
export function foreignPlan(path: string, foreign: object): SessionPlan {
  const { record: _record, from, instant: _instant, logs: _logs, reboot: _reboot, replay: _replay, ...rest } = foreign as SessionPlan;
  let plan: SessionPlan;
  try {
    plan = planOfFile(rest);
  } catch (error) {
    throw new RecordingError(problemOf(error, `${path}:1: its plan does not make a machine`));
  }
  const written = writtenDisk(plan);
  if (written !== undefined) throw new RecordingError(`${path}:1: its machine writes to ${written}, which no recorded machine does`);
  if (!from) return plan;
  // A snapshot is in the recording, or there is none.
  if (!(from.bytes instanceof Uint8Array)) throw new RecordingError(`${path}:1: its snapshot is invalid`);
  return { ...plan, from: { path: `${path}: its snapshot`, spare: false, bytes: from.bytes } };
}
