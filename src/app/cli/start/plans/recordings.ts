// Recordings named by users.

import { checkUse } from "./consent.ts";
import { digest } from "./consent-store.ts";
import { Failure } from "../../common/failure.ts";
import { type Consent, outsideResources, placesOf, sourceFile, withoutConnections } from "../../../../model/plans/host-resources.ts";
import { type Recording, RecordingError } from "../../../../session/recordings/file/recording.ts";
import type { PlainPlace } from "../../../../model/queries/move.ts";
import { plannedRecording } from "./saved-plans.ts";
import { placeIn } from "../../../replays/planned-recording.ts";
import { cannotRead, readToEnd, statIfReadable } from "../../../../kit/support/files/named-file.ts";
import { type LinkedScreens, readLink } from "../../../../model/commands/link.ts";
import { begins, RECORDING_START } from "../../../../kit/support/files/written-files.ts";
import { problemOf } from "../../../../kit/support/problem.ts";

/** A recording, the content of its file, and the place in it that a link named. */
interface NamedRecording {
  readonly path: string;
  readonly recording: Recording;
  readonly bytes: Uint8Array;
  /** The screens of a link, if it names any. */
  readonly linked: LinkedScreens | undefined;
}

/**
 * A recording named by a user, whose machine may read the disks that it names.
 * @param named its file, or a link to a place: then its run is meant up to there
 * @param anyway whether it may be of another engine
 * @throws Failure if it is not a recording, or without consent
 */
export async function readNamedRecording(named: string, consent: Consent, anyway?: boolean): Promise<Recording> {
  return (await readLinked(named, consent, anyway)).recording;
}

/**
 * A place of which only one may be given, by an option or by a link.
 * @throws Failure for two
 */
export function onlyPlace<T>(option: T | undefined, { until }: Pick<Recording, "until">): T | PlainPlace | undefined {
  if (option !== undefined && until !== undefined) throw new Failure("--to and #to= are mutually exclusive", "give one");
  return option ?? until;
}

/** Whether a file begins as a recording does. */
export function isRecording(path: string): boolean {
  using file = Deno.openSync(path);
  const start = new Uint8Array(RECORDING_START.length);
  file.readSync(start);
  return begins(start, RECORDING_START);
}

/** Whether there is a file of this name. */
const isThere = (path: string): boolean => statIfReadable(path) !== undefined;

/**
 * The file of a link, or of a name alone.
 * @throws ArgumentError for a wrong place of it
 */
export const fileOfLink = (named: string): string => readLink(named, isThere).path;

/** A recording as `readNamedRecording` reads it, and what else its file and a link to it have. */
export async function readLinked(named: string, consent: Consent, anyway?: boolean): Promise<NamedRecording> {
  const { path: file, place: { to, ...screens } } = readLink(named, isThere);
  let recording: Recording, bytes: Uint8Array;
  try {
    bytes = readToEnd(file);
    recording = await plannedRecording(file, bytes, anyway);
  } catch (error) {
    if (error instanceof RecordingError) throw new Failure(problemOf(error));
    throw new Failure(cannotRead(error, `recording ${file}`));
  }
  const resources = withoutConnections(outsideResources(recording.plan));
  checkUse(sourceFile("recording", file, () => digest(bytes)), resources, consent);
  const until = to && placeIn(recording, file, to), plan = { ...recording.plan, places: placesOf(resources) };
  return {
    path: file,
    recording: { ...recording, plan, until },
    bytes,
    linked: Object.values(screens).some((one) => one !== undefined) ? screens : undefined,
  };
}
