// How a run ends: one value for each way, with its exit code and its words.

import { waitingText } from "../../model/queries/facts/wait.ts";
import type { PlainPlace } from "../../model/queries/move.ts";
import { describeDivergence, type Divergence } from "../recordings/runs/replay.ts";
import type { WaitingVcpu } from "../../machine/abi/trace.ts";

/** Exit code of a run that waited in vain (docs/design/workstation.md §2). */
const TIMED_OUT = 4;

export type Ending =
  /** A client asked for it. */
  | { readonly kind: "stopped" }
  /** The machine's own end. */
  | { readonly kind: "machine"; readonly code: number; readonly message: string }
  /** The event of `--until` occurred; `broken`: VMs that have failed by then. */
  | { readonly kind: "until"; readonly reached: string; readonly broken: readonly string[] }
  /** The time of `--for` has passed, in ns; `until`: the event that was awaited in vain. */
  | { readonly kind: "time"; readonly end: number; readonly until: string | undefined; readonly broken: readonly string[] }
  /** Every vCPU waits, and nothing can enter. */
  | { readonly kind: "deadlock"; readonly waits: readonly WaitingVcpu[] }
  /** VMs have crashed or panicked, in a run that ends then. */
  | { readonly kind: "failed"; readonly failed: readonly string[] }
  /** A replay has come to the place that was asked for. */
  | { readonly kind: "replayed"; readonly to: PlainPlace }
  /** A replay has come to the end of its recording. */
  | { readonly kind: "recorded"; readonly code: number; readonly message: string }
  /** A replay has come to where its recording breaks off. */
  | { readonly kind: "cut-off" }
  /** A replay is not the recorded run. */
  | { readonly kind: "diverged"; readonly divergence: Divergence };

/** The meaning of an end to who started the run. */
export interface Outcome {
  readonly code: number;
  readonly message: string;
  /** The end is the machine's, not one from outside. */
  readonly own: boolean;
}

export function outcomeOf(ending: Ending): Outcome {
  switch (ending.kind) {
    case "stopped":
      return { code: 0, message: "stopped", own: false };
    case "machine":
      return { code: ending.code, message: ending.message, own: true };
    case "until":
      return reached(`--until: ${ending.reached}`, ending.broken, false);
    case "time": {
      const passed = `${ending.end / 1e9} s of virtual time passed`;
      if (ending.until === undefined) return reached(passed, ending.broken, true);
      return { code: TIMED_OUT, message: `${passed}, and nothing matched --until ${ending.until}`, own: true };
    }
    case "deadlock": {
      const waits = ending.waits.map(waitingText);
      return { code: 1, message: ["deadlock: every vCPU is waiting and nothing can wake one", ...waits].join("; "), own: false };
    }
    case "failed":
      return { code: 1, message: ending.failed.join("; "), own: false };
    case "replayed":
      return { code: 0, message: `replayed up to ${replayedTo(ending.to)}`, own: false };
    case "recorded":
      return { code: ending.code, message: ending.message, own: false };
    case "cut-off":
      return { code: 1, message: "the recording ends here, as el2 was killed", own: false };
    case "diverged":
      return { code: 1, message: `the replay differs: ${describeDivergence(ending.divergence)}`, own: false };
  }
}

const replayedTo = (to: PlainPlace) => to.kind === "time" ? `${to.at / 1e9} s` : `instruction ${to.count}`;

/** The requested end, which is a failure if a VM has failed. */
function reached(message: string, broken: readonly string[], own: boolean): Outcome {
  return { code: broken.length ? 1 : 0, message: [message, ...broken].join("; "), own };
}
