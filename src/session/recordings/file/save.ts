// Writes a recording of a continuing run: its plan, all input so far, and the machine's present
// state.

import { type DiskContent, writeQcow2 } from "../../../kit/formats/qcow2-writer.ts";
import { files } from "../../../kit/support/files/files.ts";
import { startImage, withStartImages } from "../../../model/plans/start-images.ts";
import { type SessionPlan, writtenDisk } from "../../../model/plans/plan.ts";
import type { EndState, RecordedRun } from "../../../model/plans/recorded-run.ts";
import { RecordingError } from "./recording.ts";
import { recordingHeader, RecordingWriter } from "./recording-writer.ts";

/**
 * The text with which a recording of this plan begins.
 * @param images a recording beside which there are images of the disks that guests write
 * @throws RecordingError that says why the run cannot be gone through again.
 */
export async function savedHeader(plan: SessionPlan, images?: string): Promise<string> {
  const disk = writtenDisk(plan);
  if (disk !== undefined && images === undefined) throw new RecordingError(`disk ${disk} is writable, and would differ at the replay`);
  if (plan.debug !== undefined) throw new RecordingError("a debugger's actions (--gdb) are not recorded");
  return await recordingHeader(images === undefined ? plan : withStartImages(plan, images));
}

/**
 * Writes images of disks beside a recording, in pieces.
 * @throws Error if one cannot be written
 */
export function* writeStartImages(recording: string, disks: readonly DiskContent[]): Generator<number> {
  for (const [number, disk] of disks.entries()) {
    using file = files().whole(startImage(recording, number), { durable: false });
    yield* writeQcow2(disk, (bytes) => file.write(bytes));
    file.commit();
  }
}

/**
 * Writes it.
 * @throws Error if the file cannot be written
 */
export function saveRecording(
  path: string,
  header: string,
  { inputs, marks = [] }: Pick<RecordedRun, "inputs" | "marks">,
  at: number,
  end: EndState,
): void {
  using writer = new RecordingWriter(path, header, true);
  for (const { at, settled, input } of inputs) writer.input({ at, settled }, input);
  for (const mark of marks) writer.mark(at, mark);
  writer.end(at, end);
}
