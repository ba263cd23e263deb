// Recordings of runs: the plan of a recorded run, and recordings named by users.

import { checkUse } from "./consent.ts";
import { digest } from "./consent-store.ts";
import { Failure } from "../../common/failure.ts";
import { type Consent, outsideResources, sourceFile, withoutConnections } from "../../../plans/host-resources.ts";
import { type SessionPlan, writtenDisk } from "../../../plans/plan.ts";
import { type Recording, RecordingError } from "../../../recordings/recording.ts";
import { recordingHeader } from "../../../recordings/recording-writer.ts";
import { readRecording } from "../../../recordings/recording-reader.ts";
import { cannotRead, cannotWrite, readToEnd } from "../../../support/named-file.ts";

/**
 * The plan, recorded to `path`.
 * @throws Failure if a run cannot be recorded: its state is not all inside.
 */
export async function recorded(plan: SessionPlan, path: string | undefined): Promise<SessionPlan> {
  if (path === undefined) return plan;
  if (plan.debug !== undefined) {
    throw new Failure("--record and --gdb are mutually exclusive: a debugger's actions are not recorded; give one");
  }
  const disk = writtenDisk(plan);
  if (disk !== undefined) {
    const overlay = plan.what.kind === "boot" ? `--disk ${disk},overlay` : 'mode = "overlay"';
    throw new Failure(`--record: disk ${disk} is writable, and would differ at the replay; use ${overlay}`);
  }
  const header = await recordingHeader(plan);
  try {
    // The worker opens it again; errors in the path are reported here.
    Deno.openSync(path, { write: true, create: true, mode: 0o600 }).close();
  } catch (error) {
    throw new Failure(`--record ${path}: ${cannotWrite(error)}`);
  }
  return { ...plan, record: { path, header } };
}

/**
 * A recording named by a user, whose machine may read the disks that it names.
 * @throws Failure if it is not a recording, or without consent
 */
export async function readNamedRecording(file: string, consent: Consent): Promise<Recording> {
  let recording: Recording, bytes: Uint8Array;
  try {
    bytes = readToEnd(file);
    recording = await readRecording(file, bytes);
  } catch (error) {
    if (error instanceof RecordingError) throw new Failure(error.message);
    throw new Failure(`recording ${file}: ${cannotRead(error)}`);
  }
  checkUse(sourceFile("recording", file, () => digest(bytes)), withoutConnections(outsideResources(recording.plan)), consent);
  return recording;
}
