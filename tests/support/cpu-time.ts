// The time that code takes on a processor. A busy machine makes a test wait, and the wall clock
// counts that too; this clock does not.

import process from "node:process";

/** CPU time (ms) of this process and of its threads until now. */
export function cpuTime(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}
