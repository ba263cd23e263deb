// Linux, as one of the kernels in VMs.

import { absentConsole } from "../../../inside/linux/verdicts/consoles.ts";
import { readLog } from "../../../inside/linux/structures/log.ts";
import { once } from "../../../kit/support/values/once.ts";
import type { GuestKernel } from "../readers/guest/guest-kernel.ts";
import { linuxFindings } from "./findings.ts";
import { machineOf } from "./known-machine.ts";
import { placesOf } from "./task-places.ts";
import { endedBy, haltedBy, panicOf, showsPanic, showsPanicEnd } from "./panic.ts";
import { findReading } from "./read-linux.ts";

/** Lines of a log that nothing has shown. */
const LOG_LINES = 8;

export const LINUX: GuestKernel = {
  showsPanic,
  showsPanicEnd,
  panicOf,
  haltedBy,
  endedBy,
  // A verdict has a dozen questions, also to VMs without a kernel.
  findingsOf: (view, space) => linuxFindings(once(() => findReading(view, space)), machineOf(view, view.vmNameOf(space))),
  logOf(view, space) {
    const reading = findReading(view, space);
    return reading && readLog(reading).slice(-LOG_LINES).map(({ t, text }) => ({ t: String(t), text }));
  },
  unshownBecause(view, space) {
    const reading = findReading(view, space), finding = reading?.tried("verdict", () => absentConsole(reading));
    return finding?.code === "console-unregistered" ? finding : undefined;
  },
  placesOf,
  // It has found no KVM.
  notes: (shown) => /kvm \[\d+\]: HYP mode not available/.test(shown) ? [{ code: "no-kvm" }] : [],
};
