// Findings in a Linux kernel's memory, whether a machine runs it or a dump has it.

import type { Reading } from "../../../inside/linux/kernel/reading.ts";
import { unansweredNeighbors } from "../../../inside/linux/structures/neighbors.ts";
import { absentConsole } from "../../../inside/linux/verdicts/consoles.ts";
import { exhausted } from "../../../inside/linux/verdicts/exhausted.ts";
import { lastingReport, lastReports } from "../../../inside/linux/verdicts/lasting.ts";
import { awaitedRoot, bootStage, lastWarning, survivedOops } from "../../../inside/linux/verdicts/trouble.ts";
import { blockedTasks } from "../../../inside/linux/waits/hung.ts";
import { cpuUsers } from "../../../inside/linux/waits/cpu-users.ts";
import { programDeadlock, programWaits } from "../../../inside/linux/waits/program-waits.ts";
import type { LinuxFinding } from "../../../model/queries/facts/linux-finding.ts";
import type { KernelFindings } from "../readers/guest/guest-kernel.ts";
import type { KnownMachine } from "./known-machine.ts";

/** @param readingOf the kernel's memory; undefined without a kernel */
export function linuxFindings(readingOf: () => Reading | undefined, machine: KnownMachine): KernelFindings {
  /** The finding of one reader; undefined if there is none, or the kernel cannot be read. */
  const found = <T>(read: (reading: Reading) => T | undefined): T | undefined => {
    const reading = readingOf();
    return reading?.tried("verdict", () => read(reading));
  };
  return {
    brokenBy: () => found((reading) => survivedOops(reading) ?? lastingReport(reading, "life", "mounted", "disabled")),
    awaits: () => found((reading) => awaitedRoot(reading, machine.disks)),
    stage: () => found(bootStage),
    hang: () =>
      found((reading) =>
        blockedTasks(reading) ?? programDeadlock(reading, machine.neighbors) ??
          lastingReport(reading, "on-cpu", "asleep", "repeated", "suspended")
      ),
    waits: () =>
      [
        found((reading) => programWaits(reading, machine.silentDisks, machine.neighbors)) ?? [],
        found(unansweredNeighbors) ?? [],
      ].flat(),
    runs: () => found(cpuUsers) ?? [],
    remarks: () =>
      [...machine.lacksConsole ? [] : [absentConsole], exhausted, lastWarning, lastReports].flatMap((read) =>
        found<LinuxFinding | readonly LinuxFinding[]>(read) ?? []
      ),
  };
}
