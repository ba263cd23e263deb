// The answers of el2 about a kernel, compared with what drgn reads of a dump of the same instant.

import assert from "node:assert/strict";
import { rowsOf } from "../../../src/model/queries/query.ts";
import { LINUX_TABLES } from "../../../src/model/queries/linux-tables.ts";
import { parseAs } from "../../../src/model/queries/ids.ts";
import { type Asked, dmesgOf, type DrgnView, functionOf, isWithin, linesOf } from "./core-tools.ts";

/** Bytes of `task_struct.comm` before its zero. */
const COMM_MAX = 15;

/** Locks that name their owner: drgn is asked about them. */
const ownedLocks = (asked: Asked) => asked.rows("linux.locks").filter(({ type }) => type === "mutex" || type === "rwsem");

/** As `Drgn.read` takes them. */
export const locksOf = (asked: Asked): readonly string[] => ownedLocks(asked).map(({ type, address }) => `${type} ${address}`);

/**
 * Compares log, threads, stacks, files, interfaces and locks.
 * @param view of a dump with the locks of `locksOf`
 */
export function compareView(asked: Asked, view: DrgnView): void {
  assert.deepEqual(linesOf(view.log), linesOf(dmesgOf(asked).join("\n")));
  compareTasks(asked, view);
  compareFiles(asked, view);
  assert.deepEqual(
    view.devices,
    asked.rows("linux.net").map(({ name, mtu, up, addresses }) => ({ name, mtu, up, addresses })),
  );
  compareLocks(asked, view);
}

function compareTasks(asked: Asked, { tasks: printed }: DrgnView): void {
  const tasks = asked.rows("linux.ps", { threads: true });
  assert.deepEqual(
    printed.map(({ pid, state, ppid, uid }) => [pid, state, ppid, uid]),
    tasks.map(({ pid, state, ppid, uid }) => [pid, state, ppid, uid]),
  );
  let compared = 0;
  for (const [index, { pid, comm, command, stack }] of printed.entries()) {
    const { name, kernel, command: arguments_ } = tasks[index], frames = stackOf(asked, pid);
    // el2 shows a kernel thread's whole name, and what a worker does.
    assert.ok(kernel ? name.startsWith(comm.slice(0, COMM_MAX)) : name === comm, `${name}, ${comm}`);
    assert.equal(arguments_ ?? null, command);
    if (frames.length === 0) continue;
    compared++;
    assert.ok(isWithin(knownOf(frames, stack), stack), `${pid} ${name}: ${frames.join(" ")}; drgn: ${stack.join(" ")}`);
  }
  assert.ok(compared > tasks.length / 2, `${compared} stacks of ${tasks.length}`);
}

/** The word of drgn for a frame it has lost: the caller of a function that took an exception. */
const LOST = "???";

/** The frames that drgn has, too. */
const knownOf = (frames: readonly string[], stack: readonly string[]): readonly string[] =>
  stack.at(-1) === LOST ? frames.slice(0, frames.lastIndexOf(stack.at(-2) ?? assert.fail()) + 1) : frames;

/** Functions of a sleeping task's stack in the kernel. */
const stackOf = (asked: Asked, pid: number): string[] =>
  rowsOf(LINUX_TABLES["linux.stack"], asked.ask("linux.stack", { pid })).filter(({ mode }) => mode === "kernel")
    .map(({ symbol }) => functionOf(String(symbol)));

/** Open files; drgn has no name for pipes and sockets. */
function compareFiles(asked: Asked, { tasks }: DrgnView): void {
  for (const { pid, files } of tasks) {
    if (!files.length) continue;
    const rows = asked.rows("linux.files", { pid });
    const hasPath = new Set(rows.filter(({ file }) => file.startsWith("/")).map(({ fd }) => fd));
    assert.deepEqual(
      rows.map(({ fd, file, position, flags }) => [fd, hasPath.has(fd) ? file : "", Number(position), Number(flags)]),
      files.map(([fd, path, position, flags]) => [fd, hasPath.has(fd) ? path : "", position, flags]),
      `files of ${pid}`,
    );
  }
}

/** The locks that el2 has found; for others, no thread waits. */
function compareLocks(asked: Asked, { tasks, locks: printed }: DrgnView): void {
  const pid = (task: string) => parseAs("task", task)?.pid ?? assert.fail(task),
    sorted = (pids: readonly number[]) => pids.toSorted((a, b) => a - b);
  assert.deepEqual(
    ownedLocks(asked).map(({ holder, waiters }) => ({ owner: holder === null ? null : pid(holder), waiters: sorted(waiters.map(pid)) })),
    printed.map(({ owner, waiters }) => ({ owner, waiters: sorted(waiters) })),
  );
  const waiting = asked.rows("linux.locks").flatMap(({ waiters }) => waiters.map(pid));
  assert.deepEqual(sorted(waiting), tasks.filter(({ waits }) => waits).map(({ pid }) => pid));
}
