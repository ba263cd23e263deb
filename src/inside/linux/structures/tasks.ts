// Processes and threads (include/linux/sched.h in the kernel's sources).

import { formatId, vmId } from "../../../model/queries/ids.ts";
import type { NamedTask } from "../../../model/queries/facts/program-wait.ts";
import { type LinuxTables, TASK_STATES } from "../../../model/queries/linux-tables.ts";
import type { RowOf } from "../../../model/queries/table.ts";
import { kernelFrames } from "./frames.ts";
import { textOf, translate, type VirtualMemory } from "../kernel/memory.ts";
import type { Reading } from "../kernel/reading.ts";
import type { Struct } from "../kernel/types.ts";

type TaskRow = RowOf<LinuxTables["linux.ps"]>;

const OF = "tasks";
/** Flags of `task_struct.flags`. */
const KERNEL_THREAD = 0x20_0000, WORKER = 0x20;
const NAME_MAX = 63;
/**
 * States that /proc shows: bit by bit the letters of `TASK_STATES`, up to parked; idle is one that
 * is not interruptible and does not count as load.
 */
const REPORTED = 0x7f, IDLE = 0x402, IDLE_INDEX = 8;
/** A lock of a real-time kernel is waited for: not interruptible to others. */
export const LOCK_WAIT = 0x1000;
const UNINTERRUPTIBLE = 2;
/** Bytes of arguments that are shown. */
const COMMAND_MAX = 4096;
/** Counters of pages that are in memory: of files, of programs, and shared. */
const RESIDENT = [0, 1, 3];

/** The first task, which is that of no process. */
function initTask(reading: Reading): Struct {
  return reading.global("task_struct", "init_task");
}

/** The processes, without that of the idle CPUs, in the order of their creation. */
export function processes(reading: Reading): Generator<Struct> {
  return reading.list(OF, initTask(reading).addressOf("tasks"), "task_struct", "tasks");
}

/** The threads of a process, itself first. */
function* threadsOf(reading: Reading, process: Struct): Generator<Struct> {
  const signal = process.at("signal", "signal_struct");
  if (signal) yield* reading.list(`threads of ${process.number("pid")}`, signal.addressOf("thread_head"), "task_struct", "thread_node");
}

/** All threads of all processes. */
export function* allTasks(reading: Reading): Generator<Struct> {
  for (const process of processes(reading)) yield* threadsOf(reading, process);
}

/** The task of a number, a process or a thread. */
export function findTask(reading: Reading, pid: number): Struct | undefined {
  return reading.tried(OF, () => {
    for (const process of processes(reading)) {
      if (process.number("pid") === pid) return process;
      for (const thread of threadsOf(reading, process)) if (thread.number("pid") === pid) return thread;
    }
    return undefined;
  });
}

/** The processes of a name, or else the threads. */
export function tasksNamed(reading: Reading, name: string): Struct[] {
  const named = (tasks: () => Iterable<Struct>) => reading.rows(OF, tasks, (task) => nameOf(task) === name ? task : undefined);
  const found = named(() => processes(reading));
  return found.length ? found : named(() => allTasks(reading));
}

export const named = (task: Struct): NamedTask => ({ name: task.text("comm"), pid: task.number("pid") });

/** When it began to run last, by the clock of the log (ns); of an idle task 0. */
export const arrivalOf = (task: Struct): bigint => task.big(task.has("sched_info") ? "sched_info.last_arrival" : "se.exec_start");

/** Whether a CPU runs it: what memory has of its registers is older. */
export const isRunning = (task: Struct): boolean => task.has("on_cpu") && task.number("on_cpu") !== 0;

/**
 * Whether it has a CPU or could have one, in whatever state: one that was going to sleep may lose
 * its CPU before.
 */
export const isRunnable = (task: Struct): boolean => isRunning(task) || task.has("on_rq") && task.number("on_rq") !== 0;

