// Waits of system calls, by their number (include/uapi/asm-generic/unistd.h in the kernel's
// sources): for what, and for whom.

import type { ProgramWait } from "../../../model/queries/facts/program-wait.ts";
import type { VirtualMemory } from "../kernel/memory.ts";
import type { Reading } from "../kernel/reading.ts";
import type { Struct } from "../kernel/types.ts";
import { MODE_READ, MODE_WRITE, openFiles } from "../structures/files.ts";
import { kernelFrames, programRegisters } from "../structures/frames.ts";
import { isFifo } from "../structures/lookup.ts";
import { fileName } from "../structures/paths.ts";
import { named, userMemory } from "../structures/tasks.ts";
import { childWait, threadsOf } from "./child-waits.ts";
import { eventsWait } from "./event-waits.ts";
import { fileEnd } from "./file-waits.ts";
import { futexWait } from "./futex-waits.ts";
import { faultWait, vforkWait } from "./held-tasks.ts";
import { messageWait, semaphoreWait } from "./ipc-waits.ts";
import { type EndWait, type Found, found, openersOf, PEERS_MAX, processesOf, socketWait } from "./other-ends.ts";
import { signalNames } from "./signals.ts";
import type { Tasks } from "./waiting.ts";

const OF = "locks of files";
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
/** Locks of a file that are looked at. */
const LOCKS_MAX = 1024;

/** A call that has not returned: who made it, and its arguments. */
interface OpenCall {
  readonly reading: Reading;
  readonly tasks: Tasks;
  readonly task: Struct;
  /** As a file, number or flag. */
  number(index: number): number;
  /** As an address. */
  address(index: number): bigint;
}

type CallWait = (call: OpenCall) => Found | undefined;

const reads: CallWait = (call) => fileEndWait(call, call.number(0), MODE_WRITE);
const writes: CallWait = (call) => fileEndWait(call, call.number(0), MODE_READ);
const sleeps: CallWait = ({ task }) => found(task, { for: "time", what: null, peers: [] });
const watches: CallWait = (call) => {
  const { reading, task } = call, file = fileOf(call, call.number(0));
  // epoll_pwait(2) has a number of milliseconds, epoll_pwait2(2) an address.
  const isEndless = call.address(3) === 0n || call.number(3) < 0;
  const wait = file && eventsWait(reading, task, file, isEndless);
  return wait && withThreads(call, wait);
};

const CALLS: ReadonlyMap<number, CallWait> = new Map([
  [22, watches], // epoll_pwait
  // fcntl
  [25, (call) => WAITING_COMMANDS.has(call.number(1)) ? lockWait(call, "flc_posix") : undefined],
  [32, (call) => lockWait(call, "flc_flock")], // flock
  [56, openWait], // openat
  [63, reads], // read
  [64, writes], // write
  [65, reads], // readv
  [66, writes], // writev
  [71, writes], // sendfile
  [72, selectWait], // pselect6
  [73, pollWait], // ppoll
  [75, writes], // vmsplice
  [76, (call) => spliceWait(call, call.number(0), call.number(2))], // splice
  [77, (call) => spliceWait(call, call.number(0), call.number(1))], // tee
  // waitid
  [95, (call) => call.number(0) > ONE_CHILD ? undefined : childOf(call, call.number(0) === ANY_CHILD ? 0 : call.number(1))],
  [98, futex],
  [101, sleeps], // nanosleep
  [115, sleeps], // clock_nanosleep
  [133, (call) => signalsWait(call, null)], // rt_sigsuspend
  [137, (call) => signalsWait(call, call.address(0))], // rt_sigtimedwait
  [182, writes], // mq_timedsend
  [183, reads], // mq_timedreceive
  [188, ({ task, number }) => messageWait(task, "message", number(0))], // msgrcv
  [189, ({ task, number }) => messageWait(task, "room", number(0))], // msgsnd
  [192, semaphores], // semtimedop
  [193, semaphores], // semop
  [202, reads], // accept
  [203, connectionWait], // connect
  [206, writes], // sendto
  [207, reads], // recvfrom
  [211, writes], // sendmsg
  [212, reads], // recvmsg
  [220, ({ tasks, task }) => vforkWait(tasks, task)], // clone
  [242, reads], // accept4
  [260, (call) => childOf(call, call.number(0))], // wait4
  [426, reads], // io_uring_enter
  [435, ({ tasks, task }) => vforkWait(tasks, task)], // clone3
  [441, watches], // epoll_pwait2
]);

