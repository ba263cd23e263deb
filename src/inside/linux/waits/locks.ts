// Locks that somebody waits for, as rows: each with its holder and its waiters.

import { formatId, vmId } from "../../../model/queries/ids.ts";
import type { LinuxTables } from "../../../model/queries/linux-tables.ts";
import type { RowOf } from "../../../model/queries/table.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import { kernelFrames } from "../structures/frames.ts";
import { listedWait } from "./listed-locks.ts";
import type { Reading } from "../kernel/reading.ts";
import { rtWait } from "./rt-locks.ts";
import { spinWaits } from "./spin-locks.ts";
import { codeName } from "../structures/stack.ts";
import { allTasks, isKernelThread, isRunning, LOCK_WAIT, outsideScheduler, stateOf } from "../structures/tasks.ts";
import type { Struct } from "../kernel/types.ts";
import type { Tasks, Waiting } from "./waiting.ts";

type LockRow = RowOf<LinuxTables["linux.locks"]>;

const OF = "locks";
/** Functions on a stack of which one may wait for a lock. */
const INNERMOST = 8;
/** Functions of RT mutexes, of which some are in no section of locks. */
const RT_FUNCTIONS = /^_*(?:rt_mutex_|rtlock_|rwbase_)/;
/** `task_struct.exit_state` of a task that has ended, and states in which no signal wakes it. */
const ENDED = 0x30, UNINTERRUPTIBLE = 0x2, KILLABLE = 0x100, IDLE = 0x400;

/** Tasks of an answer, which may ask several times. */
const TASKS = new WeakMap<Reading["memory"], Tasks>();

export function tasksOf(reading: Reading): Tasks {
  let tasks = TASKS.get(reading.memory);
  if (!tasks) {
    tasks = new Map(reading.rows(OF, () => allTasks(reading), (task): [bigint, Struct] => [task.address, task]));
    TASKS.set(reading.memory, tasks);
  }
  return tasks;
}

/** The processes of programs. */
export const processesIn = (tasks: Tasks): Iterable<Struct> =>
  tasks.values().filter((task) => !isKernelThread(task) && task.number("pid") === task.number("tgid"));

export function readLocks(reading: Reading): LockRow[] {
  const tasks = tasksOf(reading);
  const waiting = [
    ...reading.rows(OF, () => tasks.values(), (task) => waitOf(reading, tasks, task)),
    ...spinWaits(reading),
  ];
  const locks = Map.groupBy(waiting, ({ lock }) => lock);
  return reading.rows(OF, () => locks.values(), (waiters) => rowOf(reading, tasks, waiters));
}

function rowOf(reading: Reading, tasks: Tasks, waiters: readonly Waiting[]): LockRow {
  const [{ type, lock, owner, task, frames }] = waiters, holder = tasks.get(owner.task);
  return {
    id: formatId({ kind: "lock", vm: reading.vm, address: lock }),
    vm: vmId(reading.vm),
    type,
    address: hex(lock, 16),
    held: owner.held === "shared" || owner.held === "unnamed" ? owner.held : holder ? "alone" : owner.task === 0n ? "free" : "?",
    holder: holder ? formatId({ kind: "task", vm: reading.vm, pid: holder.number("pid") }) : null,
    holder_name: holder ? holder.text("comm") : null,
    waiters: waiters.map((one) => formatId({ kind: "task", vm: reading.vm, pid: one.task.number("pid") })),
    wants: waiters.map(({ wants }) => wants),
    where: waitPlace(reading, task, frames),
  };
}

/** The function of the kernel in which a task waits, outside of the scheduler and of locks. */
export function waitPlace(reading: Reading, task: Struct, frames: Iterable<bigint> = kernelFrames(reading, task)): string | null {
  for (const pc of outsideScheduler(reading, frames)) {
    const name = codeName(reading, pc) ?? null;
    if (name === null || !RT_FUNCTIONS.test(name)) return name;
  }
  return null;
}

/**
 * The task that a waiter waits for, which holds the lock alone, and whether it has ended; undefined
 * if none does, or the lock changes hands.
 */
export function holderOf(reading: Reading, tasks: Tasks, { owner }: Waiting): { task: Struct; ended: boolean } | undefined {
  if (owner.task === 0n || owner.held !== "alone") return undefined;
  const known = tasks.get(owner.task), task = known ?? reading.struct("task_struct", owner.task);
  const ended = reading.memory.has(owner.task, 1) && (task.number("exit_state") & ENDED) !== 0;
  return known || ended ? { task, ended } : undefined;
}

/** Whether a task sleeps and no signal can wake it. */
export function isBlocked(task: Struct): boolean {
  const state = task.number("state");
  return ((state & (UNINTERRUPTIBLE | KILLABLE | IDLE)) === UNINTERRUPTIBLE || (state & LOCK_WAIT) !== 0) && !isRunning(task);
}

/** The lock that a task sleeps for; undefined: none. */
export function waitOf(reading: Reading, tasks: Tasks, task: Struct): Waiting | undefined {
  if (stateOf(task) === "R" || isRunning(task)) return undefined;
  const names = [...kernelFrames(reading, task).take(INNERMOST).map((pc) => reading.placeOf(pc)?.symbol.name ?? "")];
  return rtWait(reading, task, names) ?? listedWait(reading, tasks, task, names);
}
