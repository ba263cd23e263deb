// Tasks that something holds, whatever they call: a signal, a tracer, the freezer of a cgroup, a
// page that another program has to bring, a frozen file system, a child that shares their memory.

import type { Reading } from "../kernel/reading.ts";
import type { Struct } from "../kernel/types.ts";
import { writableMounts } from "../structures/files.ts";
import { kernelFrames } from "../structures/frames.ts";
import { stopSignal } from "./signals.ts";
import { isKernelThread, isRunnable, isRunning, named, stateOf } from "../structures/tasks.ts";
import { threadsOf } from "./child-waits.ts";
import { pageWait } from "./file-waits.ts";
import { type Found, found, PEERS_MAX } from "./other-ends.ts";
import { processesIn, tasksOf } from "./locks.ts";
import type { Tasks } from "./waiting.ts";

const OF = "held tasks";
/** Functions on a stack of which one may tell why it sleeps. */
const INNERMOST = 12;
const LEVELS_MAX = 64;
/** A page of a program that userfaultfd(2) has to bring; a file system that is frozen. */
const WAITS_FOR_PAGE = /^handle_userfault/, WAITS_TO_WRITE = /^(?:percpu_rwsem_wait|__percpu_down_read|sb_start_write)/;
/** `cfs_bandwidth.quota` without a limit: RUNTIME_INF. */
const NO_QUOTA = (1n << 64n) - 1n;
/** A program that the kernel starts for a task, which waits for its end: a module, a core dump. */
const HELPED: readonly (readonly [RegExp, string])[] = [
  [/^__request_module$/, "a module"],
  [/^(?:vfs_|do_)?coredump/, "its core dump"],
  [/^call_usermodehelper/, "a request"],
];
const FROZEN_TYPES: ReadonlySet<string> = new Set(["ext4", "xfs", "btrfs", "f2fs"]);

/** The hold on a task; undefined if it waits in a call or a fault. */
export function heldBy(task: Struct): Found | undefined {
  const state = stateOf(task);
  if (state === "T") return found(task, { for: "signal", what: stopSignal(task), peers: [] });
  if (state === "t") {
    const tracer = task.at("parent", "task_struct");
    return found(task, { for: "tracer", what: null, peers: tracer ? [named(tracer)] : [] });
  }
  const quota = isRunnable(task) && !isRunning(task) ? usedQuota(task) : undefined;
  if (quota !== undefined) return found(task, { for: "quota", what: quota, peers: [] });
  // Other waits have the mark, too: they count as frozen if their cgroup is.
  const group = task.has("frozen") && task.number("frozen") !== 0 ? frozenGroup(task) : undefined;
  return group === undefined ? undefined : found(task, { for: "thaw", what: group, peers: [] });
}

/** The path of the cgroup whose share of the CPUs (cpu.max) is used up, until its next period. */
function usedQuota(task: Struct): string | undefined {
  if ((task.at("se.cfs_rq", "cfs_rq")?.number("throttle_count") ?? 0) === 0) return undefined;
  let group = task.at("sched_task_group", "task_group");
  for (let level = 0; group && level < LEVELS_MAX && group.big("cfs_bandwidth.quota") === NO_QUOTA; level++) {
    group = group.at("parent", "task_group");
  }
  const cgroup = group?.at("css.cgroup", "cgroup");
  return cgroup && groupPath(cgroup);
}

/** The path of the highest cgroup that was told to freeze. */
function frozenGroup(task: Struct): string | undefined {
  let found: Struct | undefined, group = task.at("cgroups", "css_set")?.at("dfl_cgrp", "cgroup");
  for (let level = 0; group && level < LEVELS_MAX; level++) {
    if (group.number("freezer.freeze") !== 0) found = group;
    group = group.at("self.parent", "cgroup_subsys_state")?.at("cgroup", "cgroup");
  }
  return found && groupPath(found);
}

function groupPath(group: Struct): string {
  const names: string[] = [];
  for (let node = group.at("kn", "kernfs_node"); node && names.length < LEVELS_MAX; node = node.at("parent", "kernfs_node")) {
    names.unshift(node.textAt("name") ?? "");
  }
  return names.join("/") || "/";
}

const functionsOf = (reading: Reading, task: Struct): string[] =>
  kernelFrames(reading, task).take(INNERMOST).map((pc) => reading.placeOf(pc)?.symbol.name ?? "").toArray();

/** A wait in a fault, which is not a call. */
export function faultWait(reading: Reading, tasks: Tasks, task: Struct): Found | undefined {
  if (!functionsOf(reading, task).some((name) => WAITS_FOR_PAGE.test(name))) return undefined;
  const wait = pageWait(reading, task);
  return wait && { ...found(task, wait), enders: wait.enders.flatMap((process) => threadsOf(tasks, process)), isEndless: wait.isEndless };
}

/** A wait for a program that the kernel has started for a task: its parent is one of the kernel. */
export function helperWait(reading: Reading, tasks: Tasks, task: Struct): Found | undefined {
  const functions = functionsOf(reading, task);
  const [, what] = HELPED.find(([form]) => functions.some((name) => form.test(name))) ?? [];
  if (what === undefined) return undefined;
  const helpers = [...processesIn(tasks)].filter((one) => {
    const parent = one.number("pid") === 1 ? undefined : one.at("real_parent", "task_struct");
    return parent !== undefined && isKernelThread(parent);
  });
  return found(task, { for: "helper", what, peers: helpers.slice(0, PEERS_MAX).map(named) });
}

/** A parent of vfork(2), whose child has its memory until it executes a program or ends. */
export function vforkWait(tasks: Tasks, task: Struct): Found | undefined {
  const child = tasks.values().find((one) => one.pointer("vfork_done") !== 0n && one.pointer("real_parent") === task.address);
  if (!child) return undefined;
  return { ...found(task, { for: "exec", what: null, peers: [named(child)] }), enders: threadsOf(tasks, child), isEndless: true };
}

/** Programs that wait to write to a frozen file system. */
export function freezeWaits(reading: Reading): Found[] {
  const frozen = reading.rows(
    OF,
    () => writableMounts(reading, FROZEN_TYPES),
    ({ path, block }) => block.number("s_writers.frozen") === 0 ? undefined : path,
  );
  if (frozen.length === 0) return [];
  return reading.rows(OF, () => tasksOf(reading).values(), (task) => {
    if (isKernelThread(task) || isRunning(task) || stateOf(task) !== "D") return undefined;
    const waits = functionsOf(reading, task).some((name) => WAITS_TO_WRITE.test(name));
    return waits ? found(task, { for: "file-system", what: frozen.join(", "), peers: [] }) : undefined;
  });
}