/** The wait of a task that sleeps: in a call, or in a fault. */
export function callWait(reading: Reading, tasks: Tasks, task: Struct): Found | undefined {
  const registers = programRegisters(reading, task), number = registers.signed("syscallno");
  if (number < 0) return faultWait(reading, tasks, task);
  const address = (index: number) => registers.big(index === 0 ? "orig_x0" : `regs[${index}]`);
  return CALLS.get(number)?.({ reading, tasks, task, address, number: (index) => Number(BigInt.asIntN(32, address(index))) });
}

function futex(call: OpenCall): Found | undefined {
  const { reading, tasks, task, address } = call;
  return futexWait(reading, tasks, task, { address: address(0), command: call.number(1), timeout: address(3) });
}

function semaphores({ reading, tasks, task, number, address }: OpenCall): Found | undefined {
  return semaphoreWait(reading, tasks, task, { id: number(0), operations: address(1), count: number(2), memory: memoryOf(reading, task) });
}

/** @param set the address of those that are waited for; null: any that has a handler */
function signalsWait({ reading, task }: OpenCall, set: bigint | null): Found {
  const memory = set === null ? undefined : memoryOf(reading, task);
  const what = set !== null && memory?.has(set, 8) ? signalNames(memory.u64(set)) : null;
  return found(task, { for: "signals", what, peers: [] });
}

/** @param pid 0 or less: any child */
const childOf = ({ tasks, task }: OpenCall, pid: number) => childWait(tasks, task, pid > 0 ? pid : undefined);

const withThreads = ({ tasks, task }: OpenCall, wait: EndWait): Found => (
  {
    ...found(task, wait),
    enders: wait.enders.flatMap((process) => threadsOf(tasks, process)),
    isEndless: wait.isEndless,
    remote: wait.remote,
  }
);

/** A wait for the other end of a file. @param other the mode of the end that has to act */
function fileEndWait(call: OpenCall, fd: number, other: number): Found | undefined {
  const file = fileOf(call, fd), wait = file && fileEnd(call.reading, file, other);
  return wait && withThreads(call, wait);
}

/** Data moves from one file to the other: what is read is empty, or what is written is full. */
function spliceWait(call: OpenCall, from: number, to: number): Found | undefined {
  const inode = fileOf(call, from)?.at("f_inode", "inode"),
    pipe = inode && isFifo(inode) ? inode.at("i_pipe", "pipe_inode_info") : undefined;
  const isEmpty = pipe !== undefined && pipe.number("head") === pipe.number("tail");
  return isEmpty ? fileEndWait(call, from, MODE_WRITE) : fileEndWait(call, to, MODE_READ);
}

function connectionWait(call: OpenCall): Found | undefined {
  const { reading, task } = call, inode = fileOf(call, call.number(0))?.at("f_inode", "inode");
  const wait = inode && socketWait(reading, inode, "connection");
  return wait && found(task, wait);
}

/**
 * A wait for any of several files, which may have a timeout: it names the first of those that say
 * most.
 */
function pollWait(call: OpenCall): Found | undefined {
  const { reading, task } = call, address = call.address(0), count = call.number(1), memory = memoryOf(reading, task);
  if (count === 0) return call.address(2) === 0n ? signalsWait(call, null) : sleeps(call);
  if (count > POLLED_MAX || !memory?.has(address, count * POLLED)) return undefined;
  const files = Array.from({ length: count }, (_, at) => address + BigInt(at * POLLED)).map((entry) => ({
    fd: memory.u32(entry),
    isRead: (memory.u16(entry + POLLED_EVENTS) & POLL_IN) !== 0,
  }));
  return firstEnd(call, files);
}

