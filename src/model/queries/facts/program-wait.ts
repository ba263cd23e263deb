// Tasks of a Linux, the waits of its programs, and rings of them: in words, with what ends them.

/** A task, by its name and number. */
export type NamedTask = { readonly name: string; readonly pid: number };

export const taskText = ({ name, pid }: NamedTask): string => `${name} (${pid})`;

/** The policies of schedulers that keep other tasks from a CPU. */
export const REAL_TIME_POLICIES = ["SCHED_FIFO", "SCHED_RR", "SCHED_DEADLINE"] as const;
export type RealTimePolicy = typeof REAL_TIME_POLICIES[number];

/** A program on a CPU, and for how long it has run in all. */
export type CpuUse = { readonly task: NamedTask; readonly cpu: number; readonly ran_ns: number };

/**
 * A wait of a program: for a mutex at an address, for the end of a thread or a child, at a futex
 * without a holder, for a writer or a reader of a pipe, for data from a socket's other end, room in
 * it or a connection to it, for events of several files, for a lock of a file, for a signal or its
 * tracer, for a disk whose interrupt is disabled, for the answer of a disk, for what other files
 * give (`input` to `data`), for a time; `peers`: tasks that have the other end, wait at the same
 * futex, or wait for the end of one that sleeps.
 */
export type ProgramWait = {
  readonly task: NamedTask;
  /** `vm:NAME`; null: the one that is asked about. */
  readonly vm: string | null;
  readonly for: typeof PROGRAM_WAITS[number];
  readonly what: string | null;
  readonly peers: readonly NamedTask[];
  /** `vm:NAME`; null: that of the task. */
  readonly peers_vm: string | null;
};
export const PROGRAM_WAITS = [
  ...["mutex", "thread", "child", "futex", "writer", "reader", "sender", "receiver", "connection", "events", "lock"] as const,
  ...["signal", "tracer", "disk", "answer", "thaw", "file-system", "page", "exec", "process", "quota", "helper"] as const,
  ...["counter", "timer", "changes", "completion", "message", "room", "semaphore"] as const,
  ...["input", "output", "start", "client", "data", "signals", "time"] as const,
] as const;

