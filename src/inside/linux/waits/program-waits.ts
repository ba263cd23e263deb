// Waits of programs for other programs: for a mutex whose holder its memory names, for the other
// end of a pipe, for a lock of a file, for a signal or a tracer. System calls are those of
// include/uapi/asm-generic/unistd.h. A mutex is that of glibc, whose third word is its holder
// (nptl/sysdeps/nptl/bits/struct_mutex.h).

import type { LinuxFinding, NamedTask, ProgramWait } from "../../../model/queries/facts/linux-finding.ts";
import { hex } from "../../../kit/support/text/number-text.ts";
import type { Reading } from "../kernel/reading.ts";
import type { Struct } from "../kernel/types.ts";
import { MODE_READ, MODE_WRITE, openFiles } from "../structures/files.ts";
import { programRegisters } from "../structures/frames.ts";
import { fileName, fileSystemOf } from "../structures/paths.ts";
import { isKernelThread, isRunning, named, processes, stateOf, userMemory } from "../structures/tasks.ts";
import { tasksOf } from "./locks.ts";
import type { Tasks } from "./waiting.ts";

const OF = "waits of programs";
const FCNTL = 25, FLOCK = 32, READ = 63, WRITE = 64, READV = 65, WRITEV = 66, FUTEX = 98;
/** Commands of fcntl(2) that wait: F_SETLKW, F_OFD_SETLKW. */
const WAITING_COMMANDS: ReadonlySet<number> = new Set([7, 38]);
/** FUTEX_WAIT and FUTEX_WAIT_BITSET without their flags: a word of that value has waiters. */
const FUTEX_COMMAND = 0x7f, WAIT = 0, WAIT_BITSET = 9, CONTENDED = 2;
/** Bytes from a mutex's lock to its holder. */
const HOLDER = 8;
/** Waits that are shown, peers of each, and locks of a file that are looked at. */
const WAITS_MAX = 3, PEERS_MAX = 3, LOCKS_MAX = 1024;

/** A wait with its task, and the only task that can end it. */
interface Found {
  readonly task: Struct;
  readonly wait: ProgramWait;
  readonly holder?: Struct;
  readonly isEndless?: boolean;
}

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
  let found = FOUND.get(reading.memory);
  if (!found) {
    const tasks = tasksOf(reading),
      programs = reading.tried(OF, () => tasks.values().filter((task) => !isKernelThread(task)).toArray()) ?? [];
    FOUND.set(reading.memory, found = reading.rows(OF, () => programs, (task) => waitOf(reading, tasks, task)));
  }
  return found;
}

function waitOf(reading: Reading, tasks: Tasks, task: Struct): Found | undefined {
  if (isRunning(task)) return undefined;
  const state = stateOf(task);
  if (state === "T") return { task, wait: { task: named(task), for: "signal", what: null, peers: [] } };
  if (state === "t") {
    const tracer = task.at("parent", "task_struct");
    return { task, wait: { task: named(task), for: "tracer", what: null, peers: tracer ? [named(tracer)] : [] } };
  }
  if (state !== "S" && state !== "D") return undefined;
  const registers = programRegisters(reading, task), first = registers.big("orig_x0");
  const argument = (index: number) => registers.big(`regs[${index}]`);
  switch (registers.signed("syscallno")) {
    case FUTEX:
      return mutexWait(reading, tasks, task, first, Number(argument(1) & BigInt(FUTEX_COMMAND)), argument(3));
    case READ:
    case READV:
      return pipeWait(reading, task, Number(first), MODE_WRITE);
    case WRITE:
    case WRITEV:
      return pipeWait(reading, task, Number(first), MODE_READ);
    case FLOCK:
      return fileWait(reading, tasks, task, Number(first), "flc_flock");
    case FCNTL:
      return WAITING_COMMANDS.has(Number(argument(1))) ? fileWait(reading, tasks, task, Number(first), "flc_posix") : undefined;
  }
  return undefined;
}

/** A wait for a mutex, if the word after it names another thread of the same process. */
function mutexWait(reading: Reading, tasks: Tasks, task: Struct, address: bigint, command: number, timeout: bigint): Found | undefined {
  if (command !== WAIT && command !== WAIT_BITSET) return undefined;
  const mm = task.at("mm", "mm_struct"), memory = mm && userMemory(reading, mm);
  if (!memory?.has(address, HOLDER + 4) || memory.u32(address) !== CONTENDED) return undefined;
  const pid = memory.u32(address + BigInt(HOLDER)), tgid = task.number("tgid");
  const holder = tasks.values().find((one) => one.number("pid") === pid && one.number("tgid") === tgid && one.address !== task.address);
  return holder && {
    task,
    wait: { task: named(task), for: "mutex", what: hex(address), peers: [named(holder)] },
    holder,
    isEndless: timeout === 0n,
  };
}

/** A wait for the other end of a pipe. */
function pipeWait(reading: Reading, task: Struct, fd: number, other: number): Found | undefined {
  const inode = fileOf(reading, task, fd)?.at("f_inode", "inode");
  if (!inode || inode.pointer("i_pipe") === 0n || fileSystemOf(inode) !== "pipefs") return undefined;
  const peers: NamedTask[] = [];
  for (const process of processes(reading)) {
    const has = reading.tried(OF, () => openFiles(reading, process).some(({ file }) => isEnd(file, inode, other)));
    if (has && peers.push(named(process)) === PEERS_MAX) break;
  }
  return {
    task,
    wait: { task: named(task), for: other === MODE_WRITE ? "writer" : "reader", what: `pipe:[${inode.big("i_ino")}]`, peers },
  };
}

const isEnd = (file: Struct, inode: Struct, mode: number) =>
  file.pointer("f_inode") === inode.address && (file.number("f_mode") & mode) !== 0;

/** A wait for a lock that another process has on a file. */
function fileWait(reading: Reading, tasks: Tasks, task: Struct, fd: number, list: "flc_flock" | "flc_posix"): Found | undefined {
  const file = fileOf(reading, task, fd), inode = file?.at("f_inode", "inode"), context = inode?.at("i_flctx", "file_lock_context");
  if (!file || !context) return undefined;
  const holders = reading.list(OF, context.addressOf(list), "file_lock", "list").take(LOCKS_MAX).map((lock) => lock.number("pid"))
    .toArray();
  const peers = tasks.values().filter((one) => holders.includes(one.number("pid"))).take(PEERS_MAX).map(named).toArray();
  return { task, wait: { task: named(task), for: "lock", what: fileName(reading, file), peers } };
}

const fileOf = (reading: Reading, task: Struct, wanted: number): Struct | undefined =>
  openFiles(reading, task).find(({ fd }) => fd === wanted)?.file;
