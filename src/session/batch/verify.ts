// Job: loads a snapshot and checks it.

import type { JobPort, ReadPages } from "./job.ts";
import type { SessionPlan } from "../../model/plans/plan.ts";
import { readSnapshot } from "../snapshots/file.ts";
import { verifySnapshot } from "../snapshots/verify.ts";

/** Its defect; undefined for a valid one. Tells how many pages were read. */
export function job(
  { path, bytes, plan }: { readonly path: string; readonly bytes: Uint8Array; readonly plan: SessionPlan },
  port: JobPort<ReadPages>,
): string | undefined {
  return verifySnapshot(plan, readSnapshot(path, false, bytes, (done, all) => port.say({ done, all })));
}
