// Sleeping locks that tasks wait for. A waiter has its place in the lock's list on its own stack
// (kernel/locking/mutex.c, rwsem.c in the kernel's sources), and the list leads to the lock.

import { formatId, vmId } from "../queries/ids.ts";
import type { LinuxTables } from "../queries/linux-tables.ts";
import type { RowOf } from "../queries/table.ts";
import { hex } from "../support/number-text.ts";
import { kernelFrames, stackOf } from "./frames.ts";
import type { Reading } from "./reading.ts";
import { codeName } from "./stack.ts";
import { allTasks, isRunning, stateOf } from "./tasks.ts";
import type { Struct } from "./types.ts";

type LockRow = RowOf<LinuxTables["linux.locks"]>;

const OF = "locks";
/** Waiters of one lock. */
const WAITERS_MAX = 4096;
/** Functions on a stack of which one may wait for a lock, and the bytes that these take at most. */
const INNERMOST = 8, SOUGHT = 4096;
/**
 * Flags in the low bits of an owner: of a mutex three, of which one means that the lock is on its
 * way to a waiter; of a semaphore two, one for readers.
 */
export const OWNER_MASK = ~7n;
const READER_OWNED = 1n, PICKUP = 4n;
/** `task_struct.exit_state` of a task that has ended, and states in which no signal wakes it. */
const ENDED = 0x30, UNINTERRUPTIBLE = 0x2, KILLABLE = 0x100, IDLE = 0x400;

/** A kind of lock: its structures, and functions that wait for it. */
export interface Kind {
  readonly type: "mutex" | "rwsem";
  readonly lock: string;
  readonly waiter: string;
  readonly functions: RegExp;
}

const KINDS: readonly Kind[] = [
  { type: "mutex", lock: "mutex", waiter: "mutex_waiter", functions: /^(__)?mutex_lock|^__ww_mutex_lock/ },
  { type: "rwsem", lock: "rw_semaphore", waiter: "rwsem_waiter", functions: /^rwsem_down_(read|write)_slowpath|^(__)?down_(read|write)/ },
];
/** A waiter that wants to share a semaphore: `RWSEM_WAITING_FOR_READ`. */
const FOR_READ = 1;

/** A task that waits for a lock. */
export interface Waiting {
  readonly task: Struct;
  readonly kind: Kind;
  readonly lock: Struct;
  readonly wants: "alone" | "shared";
}

/** Tasks by address. */
export type Tasks = ReadonlyMap<bigint, Struct>;

export const tasksOf = (reading: Reading): Tasks =>
  new Map(reading.rows(OF, () => allTasks(reading), (task): [bigint, Struct] => [task.address, task]));

export function readLocks(reading: Reading): LockRow[] {
  const tasks = tasksOf(reading);
  const waiting = reading.rows(OF, () => tasks.values(), (task) => waitOf(reading, tasks, task));
  const locks = Map.groupBy(waiting, ({ lock }) => lock.address);
  return reading.rows(OF, () => locks.values(), (waiters) => rowOf(reading, tasks, waiters));
}

function rowOf(reading: Reading, tasks: Tasks, waiters: readonly Waiting[]): LockRow {
  const [{ kind, lock, task }] = waiters;
  const owner = reading.tried(OF, () => ownerOf(tasks, kind, lock));
  return {
    id: formatId({ kind: "lock", vm: reading.vm, address: lock.address }),
    vm: vmId(reading.vm),
    type: kind.type,
    address: hex(lock.address, 16),
    held: owner?.held ?? "?",
    holder: owner?.task ? formatId({ kind: "task", vm: reading.vm, pid: owner.task.number("pid") }) : null,
    holder_name: owner?.task ? owner.task.text("comm") : null,
    waiters: waiters.map((one) => formatId({ kind: "task", vm: reading.vm, pid: one.task.number("pid") })),
    wants: waiters.map(({ wants }) => wants),
    where: waitPlace(reading, task),
  };
}

/** The function of the kernel in which a task waits, outside of the scheduler and of locks. */
export function waitPlace(reading: Reading, task: Struct): string | null {
  return kernelFrames(reading, task).map((pc) => codeName(reading, pc)).find((name) => name !== undefined && !isWait(name)) ?? null;
}

/** The scheduler, and the functions of locks. */
const isWait = (name: string) =>
  /^(__switch_to|(__)?schedule|io_schedule|preempt_schedule)/.test(name) || KINDS.some(({ functions }) => functions.test(name));

