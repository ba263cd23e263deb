// Waits of programs for others: at a futex, for the other end of a pipe or a socket, for events of
// several files, for a lock of a file, for the end of a child, for a signal or a tracer, for a disk
// that cannot answer. System calls are those of include/uapi/asm-generic/unistd.h.

import type { LinuxFinding } from "../../../model/queries/facts/linux-finding.ts";
import { vmId } from "../../../model/queries/ids.ts";
import { firstOf } from "../../../kit/support/values/in-order.ts";
import type { VirtualMemory } from "../kernel/memory.ts";
import type { Reading } from "../kernel/reading.ts";
import type { Struct } from "../kernel/types.ts";
import { MODE_READ, MODE_WRITE, openFiles } from "../structures/files.ts";
import { kernelFrames, programRegisters } from "../structures/frames.ts";
import { disabledIrqs } from "../structures/irqs.ts";
import { fileName } from "../structures/paths.ts";
import { isKernelThread, isRunning, named, stateOf, userMemory } from "../structures/tasks.ts";
import { childWait, threadsOf } from "./child-waits.ts";
import { eventsWait } from "./event-waits.ts";
import { futexWait, oneByFutex } from "./futex-waits.ts";
import { tasksOf } from "./locks.ts";
import { endWait, type Found, found, PEERS_MAX, socketWait } from "./other-ends.ts";
import { ringOf, withRemoteEnd } from "./program-rings.ts";
import type { Tasks } from "./waiting.ts";

const OF = "waits of programs";
const EPOLL_PWAIT = 22, EPOLL_PWAIT2 = 441, FCNTL = 25, FLOCK = 32, OPENAT = 56, READ = 63, WRITE = 64, READV = 65, WRITEV = 66;
const PSELECT6 = 72, PPOLL = 73, WAITID = 95, FUTEX = 98, WAIT4 = 260;
const CONNECT = 203, SENDTO = 206, RECVFROM = 207, SENDMSG = 211, RECVMSG = 212;
/** Commands of fcntl(2) that wait: F_SETLKW, F_OFD_SETLKW. */
const WAITING_COMMANDS: ReadonlySet<number> = new Set([7, 38]);
/** `struct pollfd`: its size, and where its events are; files of a poll that are looked at. */
const POLLED = 8, POLLED_EVENTS = 4n, POLL_IN = 1, POLLED_MAX = 8;
/** Files of a select that are looked at. */
const SELECTED_MAX = 64;
/** `open_flags`, and the longest path. */
const WRITE_ONLY = 1, PATH_MAX = 4096;
/** Functions on a stack of which one may wait for the other end. */
const INNERMOST = 8;
/** The function in which the first opener of a FIFO waits for the second. */
const OPENS_FIFO = /^(?:wait_for_partner|fifo_open)/;
/** `idtype` of waitid(2). */
const ANY_CHILD = 0, ONE_CHILD = 1;
/** Waits that are shown, and locks of a file that are looked at. */
const WAITS_MAX = 3, LOCKS_MAX = 1024;

/**
 * Waits in a Linux whose tasks all wait, first those that name what has to end them.
 * @param silent disks of the VM that do not answer
 * @param neighbors kernels of other VMs on its networks
 */
export function programWaits(reading: Reading, silent: readonly string[], neighbors: () => readonly Reading[]): LinuxFinding | undefined {
  const isVague = ({ wait }: Found) => wait.for === "futex" || wait.for === "events";
  // The child has its own line, if it waits.
  const waitsNow = [...diskWaits(reading, silent), ...oneByFutex(waitsOf(reading).filter(({ wait }) => wait.for !== "child"))];
  const ordered = waitsNow.sort((one, other) => Number(isVague(one)) - Number(isVague(other)));
  const waits = ordered.slice(0, WAITS_MAX).map((one) => one.remote ? withRemoteEnd(one, neighbors()).wait : one.wait);
  return waits.length ? { code: "program-waits", waits } : undefined;
}

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
  const state = stateOf(task);
  if (state === "T") return found(task, { for: "signal", what: null, peers: [] });
  if (state === "t") {
    const tracer = task.at("parent", "task_struct");
    return found(task, { for: "tracer", what: null, peers: tracer ? [named(tracer)] : [] });
  }
  if (state !== "S" && state !== "D") return undefined;
  if (task.number("in_iowait") !== 0) return undefined;
  const registers = programRegisters(reading, task), first = registers.big("orig_x0");
  const argument = (index: number) => registers.big(`regs[${index}]`);
  switch (registers.signed("syscallno")) {
    case FUTEX:
      return futexWait(reading, tasks, task, { address: first, command: Number(argument(1)), timeout: argument(3) });
    case EPOLL_PWAIT:
    case EPOLL_PWAIT2: {
      const file = fileOf(reading, task, Number(first));
      return file && eventsWait(reading, task, file);
    }
    case READ:
    case READV:
    case RECVFROM:
    case RECVMSG:
      return fileEndWait(reading, tasks, task, Number(first), MODE_WRITE);
    case WRITE:
    case WRITEV:
    case SENDTO:
    case SENDMSG:
      return fileEndWait(reading, tasks, task, Number(first), MODE_READ);
    case CONNECT:
      return connectionWait(reading, task, Number(first));
    case PPOLL:
      return pollWait(reading, tasks, task, first, Number(argument(1)));
    case PSELECT6:
      return selectWait(reading, tasks, task, Number(first), [argument(1), argument(2)]);
    case OPENAT:
      return openWait(reading, task, argument(1), Number(argument(2)));
    case WAIT4:
      return childWait(tasks, task, Number(BigInt.asIntN(32, first)) > 0 ? Number(first) : undefined);
    case WAITID:
      return Number(first) > ONE_CHILD ? undefined : childWait(tasks, task, Number(first) === ANY_CHILD ? undefined : Number(argument(1)));
    case FLOCK:
      return fileWait(reading, tasks, task, Number(first), "flc_flock");
    case FCNTL:
      return WAITING_COMMANDS.has(Number(argument(1))) ? fileWait(reading, tasks, task, Number(first), "flc_posix") : undefined;
  }
  return undefined;
}

