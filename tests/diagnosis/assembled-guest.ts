// A VM `x` with a bare-metal guest of a few instructions, run in each tier.

import assert from "node:assert/strict";
import { assemble } from "../../src/session/assembly/assemble.ts";
import type { GuestSystem } from "../../src/session/assembly/system/guest-system.ts";
import { planText } from "../../src/app/configuration/plan-run.ts";
import type { SessionPlan, Tier } from "../../src/model/plans/plan.ts";
import { runUntil } from "../session/inspection/system.ts";
import { assembleGuest } from "./assembly-guest.ts";

/** Tiers that have to agree. */
export const TIERS: readonly Tier[] = ["interp", "jit"];

/** The plan for a guest's source and a configuration that has it as `x.bin`. */
export async function assembledPlan(folder: string, source: string, configuration: string): Promise<SessionPlan> {
  await assembleGuest(folder, "x", source);
  const planned = await planText(configuration, undefined, folder);
  assert.ok(planned.ok);
  return { ...planned.run, turbo: true };
}

/** The machine after 30 ms of virtual time. */
export function ranSystem(plan: SessionPlan, tier: Tier): GuestSystem {
  const system = assemble({ ...plan, tier });
  runUntil(system, 3e7);
  return system;
}

export const hashOf = (system: GuestSystem) => [system.hashes.registers(), system.hashes.memory()];
