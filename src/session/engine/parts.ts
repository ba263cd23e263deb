// The parts of an engine, as they see each other.

import type { SessionPlan } from "../../model/plans/plan.ts";
import type { PresentRun } from "./ended-vms.ts";
import type { Replaying } from "./replaying.ts";
import type { Output } from "./output.ts";
import type { RunRecording } from "./run-recording.ts";
import type { Sampler } from "./sampler.ts";
import type { Slices } from "./slices.ts";
import type { SessionRun } from "./session-run.ts";
import type { Shown } from "./shown.ts";
import type { EnginePort } from "./loop.ts";

/** The parts of an engine that its other parts use. */
export interface EngineParts {
  readonly plan: SessionPlan;
  readonly port: EnginePort;
  readonly shown: Shown;
  readonly run: SessionRun;
  readonly output: Output;
  readonly sampler: Sampler;
  readonly slices: Slices;
  /** A recording that is run again. */
  readonly replaying: Replaying | undefined;
  readonly recording: RunRecording;
  /**
   * Runs the present for a number of turns, as `Machine.run` does; `target`: instructions at which
   * it stops.
   */
  readonly runPresent: (turns: number, target: number) => PresentRun;
}
