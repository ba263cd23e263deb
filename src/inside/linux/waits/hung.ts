// Tasks that wait for ever: for locks in a circle, for a lock whose holder has ended, or so long
// that the kernel itself would report them (kernel/hung_task.c in its sources).

import type { LinuxFinding, LockWait } from "../../../model/queries/facts/linux-finding.ts";
import { holderOf, isBlocked, tasksOf, waitOf, waitPlace } from "./locks.ts";
import { probedDevice } from "./probe.ts";
import type { Reading } from "../kernel/reading.ts";
import { kernelTime } from "../structures/clock.ts";
import { settingAt } from "../structures/sysctl.ts";
import { arrivalOf, named } from "../structures/tasks.ts";
import type { Struct } from "../kernel/types.ts";
import { reportsIn } from "../structures/reports.ts";
import type { Tasks, Waiting } from "./waiting.ts";

const OF = "locks";
/** Seconds after which a kernel reports a task, unless `hung_task_timeout_secs` says otherwise. */
const TIMEOUT = 120;
const NS_PER_SECOND = 1e9;

type Hung = Extract<LinuxFinding, { code: "hung" }>;

/** The defect of tasks that no signal can wake: a deadlock, else the longest wait. */
export function blockedTasks(reading: Reading): LinuxFinding | undefined {
  const tasks = tasksOf(reading), blocked = reading.rows(OF, () => tasks.values(), (task) => isBlocked(task) ? task : undefined);
  if (blocked.length === 0) return undefined;
  const waits = new Map(reading.rows(OF, () => blocked, (task): [bigint, Waiting] | undefined => {
    const found = waitOf(reading, tasks, task);
    return found && [task.address, found];
  }));
  for (const wait of waits.values()) {
    const found = reading.tried(OF, () => cycleFrom(reading, tasks, waits, wait));
    if (found) return found;
  }
  return longest(reading, tasks, waits, blocked);
}

const stepOf = (reading: Reading, { task, type }: Waiting): LockWait => (
  { task: named(task), lock: type, where: waitPlace(reading, task) }
);

/** A circle that a wait is part of, or a holder at the end of its chain that has ended. */
function cycleFrom(reading: Reading, tasks: Tasks, waits: ReadonlyMap<bigint, Waiting>, first: Waiting): LinuxFinding | undefined {
  const steps = new Map<bigint, LockWait>();
  for (let wait: Waiting | undefined = first; wait && !steps.has(wait.task.address);) {
    const step = stepOf(reading, wait), holder = holderOf(reading, tasks, wait);
    steps.set(wait.task.address, step);
    if (!holder) return undefined;
    if (holder.ended) return { code: "lock-lost", wait: step, holder: named(holder.task) };
    if (holder.task.address === first.task.address) return { code: "lock-cycle", steps: [...steps.values()] };
    wait = waits.get(holder.task.address);
  }
  return undefined;
}

/** The task that waits longest, if the kernel would report it. */
function longest(reading: Reading, tasks: Tasks, waits: ReadonlyMap<bigint, Waiting>, blocked: readonly Struct[]): Hung | undefined {
  const timeout = timeoutOf(reading);
  if (timeout === 0) return undefined;
  const ran = (task: Struct) => Number(arrivalOf(task));
  // Without its clock, the present is when the last of the tasks began to run, or later.
  const now = Number(
    kernelTime(reading) ?? reading.rows(OF, () => tasks.values(), arrivalOf).reduce((last, one) => one > last ? one : last, 0n),
  );
  const times = reading.rows(OF, () => blocked, (task) => ({ task, for_ns: now - ran(task) }));
  const [worst] = times.filter(({ for_ns }) => for_ns >= timeout * NS_PER_SECOND).sort((a, b) => b.for_ns - a.for_ns);
  return worst && reading.tried(OF, () => hungTask(reading, tasks, waits.get(worst.task.address), worst));
}

function hungTask(reading: Reading, tasks: Tasks, wait: Waiting | undefined, { task, for_ns }: { task: Struct; for_ns: number }): Hung {
  const holder = wait && holderOf(reading, tasks, wait)?.task;
  return {
    code: "hung",
    task: named(task),
    where: waitPlace(reading, task),
    for_ns,
    lock: wait?.type ?? null,
    holder: holder ? { task: named(holder), where: waitPlace(reading, holder) } : null,
    disk: task.number("in_iowait") !== 0,
    device: probedDevice(reading, task) ?? null,
  };
}

/** Seconds; 0: the kernel does not look. Without symbols and settings, a report has it. */
function timeoutOf(reading: Reading): number {
  const { kernel, memory } = reading;
  const at = kernel.find(memory, "sysctl_hung_task_timeout_secs") ??
    reading.tried("settings", () => settingAt(reading, "kernel", "hung_task_timeout_secs"));
  if (at !== undefined) return Number(memory.u64(at));
  return reportsIn(reading).findLast(({ kind }) => kind === "hung-task")?.seconds ?? TIMEOUT;
}
