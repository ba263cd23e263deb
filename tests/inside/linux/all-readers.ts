// All readers of a kernel: those of tables, and those of verdicts.

import { absentConsole } from "../../../src/inside/linux/verdicts/consoles.ts";
import { blockedTasks } from "../../../src/inside/linux/waits/hung.ts";
import { initEnd } from "../../../src/inside/linux/verdicts/init.ts";
import { LINUX_READERS } from "../../../src/inside/linux/readers.ts";
import { whyNotRun } from "../../../src/inside/linux/verdicts/programs.ts";
import { probedDevice } from "../../../src/inside/linux/waits/probe.ts";
import { rootOf } from "../../../src/inside/linux/structures/lookup.ts";
import { rootNotFound } from "../../../src/inside/linux/verdicts/root.ts";
import { findTask } from "../../../src/inside/linux/structures/tasks.ts";
import { loggedWarning } from "../../../src/inside/linux/verdicts/trouble.ts";
import type { Reading } from "../../../src/inside/linux/kernel/reading.ts";

export type Read = (reading: Reading) => readonly unknown[];

export const ALL_READERS: readonly (readonly [string, Read])[] = [
  ...Object.entries(LINUX_READERS).map(([name, read]) =>
    [name, (reading: Reading) => read(reading, { threads: true, pid: 1 }, 1) ?? []] as const
  ),
  // Readers of verdicts.
  ["root", (reading) => tried(reading, () => rootNotFound(reading, undefined))],
  ["init", (reading) => tried(reading, () => endOf(reading))],
  ["program", (reading) => tried(reading, () => programOf(reading))],
  ["hung", (reading) => tried(reading, () => blockedTasks(reading) ?? "none")],
  ["warning", (reading) => tried(reading, () => loggedWarning(reading))],
  ["console", (reading) => tried(reading, () => absentConsole(reading) ?? "none")],
  ["stage", (reading) => tried(reading, () => deviceOf(reading) ?? "none")],
];

function tried<T>(reading: Reading, read: () => T): T[] {
  const found = reading.tried("verdict", read);
  return found === undefined ? [] : [found];
}

function endOf(reading: Reading): unknown {
  const task = findTask(reading, 1);
  return task && initEnd(reading, task, () => null, () => null);
}

function deviceOf(reading: Reading): unknown {
  const task = findTask(reading, 1);
  return task && probedDevice(reading, task);
}

/** The program of process 1, which can be executed. */
function programOf(reading: Reading): string | undefined {
  const root = rootOf(reading);
  return root && `${whyNotRun(reading, root, "/bin/busybox")?.code}`;
}
