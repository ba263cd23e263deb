// The order of evidence: facts of failure first, then what is under way, then what is idle. Within
// each, the order of the rules stays.

import type { Evidence } from "../../../model/queries/facts/evidence.ts";
import type { LinuxFinding } from "../../../model/queries/facts/linux-finding.ts";
import { isHealthy } from "../../../model/queries/facts/verdict-words.ts";
import { wordOf } from "../../../model/queries/facts/verdict.ts";
import { isIdle, isQuiet } from "../../../model/queries/facts/source-state.ts";
import { hasFailed } from "../readers/objects/device-state.ts";

const FAILED = 0, UNDER_WAY = 1, IDLE = 2;
type Rank = typeof FAILED | typeof UNDER_WAY | typeof IDLE;

/** Findings in a kernel of a wait, or of a failure that it has survived. */
const SURVIVED: ReadonlySet<LinuxFinding["code"]> = new Set<LinuxFinding["code"]>([
  "booting",
  "program-waits",
  "programs-run",
  "exhausted",
  "warned",
  "oops-survived",
]);

/** Evidence that is not of a failure, whatever its values: values, ends of waits, progress. */
const NOT_FAILED: ReadonlySet<Evidence["code"]> = new Set<Evidence["code"]>([
  ...["esr", "far", "masked", "reads", "reads-register", "priority", "rivals", "source", "condition"] as const,
  ...["answers", "raises", "step", "nobody", "only-itself", "no-kvm", "device-atomic", "masked-input", "polls"] as const,
  ...["console", "in-progress", "state", "state-since"] as const,
]);
/** Evidence that nothing was set or used. */
const UNUSED: ReadonlySet<Evidence["code"]> = new Set<Evidence["code"]>(["nothing-set", "no-driver", "asleep"]);

function rankOf(one: Evidence): Rank {
  // A vCPU that was on may have been the one that ends the wait.
  if (one.code === "vcpus-off") return one.started ? FAILED : UNDER_WAY;
  if (one.code === "other-end") return one.ended_ns === null && isHealthy(wordOf(one.fact)) ? UNDER_WAY : FAILED;
  if (one.code === "beside") return isHealthy(wordOf(one.fact)) ? UNDER_WAY : FAILED;
  if (one.code === "kernel") return isOver(one.finding) ? UNDER_WAY : FAILED;
  if (one.code !== "wakeup") return UNUSED.has(one.code) ? IDLE : NOT_FAILED.has(one.code) ? UNDER_WAY : FAILED;
  return one.state === null ? IDLE : hasFailed(one.state) ? FAILED : isIdle(one.state) || isQuiet(one.state) ? IDLE : UNDER_WAY;
}

const isOver = (finding: LinuxFinding) => SURVIVED.has(finding.code) || finding.code === "reported" && finding.over;

export const ranked = (because: readonly Evidence[]): Evidence[] => because.toSorted((one, other) => rankOf(one) - rankOf(other));
