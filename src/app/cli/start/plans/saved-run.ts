// The run of a session so far, to be repeated: the session writes it as a recording, with images of
// its disks.

import { readNamedRecording } from "./recordings.ts";
import { failed } from "../../common/failure.ts";
import type { Consent } from "../../../../model/plans/host-resources.ts";
import type { Recording } from "../../../../session/recordings/file/recording.ts";
import type { Problem } from "../../../../kit/support/problem.ts";

/** A recording, and the files that its machine reads, until disposed. */
export interface SavedRun extends AsyncDisposable {
  readonly recordings: readonly [Recording];
}

/**
 * @param save has the session write its run to a path
 * @throws Failure
 */
export async function savedRun(save: (path: string) => Promise<Problem | undefined>, consent: Consent): Promise<SavedRun> {
  const folder = await Deno.makeTempDir({ prefix: "el2-run-" });
  const remove = () => Deno.remove(folder, { recursive: true });
  try {
    const file = `${folder}/session.rec`, problem = await save(file);
    if (problem !== undefined) throw failed(problem);
    return { recordings: [await readNamedRecording(file, consent)], [Symbol.asyncDispose]: remove };
  } catch (error) {
    await remove();
    throw error;
  }
}