export const isKernelThread = (task: Struct): boolean => (task.number("flags") & KERNEL_THREAD) !== 0;

/** The rows of `linux ps`. @param threads all of them, instead of processes */
export function readTasks(reading: Reading, threads: boolean): TaskRow[] {
  const rows: TaskRow[] = [];
  reading.tried(OF, () => {
    for (const process of processes(reading)) {
      reading.tried(OF, () => {
        const all = [...threadsOf(reading, process)];
        for (const task of threads ? all : [process]) rows.push(rowOf(reading, task, process, all, threads));
      });
    }
  });
  return reading.sorted(rows, (a, b) => a.pid - b.pid);
}

function rowOf(reading: Reading, task: Struct, process: Struct, all: readonly Struct[], alone: boolean): TaskRow {
  const pid = task.number("pid"), of = `task ${pid}`, kernel = isKernelThread(task);
  const try_ = <T>(read: () => T | undefined): T | null => reading.tried(of, read) ?? null;
  const state = stateOf(task), mm = kernel ? undefined : reading.tried(of, () => task.at("mm", "mm_struct"));
  const signal = reading.tried(of, () => task.at("signal", "signal_struct"));
  return {
    id: formatId({ kind: "task", vm: reading.vm, pid }),
    vm: vmId(reading.vm),
    pid,
    tgid: task.number("tgid"),
    ppid: try_(() => process.at("real_parent", "task_struct")?.number("tgid")),
    state,
    name: try_(() => nameOf(task)) ?? "",
    kernel,
    uid: try_(() => task.at("cred", "cred")?.number("uid.val")),
    threads: try_(() => signal?.number("nr_threads")),
    cpu: try_(() => task.number("cpu")),
    time: try_(() => {
      const counted = (one: Struct) => one.big("se.sum_exec_runtime");
      return String(alone ? counted(task) : all.reduce((sum, one) => sum + counted(one), signal?.big("sum_sched_runtime") ?? 0n));
    }),
    started: try_(() => String(task.big("start_boottime"))),
    virtual: mm ? try_(() => mm.number("total_vm") * 2 ** reading.kernel.tables.granule) : null,
    resident: mm ? try_(() => residentPages(reading, mm) * 2 ** reading.kernel.tables.granule) : null,
    waits: state === "R" || isRunnable(task) ? null : try_(() => waitOf(reading, task)),
    command: mm ? try_(() => commandOf(reading, mm)) : null,
    tree: null,
  };
}

/** The name in /proc/PID/comm: kernel threads may have a longer one, workers add their work. */
function nameOf(task: Struct): string {
  const flags = task.number("flags"), name = task.text("comm");
  const thread = flags & KERNEL_THREAD && task.has("worker_private") ? task.at("worker_private", "kthread") : undefined;
  if (!thread) return name;
  const full = thread.has("full_name") ? thread.textAt("full_name", NAME_MAX) ?? name : name;
  const worker = flags & WORKER ? thread.at("data", "worker") : undefined;
  if (!worker || worker.pointer("pool") === 0n) return full;
  const work = worker.text("desc");
  return work === "" ? full : `${full}${worker.pointer("current_work") === 0n ? "-" : "+"}${work}`.slice(0, NAME_MAX);
}

export function stateOf(task: Struct): (typeof TASK_STATES)[number] {
  const own = task.number("state"), exit = task.number("exit_state");
  if (own === IDLE) return TASK_STATES[IDLE_INDEX];
  const all = (own & LOCK_WAIT ? UNINTERRUPTIBLE : own) | exit;
  return TASK_STATES[32 - Math.clz32(all & REPORTED)];
}

function residentPages(reading: Reading, mm: Struct): number {
  let pages = 0;
  for (const index of RESIDENT) {
    if (!mm.has("rss_stat.count")) pages += Number(reading.sumPerCpu(mm.inner(`rss_stat[${index}]`, "percpu_counter")));
    else pages += mm.signed(`rss_stat.count[${index}].counter`);
  }
  return Math.max(0, pages);
}