/** @param peers their names, with commas */
const has = (peers: string) => peers.includes(",") ? "have" : "has";
/** Signals that stop a job of a terminal which is not in the foreground. */
const BACKGROUND: Readonly<Record<string, string>> = {
  SIGTTIN: ", as it reads its terminal in the background",
  SIGTTOU: ", as it changes its terminal in the background",
};
const PROGRAM_WAIT_TEXTS: { readonly [F in ProgramWait["for"]]: (what: string | null, peers: string) => string } = {
  "mutex": (what, peers) => `waits for the mutex at ${what}, which ${peers} holds`,
  "thread": (_, peers) => `waits for the end of thread ${peers}`,
  "child": (_, peers) => `waits for the end of its child ${peers}`,
  "futex": (what, peers) => `waits to be woken at the futex at ${what}${peers && `, as ${peers} ${peers.includes(",") ? "do" : "does"}`}`,
  "writer": (what, peers) => `waits for a writer of ${what}, which ${peers || "nobody"} ${has(peers)} open`,
  "reader": (what, peers) => `waits for a reader of ${what}, which ${peers || "nobody"} ${has(peers)} open`,
  "sender": (what, peers) => `waits for data from ${what}${peers && `, whose other end ${peers} ${has(peers)} open`}`,
  "receiver": (what, peers) => `waits for room in ${what}${peers && `, whose other end ${peers} ${has(peers)} open`}`,
  "connection": (what) => `waits for a connection to ${what}`,
  "events": (what, peers) => `waits for events of ${what ?? "no file"}${peers && `; ${peers} ${has(peers)} other ends of them open`}`,
  "lock": (what, peers) => `waits for a lock of ${what}${peers && `, which ${peers} ${peers.includes(",") ? "hold" : "holds"}`}`,
  "signal": (what) => `is stopped${what === null ? "" : ` by ${what}`}${BACKGROUND[what ?? ""] ?? ""}, and waits for SIGCONT`,
  "disk": (what) => `waits for a disk, and Linux has disabled ${what}`,
  "answer": (what) => `waits for an answer of ${what}`,
  "tracer": (_, peers) => `is stopped by its tracer${peers && ` ${peers}`}`,
  "thaw": (what) => `is frozen by the cgroup ${what}`,
  "file-system": (what) => `waits to write to ${what}, which is frozen (fsfreeze)`,
  "page": (what, peers) => `waits for the page at ${what}, which ${peers || "nobody"} can bring (userfaultfd)`,
  "exec": (_, peers) => `waits for its child ${peers} to execute a program or to end (vfork)`,
  "quota": (what) => `waits for CPU time: its cgroup ${what} has used its share (cpu.max) of this period`,
  "helper": (what, peers) => `waits for ${what}, for which the kernel has started ${peers || "a program"}`,
  "process": (_, peers) => `waits for the end of ${peers} (pidfd)`,
  "counter": (_, peers) => `waits for a write to an eventfd${peers && `, which ${peers} ${has(peers)} open`}`,
  "timer": (what, peers) =>
    what === null
      ? `waits for a timerfd that is not set${peers && `, which ${peers} ${has(peers)} open`}`
      : `waits for a timerfd that expires in ${what}`,
  "changes": (what) => `waits for changes of ${what} (inotify)`,
  "completion": () => "waits for a request of its io_uring to complete",
  "message": (what, peers) => `waits for a message in ${what}${peers && `, which ${peers} can write`}`,
  "room": (what, peers) => `waits for room in ${what}${peers && `, which ${peers} can read`}`,
  "semaphore": (what, peers) => `waits for the semaphore ${what}${peers && `, which ${peers} has changed last`}`,
  "input": (what, peers) => `waits for input of ${what}${peers && `, whose other end ${peers} ${has(peers)} open`}`,
  "output": (what, peers) => `waits for room in ${what}${peers && `, whose other end ${peers} ${has(peers)} open`}`,
  "start": (what) => `waits for ${what} to be started again: its output is stopped, as by Ctrl-S`,
  "client": (what) => `waits for a client of ${what}`,
  "data": (what) => `waits for data at ${what}`,
  "signals": (what) => `waits for ${what ?? "a signal"}`,
  "time": (what, peers) =>
    `${what === null ? "sleeps" : `sleeps for another ${what}`}${
      peers && `, and ${peers} ${peers.includes(",") ? "wait" : "waits"} for its end`
    }`,
};
export const programWaitText = ({ task, vm, for: kind, what, peers, peers_vm }: ProgramWait) =>
  `program ${taskText(task)}${vm === null ? "" : ` of ${vm}`} ${
    PROGRAM_WAIT_TEXTS[kind](
      what,
      peers.map((peer) => peers_vm !== null ? `${taskText(peer)} of ${peers_vm}` : peer.pid === task.pid ? "it itself" : taskText(peer))
        .join(", "),
    )
  }`;

/** Ways out of a ring by a kind of wait in it: the first kind that the ring has decides. */
const RING_WAYS_OUT: readonly (readonly [ProgramWait["for"], string])[] = [
  ["thread", "release the mutex before the wait for the thread's end"],
  ["exec", "use fork: a child of vfork has to execute a program or to end before it waits for its parent"],
  ["child", "read what the child writes, to its end, before the wait for the end of the child"],
  ["page", "read the userfaultfd in another thread, and bring the page with UFFDIO_COPY or UFFDIO_ZEROPAGE"],
  ["timer", "set the timer with timerfd_settime before the read"],
  ["counter", "write the eventfd before it is read, or in a program that does not wait for it"],
  ["changes", "add what it watches with inotify_add_watch before the read"],
  ["events", "add the files with epoll_ctl before the wait"],
  ["lock", "take these locks in the same order in each program, or with LOCK_NB"],
];

/** The remedy for waits of which each is for the next one. */
export const ringWayOut = (steps: readonly ProgramWait[]): string =>
  RING_WAYS_OUT.find(([kind]) => steps.some((step) => step.for === kind))?.[1] ??
    (steps.some((step) => step.for !== "mutex")
      ? "close the ends that a program does not use, and write in one of them before it reads"
      : steps.length === 1
      ? "release the mutex on every path, or make it recursive (PTHREAD_MUTEX_RECURSIVE)"
      : "take these mutexes in the same order in each thread");
