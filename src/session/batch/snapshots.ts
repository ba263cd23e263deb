// Job: compares two snapshots.

import { type JobPort, JobRefused, type ReadPages } from "./job.ts";
import type { SessionPlan } from "../../model/plans/plan.ts";
import { ArchiveError } from "../../machine/hardware/archive.ts";
import { diffSnapshots, type SnapshotDiff } from "../snapshots/diff.ts";
import { type Reading, readSnapshot } from "../snapshots/file.ts";
import { problemOf } from "../../kit/support/problem.ts";

/** A snapshot's file. */
interface SavedFile {
  readonly path: string;
  readonly bytes: Uint8Array;
  /** Of its machine. */
  readonly plan: SessionPlan;
}

/** Snapshots to compare, and the limit on the differences of each kind. */
interface ComparedSnapshots {
  readonly files: readonly [SavedFile, SavedFile];
  readonly rows: number;
}

/** Tells how many pages of each were read. */
export function job({ files: [first, second], rows }: ComparedSnapshots, port: JobPort<ReadPages>): SnapshotDiff {
  const reading: Reading = (done, all) => port.say({ done, all });
  const read = ({ path, bytes, plan }: SavedFile) => ({ path, plan, snapshot: readSnapshot(path, false, bytes, reading) });
  try {
    return diffSnapshots(read(first), read(second), rows);
  } catch (error) {
    if (error instanceof ArchiveError) throw new JobRefused(problemOf(error, "diff"));
    throw error;
  }
}
