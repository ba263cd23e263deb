// Waits of programs for others: at a futex, for the other end of a pipe or a socket, for events of
// several files, for a lock of a file, for a signal or a tracer, for a disk whose interrupt is
// disabled. System calls are those of include/uapi/asm-generic/unistd.h.

import type { LinuxFinding } from "../../../model/queries/facts/linux-finding.ts";
import type { Reading } from "../kernel/reading.ts";
import type { Struct } from "../kernel/types.ts";
import { MODE_READ, MODE_WRITE, openFiles } from "../structures/files.ts";
import { programRegisters } from "../structures/frames.ts";
import { disabledIrqs } from "../structures/irqs.ts";
import { fileName } from "../structures/paths.ts";
import { isKernelThread, isRunning, named, stateOf, userMemory } from "../structures/tasks.ts";
import { eventsWait } from "./event-waits.ts";
import { futexWait, oneByFutex } from "./futex-waits.ts";
import { tasksOf } from "./locks.ts";
import { endWait, type Found, found, PEERS_MAX, socketWait } from "./other-ends.ts";
import type { Tasks } from "./waiting.ts";

const OF = "waits of programs";
const EPOLL_PWAIT = 22, EPOLL_PWAIT2 = 441, FCNTL = 25, FLOCK = 32, READ = 63, WRITE = 64, READV = 65, WRITEV = 66, PPOLL = 73, FUTEX = 98;
const CONNECT = 203, SENDTO = 206, RECVFROM = 207, SENDMSG = 211, RECVMSG = 212;
/** Commands of fcntl(2) that wait: F_SETLKW, F_OFD_SETLKW. */
const WAITING_COMMANDS: ReadonlySet<number> = new Set([7, 38]);
/** `struct pollfd`: its size, and where its events are; files of a poll that are looked at. */
const POLLED = 8, POLLED_EVENTS = 4n, POLL_IN = 1, POLLED_MAX = 8;
/** Waits that are shown, and locks of a file that are looked at. */
const WAITS_MAX = 3, LOCKS_MAX = 1024;

/** Waits in a Linux whose tasks all wait, first those that name what has to end them. */
export function programWaits(reading: Reading): LinuxFinding | undefined {
  const isVague = ({ wait }: Found) => wait.for === "futex" || wait.for === "events";
  const ordered = oneByFutex(waitsOf(reading)).sort((one, other) => Number(isVague(one)) - Number(isVague(other)));
  const waits = ordered.slice(0, WAITS_MAX).map(({ wait }) => wait);
  return waits.length ? { code: "program-waits", waits } : undefined;
}

/** Threads of a program that wait for each other's mutexes in a circle, without a timeout. */
export function programDeadlock(reading: Reading): LinuxFinding | undefined {
  const all = waitsOf(reading).filter(({ holder, isEndless }) => holder && isEndless),
    byTask = new Map(all.map((one) => [one.task.address, one]));
  for (const first of all) {
    const steps = new Map<bigint, Found>();
    for (let at: Found | undefined = first; at?.holder && !steps.has(at.task.address); at = byTask.get(at.holder.address)) {
      steps.set(at.task.address, at);
      if (at.holder.address === first.task.address) return { code: "program-deadlock", steps: [...steps.values()].map(({ wait }) => wait) };
    }
  }
  return undefined;
}

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
  if (task.number("in_iowait") !== 0) return diskWait(reading, task);
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
      return fileEndWait(reading, task, Number(first), MODE_WRITE);
    case WRITE:
    case WRITEV:
    case SENDTO:
    case SENDMSG:
      return fileEndWait(reading, task, Number(first), MODE_READ);
    case CONNECT:
      return connectionWait(reading, task, Number(first));
    case PPOLL:
      return pollWait(reading, task, first, Number(argument(1)));
    case FLOCK:
      return fileWait(reading, tasks, task, Number(first), "flc_flock");
    case FCNTL:
      return WAITING_COMMANDS.has(Number(argument(1))) ? fileWait(reading, tasks, task, Number(first), "flc_posix") : undefined;
  }
  return undefined;
}

/** A wait for the other end of a file. @param other the mode of the end that has to act */
function fileEndWait(reading: Reading, task: Struct, fd: number, other: number): Found | undefined {
  const inode = fileOf(reading, task, fd)?.at("f_inode", "inode"), wait = inode && endWait(reading, inode, other);
  return wait && found(task, wait);
}

function connectionWait(reading: Reading, task: Struct, fd: number): Found | undefined {
  const inode = fileOf(reading, task, fd)?.at("f_inode", "inode"), wait = inode && socketWait(reading, inode, "connection");
  return wait && found(task, wait);
}

/** A wait for any of several files: it names the first of them that has another end. */
function pollWait(reading: Reading, task: Struct, address: bigint, count: number): Found | undefined {
  const mm = task.at("mm", "mm_struct"), memory = mm && userMemory(reading, mm);
  if (count > POLLED_MAX || !memory?.has(address, count * POLLED)) return undefined;
  for (let at = 0; at < count; at++) {
    const entry = address + BigInt(at * POLLED), events = memory.u16(entry + POLLED_EVENTS);
    const wait = fileEndWait(reading, task, memory.u32(entry), events & POLL_IN ? MODE_WRITE : MODE_READ);
    if (wait) return wait;
  }
  return undefined;
}

/** A wait for a disk that cannot report, as Linux has disabled an interrupt. */
function diskWait(reading: Reading, task: Struct): Found | undefined {
  const disabled = disabledIrqs(reading).map(({ irq, handlers }) => `interrupt ${irq} of ${handlers.join(", ")}`);
  return disabled.length ? found(task, { for: "disk", what: disabled.join(" and "), peers: [] }) : undefined;
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
