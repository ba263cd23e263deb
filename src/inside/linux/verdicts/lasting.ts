// Which reports of a kernel about itself are still true: the log or the kernel's tables say when
// one has ended.

import { KERNEL_REPORTS, type ReportHolds } from "../../../model/queries/facts/kernel-report.ts";
import type { LinuxFinding } from "../../../model/queries/facts/linux-finding.ts";
import { isMounted } from "../structures/files.ts";
import { disabledIrqs, hasWakeup } from "../structures/irqs.ts";
import { kernelFrames } from "../structures/frames.ts";
import { kernelTime } from "../structures/clock.ts";
import type { Reading } from "../kernel/reading.ts";
import type { Struct } from "../kernel/types.ts";
import { arrivalOf, findTask, isKernelThread, named, outsideScheduler, processes } from "../structures/tasks.ts";
import { isBlocked } from "../waits/locks.ts";
import { codeName } from "../structures/stack.ts";
import { type KernelReport, reportsIn } from "../structures/reports.ts";

type Reported = Extract<LinuxFinding, { code: "reported" }>;

const OF = "reports", NS_PER_SECOND = 1e9;
/** A report comes again after the time that it names: without it, twice as long. */
const REPEATS = 2;
/** Kinds of reports that are shown. */
const REMARKS_MAX = 3;

/** Functions in which a suspended kernel waits for an interrupt (kernel/power/suspend.c). */
const SUSPENDED = /^(?:suspend_devices_and_enter|s2idle_(?:loop|enter))$/;

/** Whether a report is true now, by until when it holds. */
const HOLDS: { readonly [H in ReportHolds]: (reading: Reading, report: KernelReport) => boolean } = {
  "on-cpu": (reading, report) => stillOnCpu(reading, report) !== undefined,
  "asleep": (reading, { task, t }) => {
    const found = task ? findTask(reading, task.pid) : undefined;
    return found !== undefined && isBlocked(found) && arrivalOf(found) <= BigInt(t);
  },
  "repeated": isRepeated,
  "mounted": (reading, { device }) => device !== null && isMounted(reading, device),
  "disabled": (reading, { device }) => disabledIrqs(reading).some(({ irq }) => device === `irq ${irq}`),
  "suspended": (reading) => sleepsSuspended(reading) && !hasWakeup(reading),
  "life": () => true,
  "over": () => false,
};

const isTrue = (reading: Reading, report: KernelReport): boolean =>
  !report.ended && HOLDS[KERNEL_REPORTS[report.kind].holds](reading, report);

/** Whether the task that has suspended the kernel waits in it for an interrupt. */
function sleepsSuspended(reading: Reading): boolean {
  const sleepers = reading.rows(OF, () => processes(reading), (task) => isBlocked(task) && !isKernelThread(task) ? task : undefined);
  return sleepers.some((task) => {
    const { value: pc } = outsideScheduler(reading, kernelFrames(reading, task)).next();
    return pc !== undefined && SUSPENDED.test(reading.placeOf(pc)?.symbol.name ?? "");
  });
}

/** A task that a CPU executes in the kernel. */
interface RunningTask {
  readonly task: Struct;
  readonly cpu: number;
  readonly pc: bigint;
}

/** The task of a report, if a CPU has been executing it in the kernel since then. */
function stillOnCpu(reading: Reading, report: KernelReport): RunningTask | undefined {
  for (const running of runningTasks(reading)) {
    const { task, cpu } = running;
    const isOf = report.task ? task.number("pid") === report.task.pid && (report.cpu ?? cpu) === cpu : cpu === report.cpu;
    // The idle task does not arrive at its CPU.
    if (isOf && (task.number("pid") === 0 ? isRepeated(reading, report) : arrivalOf(task) <= BigInt(report.t))) return running;
  }
  return undefined;
}

/** The tasks of the CPUs that are in the kernel. */
function runningTasks(reading: Reading): RunningTask[] {
  return reading.rows(OF, () => reading.vcpus, (vcpu) => {
    const task = reading.struct("task_struct", vcpu.getRegister("SP_EL0"));
    return { task, cpu: task.number("cpu"), pc: vcpu.pc };
  });
}

function isRepeated(reading: Reading, { t, seconds }: KernelReport): boolean {
  const now = kernelTime(reading);
  return now !== undefined && seconds !== null && Number(now - BigInt(t)) <= REPEATS * seconds * NS_PER_SECOND;
}

/** The last report that is true now, of the kinds that hold until then. */
export function lastingReport(reading: Reading, ...holds: readonly ReportHolds[]): Reported | undefined {
  return reading.tried(OF, () => {
    const report = reportsIn(reading).findLast((one) => holds.includes(KERNEL_REPORTS[one.kind].holds) && isTrue(reading, one));
    return report && reported(reading, report, false);
  });
}

/** The last report of each kind, the latest first: whether it is true now, or over. */
export function lastReports(reading: Reading): Reported[] {
  return reading.tried(OF, () => {
    const last = [...new Map(reportsIn(reading).map((one) => [one.kind, one])).values()].sort((a, b) => b.sequence - a.sequence);
    return last.slice(0, REMARKS_MAX).map((one) => reported(reading, one, !isTrue(reading, one)));
  }) ?? [];
}

function reported(reading: Reading, report: KernelReport, isOver: boolean): Reported {
  const { kind, t, text, task, at, cpu, device, seconds } = report, { holds } = KERNEL_REPORTS[kind];
  const running = !isOver && holds === "on-cpu" ? stillOnCpu(reading, report) : undefined;
  // The idle task has no arrival.
  const since = (running && arrivalOf(running.task)) || undefined, now = since === undefined ? undefined : kernelTime(reading);
  return {
    code: "reported",
    kind,
    t,
    text,
    cpu,
    device,
    over: isOver,
    // A CPU that others report cannot tell its place: it is still there.
    task: task ?? (running ? named(running.task) : null),
    at: at ?? (running ? codeName(reading, running.pc) ?? null : null),
    for_ns: now !== undefined && since !== undefined ? Number(now - since) : seconds === null ? null : seconds * NS_PER_SECOND,
  };
}
