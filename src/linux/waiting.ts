// A wait for a lock, of whatever kind.

import type { LockType } from "../queries/facts/linux-finding.ts";
import type { Struct } from "./types.ts";

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