/** A wait for the other end of a file. @param other the mode of the end that has to act */
function fileEndWait(reading: Reading, tasks: Tasks, task: Struct, fd: number, other: number): Found | undefined {
  const file = fileOf(reading, task, fd), wait = file && endWait(reading, file, other);
  const { enders, isEndless, remote } = wait ?? {};
  return wait && { ...found(task, wait), enders: enders?.flatMap((process) => threadsOf(tasks, process)), isEndless, remote };
}

function connectionWait(reading: Reading, task: Struct, fd: number): Found | undefined {
  const inode = fileOf(reading, task, fd)?.at("f_inode", "inode"), wait = inode && socketWait(reading, inode, "connection");
  return wait && found(task, wait);
}

/**
 * A wait for any of several files, which may have a timeout: it names the first of them that has
 * another end.
 */
function pollWait(reading: Reading, tasks: Tasks, task: Struct, address: bigint, count: number): Found | undefined {
  const memory = memoryOf(reading, task);
  if (count > POLLED_MAX || !memory?.has(address, count * POLLED)) return undefined;
  const files = Array.from({ length: count }, (_, at) => address + BigInt(at * POLLED)).map((entry) => ({
    fd: memory.u32(entry),
    isRead: (memory.u16(entry + POLLED_EVENTS) & POLL_IN) !== 0,
  }));
  return firstEnd(reading, tasks, task, files);
}

/**
 * The same of select(2).
 * @param sets addresses of the files that are read, and of those that are written
 */
function selectWait(reading: Reading, tasks: Tasks, task: Struct, count: number, sets: readonly bigint[]): Found | undefined {
  const memory = memoryOf(reading, task);
  const files = sets.flatMap((address, set) => {
    const bits = address !== 0n && memory?.has(address, 8) ? memory.u64(address) : 0n;
    const fds = Array.from({ length: Math.min(count, SELECTED_MAX) }, (_, fd) => fd);
    return fds.filter((fd) => bits >> BigInt(fd) & 1n).map((fd) => ({ fd, isRead: set === 0 }));
  });
  return firstEnd(reading, tasks, task, files);
}

function firstEnd(
  reading: Reading,
  tasks: Tasks,
  task: Struct,
  files: readonly { readonly fd: number; readonly isRead: boolean }[],
): Found | undefined {
  const wait = firstOf(files, ({ fd, isRead }) => fileEndWait(reading, tasks, task, fd, isRead ? MODE_WRITE : MODE_READ));
  return wait && found(task, wait.wait);
}

/** A wait for whoever opens the other end of a FIFO. */
function openWait(reading: Reading, task: Struct, path: bigint, flags: number): Found | undefined {
  const functions = kernelFrames(reading, task).take(INNERMOST).map((pc) => reading.placeOf(pc)?.symbol.name ?? "");
  const memory = functions.some((name) => OPENS_FIFO.test(name)) ? memoryOf(reading, task) : undefined;
  return memory?.has(path, 1)
    ? found(task, { for: flags & WRITE_ONLY ? "reader" : "writer", what: memory.text(path, PATH_MAX), peers: [] })
    : undefined;
}

function memoryOf(reading: Reading, task: Struct): VirtualMemory | undefined {
  const mm = task.at("mm", "mm_struct");
  return mm && userMemory(reading, mm);
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

/** A wait for a lock that another process has on a file. */
function fileWait(reading: Reading, tasks: Tasks, task: Struct, fd: number, list: "flc_flock" | "flc_posix"): Found | undefined {
  const file = fileOf(reading, task, fd), inode = file?.at("f_inode", "inode"), context = inode?.at("i_flctx", "file_lock_context");
  if (!file || !context) return undefined;
  const holders = reading.list(OF, context.addressOf(list), "file_lock", "list").take(LOCKS_MAX).map((lock) => lock.number("pid"))
    .toArray();
  const peers = tasks.values().filter((one) => holders.includes(one.number("pid"))).take(PEERS_MAX).map(named).toArray();
  return found(task, { for: "lock", what: fileName(reading, file), peers });
}

const fileOf = (reading: Reading, task: Struct, wanted: number): Struct | undefined =>
  openFiles(reading, task).find(({ fd }) => fd === wanted)?.file;
