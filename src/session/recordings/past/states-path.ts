// The places of recordings' states in the cache. They follow from the recording and the program.

import { node } from "../../../kit/support/node-modules.ts";
import type { SessionPlan } from "../../../model/plans/plan.ts";
import { MACHINE } from "../../snapshots/instant.ts";
import { codeFolders } from "../../../kit/support/files/code-folders.ts";
import { statesFile } from "../../../kit/support/files/folder-names.ts";
import { programDigest } from "../../../kit/support/program-identity.ts";

/** The beginning of the paths of this program's files; undefined: there is no cache. */
function statesPrefix(): string | undefined {
  const { states } = codeFolders();
  return states === undefined ? undefined : `${states}/${programDigest(MACHINE)}-`;
}

/** The file for the states of a recording with this content; undefined: there is no cache. */
export function statesPath(recording: Uint8Array): string | undefined {
  const prefix = statesPrefix();
  return prefix === undefined ? undefined : statesFile(prefix, node.crypto.createHash("sha256").update(recording).digest("hex"));
}

/** A plan whose session, if it is recorded, leaves states of its run to replays. */
export function withStatesKept(plan: SessionPlan): SessionPlan {
  const { record, diskBudget } = plan;
  return record && diskBudget !== 0 ? { ...plan, record: { ...record, states: statesPrefix() } } : plan;
}
