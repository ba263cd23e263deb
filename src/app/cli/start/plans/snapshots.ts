// Snapshots named by users.

import { resolve } from "node:path";
import { checkUse } from "./consent.ts";
import { digest } from "./consent-store.ts";
import { Progress } from "../../common/progress.ts";
import { refusedEngine } from "./other-engine.ts";
import { snapshotPlan } from "./saved-plans.ts";
import { ExitCode, Failure } from "../../common/failure.ts";
import { type Consent, outsideResources, placesOf, sourceFile } from "../../../../model/plans/host-resources.ts";
import { plannedDevices, type SessionPlan } from "../../../../model/plans/plan.ts";
import { warn } from "../../../../kit/support/warn.ts";
import {
  readSnapshot,
  readSnapshotHeader,
  SnapshotError,
  type SnapshotFile,
  type SnapshotHeader,
} from "../../../../session/snapshots/file.ts";
import { cannotRead, readToEnd } from "../../../../kit/support/files/named-file.ts";
import { makerOf } from "../../../../kit/support/files/maker.ts";
import { hint } from "../../../../kit/support/text/hint.ts";
import { problemOf } from "../../../../kit/support/problem.ts";

/** A snapshot, its file, and the plan of its machine. */
type NamedSnapshot = SnapshotFile & { readonly bytes: Uint8Array; readonly plan: SessionPlan };

/** How a session begins with a snapshot. */
interface SnapshotStart extends SnapshotUse {
  /** Of the numbers that guests draw from here on, instead of the snapshot's. */
  readonly seed?: number | undefined;
}

/**
 * The plan of a session that begins with a snapshot. If that has a network card, a line says what
 * its copies have in common.
 * @throws Failure if it cannot be read, or wants something of this computer without consent
 */
export async function planOfSnapshot(
  file: string,
  consent: Consent,
  { seed, ...use }: SnapshotStart = {},
): Promise<{ header: SnapshotHeader; plan: SessionPlan }> {
  const { bytes, header, plan } = await readNamedSnapshot(file, consent, use);
  if (plannedDevices(plan).some(({ kind }) => kind === "net")) warn(seed === undefined ? SAME : SAME_BUT_RANDOM);
  return { header, plan: { ...plan, ...seed !== undefined && { seed }, from: { path: resolve(file), spare: false, bytes } } };
}

/** The line about sessions of one snapshot. */
const SAME = "each session of this snapshot has the same addresses, keys and random numbers; --seed N gives one other random numbers";
const SAME_BUT_RANDOM = "each session of this snapshot has the same addresses and keys; only its random numbers from here on are others";

interface SnapshotUse {
  /** Whether it may be of another engine. */
  readonly anyway?: boolean | undefined;
  /** The command that opens it. */
  readonly by?: string | undefined;
  /** Exit code where it is not a snapshot. */
  readonly code?: number;
}

/**
 * A snapshot whose machine may use what it names. A snapshot is untrusted, and its plan may name
 * any file.
 * @throws Failure as `planOfSnapshot`
 */
export async function readNamedSnapshot(
  file: string,
  consent: Consent,
  { anyway, by = "snapshot load", code }: SnapshotUse = {},
): Promise<NamedSnapshot> {
  using progress = new Progress(`reading ${file}`, "pages");
  const snapshot = await namedSnapshot(file, async (path) => {
    const bytes = readToEnd(path), maker = makerOf({ ...readSnapshotHeader(path, bytes) });
    const refused = refusedEngine(path, maker, hint(by, path), anyway);
    if (refused) throw new SnapshotError(refused);
    const read = readSnapshot(path, false, bytes, (done, all) => progress.at(done, all));
    return { bytes, ...read, plan: await snapshotPlan(path, read) };
  }, code);
  await progress.turn();
  const resources = outsideResources(snapshot.plan);
  checkUse(sourceFile("snapshot", file, () => digest(snapshot.bytes)), resources, consent);
  return { ...snapshot, plan: { ...snapshot.plan, places: placesOf(resources) } };
}

/**
 * Result of a reader of a snapshot.
 * @throws Failure if it is not a snapshot
 */
export async function namedSnapshot<T>(file: string, reader: (path: string) => T | Promise<T>, code: number = ExitCode.Usage): Promise<T> {
  try {
    return await reader(file);
  } catch (error) {
    if (error instanceof SnapshotError) throw new Failure(problemOf(error), undefined, code);
    throw new Failure(cannotRead(error, `snapshot ${file}`));
  }
}