/** The addresses that are neither the scheduler's nor in its section of locks. */
export function* outsideScheduler({ kernel, memory }: Reading, frames: Iterable<bigint>): Generator<bigint> {
  const starts = ["__sched_text_start", "__lock_text_start"].map((name) => kernel.find(memory, name));
  const ends = ["__sched_text_end", "__lock_text_end"].map((name) => kernel.find(memory, name));
  const scheduler = (pc: bigint) => starts.some((start, index) => start !== undefined && pc >= start && pc < (ends[index] ?? start));
  for (const pc of frames) if (!scheduler(pc)) yield pc;
}

/** The function in which a task sleeps (/proc/PID/wchan). */
function waitOf(reading: Reading, task: Struct): string | undefined {
  for (const pc of outsideScheduler(reading, kernelFrames(reading, task))) return reading.placeOf(pc)?.symbol.name;
  return undefined;
}

/** The memory of a process. */
export function userMemory(reading: Reading, mm: Struct): VirtualMemory | undefined {
  const root = translate(reading.memory.physical, reading.kernel.tables, mm.pointer("pgd"), reading.memory.work);
  return root === undefined ? undefined : reading.kernel.userMemory(reading.memory, root);
}

function commandOf(reading: Reading, mm: Struct): string | undefined {
  const start = mm.big("arg_start"), end = mm.big("arg_end");
  if (end <= start) return undefined;
  const memory = userMemory(reading, mm), size = Number(end - start) > COMMAND_MAX ? COMMAND_MAX : Number(end - start);
  // A page that was never touched, or is swapped out, is not in memory, which is normal.
  if (!memory?.has(start, size)) return undefined;
  const bytes = memory.bytes(start, size);
  const words = new Array<string>();
  for (let at = 0; at < bytes.length;) {
    const zero = bytes.indexOf(0, at), next = zero < 0 ? bytes.length : zero;
    reading.spend(1 + (next - at >> 4));
    words.push(textOf(bytes.subarray(at, next)));
    at = next + 1;
  }
  return words.join(" ");
}

/**
 * The indentation of a task below its parent, as `ps f` and `pstree` show it. A program can make
 * chains of thousands: from a level on, its number replaces the indentation.
 */
const BRANCH = "\\_ ", STEP = "    ", LEVELS_SHOWN = 24;

const indentation = (depth: number): string =>
  depth === 0 ? "" : depth <= LEVELS_SHOWN ? STEP.repeat(depth - 1) + BRANCH : `${STEP.repeat(LEVELS_SHOWN - 1)}(level ${depth}) ${BRANCH}`;

/**
 * The same rows, each after its parent and with its place in the tree. Those of a circle of
 * parents, which only forged memory has, are at the end.
 */
export function asTree(rows: readonly TaskRow[]): TaskRow[] {
  const numbers = new Set(rows.map(({ pid }) => pid)), ordered = new Map<number, TaskRow>();
  // Threads are below their process.
  const above = ({ pid, tgid, ppid }: TaskRow) => tgid !== null && tgid !== pid ? tgid : ppid;
  const below = Map.groupBy(rows, (row) => above(row));
  const roots = rows.filter((row) => !numbers.has(above(row) ?? 0));
  const left = roots.map((row) => ({ row, depth: 0 })).reverse();
  for (let next = left.pop(); next; next = left.pop()) {
    const { row, depth } = next;
    if (ordered.has(row.pid)) continue;
    ordered.set(row.pid, { ...row, tree: indentation(depth) + row.name });
    for (const child of (below.get(row.pid) ?? []).toReversed()) left.push({ row: child, depth: depth + 1 });
  }
  return [...ordered.values(), ...rows.filter(({ pid }) => !ordered.has(pid)).map((row) => ({ ...row, tree: row.name }))];
}
