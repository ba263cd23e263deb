// Tasks that something holds, whatever they call: a signal, a tracer, the freezer of a cgroup, a
// page that another program has to bring, a frozen file system, a child that shares their memory.

import type { Reading } from "../kernel/reading.ts";
import type { Struct } from "../kernel/types.ts";
import { writableMounts } from "../structures/files.ts";
import { kernelFrames } from "../structures/frames.ts";
import { stopSignal } from "./signals.ts";
import { isKernelThread, isRunning, named, stateOf } from "../structures/tasks.ts";
import { threadsOf } from "./child-waits.ts";
import { pageWait } from "./file-waits.ts";
import { type Found, found } from "./other-ends.ts";
import { tasksOf } from "./locks.ts";
import type { Tasks } from "./waiting.ts";

const OF = "held tasks";
/** Functions on a stack of which one may tell why it sleeps. */
const INNERMOST = 12;
const LEVELS_MAX = 64;
/** A page of a program that userfaultfd(2) has to bring; a file system that is frozen. */
const WAITS_FOR_PAGE = /^handle_userfault/, WAITS_TO_WRITE = /^(?:percpu_rwsem_wait|__percpu_down_read|sb_start_write)/;
const FROZEN_TYPES: ReadonlySet<string> = new Set(["ext4", "xfs", "btrfs", "f2fs"]);

/** The hold on a task; undefined if it waits in a call or a fault. */
export function heldBy(task: Struct): Found | undefined {
  const state = stateOf(task);
  if (state === "T") return found(task, { for: "signal", what: stopSignal(task), peers: [] });
  if (state === "t") {
    const tracer = task.at("parent", "task_struct");
    return found(task, { for: "tracer", what: null, peers: tracer ? [named(tracer)] : [] });
  }
  // Other waits have the mark, too: they count as frozen if their cgroup is.
  const group = task.has("frozen") && task.number("frozen") !== 0 ? frozenGroup(task) : undefined;
  return group === undefined ? undefined : found(task, { for: "thaw", what: group, peers: [] });
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
