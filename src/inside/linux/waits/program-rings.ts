// Waits of programs that nothing can end but one another: threads with each other's mutexes,
// processes at the ends of each other's pipes, a parent that waits for the end of a child that
// waits for it.

import type { LinuxFinding } from "../../../model/queries/facts/linux-finding.ts";
import type { Reading } from "../kernel/reading.ts";
import type { Struct } from "../kernel/types.ts";
import { isRunnable } from "../structures/tasks.ts";
import type { Found } from "./other-ends.ts";

const OF = "waits of programs";
/** Handlers of signals: how many, and the values of `sa_handler` that are none. */
const SIGNALS = 64, NO_HANDLER: ReadonlySet<bigint> = new Set([0n, 1n]);
/** `hrtimer.state`. */
const ENQUEUED = 1;

/** A ring among them, if nothing outside of it can end one of its waits. */
export function ringOf(reading: Reading, waits: readonly Found[]): LinuxFinding | undefined {
  const stuck = new Map(
    waits.filter((one) => one.isEndless && one.enders?.length && !isRunnable(one.task)).map((one) => [one.task.address, one]),
  );
  for (let before = -1; before !== stuck.size;) {
    before = stuck.size;
    for (const [address, { enders = [] }] of stuck) if (enders.some((one) => !stuck.has(one.address))) stuck.delete(address);
  }
  // Handlers of signals and timers are looked up where they matter.
  const free = reading.rows(OF, () => stuck.values(), (one) => isInterruptible(one) && hasOwnWakeup(one.task) ? one : undefined);
  if (free.length > 0) return ringOf(reading, [...stuck.values()].filter((one) => !free.includes(one)));
  const [first] = stuck.values(), steps: Found[] = [];
  for (let at = first; at && !steps.includes(at);) {
    steps.push(at);
    const next = at.enders?.find(({ address }) => address !== at.task.address) ?? at.task;
    at = stuck.get(next.address) ?? at;
    if (steps.includes(at)) return { code: "program-deadlock", steps: steps.slice(steps.indexOf(at)).map(({ wait }) => wait) };
  }
  return undefined;
}

/** A futex is waited for again after a signal. */
const isInterruptible = ({ wait }: Found) => wait.for !== "mutex" && wait.for !== "thread";

/** Whether a process has handlers of signals, or timers that send it one: it may act by itself. */
function hasOwnWakeup(task: Struct): boolean {
  const hand = task.at("sighand", "sighand_struct"), signal = task.at("signal", "signal_struct");
  if (!hand || !signal) return true;
  for (let number = 0; number < SIGNALS; number++) if (!NO_HANDLER.has(hand.big(`action[${number}].sa.sa_handler`))) return true;
  const timers = signal.addressOf("posix_timers"), isChained = signal.has("posix_timers.first");
  const hasTimers = isChained ? signal.big("posix_timers.first") !== 0n : signal.big("posix_timers.next") !== timers;
  return hasTimers || (signal.number("real_timer.state") & ENQUEUED) !== 0;
}
