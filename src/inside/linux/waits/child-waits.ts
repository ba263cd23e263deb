// Waits of parents for the end of their children: wait4(2) and waitid(2).

import type { Struct } from "../kernel/types.ts";
import { isKernelThread, named } from "../structures/tasks.ts";
import { type Found, found, PEERS_MAX } from "./other-ends.ts";
import type { Tasks } from "./waiting.ts";

/** Threads of an answer by their process, and processes by their parent; it may ask for many. */
const FAMILIES = new WeakMap<Tasks, Families>();

interface Families {
  readonly threads: ReadonlyMap<number, readonly Struct[]>;
  readonly children: ReadonlyMap<number, readonly number[]>;
}

function familiesOf(tasks: Tasks): Families {
  let known = FAMILIES.get(tasks);
  if (!known) {
    const threads = Map.groupBy(tasks.values().filter((task) => !isKernelThread(task)), (task) => task.number("tgid"));
    const parentOf = (tgid: number) => threads.get(tgid)?.[0].at("real_parent", "task_struct")?.number("tgid") ?? 0;
    FAMILIES.set(tasks, known = { threads, children: Map.groupBy(threads.keys(), parentOf) });
  }
  return known;
}

/** The threads of a process. */
export const threadsOf = (tasks: Tasks, process: Struct): readonly Struct[] =>
  familiesOf(tasks).threads.get(process.number("tgid")) ?? [process];

/** @param pid of the child; undefined: any of them */
export function childWait(tasks: Tasks, task: Struct, pid: number | undefined): Found | undefined {
  const { threads, children } = familiesOf(tasks), own = children.get(task.number("tgid")) ?? [];
  const awaited = pid === undefined ? own : own.filter((one) => one === pid);
  const ended = awaited.map((one) => threads.get(one) ?? []).filter((all) => all.length > 0);
  if (ended.length === 0) return undefined;
  const peers = ended.slice(0, PEERS_MAX).map(([process]) => named(process));
  return { ...found(task, { for: "child", what: null, peers }), enders: ended.flat(), isEndless: true };
}
