// Waits of programs at futexes (kernel/futex in the kernel's sources): for a mutex whose holder its
// words or the kernel name, for the end of a thread, or with others until somebody wakes them. A
// mutex is that of glibc, whose third word is its holder (nptl/sysdeps/nptl/bits/struct_mutex.h);
// where it has a form that survives its holder, the holder is in the first word.

import { hex } from "../../../kit/support/text/number-text.ts";
import type { Reading } from "../kernel/reading.ts";
import type { Struct } from "../kernel/types.ts";
import { named, userMemory } from "../structures/tasks.ts";
import { type Found, found, PEERS_MAX } from "./other-ends.ts";
import { ownerOf } from "./rt-locks.ts";
import type { Tasks } from "./waiting.ts";

/** Commands of futex(2) without their flags, and the flag of one that no other process shares. */
const COMMAND = 0x7f, WAIT = 0, LOCK_PI = 6, WAIT_BITSET = 9, LOCK_PI2 = 13, PRIVATE = 0x80;
/** The value of a mutex that has waiters; of one that survives its holder, it has this bit. */
const CONTENDED = 2, WAITERS = 0x8000_0000, HOLDER_MASK = 0x3fff_ffff;
/** Bytes from a mutex's lock to its holder. */
const HOLDER = 8;

/** Arguments of futex(2). */
interface Futex {
  readonly address: bigint;
  readonly command: number;
  readonly timeout: bigint;
}

export function futexWait(reading: Reading, tasks: Tasks, task: Struct, futex: Futex): Found | undefined {
  const command = futex.command & COMMAND;
  if (command === LOCK_PI || command === LOCK_PI2) return ownedWait(reading, tasks, task, futex);
  if (command !== WAIT && command !== WAIT_BITSET) return undefined;
  return joinWait(tasks, task, futex) ?? mutexWait(reading, tasks, task, futex) ??
    found(task, { for: "futex", what: hex(futex.address), peers: [] });
}

const lockedBy = (task: Struct, holder: Struct, { address, timeout }: Futex): Found => (
  { ...found(task, { for: "mutex", what: hex(address), peers: [named(holder)] }), enders: [holder], isEndless: timeout === 0n }
);

/** A wait for a mutex that gives its holder's priority away: the kernel knows the holder. */
function ownedWait(reading: Reading, tasks: Tasks, task: Struct, futex: Futex): Found | undefined {
  const lock = task.at("pi_blocked_on", "rt_mutex_waiter")?.pointer("lock") ?? 0n;
  const holder = lock === 0n ? undefined : tasks.get(ownerOf(reading, lock));
  return holder && lockedBy(task, holder, futex);
}

/** Threads by the word that the kernel clears at their end; an answer may ask for many. */
const THREADS = new WeakMap<Tasks, ReadonlyMap<string, Struct>>();
const wordOf = (task: Struct, address: bigint) => `${task.big("mm")} ${address}`;

function threadsOf(tasks: Tasks): ReadonlyMap<string, Struct> {
  let known = THREADS.get(tasks);
  if (!known) THREADS.set(tasks, known = new Map(tasks.values().map((one) => [wordOf(one, one.big("clear_child_tid")), one])));
  return known;
}

/** A wait for the end of a thread, at the word that the kernel clears then. */
function joinWait(tasks: Tasks, task: Struct, { address, timeout }: Futex): Found | undefined {
  const thread = threadsOf(tasks).get(wordOf(task, address));
  if (!thread || thread === task) return undefined;
  return { ...found(task, { for: "thread", what: null, peers: [named(thread)] }), enders: [thread], isEndless: timeout === 0n };
}

/** A wait for a mutex, if its words name a thread that shares it, which may be the task itself. */
function mutexWait(reading: Reading, tasks: Tasks, task: Struct, futex: Futex): Found | undefined {
  const { address, command } = futex, mm = task.at("mm", "mm_struct"), memory = mm && userMemory(reading, mm);
  if (!memory?.has(address, HOLDER + 4)) return undefined;
  const word = memory.u32(address), isRobust = (word & WAITERS) !== 0;
  if (word !== CONTENDED && !isRobust) return undefined;
  const pid = isRobust ? word & HOLDER_MASK : memory.u32(address + BigInt(HOLDER)), tgid = task.number("tgid");
  const isShared = (command & PRIVATE) === 0;
  const holder = tasks.values().find((one) =>
    one.number("pid") === pid && one.pointer("mm") !== 0n && (isShared || one.number("tgid") === tgid)
  );
  return holder && lockedBy(task, holder, futex);
}

/** The same waits, but one for each futex at which several tasks of a program wait. */
export function oneByFutex(waits: readonly Found[]): Found[] {
  const keyOf = ({ task, wait }: Found) => wait.for === "futex" ? `${task.pointer("mm")} ${wait.what}` : String(task.address);
  return Map.groupBy(waits, keyOf).values().map(([first, ...others]) => (
    others.length ? { ...first, wait: { ...first.wait, peers: others.slice(0, PEERS_MAX).map(({ wait }) => wait.task) } } : first
  )).toArray();
}
