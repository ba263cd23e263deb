// Tasks of a Linux, the waits of its programs, and rings of them: in words, with what ends them.

/** A task, by its name and number. */
export type NamedTask = { readonly name: string; readonly pid: number };

export const taskText = ({ name, pid }: NamedTask): string => `${name} (${pid})`;

/**
 * A wait of a program: for a mutex at an address, for the end of a thread or a child, at a futex
 * without a holder, for a writer or a reader of a pipe, for data from a socket's other end, room in
 * it or a connection to it, for events of several files, for a lock of a file, for a signal or its
 * tracer, for a disk whose interrupt is disabled, for the answer of a disk; `peers`: tasks that
 * have the other end, or wait at the same futex.
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
  ...["signal", "tracer", "disk", "answer"] as const,
] as const;

/** @param peers their names, with commas */
const has = (peers: string) => peers.includes(",") ? "have" : "has";
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
  "lock": (what, peers) => `waits for a lock of ${what}${peers && `, which ${peers} holds`}`,
  "signal": () => "is stopped, and waits for SIGCONT",
  "disk": (what) => `waits for a disk, and Linux has disabled ${what}`,
  "answer": (what) => `waits for an answer of ${what}`,
  "tracer": (_, peers) => `is stopped by its tracer${peers && ` ${peers}`}`,
};
export const programWaitText = ({ task, vm, for: kind, what, peers, peers_vm }: ProgramWait) =>
  `program ${taskText(task)}${vm === null ? "" : ` of ${vm}`} ${
    PROGRAM_WAIT_TEXTS[kind](
      what,
      peers.map((peer) => peers_vm !== null ? `${taskText(peer)} of ${peers_vm}` : peer.pid === task.pid ? "it itself" : taskText(peer))
        .join(", "),
    )
  }`;

/** The remedy for waits of which each is for the next one. */
export const ringWayOut = (steps: readonly ProgramWait[]): string =>
  steps.some((step) => step.for === "thread")
    ? "release the mutex before the wait for the thread's end"
    : steps.some((step) => step.for === "child")
    ? "read what the child writes, to its end, before the wait for the end of the child"
    : steps.some((step) => step.for !== "mutex")
    ? "close the ends that a program does not use, and write in one of them before it reads"
    : steps.length === 1
    ? "release the mutex on every path, or make it recursive (PTHREAD_MUTEX_RECURSIVE)"
    : "take these mutexes in the same order in each thread";
