// Options and result of the run of a scenario.

import type { Problem } from "../../kit/support/problem.ts";
import type { SessionPlan } from "../../model/plans/plan.ts";
import type { RowOf } from "../../model/queries/table.ts";
import type { DIAGNOSES } from "../../model/queries/tables.ts";
import type { GuestSystem } from "../../session/assembly/system/guest-system.ts";
import type { PreparedMachine } from "../../session/snapshots/prepared.ts";
import type { KtapCase } from "./ktap.ts";
import type { Scenario, Step } from "./scenario.ts";

/** Bytes that a console has shown. */
export type ConsoleBytes = PreparedMachine["shown"][number];

/** How a scenario is run. */
export interface ScenarioOptions {
  /** Wall time (ms) after which the step in progress fails. */
  readonly timeout?: number;
  /** Called about once per second with the step that waits, and the virtual time (ns). */
  readonly onProgress?: (step: Step, at: number) => void;
  /** The state with which it begins, or which it leaves to others. */
  readonly prepared?: PreparedState;
}

/** A machine's state at its prompt. */
export interface PreparedState {
  /** A machine in this state; undefined if the state does not exist yet. */
  begin(plan: SessionPlan): PreparedMachine | undefined;
  /** Keeps it. Returns why it cannot. */
  keep(system: GuestSystem, shown: readonly ConsoleBytes[]): Problem | undefined;
}

/** A guest at its prompt takes no files. */
export class Undelivered extends Error {}

/** A verdict on a VM: its text and way out, and the facts that they follow from. */
export type StepVerdict = Pick<RowOf<typeof DIAGNOSES>, "id" | "verdict" | "text" | "way_out" | "fact" | "because">;

export interface StepResult {
  readonly step: Step;
  readonly text: string;
  readonly result: "ok" | "failed" | "skipped";
  /** Virtual time (ns) at its end. */
  readonly at: number;
  /** Why it failed. */
  readonly message?: string;
  /** Details of that, a line each. */
  readonly details?: readonly string[];
  /** Verdicts on VMs that are not healthy at its end. */
  readonly verdicts?: readonly StepVerdict[];
  /** The tests of the report that it has read. */
  readonly cases?: readonly KtapCase[];
}

export interface ScenarioResult {
  readonly scenario: Scenario;
  readonly seed: number;
  readonly steps: readonly StepResult[];
  readonly ok: boolean;
  /** Wall time, ms. */
  readonly elapsed: number;
}
