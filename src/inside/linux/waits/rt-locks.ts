// RT mutexes (kernel/locking/rtmutex.c in the kernel's sources): a task that waits for one names
// it. In real-time kernels every sleeping lock has one inside, and spin locks sleep.

import type { LockType } from "../../../model/queries/facts/linux-finding.ts";
import type { Reading } from "../kernel/reading.ts";
import type { Struct } from "../kernel/types.ts";
import { keptWords, type Owner, type Waiting } from "./waiting.ts";

/** The bit of an owner that says that there are waiters. */
const HAS_WAITERS = 1n;
/** `rwbase_rt.readers` while a writer has the lock; below it, readers for which one waits. */
const WRITER = 1 << 30;

/** Kinds of locks by functions that wait for them. */
const KINDS: readonly (readonly [RegExp, LockType])[] = [
  [/^rt_(?:read|write)_lock/, "rwlock"],
  [/^(?:__)?rt_spin_lock|^rtlock_/, "spinlock"],
  [/^(?:__)?(?:rwbase_|down_(?:read|write))/, "rwsem"],
  [/^(?:__)?futex_|^__rt_mutex_(?:start_proxy|wait_proxy)|^rt_mutex_(?:lock|wait_proxy)/, "rtmutex"],
];
const WRITES = /^(?:__)?(?:rwbase_write|down_write|rt_write)/, READS = /read/;

/**
 * The RT mutex that a task sleeps for, or the lock of readers and writers around it.
 * @param names functions on the task's stack
 */
export function rtWait(reading: Reading, task: Struct, names: readonly string[]): Waiting | undefined {
  const waiter = task.has("pi_blocked_on") ? task.at("pi_blocked_on", "rt_mutex_waiter") : undefined;
  if (!waiter) return reading.hasType("mutex_waiter") ? undefined : readersWait(reading, task, names);
  const mutex = waiter.pointer("lock");
  if (mutex === 0n || waiter.big("task") !== task.address) return undefined;
  const [, type] = KINDS.find(([functions]) => names.some((name) => functions.test(name))) ??
    [undefined, reading.hasType("mutex_waiter") ? "rtmutex" : "mutex"];
  if (type !== "rwsem" && type !== "rwlock") {
    return { task, type, lock: mutex, owner: { task: ownerOf(reading, mutex), held: "alone" }, wants: "alone" };
  }
  const lock = mutex - reading.struct("rwbase_rt", 0n).addressOf("rtmutex");
  const reads = names.some((name) => READS.test(name) && KINDS.some(([functions]) => functions.test(name)));
  return { task, type, lock, owner: sharedOwner(reading, lock), wants: reads ? "shared" : "alone" };
}

/** The address of the task that holds an RT mutex. */
export function ownerOf(reading: Reading, mutex: bigint): bigint {
  return reading.struct(reading.hasType("rt_mutex_base") ? "rt_mutex_base" : "rt_mutex", mutex).big("owner") & ~HAS_WAITERS;
}

function sharedOwner(reading: Reading, lock: bigint): Owner {
  const base = reading.struct("rwbase_rt", lock);
  return isRead(base) ? { task: 0n, held: "shared" } : { task: ownerOf(reading, base.addressOf("rtmutex")), held: "alone" };
}

/** Whether a writer waits for readers that still have the lock. */
function isRead(base: Struct): boolean {
  const readers = base.signed("readers.counter");
  return readers > 0 && readers < WRITER;
}

/**
 * A writer that waits for readers has the mutex of the lock already, and the lock's address on its
 * stack or in a register.
 */
function readersWait(reading: Reading, task: Struct, names: readonly string[]): Waiting | undefined {
  if (!names.some((name) => WRITES.test(name))) return undefined;
  const inside = reading.struct("rwbase_rt", 0n).addressOf("rtmutex"), { memory } = reading;
  for (const lock of keptWords(reading, task)) {
    if (lock % 8n !== 0n || !memory.has(lock, Number(inside))) continue;
    const mutex = lock + inside;
    if (!memory.has(mutex, reading.sizeOf("rwbase_rt") - Number(inside)) || ownerOf(reading, mutex) !== task.address) continue;
    if (!isRead(reading.struct("rwbase_rt", lock))) continue;
    const type = names.some((name) => name.startsWith("rt_write")) ? "rwlock" : "rwsem";
    return { task, type, lock, owner: { task: 0n, held: "shared" }, wants: "alone" };
  }
  return undefined;
}
