// Mutexes and semaphores of kernels that are not real-time ones. A waiter has its place in the
// lock's list on its own stack (kernel/locking/mutex.c, rwsem.c in the kernel's sources), and the
// list leads to the lock. Newer kernels have a ring of waiters without the lock, which names the
// first of them: the task has the address of such a lock in a register or on its stack.

import { stackOf } from "../structures/frames.ts";
import type { Reading } from "../kernel/reading.ts";
import type { Struct } from "../kernel/types.ts";
import { keptWords, type Owner, SOUGHT, type Tasks, type Waiting } from "./waiting.ts";

/** Waiters of one lock. */
const WAITERS_MAX = 4096;
/**
 * Flags in the low bits of an owner: of a mutex three, of which one means that the lock is on its
 * way to a waiter; of a semaphore two, one for readers.
 */
export const OWNER_MASK = ~7n;
const READER_OWNED = 1n, PICKUP = 4n;
/** A waiter that wants to share a semaphore: `RWSEM_WAITING_FOR_READ`. */
const FOR_READ = 1;

/** A kind of lock: its structures, and functions that wait for it. */
interface Kind {
  readonly type: "mutex" | "rwsem";
  readonly lock: string;
  readonly waiter: string;
  readonly functions: RegExp;
}

const KINDS: readonly Kind[] = [
  { type: "mutex", lock: "mutex", waiter: "mutex_waiter", functions: /^(__)?mutex_lock|^__ww_mutex_lock/ },
  { type: "rwsem", lock: "rw_semaphore", waiter: "rwsem_waiter", functions: /^rwsem_down_(read|write)_slowpath|^(__)?down_(read|write)/ },
];

/** @param names functions on the task's stack */
export function listedWait(reading: Reading, tasks: Tasks, task: Struct, names: readonly string[]): Waiting | undefined {
  for (const kind of KINDS) {
    const waits = reading.hasType(kind.waiter) && names.some((name) => kind.functions.test(name));
    const found = waits && onStack(reading, tasks, task, kind);
    if (found) return found;
  }
  return undefined;
}

/** The task's waiter on its own stack: it names the task, and is in the list of a lock. */
function onStack(reading: Reading, tasks: Tasks, task: Struct, { type, lock, waiter }: Kind): Waiting | undefined {
  const { memory } = reading, { start, end } = stackOf(reading, task), named = reading.struct(waiter, 0n).addressOf("task");
  const top = task.big("thread.cpu_context.sp");
  const isOnStack = (address: bigint) => address >= start && address < end;
  for (let at = top & ~7n; isOnStack(at + 8n) && at < top + BigInt(SOUGHT); at += 8n) {
    if (memory.u64(at) !== task.address || !isOnStack(at - named)) continue;
    const found = reading.struct(waiter, at - named), ring = ringOf(reading, tasks, found);
    const address = ring && lockOf(reading, task, lock, ring);
    if (address === undefined) continue;
    const shared = type === "rwsem" && found.number("type") === FOR_READ;
    return { task, type, lock: address, owner: ownerIn(type, reading.struct(lock, address)), wants: shared ? "shared" : "alone" };
  }
  return undefined;
}

function ownerIn(type: Kind["type"], lock: Struct): Owner {
  const owner = lock.big("owner.counter"), isShared = type === "rwsem" && (owner & READER_OWNED) !== 0n;
  const isPassed = type === "mutex" && (owner & PICKUP) !== 0n;
  // A semaphore names the last of its readers, which may have released it.
  return isShared ? { task: 0n, held: "shared" } : { task: owner & OWNER_MASK, held: isPassed ? "passed" : "alone" };
}

/** Tasks by their waiter, and the head of the list, which newer kernels do not have. */
interface Ring {
  readonly waiters: ReadonlyMap<bigint, Struct>;
  readonly head: bigint | undefined;
}

/**
 * The ring that a waiter is in; undefined if there is none. The kernel keeps waiters, each on the
 * stack of its task, in a ring with the head.
 */
function ringOf(reading: Reading, tasks: Tasks, waiter: Struct): Ring | undefined {
  const links = waiter.addressOf("list"), named = waiter.addressOf("task") - links, waiters = new Map<bigint, Struct>();
  let head: bigint | undefined, at = links;
  for (let steps = 0; steps < WAITERS_MAX; steps++) {
    const link = reading.struct("list_head", at), next = link.big("next");
    if (next === 0n || !reading.memory.has(next, 16) || reading.struct("list_head", next).big("prev") !== at) return undefined;
    const task = reading.memory.has(at + named, 8) ? tasks.get(reading.memory.u64(at + named)) : undefined;
    if (task) waiters.set(at - links + waiter.address, task);
    else if (head === undefined) head = at;
    else return undefined;
    if (next === links) return { waiters, head };
    at = next;
  }
  return undefined;
}

/** The lock of which a task is in the ring of waiters. @param name of its structure */
function lockOf(reading: Reading, task: Struct, name: string, { waiters, head }: Ring): bigint | undefined {
  const none = reading.struct(name, 0n), size = reading.sizeOf(name);
  if (none.has("wait_list")) return head === undefined ? undefined : head - none.addressOf("wait_list");
  if (head !== undefined) return undefined;
  // A waiter's stack has pointers to waiters too.
  const stacks = Array.from(waiters.values(), (waiter) => stackOf(reading, waiter));
  const isOnStack = (at: bigint) => stacks.some(({ start, end }) => at >= start && at < end);
  for (const at of keptWords(reading, task)) {
    reading.spend(stacks.length);
    if (at % 8n !== 0n || !reading.memory.has(at, size) || !waiters.has(reading.struct(name, at).big("first_waiter"))) continue;
    if (!isOnStack(at)) return at;
  }
  return undefined;
}