/** The owner that a lock names: the address of a task, 0 without one, and its flags. */
function ownerIn({ type }: Kind, lock: Struct) {
  const owner = lock.big("owner.counter");
  return {
    address: owner & OWNER_MASK,
    isShared: type === "rwsem" && (owner & READER_OWNED) !== 0n,
    isPassed: type === "mutex" && (owner & PICKUP) !== 0n,
  };
}

/** The holder of a lock: a task, or readers, of which a kernel notes the last at most. */
function ownerOf(tasks: Tasks, kind: Kind, lock: Struct): { held: LockRow["held"]; task: Struct | undefined } {
  const { address, isShared } = ownerIn(kind, lock);
  if (isShared) return { held: "shared", task: undefined };
  const task = tasks.get(address);
  return { held: task ? "alone" : address === 0n ? "free" : "?", task };
}

/**
 * The task that a waiter waits for, which holds the lock alone, and whether it has ended; undefined
 * if none does, or the lock changes hands.
 */
export function holderOf(reading: Reading, tasks: Tasks, { kind, lock }: Waiting): { task: Struct; ended: boolean } | undefined {
  const { address, isShared, isPassed } = ownerIn(kind, lock);
  if (address === 0n || isShared || isPassed) return undefined;
  const known = tasks.get(address), task = known ?? reading.struct("task_struct", address);
  const ended = reading.memory.has(address, 1) && (task.number("exit_state") & ENDED) !== 0;
  return known || ended ? { task, ended } : undefined;
}

/** Whether a task sleeps and no signal can wake it. */
export function isBlocked(task: Struct): boolean {
  return (task.number("state") & (UNINTERRUPTIBLE | KILLABLE | IDLE)) === UNINTERRUPTIBLE && !isRunning(task);
}

/** The lock that a task sleeps for; undefined: none. */
export function waitOf(reading: Reading, tasks: Tasks, task: Struct): Waiting | undefined {
  if (stateOf(task) === "R" || isRunning(task)) return undefined;
  const names = [...kernelFrames(reading, task).take(INNERMOST).map((pc) => reading.placeOf(pc)?.symbol.name ?? "")];
  for (const kind of KINDS) {
    const waits = names.some((name) => kind.functions.test(name));
    const found = waits && onStack(reading, tasks, task, kind);
    if (found) return found;
  }
  return undefined;
}

/** The task's waiter on its own stack: it names the task, and is in the list of a lock. */
function onStack(reading: Reading, tasks: Tasks, task: Struct, kind: Kind): Waiting | undefined {
  const { memory } = reading, { start, end } = stackOf(reading, task), named = reading.struct(kind.waiter, 0n).addressOf("task");
  const top = task.big("thread.cpu_context.sp");
  const isOnStack = (address: bigint) => address >= start && address < end;
  for (let at = top & ~7n; isOnStack(at + 8n) && at < top + BigInt(SOUGHT); at += 8n) {
    if (memory.u64(at) !== task.address || !isOnStack(at - named)) continue;
    const waiter = reading.struct(kind.waiter, at - named), head = headOf(reading, tasks, waiter);
    if (head === undefined) continue;
    const lock = reading.struct(kind.lock, head - reading.struct(kind.lock, 0n).addressOf("wait_list"));
    const shared = kind.type === "rwsem" && waiter.number("type") === FOR_READ;
    return { task, kind, lock, wants: shared ? "shared" : "alone" };
  }
  return undefined;
}

/**
 * The head of the list that a waiter is in, which is in the lock; undefined if there is no such
 * list. The kernel keeps waiters, each on the stack of its task, in a ring with the head.
 */
function headOf(reading: Reading, tasks: Tasks, waiter: Struct): bigint | undefined {
  const links = waiter.addressOf("list"), named = waiter.addressOf("task") - links;
  let head: bigint | undefined, at = links;
  for (let steps = 0; steps < WAITERS_MAX; steps++) {
    const link = reading.struct("list_head", at), next = link.pointer("next");
    if (next === 0n || !reading.memory.has(next, 16) || reading.struct("list_head", next).big("prev") !== at) return undefined;
    at = next;
    if (at === links) return head;
    const isWaiter = reading.memory.has(at + named, 8) && tasks.has(reading.memory.u64(at + named));
    if (!isWaiter && head !== undefined) return undefined;
    if (!isWaiter) head = at;
  }
  return undefined;
}
