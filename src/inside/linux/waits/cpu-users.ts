// Programs on the CPUs of a Linux, and one whose policy keeps other tasks from its CPU
// (kernel/sched/rt.c and deadline.c in the kernel's sources).

import type { LinuxFinding } from "../../../model/queries/facts/linux-finding.ts";
import type { RealTimePolicy } from "../../../model/queries/facts/program-wait.ts";
import type { Reading } from "../kernel/reading.ts";
import type { Struct } from "../kernel/types.ts";
import { kernelTime } from "../structures/clock.ts";
import { isKernelThread, isRunnable, isRunning, named } from "../structures/tasks.ts";
import { tasksOf } from "./locks.ts";

const OF = "tasks on CPUs";
/** `task_struct.policy` (include/uapi/linux/sched.h). */
const REAL_TIME: ReadonlyMap<number, RealTimePolicy> = new Map([[1, "SCHED_FIFO"], [2, "SCHED_RR"], [6, "SCHED_DEADLINE"]]);
/** Time (ns) that others have waited for a CPU: those of other programs come sooner. */
const KEPT = 1_000_000_000n;
/** Tasks that wait for a CPU, and programs, that are named. */
const WAITERS_MAX = 3, PROGRAMS_MAX = 4;

/** Programs on CPUs, with the time for which each has run in all; and one that keeps its CPU. */
export function cpuUsers(reading: Reading): LinuxFinding[] {
  const tasks = tasksOf(reading), users = reading.rows(OF, () => tasks.values(), (task) => isRunning(task) ? task : undefined);
  const kept = reading.rows(OF, () => users, (task) => keeps(reading, tasks.values(), task));
  const programs = reading.rows(OF, () => users, (task) => isKernelThread(task) ? undefined : useOf(task)).slice(0, PROGRAMS_MAX);
  return [...kept, ...programs.length > 0 ? [{ code: "programs-run" as const, programs }] : []];
}

const useOf = (task: Struct) => ({ task: named(task), cpu: task.number("cpu"), ran_ns: Number(task.big("se.sum_exec_runtime")) });

/** The tasks that have waited longer than `KEPT` for a CPU that a real-time program uses. */
function keeps(reading: Reading, tasks: Iterable<Struct>, user: Struct): LinuxFinding | undefined {
  const policy = REAL_TIME.get(user.number("policy")), now = policy && kernelTime(reading);
  if (!policy || now === undefined || isKernelThread(user)) return undefined;
  const cpu = user.number("cpu"),
    waiters = [...tasks].flatMap((task) => {
      if (!isRunnable(task) || isRunning(task) || task.number("cpu") !== cpu || !task.has("sched_info")) return [];
      // A task of the same policy gets its turn when this one sleeps, too.
      const since = task.big("sched_info.last_queued");
      return since === 0n || now - since < KEPT ? [] : [{ task, since }];
    }).sort((one, other) => Number(one.since - other.since));
  if (waiters.length === 0) return undefined;
  return {
    code: "cpu-kept",
    task: named(user),
    cpu,
    policy,
    priority: user.number("rt_priority"),
    waiters: waiters.slice(0, WAITERS_MAX).map(({ task }) => named(task)),
    others: Math.max(0, waiters.length - WAITERS_MAX),
    for_ns: Number(now - waiters[0].since),
  };
}
