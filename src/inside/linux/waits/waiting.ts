// A wait for a lock, of whatever kind.

import type { LockType } from "../../../model/queries/facts/linux-finding.ts";
import type { NamedTask } from "../../../model/queries/facts/program-wait.ts";
import { stackOf } from "../structures/frames.ts";
import { named } from "../structures/tasks.ts";
import type { Reading } from "../kernel/reading.ts";
import type { Struct } from "../kernel/types.ts";

/** Bytes that the functions of a lock take on a stack at most. */
export const SOUGHT = 4096;
/** Registers that a sleeping task keeps. */
const FIRST_SAVED = 19, LAST_SAVED = 28;

/** The holder of a lock; `task` is its address, 0 without one or one that the lock names. */
export interface Owner {
  readonly task: bigint;
  /** `passed`: it is on its way to a waiter. */
  readonly held: "alone" | "shared" | "passed" | "unnamed";
}

/** A task that waits for a lock. */
export interface Waiting {
  readonly task: Struct;
  readonly type: LockType;
  /** The lock's address. */
  readonly lock: bigint;
  readonly owner: Owner;
  readonly wants: "alone" | "shared";
  /** Return addresses of a task that has a CPU, whose memory has older ones. */
  readonly frames?: Iterable<bigint>;
}

/** Tasks by address. */
export type Tasks = ReadonlyMap<bigint, Struct>;

/** The task of a number, by its name; undefined if there is none. */
export function namedByPid(tasks: Tasks, pid: number): NamedTask | undefined {
  const task = pid === 0 ? undefined : tasks.values().find((one) => one.number("pid") === pid);
  return task && named(task);
}

/** The number of a `struct pid` in the first name space, which has all tasks. */
export const pidNumber = (reading: Reading, pid: Struct): number => reading.struct("upid", pid.addressOf("numbers")).number("nr");

/** Addresses in the kernel that a sleeping task has in its registers and on its stack. */
export function* keptWords(reading: Reading, task: Struct): Generator<bigint> {
  for (let register = FIRST_SAVED; register <= LAST_SAVED; register++) yield task.big(`thread.cpu_context.x${register}`);
  const { end } = stackOf(reading, task), top = task.pointer("thread.cpu_context.sp") & ~7n;
  for (let at = top; at + 8n <= end && at < top + BigInt(SOUGHT); at += 8n) yield reading.memory.u64(at);
}
