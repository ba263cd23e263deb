// The control protocol between a session's machine (in a worker) and its clients: CLI, TUI, tests.
// Plain data both ways. Input enters the machine only as a `Request`; whatever leaves it is a
// `SessionEvent`.

import type { SessionPlan } from "../plans/plan.ts";
import type { ClientRequest } from "./requests.ts";
import type { Problem } from "../../kit/support/problem.ts";
import { hint } from "../../kit/support/text/hint.ts";
import { way } from "../../kit/support/text/way-out.ts";

export type { DebugAccess, DebugAnswer } from "../../machine/hypervisor/interface.ts";
export type { ClientRequest, DebugRequest, SessionDebugAccess } from "./requests.ts";
export type {
  DebugStopped,
  DeviceSample,
  MachineEvent,
  MachineSample,
  SessionEnd,
  SessionEvent,
  StateHash,
  VcpuSample,
  VcpuWord,
  VmSample,
} from "./events.ts";

/** A file of a dump that a session opens. */
export interface OpenedDump {
  readonly path: string;
  /** The physical address of its first byte, if it is raw memory. */
  readonly address?: number;
}

/** A request of a session's process to its machine. */
export type Request =
  | ClientRequest
  /**
   * Builds the machine of a plan and runs it. The first request. Large files of the plan go over to
   * the machine: the sender has them no more.
   */
  | { kind: "start"; plan: SessionPlan }
  /** Opens the files of a dump instead of a machine: `paused` follows, or `ended`. */
  | { kind: "open"; files: readonly OpenedDump[] }
  /**
   * Before `start`: the memory size of its machine, so that everything that depends on it alone can
   * be made meanwhile.
   */
  | { kind: "prepare"; plan: Pick<SessionPlan, "memory" | "cpu">; atEl2: boolean };

/** In the place of a vCPU: the event is about the session itself. */
export const SESSION = "session";

/** Wall time (ms) that a machine has to end in order: less than `el2 down` waits for a session. */
export const ORDERLY_END = 4_000;

/** Why input to what is shown is refused. */
export const PAST: Problem = {
  what: "you are viewing the past, which takes no input",
  wayOut: way`return to the present first (t n, ${hint("back", { now: true })})`,
};
