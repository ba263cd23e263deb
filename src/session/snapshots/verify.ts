// Whether a snapshot is one: it loads, every invariant holds, and saved again it is the same.

import { Buffer } from "node:buffer";
import { ArchiveError } from "../../machine/hardware/archive.ts";
import type { SavableSystem } from "../assembly/system/system.ts";
import { assembleFrom } from "./begin.ts";
import type { SessionPlan } from "../../model/plans/plan.ts";
import type { Snapshot } from "./file.ts";
import type { SystemState } from "../state/system-state.ts";

/** The defect of a snapshot that was read; undefined for a valid one. */
export function verifySnapshot(plan: SessionPlan, { state }: Pick<Snapshot, "state">): string | undefined {
  let system: SavableSystem;
  try {
    system = assembleFrom(plan);
    system.load(state, false);
  } catch (error) {
    if (error instanceof ArchiveError) return error.message;
    throw error;
  }
  return equal(system.save(), state) ? undefined : "loading and saving it again gives a different snapshot";
}

function equal(a: SystemState, b: SystemState): boolean {
  if (Buffer.compare(a.fields, b.fields) !== 0 || a.pages.size !== b.pages.size) return false;
  for (const [page, { bytes }] of a.pages) if (Buffer.compare(bytes, b.pages.get(page)?.bytes ?? new Uint8Array(0)) !== 0) return false;
  return true;
}
