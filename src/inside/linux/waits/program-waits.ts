// Waits of programs in a Linux whose tasks all wait: what holds them, what they wait for in a call,
// and circles of them.

import type { LinuxFinding } from "../../../model/queries/facts/linux-finding.ts";
import { vmId } from "../../../model/queries/ids.ts";
import { once } from "../../../kit/support/values/once.ts";
import type { Reading } from "../kernel/reading.ts";
import type { Struct } from "../kernel/types.ts";
import { disabledIrqs } from "../structures/irqs.ts";
import { isKernelThread, isRunning, named, stateOf } from "../structures/tasks.ts";
import { wakingTimers } from "../structures/timers.ts";
import { callWait, vagueness } from "./call-waits.ts";
import { timeLeft } from "./file-waits.ts";
import { oneByFutex } from "./futex-waits.ts";
import { freezeWaits, heldBy, helperWait } from "./held-tasks.ts";
import { tasksOf } from "./locks.ts";
import { type Found, found } from "./other-ends.ts";
import { ringOf, withRemoteEnd } from "./program-rings.ts";
import type { Tasks } from "./waiting.ts";

const OF = "waits of programs";
/** Waits that are shown, and those of the tasks that these wait for. */
const WAITS_MAX = 3, PEERS_SHOWN = 3;
/** The least that waits say which are shown only where no other is. */
const VAGUE = 2;

/**
 * Waits in a Linux whose tasks all wait, first those that name what has to end them.
 * @param silent disks of the VM that do not answer
 * @param neighbors kernels of other VMs on its networks
 */
export function programWaits(reading: Reading, silent: readonly string[], neighbors: () => readonly Reading[]): LinuxFinding | undefined {
  const all = waitsOf(reading);
  // The child has its own line, if it waits.
  const waitsNow = [
    ...diskWaits(reading, silent),
    ...freezeWaits(reading),
    ...oneByFutex(all.filter(({ wait }) => wait.for !== "child")),
  ];
  const ordered = waitsNow.sort((one, other) => vagueness(one.wait) - vagueness(other.wait)), [first] = ordered;
  const isVague = first !== undefined && vagueness(first.wait) >= VAGUE;
  const shown = ordered.filter(({ wait }) => isVague || vagueness(wait) < VAGUE).slice(0, WAITS_MAX);
  const pids = new Set(shown.flatMap(({ wait }) => wait.peers.map(({ pid }) => pid)));
  const others = all.filter((one) => pids.has(one.wait.task.pid) && !shown.includes(one)).slice(0, PEERS_SHOWN);
  const timers = once(() => wakingTimers(reading));
  const waits = [...shown, ...others].map((one) =>
    (one.remote ? withRemoteEnd(one, neighbors()) : asSleep(reading, one, timers, all)).wait
  );
  return waits.length ? { code: "program-waits", waits } : undefined;
}

/** A sleep with the time that is left of it, and the parent that waits for this child alone. */
function asSleep(reading: Reading, one: Found, timers: () => ReadonlyMap<bigint, Struct>, all: readonly Found[]): Found {
  if (one.wait.for !== "time") return one;
  const timer = timers().get(one.task.address),
    parents = all.filter(({ wait, enders }) => wait.for === "child" && isOnly(enders, one.task));
  return { ...one, wait: { ...one.wait, what: timer ? timeLeft(reading, timer) : null, peers: parents.map(({ task }) => named(task)) } };
}

const isOnly = (enders: readonly Struct[] = [], task: Struct): boolean => enders.length === 1 && enders[0].address === task.address;

/**
 * Programs that wait for each other in a circle, without a timeout: of this kernel, and of those of
 * other VMs where one waits for another's.
 * @param neighbors kernels of other VMs on its networks
 */
export function programDeadlock(reading: Reading, neighbors: () => readonly Reading[]): LinuxFinding | undefined {
  const own = waitsOf(reading);
  if (!own.some(({ remote, isEndless }) => remote && isEndless)) return ringOf(reading, own, own);
  const kernels = [reading, ...neighbors()];
  const all = kernels.map((one) => waitsOf(one).map((wait) => ofVm(withRemoteEnd(wait, kernels), one === reading ? null : vmId(one.vm))));
  return ringOf(reading, all[0], all.flat());
}

const ofVm = (one: Found, vm: string | null): Found => ({ ...one, wait: { ...one.wait, vm } });

/** Of an answer, which asks twice. */
const FOUND = new WeakMap<Reading["memory"], readonly Found[]>();

function waitsOf(reading: Reading): readonly Found[] {
  let known = FOUND.get(reading.memory);
  if (!known) {
    const tasks = tasksOf(reading),
      programs = reading.tried(OF, () => tasks.values().filter((task) => !isKernelThread(task)).toArray()) ?? [];
    FOUND.set(reading.memory, known = reading.rows(OF, () => programs, (task) => waitOf(reading, tasks, task)));
  }
  return known;
}

function waitOf(reading: Reading, tasks: Tasks, task: Struct): Found | undefined {
  if (isRunning(task)) return undefined;
  const state = stateOf(task), held = heldBy(task);
  if (held || state !== "S" && state !== "D" || task.number("in_iowait") !== 0) return held;
  return callWait(reading, tasks, task) ?? helperWait(reading, tasks, task);
}

/**
 * Waits for disks that cannot answer: Linux has disabled an interrupt, or the machine knows that a
 * disk serves nothing.
 * @param silent the disks that serve nothing; none while another disk serves a request
 */
function diskWaits(reading: Reading, silent: readonly string[]): Found[] {
  const disabled = disabledIrqs(reading).map(({ irq, handlers }) => `interrupt ${irq} of ${handlers.join(", ")}`);
  if (disabled.length + silent.length === 0) return [];
  const wait = disabled.length
    ? { for: "disk" as const, what: disabled.join(" and "), peers: [] }
    : { for: "answer" as const, what: silent.join(", "), peers: [] };
  return reading.rows(OF, () => tasksOf(reading).values(), (task) => {
    if (isKernelThread(task) || isRunning(task) || stateOf(task) !== "D" || task.number("in_iowait") === 0) return undefined;
    return found(task, wait);
  });
}
