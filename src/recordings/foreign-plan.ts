// The plan of a recording that anybody may have written.

import { type SessionPlan, writtenDisk } from "../plans/plan.ts";
import { outsideResources } from "../plans/host-resources.ts";
import { RecordingError } from "./recording.ts";

/**
 * A recording is untrusted: the files that its plan would write are left out, as is a restart (a
 * recording is one life of a machine), and a machine that writes through to a disk is refused.
 */
export function foreignPlan(path: string, foreign: SessionPlan): SessionPlan {
  const { record: _record, from, instant: _instant, logs: _logs, reboot: _reboot, ...plan } = foreign;
  let written: string | undefined;
  try {
    outsideResources(plan);
    written = writtenDisk(plan);
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new RecordingError(`${path}:1: its plan does not make a machine`);
  }
  if (written !== undefined) throw new RecordingError(`${path}:1: its machine writes to ${written}, which no recorded machine does`);
  // A snapshot is in the recording, or there is none.
  return from?.bytes ? { ...plan, from: { path: `${path}: its snapshot`, spare: false, bytes: from.bytes } } : plan;
}
