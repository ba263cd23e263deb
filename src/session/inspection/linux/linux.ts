// Linux, as one of the kernels in VMs.

import type { AddressSpace } from "../../../machine/hypervisor/inspect.ts";
import type { Reading } from "../../../inside/linux/kernel/reading.ts";
import { absentConsole } from "../../../inside/linux/verdicts/consoles.ts";
import { readLog } from "../../../inside/linux/structures/log.ts";
import { blockedTasks } from "../../../inside/linux/waits/hung.ts";
import { awaitedRoot, bootStage, lastWarning, survivedOops } from "../../../inside/linux/verdicts/trouble.ts";
import { lastingReport, lastReports } from "../../../inside/linux/verdicts/lasting.ts";
import { unansweredNeighbors } from "../../../inside/linux/structures/neighbors.ts";
import { programDeadlock, programWaits } from "../../../inside/linux/waits/program-waits.ts";
import type { LinuxFinding } from "../../../model/queries/facts/linux-finding.ts";
import type { GuestKernel } from "../readers/guest/guest-kernel.ts";
import type { View } from "../readers/inspected.ts";
import { placesOf } from "./task-places.ts";
import { endedBy, haltedBy, panicOf, showsPanic, showsPanicEnd } from "./panic.ts";
import { findReading } from "./read-linux.ts";

/** Lines of a log that nothing has shown. */
const LOG_LINES = 8;

/** The finding of one reader in a VM's kernel; undefined if there is none, or it cannot be read. */
function found(view: View, space: AddressSpace, read: (reading: Reading) => LinuxFinding | undefined): LinuxFinding | undefined {
  const reading = findReading(view, space);
  return reading?.tried("verdict", () => read(reading));
}

export const LINUX: GuestKernel = {
  showsPanic,
  showsPanicEnd,
  panicOf,
  haltedBy,
  endedBy,
  brokenBy: (view, space) =>
    found(view, space, (reading) => survivedOops(reading) ?? lastingReport(reading, "life", "mounted", "disabled")),
  awaits: (view, space) => found(view, space, awaitedRoot),
  hangOf: (view, space) =>
    found(
      view,
      space,
      (reading) => blockedTasks(reading) ?? programDeadlock(reading) ?? lastingReport(reading, "on-cpu", "asleep", "repeated"),
    ),
  logOf(view, space) {
    const reading = findReading(view, space);
    return reading && readLog(reading).slice(-LOG_LINES).map(({ t, text }) => ({ t: String(t), text }));
  },
  unshownBecause(view, space) {
    const finding = found(view, space, absentConsole);
    return finding?.code === "console-unregistered" ? finding : undefined;
  },
  remarksOn(view, space) {
    const reading = findReading(view, space);
    const absent = view.system.vms.findings.get(view.vmNameOf(space))?.some(({ code }) => code === "console-absent");
    const read = [...absent ? [] : [absentConsole], lastWarning, lastReports];
    return read.flatMap((one) => reading?.tried<LinuxFinding | readonly LinuxFinding[]>("verdict", () => one(reading) ?? []) ?? []);
  },
  waitsOf: (view, space) => [programWaits, unansweredNeighbors].flatMap((read) => found(view, space, read) ?? []),
  stageOf: (view, space) => found(view, space, bootStage),
  placesOf,
  // It has found no KVM.
  notes: (shown) => /kvm \[\d+\]: HYP mode not available/.test(shown) ? [{ code: "no-kvm" }] : [],
};
