// The plan of a run that is recorded.

import { resolve } from "node:path";
import { Failure } from "../../common/failure.ts";
import { checkNamedFile } from "../../common/named-file.ts";
import { type SessionPlan, writtenDisk } from "../../../../model/plans/plan.ts";

/** Absolute path of the file that a run is recorded to. */
export const recordedTo = ({ record }: SessionPlan): string | undefined => record && resolve(record.path);

/**
 * The plan, recorded to `path`.
 * @throws Failure if a run cannot be recorded: its state is not all inside.
 */
export async function recorded(plan: SessionPlan, path: string | undefined): Promise<SessionPlan> {
  if (path === undefined) return plan;
  if (plan.debug !== undefined) {
    throw new Failure("--record and --gdb are mutually exclusive: a debugger's actions are not recorded", "give one");
  }
  const disk = writtenDisk(plan);
  if (disk !== undefined) {
    const overlay = plan.what.kind === "boot" ? `--disk ${disk},overlay` : 'mode = "overlay"';
    throw new Failure(`--record: disk ${disk} is writable, and would differ at the replay`, `use ${overlay}`);
  }
  // The machine's file is made later; errors in the path are reported here.
  checkNamedFile(path, "--record");
  const { recordingHeader } = await import("../../../../session/recordings/file/recording-writer.ts");
  const header = await recordingHeader(plan);
  return { ...plan, record: { path, header } };
}
