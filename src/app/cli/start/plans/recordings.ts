// Recordings named by users.

import { checkUse } from "./consent.ts";
import { digest } from "./consent-store.ts";
import { Failure } from "../../common/failure.ts";
import { type Consent, outsideResources, placesOf, sourceFile, withoutConnections } from "../../../../model/plans/host-resources.ts";
import { type Recording, RecordingError } from "../../../../session/recordings/file/recording.ts";
import { noMark, type PlaceOfRun, type PlainPlace } from "../../../../model/queries/move.ts";
import { plannedRecording } from "./saved-plans.ts";
import { cannotRead, readToEnd } from "../../../../kit/support/files/named-file.ts";
import { problemOf } from "../../../../kit/support/problem.ts";

/** A recording, and the content of its file. */
interface NamedRecording {
  readonly recording: Recording;
  readonly bytes: Uint8Array;
}

/**
 * A recording named by a user, whose machine may read the disks that it names.
 * @param anyway whether it may be of another engine
 * @throws Failure if it is not a recording, or without consent
 */
export async function readNamedRecording(file: string, consent: Consent, anyway?: boolean): Promise<Recording> {
  return (await readWithBytes(file, consent, anyway)).recording;
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

/** The same with the content of its file. */
export async function readWithBytes(file: string, consent: Consent, anyway?: boolean): Promise<NamedRecording> {
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
  return { recording: { ...recording, plan: { ...recording.plan, places: placesOf(resources) } }, bytes };
}
