// Job: compares two snapshots.

import { JobRefused } from "./job.ts";
import { ArchiveError } from "../../machine/archive.ts";
import { diffSnapshots, type SnapshotDiff } from "../../snapshots/diff.ts";
import { readSnapshot } from "../../snapshots/file.ts";
import { problemOf } from "../../support/problem.ts";

/** A snapshot's file. */
interface SavedFile {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/** Snapshots to compare, and the limit on the differences of each kind. */
interface ComparedSnapshots {
  readonly files: readonly [SavedFile, SavedFile];
  readonly rows: number;
}

export function job({ files: [first, second], rows }: ComparedSnapshots): SnapshotDiff {
  const read = ({ path, bytes }: SavedFile) => ({ path, snapshot: readSnapshot(path, false, bytes) });
  try {
    return diffSnapshots(read(first), read(second), rows);
  } catch (error) {
    if (error instanceof ArchiveError) throw new JobRefused(problemOf(error, "diff"));
    throw error;
  }
}
