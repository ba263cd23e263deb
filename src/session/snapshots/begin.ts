// How a session's machine begins: at its plan's start, or with a snapshot.

import { ArchiveError } from "../../machine/hardware/archive.ts";
import { assemble, assembleEmpty } from "../assembly/assemble.ts";
import type { GuestSystem } from "../assembly/system/guest-system.ts";
import { PlanError, type SessionPlan } from "../../model/plans/plan.ts";
import { savedSeed, savedStart } from "../../model/plans/saved-plan.ts";
import type { LeftMemory, RunMemory, System } from "../assembly/system/system.ts";
import { type Reading, readSnapshot, SnapshotError, type SnapshotFile } from "./file.ts";
import { staleClock } from "./stale-clock.ts";
import type { SystemState } from "../state/system-state.ts";
import { warn } from "../../kit/support/warn.ts";
import { type Problem, problemOf, problemText } from "../../kit/support/problem.ts";

/** A machine that is ready to run, and the state that it has where that is not the plan's start. */
export interface Begun {
  readonly system: System;
  readonly plan: SessionPlan;
  readonly state: SystemState | undefined;
}

/**
 * A second machine of a session in a state of it.
 * @param left memory for it, of another one
 * @param present the disks that the session's machine writes
 */
export function loaded(plan: SessionPlan, state: SystemState, left?: LeftMemory, present?: System["disks"]): System {
  const system = assembleEmpty(plan, false, left, present);
  system.load(state, true);
  return system;
}

/**
 * A machine of a plan that may be a file's, for its state.
 * @throws ArchiveError if the plan makes none.
 */
export function assembleFrom(plan: SessionPlan, counts = false): GuestSystem {
  try {
    return assembleEmpty(plan, counts);
  } catch (error) {
    throw new ArchiveError(problemOf(error, "its plan does not make a machine"));
  }
}

/** The machine at its plan's start. `refused` reports a file of the plan that cannot be used. */
function assembled(plan: SessionPlan, counts: boolean): Begun | { readonly refused: Problem } {
  try {
    return { system: assemble(plan, undefined, counts), plan, state: undefined };
  } catch (error) {
    if (!(error instanceof PlanError)) throw error;
    return { refused: error.problem };
  }
}

/**
 * Makes the machine of a plan. `refused` reports the defect of a file of the plan, or of the
 * snapshot that it should begin with.
 * @param counts whether its core counts how often each instruction is executed
 * @param reading hears how much of the snapshot is read
 */
export function beginSystem(plan: SessionPlan, counts = false, reading?: Reading): Begun | { readonly refused: Problem } {
  const { from } = plan;
  if (!from) return assembled(plan, counts);
  try {
    const { state, memory, saved } = readSnapshot(from.path, from.spare, from.bytes, reading);
    const system = assembleFrom(plan, counts);
    system.load(state, from.spare);
    system.recall(memory);
    const behind = plan.replay ? undefined : staleClock(savedStart(saved), system.machine.time, Date.now());
    if (behind !== undefined) warn(behind);
    return { system, plan, state: reseeded(system, plan, saved) ?? state };
  } catch (error) {
    if (!(error instanceof ArchiveError || error instanceof SnapshotError)) throw error;
    const refused = problemOf(error, error instanceof ArchiveError ? from.path : undefined);
    if (!from.spare) return { refused };
    warn(`${problemText(refused)}; the machine starts from the beginning and saves a new snapshot`);
    const begun = assembled(plan, counts);
    return "refused" in begun ? begun : { ...begun, plan: { ...plan, instant: from.path } };
  }
}

/**
 * Gives a machine that a snapshot began the numbers of its plan's seed. Returns its state then;
 * undefined: it had that seed.
 */
function reseeded(system: GuestSystem, { seed }: SessionPlan, saved: unknown): SystemState | undefined {
  if (savedSeed(saved) === seed) return undefined;
  system.reseed(seed);
  return system.save();
}

/** The state with which a run begins that a snapshot began. */
function originOf(plan: SessionPlan, { state, saved }: SnapshotFile): SystemState {
  if (savedSeed(saved) === plan.seed) return state;
  const system = assembleFrom(plan);
  system.load(state, true);
  return reseeded(system, plan, saved) ?? state;
}

/** Result of states of a recording that cannot be used. */
export const FROM_START = "the replay runs from its start, and keeps states again";

/** The place at which a run began, and the observations of a snapshot that it began with. */
export interface RunStart {
  readonly instructions: number;
  /** Virtual time (ns). */
  readonly time: number;
  readonly memory?: RunMemory;
}

/**
 * A machine in a state of a recorded run that a file has; undefined, with a warning, if that is
 * damaged.
 */
export function beginAtState(
  plan: SessionPlan,
  state: SystemState,
  memory?: () => RunMemory,
): Begun & { readonly start: RunStart } | undefined {
  const { from } = plan;
  try {
    const snapshot = from && readSnapshot(from.path, from.spare, from.bytes), system = assembleFrom(plan);
    system.load(state, true);
    if (memory) system.recall(memory());
    const start = snapshot
      ? { instructions: Number(snapshot.header.insn), time: Number(snapshot.header.ns), memory: snapshot.memory }
      : { instructions: 0, time: 0 };
    return { system, plan, state: snapshot && originOf(plan, snapshot), start };
  } catch (error) {
    if (!(error instanceof ArchiveError || error instanceof SnapshotError)) throw error;
    warn(`${problemText(problemOf(error))}; ${FROM_START}`);
    return undefined;
  }
}
