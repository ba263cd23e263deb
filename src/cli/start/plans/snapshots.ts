// Snapshots named by users.

import { resolve } from "node:path";
import { ExitCode, Failure } from "../../common/failure.ts";
import type { SessionPlan } from "../../../plans/plan.ts";
import { readSnapshot, SnapshotError, type SnapshotHeader } from "../../../snapshots/file.ts";
import { outsideResources } from "../../../snapshots/outside-resources.ts";
import { cannotRead, readToEnd } from "../../../support/named-file.ts";

/**
 * The plan of a session that begins with a snapshot.
 * @throws Failure if it cannot be read, or wants something of this computer that is not allowed.
 */
export async function planOfSnapshot(file: string, allowHost: true | undefined): Promise<{ header: SnapshotHeader; plan: SessionPlan }> {
  const { bytes, header, plan } = await readNamedSnapshot(file, (path) => {
    const bytes = readToEnd(path);
    return { bytes, ...readSnapshot(path, false, bytes) };
  });
  checkHost(file, plan, allowHost);
  return { header, plan: { ...plan, from: { path: resolve(file), spare: false, bytes } } };
}

/**
 * A snapshot is untrusted, and its plan may name any file.
 * @throws Failure if that is not allowed
 */
export function checkHost(file: string, plan: SessionPlan, allowed: true | undefined): void {
  const wanted = outsideResources(plan);
  if (allowed || wanted.length === 0) return;
  throw new Failure(`snapshot ${file}: its machine needs host resources: ${wanted.join(", ")}; allow them with --allow-host`);
}

/**
 * Result of a reader of a snapshot.
 * @throws Failure if it is not a snapshot
 */
export async function readNamedSnapshot<T>(file: string, reader: (path: string) => T, code: number = ExitCode.Usage): Promise<T> {
  try {
    return await reader(file);
  } catch (error) {
    if (error instanceof SnapshotError) throw new Failure(error.message, code);
    throw new Failure(`snapshot ${file}: ${cannotRead(error)}`);
  }
}
