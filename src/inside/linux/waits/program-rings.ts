// Waits of programs that nothing can end but one another: threads with each other's mutexes,
// processes at the ends of each other's pipes, a parent that waits for the end of a child that
// waits for it, programs of two VMs at the ends of a connection.

import { vmId } from "../../../model/queries/ids.ts";
import type { LinuxFinding } from "../../../model/queries/facts/linux-finding.ts";
import type { ProgramWait } from "../../../model/queries/facts/program-wait.ts";
import type { Reading } from "../kernel/reading.ts";
import type { Struct } from "../kernel/types.ts";
import { isRunnable } from "../structures/tasks.ts";
import { threadsOf } from "./child-waits.ts";
import { tasksOf } from "./locks.ts";
import { type Found, namesOf, otherSocket, processesOf } from "./other-ends.ts";

const OF = "waits of programs", OF_OTHERS = "sockets of other VMs";
/** Handlers of signals: how many, and the values of `sa_handler` that are none. */
const SIGNALS = 64, NO_HANDLER: ReadonlySet<bigint> = new Set([0n, 1n]);
/** `hrtimer.state`. */
const ENQUEUED = 1;

/**
 * A wait with the tasks of another VM that have its other end. It is endless if no data is on its
 * way from there: sent, and not acknowledged.
 */
export function withRemoteEnd(one: Found, neighbors: readonly Reading[]): Found {
  const { remote, wait } = one;
  if (!remote) return one;
  for (const reading of neighbors) {
    const other = reading.tried(OF_OTHERS, () => otherSocket(reading, remote));
    if (!other) continue;
    const enders = processesOf(other.openers).flatMap((process) => threadsOf(tasksOf(reading), process));
    const isEndless = one.isEndless === true && other.sock.number("sk_wmem_queued") === 0;
    return { ...one, enders, isEndless, wait: { ...wait, peers: namesOf(other.openers), peers_vm: vmId(reading.vm) } };
  }
  return one;
}

/**
 * A ring of waits that nothing outside of them can end, which begins with one of this kernel.
 * @param all those of other kernels, too
 */
export function ringOf(reading: Reading, own: readonly Found[], all: readonly Found[]): LinuxFinding | undefined {
  const keyOf = keys(),
    stuck = new Map(
      all.filter((one) => one.isEndless && one.enders?.length && !isRunnable(one.task)).map((one) => [keyOf(one.task), one]),
    );
  for (let before = -1; before !== stuck.size;) {
    before = stuck.size;
    for (const [key, { enders = [] }] of stuck) if (enders.some((one) => !stuck.has(keyOf(one)))) stuck.delete(key);
  }
  // Handlers of signals and timers are looked up where they matter.
  const free = reading.rows(OF, () => stuck.values(), (one) => isInterruptible(one) && hasOwnWakeup(one.task) ? one : undefined);
  if (free.length > 0) return ringOf(reading, own, [...stuck.values()].filter((one) => !free.includes(one)));
  const first = own.find((one) => stuck.get(keyOf(one.task)) === one), steps: Found[] = [];
  for (let at = first; at && !steps.includes(at);) {
    steps.push(at);
    const key = keyOf(at.task), next = at.enders?.find((one) => keyOf(one) !== key) ?? at.task;
    at = stuck.get(keyOf(next)) ?? at;
    if (steps.includes(at)) return { code: "program-deadlock", steps: steps.slice(steps.indexOf(at)).map(({ wait }) => wait) };
  }
  return undefined;
}

/** Kernels may have tasks at the same address. */
function keys(): (task: Struct) => string {
  const numbers = new Map<Struct["memory"], number>();
  return ({ memory, address }) => {
    let number = numbers.get(memory);
    if (number === undefined) numbers.set(memory, number = numbers.size);
    return `${number} ${address}`;
  };
}

/** A futex is waited for again after a signal, and only the child ends vfork(2). */
const UNINTERRUPTED: ReadonlySet<ProgramWait["for"]> = new Set<ProgramWait["for"]>(["mutex", "thread", "exec"]);
const isInterruptible = ({ wait }: Found) => !UNINTERRUPTED.has(wait.for);

/** Whether a process has handlers of signals, or timers that send it one: it may act by itself. */
function hasOwnWakeup(task: Struct): boolean {
  const hand = task.at("sighand", "sighand_struct"), signal = task.at("signal", "signal_struct");
  if (!hand || !signal) return true;
  for (let number = 0; number < SIGNALS; number++) if (!NO_HANDLER.has(hand.big(`action[${number}].sa.sa_handler`))) return true;
  const timers = signal.addressOf("posix_timers"), isChained = signal.has("posix_timers.first");
  const hasTimers = isChained ? signal.big("posix_timers.first") !== 0n : signal.big("posix_timers.next") !== timers;
  return hasTimers || (signal.number("real_timer.state") & ENQUEUED) !== 0;
}
