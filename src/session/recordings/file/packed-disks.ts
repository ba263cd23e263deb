// Images of the disks that a recorded run opens by their paths, as they were when it ran.

import { RecordingError } from "./recording.ts";
import type { HostPath } from "../../../model/plans/host-resources.ts";
import { readToEnd } from "../../../kit/support/files/named-file.ts";
import { terminalWord } from "../../../kit/support/text/terminal-text.ts";
import { formatSize } from "../../../kit/support/text/units.ts";

/**
 * The images by the paths that the run's plan has for them.
 * @param recording its file
 * @param most bytes of one
 * @throws RecordingError for one that was written since the run, or is too large
 */
export function readDisks(recording: string, disks: readonly HostPath[], most: number): Readonly<Record<string, Uint8Array>> {
  const recorded = disks.length ? Deno.statSync(recording).mtime : null;
  const images = disks.map(({ path, place }) => {
    const { size, mtime } = Deno.statSync(place), name = `${recording}: disk ${terminalWord(path)}`;
    if (size > most) throw new RecordingError(`${name} has ${formatSize(size)}, and ${formatSize(most)} fit into one recording`);
    if (mtime && recorded && mtime > recorded) {
      const wayOut = "put its former content back, with its time, or record the run again";
      throw new RecordingError(`${name} was written after the run, which has read other bytes`, wayOut);
    }
    return [path, readToEnd(place)] as const;
  });
  return Object.fromEntries(images);
}
