// The order of evidence: facts of failure first, then what is under way, then what is idle. Within
// each, the order of the rules stays.

import type { Evidence } from "../../../model/queries/facts/evidence.ts";
import type { LinuxFinding } from "../../../model/queries/facts/linux-finding.ts";
import { isHealthy } from "../../../model/queries/facts/verdict-words.ts";
import { wordOf } from "../../../model/queries/facts/verdict.ts";
import { isIdle } from "../../../model/queries/facts/source-state.ts";
import { hasFailed } from "./source-states.ts";

const FAILED = 0, UNDER_WAY = 1, IDLE = 2;
type Rank = typeof FAILED | typeof UNDER_WAY | typeof IDLE;

/** Findings in a kernel that are no failure, or one that it has survived. */
const SURVIVED: ReadonlySet<LinuxFinding["code"]> = new Set<LinuxFinding["code"]>(["booting", "program-waits", "warned", "oops-survived"]);

type RankOf<C extends Evidence["code"]> = Rank | ((one: Extract<Evidence, { code: C }>) => Rank);

const RANKS: { readonly [C in Evidence["code"]]: RankOf<C> } = {
  "cause": FAILED,
  "boot": FAILED,
  "misplaced": FAILED,
  "gicv2-driver": FAILED,
  "driver-failed": FAILED,
  "unserved-call": FAILED,
  "polled-device": FAILED,
  "refused": FAILED,
  "unanswered": FAILED,
  "lost-sgi": FAILED,
  "start-refused": FAILED,
  "stale-translation": FAILED,
  "device-atomic": FAILED,
  "injected": FAILED,
  "finding": FAILED,
  "barred": FAILED,
  "absent-peer": FAILED,
  "named-peer": FAILED,
  "stale-image": FAILED,
  "tree-overrun": FAILED,
  "broken": FAILED,
  "input-cleared": FAILED,
  "logged": FAILED,
  "beside": ({ fact }) => isHealthy(wordOf(fact)) ? UNDER_WAY : FAILED,
  "kernel": ({ finding }) => SURVIVED.has(finding.code) || finding.code === "reported" && finding.over ? UNDER_WAY : FAILED,
  "wakeup": ({ state }) => state === null ? UNDER_WAY : hasFailed(state) ? FAILED : isIdle(state) ? IDLE : UNDER_WAY,
  "esr": UNDER_WAY,
  "far": UNDER_WAY,
  "masked": UNDER_WAY,
  "reads": UNDER_WAY,
  "reads-register": UNDER_WAY,
  "priority": UNDER_WAY,
  "rivals": UNDER_WAY,
  "answers": UNDER_WAY,
  "raises": UNDER_WAY,
  "step": UNDER_WAY,
  "source": UNDER_WAY,
  "condition": UNDER_WAY,
  "nobody": UNDER_WAY,
  "only-itself": UNDER_WAY,
  "console": UNDER_WAY,
  "in-progress": UNDER_WAY,
  "state": UNDER_WAY,
  "state-since": UNDER_WAY,
  "vcpus-off": UNDER_WAY,
  "no-kvm": UNDER_WAY,
  "masked-input": UNDER_WAY,
  "nothing-set": IDLE,
  "no-driver": IDLE,
  "asleep": IDLE,
};

function rankOf(one: Evidence): Rank {
  const rank = RANKS[one.code] as RankOf<Evidence["code"]>;
  return typeof rank === "number" ? rank : rank(one as never);
}

export const ranked = (because: readonly Evidence[]): Evidence[] => because.toSorted((one, other) => rankOf(one) - rankOf(other));
