// Waits of programs for disks that cannot answer: Linux has disabled an interrupt, or the machine
// knows that the disk serves nothing.

import type { Reading } from "../kernel/reading.ts";
import { disabledIrqs } from "../structures/irqs.ts";
import { isKernelThread, isRunning, stateOf } from "../structures/tasks.ts";
import { tasksOf } from "./locks.ts";
import { type Found, found } from "./other-ends.ts";

const OF = "waits for disks";

/** @param silent disks of the VM that do not answer, while no other one serves a request */
export function diskWaits(reading: Reading, silent: readonly string[]): Found[] {
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
