// Waits of programs for others: for a mutex whose holder its memory or the kernel names, for the
// other end of a pipe or a socket, for a lock of a file, for a signal or a tracer, for a disk whose
// interrupt is disabled. System calls are those of include/uapi/asm-generic/unistd.h. A mutex is
// that of glibc, whose third word is its holder (nptl/sysdeps/nptl/bits/struct_mutex.h).

import type { LinuxFinding, ProgramWait } from "../../../model/queries/facts/linux-finding.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import type { Reading } from "../kernel/reading.ts";
import type { Struct } from "../kernel/types.ts";
import { MODE_READ, MODE_WRITE, openFiles } from "../structures/files.ts";
import { programRegisters } from "../structures/frames.ts";
import { disabledIrqs } from "../structures/irqs.ts";
import { fileName, fileSystemOf } from "../structures/paths.ts";
import { isKernelThread, isRunning, named, stateOf, userMemory } from "../structures/tasks.ts";
import { tasksOf } from "./locks.ts";
import { openersOf, PEERS_MAX, socketWait, type Wait } from "./other-ends.ts";
import { ownerOf } from "./rt-locks.ts";
import type { Tasks } from "./waiting.ts";

const OF = "waits of programs";
const FCNTL = 25, FLOCK = 32, READ = 63, WRITE = 64, READV = 65, WRITEV = 66, PPOLL = 73, FUTEX = 98;
const CONNECT = 203, SENDTO = 206, RECVFROM = 207, SENDMSG = 211, RECVMSG = 212;
/** Commands of fcntl(2) that wait: F_SETLKW, F_OFD_SETLKW. */
const WAITING_COMMANDS: ReadonlySet<number> = new Set([7, 38]);
/** Commands of futex(2) without their flags, and the value of a mutex that has waiters. */
const FUTEX_COMMAND = 0x7f, WAIT = 0, LOCK_PI = 6, WAIT_BITSET = 9, LOCK_PI2 = 13, CONTENDED = 2;
/** Bytes from a mutex's lock to its holder. */
const HOLDER = 8;
/** `struct pollfd`: its size, and where its events are; files of a poll that are looked at. */
const POLLED = 8, POLLED_EVENTS = 4n, POLL_IN = 1, POLLED_MAX = 8;
/** Waits that are shown, and locks of a file that are looked at. */
const WAITS_MAX = 3, LOCKS_MAX = 1024;

/** A wait with its task, and the only task that can end it. */
interface Found {
  readonly task: Struct;
  readonly wait: ProgramWait;
  readonly holder?: Struct;
  readonly isEndless?: boolean;
}

const found = (task: Struct, wait: Wait): Found => ({ task, wait: { task: named(task), ...wait } });

/** Waits in a Linux whose tasks all wait. */
export function programWaits(reading: Reading): LinuxFinding | undefined {
  const waits = waitsOf(reading).slice(0, WAITS_MAX).map(({ wait }) => wait);
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
      return futexWait(reading, tasks, task, first, Number(argument(1) & BigInt(FUTEX_COMMAND)), argument(3));
    case READ:
    case READV:
    case RECVFROM:
    case RECVMSG:
      return endWait(reading, task, Number(first), MODE_WRITE);
    case WRITE:
    case WRITEV:
    case SENDTO:
    case SENDMSG:
      return endWait(reading, task, Number(first), MODE_READ);
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

/** A wait for a mutex, or with others at one address. */
function futexWait(reading: Reading, tasks: Tasks, task: Struct, address: bigint, command: number, timeout: bigint): Found | undefined {
  if (command === LOCK_PI || command === LOCK_PI2) return ownedWait(reading, tasks, task, address, timeout);
  return command === WAIT || command === WAIT_BITSET ? mutexWait(reading, tasks, task, address, timeout) : undefined;
}

const lockedBy = (task: Struct, holder: Struct, address: bigint, timeout: bigint): Found => (
  { ...found(task, { for: "mutex", what: hex(address), peers: [named(holder)] }), holder, isEndless: timeout === 0n }
);

/** A wait for a mutex that gives its holder's priority away: the kernel knows the holder. */
function ownedWait(reading: Reading, tasks: Tasks, task: Struct, address: bigint, timeout: bigint): Found | undefined {
  const lock = task.at("pi_blocked_on", "rt_mutex_waiter")?.pointer("lock") ?? 0n;
  const holder = lock === 0n ? undefined : tasks.get(ownerOf(reading, lock));
  return holder && lockedBy(task, holder, address, timeout);
}

/** A wait for a mutex, if the word after it names another thread of the same process. */
function mutexWait(reading: Reading, tasks: Tasks, task: Struct, address: bigint, timeout: bigint): Found | undefined {
  const mm = task.at("mm", "mm_struct"), memory = mm && userMemory(reading, mm);
  if (!memory?.has(address, HOLDER + 4) || memory.u32(address) !== CONTENDED) return undefined;
  const pid = memory.u32(address + BigInt(HOLDER)), tgid = task.number("tgid");
  const holder = tasks.values().find((one) => one.number("pid") === pid && one.number("tgid") === tgid && one.address !== task.address);
  return holder && lockedBy(task, holder, address, timeout);
}

/**
 * A wait for the other end of a pipe or a socket.
 * @param other the mode of the end that has to act
 */
function endWait(reading: Reading, task: Struct, fd: number, other: number): Found | undefined {
  const inode = fileOf(reading, task, fd)?.at("f_inode", "inode");
  if (!inode) return undefined;
  const isRead = other === MODE_WRITE;
  if (inode.pointer("i_pipe") !== 0n && fileSystemOf(inode) === "pipefs") {
    const what = `pipe:[${inode.big("i_ino")}]`;
    return found(task, { for: isRead ? "writer" : "reader", what, peers: openersOf(reading, inode, other) });
  }
  const wait = socketWait(reading, inode, isRead ? "sender" : "receiver");
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
    const wait = endWait(reading, task, memory.u32(entry), events & POLL_IN ? MODE_WRITE : MODE_READ);
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