/** The same of select(2), which has sets of the files that are read, and of those written. */
function selectWait(call: OpenCall): Found | undefined {
  const memory = memoryOf(call.reading, call.task), count = Math.min(call.number(0), SELECTED_MAX);
  const files = [call.address(1), call.address(2)].flatMap((address, set) => {
    const bits = address !== 0n && memory?.has(address, 8) ? memory.u64(address) : 0n;
    return Array.from({ length: count }, (_, fd) => fd).filter((fd) => bits >> BigInt(fd) & 1n).map((fd) => ({ fd, isRead: set === 0 }));
  });
  return files.length ? firstEnd(call, files) : sleeps(call);
}

function firstEnd(call: OpenCall, files: readonly { readonly fd: number; readonly isRead: boolean }[]): Found | undefined {
  const waits = files.flatMap(({ fd, isRead }) => fileEndWait(call, fd, isRead ? MODE_WRITE : MODE_READ)?.wait ?? []);
  const [first] = waits.sort((one, other) => vagueness(one) - vagueness(other));
  return first && found(call.task, first);
}

/** How little a wait says about its end: 0, somebody has to act; 3, time has to pass. */
const VAGUE: Readonly<Partial<Record<ProgramWait["for"], number>>> = {
  futex: 1,
  events: 1,
  input: 2,
  client: 2,
  data: 2,
  signals: 2,
  changes: 2,
  completion: 2,
  timer: 2,
  time: 3,
};
export const vagueness = ({ for: kind, what }: ProgramWait): number => kind === "timer" && what === null ? 0 : VAGUE[kind] ?? 0;

/** A wait for whoever opens the other end of a FIFO. */
function openWait({ reading, task, address, number }: OpenCall): Found | undefined {
  const functions = kernelFrames(reading, task).take(INNERMOST).map((pc) => reading.placeOf(pc)?.symbol.name ?? "");
  const memory = functions.some((name) => OPENS_FIFO.test(name)) ? memoryOf(reading, task) : undefined, path = address(1);
  return memory?.has(path, 1)
    ? found(task, { for: number(2) & WRITE_ONLY ? "reader" : "writer", what: memory.text(path, PATH_MAX), peers: [] })
    : undefined;
}

function memoryOf(reading: Reading, task: Struct): VirtualMemory | undefined {
  const mm = task.at("mm", "mm_struct");
  return mm && userMemory(reading, mm);
}

/** A wait for a lock that another process has on a file: it, or those who have its open file. */
function lockWait(call: OpenCall, list: "flc_flock" | "flc_posix"): Found | undefined {
  const { reading, tasks, task } = call, file = fileOf(call, call.number(0)), inode = file?.at("f_inode", "inode");
  const context = inode?.at("i_flctx", "file_lock_context");
  if (!file || !inode || !context) return undefined;
  const locks = reading.list(OF, context.addressOf(list), "file_lock", "list").take(LOCKS_MAX).toArray();
  const files = locks.map((lock) => lock.pointer("file")), openers = openersOf(reading, inode, MODE_READ | MODE_WRITE);
  const pids = locks.map((lock) => lock.signed("pid")), isOpen = list === "flc_flock" || pids.some((pid) => pid < 0);
  const holders = isOpen
    ? processesOf(openers.filter((one) => files.includes(one.file)))
    : tasks.values().filter((one) => pids.includes(one.number("pid"))).toArray();
  return {
    ...found(task, { for: "lock", what: fileName(reading, file), peers: holders.slice(0, PEERS_MAX).map(named) }),
    enders: holders.flatMap((process) => threadsOf(tasks, process)),
    isEndless: true,
  };
}

const fileOf = ({ reading, task }: OpenCall, wanted: number): Struct | undefined =>
  openFiles(reading, task).find(({ fd }) => fd === wanted)?.file;
