// Job: a VM of a snapshot as a core file, for `el2 snapshot vmcore`.

import { type JobPort, JobRefused } from "./job.ts";
import { vmcoreOf } from "../inspection/linux/vmcore.ts";
import { Looks, QueryError, View } from "../inspection/readers/inspected.ts";
import type { SessionPlan } from "../../model/plans/plan.ts";
import { assembleFrom } from "../snapshots/begin.ts";
import { readSnapshot } from "../snapshots/file.ts";
import { MiB } from "../../kit/support/values/sizes.ts";
import { problemOf } from "../../kit/support/problem.ts";

/** Bytes of one message. */
const PIECE = MiB;

interface WantedCore {
  readonly path: string;
  readonly bytes: Uint8Array;
  /** Of its machine. */
  readonly plan: SessionPlan;
  readonly vm: string | undefined;
}

/** Bytes of the core file, with holes around them. */
interface FilePart {
  readonly offset: number;
  readonly bytes: Uint8Array;
}

/** Sends the parts of the file; between them are holes. Returns its size, and the part it lacks. */
export function job(
  { path, bytes, plan, vm }: WantedCore,
  port: JobPort<readonly FilePart[]>,
): { size: number; lacks: string | undefined } {
  const { state } = readSnapshot(path, false, bytes);
  // It is loaded into a machine that does not run.
  const system = assembleFrom(plan);
  system.load(state, false);
  try {
    const core = vmcoreOf(new View(system, new Looks()), vm);
    let parts: FilePart[] = [{ offset: 0, bytes: core.beginning }], size = core.beginning.length;
    for (const { offset, bytes } of core.pages()) {
      // A copy: the page's own buffer is the machine's memory.
      parts.push({ offset, bytes: bytes.slice() });
      size += bytes.length;
      if (size < PIECE) continue;
      port.say(parts);
      [parts, size] = [[], 0];
    }
    port.say(parts);
    return { size: core.size, lacks: core.lacks };
  } catch (error) {
    if (error instanceof QueryError) throw new JobRefused(problemOf(error, "snapshot vmcore"), false);
    throw error;
  }
}
