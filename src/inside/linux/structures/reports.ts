// Reports of a kernel about itself: records of its own facility in its log, recognized by
// their form. Programs can write the same words to /dev/kmsg; their records have another facility.

import { KERNEL_REPORTS, REPORT_KINDS, type ReportForm, type ReportKind } from "../../../model/queries/facts/kernel-report.ts";
import type { NamedTask } from "../../../model/queries/facts/program-wait.ts";
import type { LinuxKernel } from "../kernel/kernel.ts";
import type { VirtualMemory } from "../kernel/memory.ts";
import type { Reading } from "../kernel/reading.ts";
import { isOfKernel, type LogPlace, readLogAfter, type RingRow } from "./log.ts";

/** Records after its first one in which a report has its details, and reports that are kept. */
const LINES_MAX = 64, REPORTS_MAX = 64;
/** Records that an answer reads: the last ones of a log that has grown by more. */
const RECORDS_MAX = 4096;

/** Values that are null are not in the report. */
export interface KernelReport {
  readonly kind: ReportKind;
  readonly sequence: number;
  /** The kernel's time (ns). */
  readonly t: string;
  /** Its first line. */
  readonly text: string;
  readonly task: NamedTask | null;
  /** A function, with its module. */
  readonly at: string | null;
  readonly cpu: number | null;
  readonly device: string | null;
  /** Seconds that it names. */
  readonly seconds: number | null;
  /** A later line says that it is over. */
  readonly ended: boolean;
}

/** The first line of a report, and those of the same caller after it. */
interface FirstLine {
  readonly kind: ReportKind;
  readonly row: RingRow;
  readonly groups: Readonly<Record<string, string | undefined>>;
  readonly lines: string[];
  ended: boolean;
}

/** The log of a kernel up to a place. */
interface ReadLog {
  place: LogPlace | undefined;
  begun: FirstLine[];
  /** The last report of each caller. */
  readonly of: Map<string | null, FirstLine>;
}

/** Of each kernel, as long as it runs: a record is read once. */
const READ = new WeakMap<LinuxKernel, ReadLog>();
/** Of each answer, which may ask several times. */
const KNOWN = new WeakMap<VirtualMemory, readonly KernelReport[]>();

/** The reports in a kernel's log, the oldest first. */
export function reportsIn(reading: Reading): readonly KernelReport[] {
  let known = KNOWN.get(reading.memory);
  if (!known) KNOWN.set(reading.memory, known = readReports(reading));
  return known;
}

function readReports(reading: Reading): KernelReport[] {
  const { kernel } = reading, known = READ.get(kernel), later = readLogAfter(reading, known?.place, RECORDS_MAX);
  if (!later) return [];
  const read: ReadLog = known && later.continues ? known : { place: undefined, begun: [], of: new Map() };
  for (const row of later.rows) if (isOfKernel(row)) take(read, row);
  read.place = later.place;
  // A report is true as long as the log has it.
  read.begun = read.begun.filter(({ row }) => row.sequence >= later.oldest).slice(-REPORTS_MAX);
  for (const [caller, one] of read.of) if (!read.begun.includes(one)) read.of.delete(caller);
  READ.set(kernel, read);
  return read.begun.map(reportOf);
}

function take(read: ReadLog, row: RingRow): void {
  for (const kind of REPORT_KINDS) {
    for (const form of KERNEL_REPORTS[kind].begins) {
      const match = form.exec(row.text);
      if (!match) continue;
      const begun: FirstLine = { kind, row, groups: match.groups ?? {}, lines: [], ended: false };
      read.begun.push(begun);
      read.of.set(row.caller, begun);
      return;
    }
  }
  end(read, row);
  const { kind, lines } = read.of.get(row.caller) ?? {};
  if (kind !== undefined && lines && !KERNEL_REPORTS[kind].alone && lines.length < LINES_MAX) lines.push(row.text);
}

/** Ends the reports of which a line says that they are over. */
function end(read: ReadLog, { text }: RingRow): void {
  for (const one of read.begun) {
    const { ends = [] }: ReportForm = KERNEL_REPORTS[one.kind];
    one.ended ||= ends.map((form) => form.exec(text)).some((match) => match !== null && match.groups?.device === one.groups.device);
  }
}

/** The line of a dump with its CPU and task, by number and name (lib/dump_stack.c). */
export const DUMPED_TASK = /^CPU: (\d+) (?:UID: \d+ )?PID: (\d+) Comm: (.{1,15}?) (?:Tainted|Not tainted)/;
/** Lines of details (arch/arm64/kernel/process.c, mm/kasan/report.c). */
const BY_TASK = / by task (.{1,15})\/(\d+)/;
const STALLED_CPU = /^rcu: \t(\d+)-/;
/** The thread of RCU itself has not run: its CPU is stalled, and another one reports it. */
const STARVED_CPU = /^rcu: \S+ kthread starved for .*->cpu=(\d+)/, RUNNING = /^task:(.{1,15}?) +state:R .*\bpid:(\d+)/;
const PC = /^pc : (.*)/, TRACE = /^Call trace\b/, FRAME = /^ {1,2}(\S+\+0x[\da-f]+)\/0x[\da-f]+(?: (\[[\w-]+\]))?/;
const PLACE = /^(\S+?\+0x[\da-f]+)(?:\/0x[\da-f]+)?(?: (\[[\w-]+\]))?/;
/** A handler of an interrupt (kernel/irq/spurious.c). */
const HANDLER = /^\[<[\da-f]+>\] (\S+(?: \[[\w-]+\])?)/;
/** Functions that check, wait or report for their callers. */
const FOR_OTHERS =
  /^(?:refcount_warn_saturate|__list_(?:add|del)_|usercopy_abort|__check_(?:object|heap)|report_|kasan_|__asan_|kfence_|__ubsan_|ubsan_|dump_|show_|print_|bad_page|slab_|object_err|check_|panic|warn_|__warn|__might_|___might|_*schedule|io_schedule|__switch_to|msleep|wait_|_*wait_|_*mutex_|_*rwsem_|_*down_|_*down\b|_raw_|_*queued_|__delay|__udelay|__const_udelay|arch_counter|arch_timer_|lock_acquire|lockdep_|rcu_)/;

/** The match in the first line that has one; nothing if none has. */
export const firstMatch = (lines: readonly string[], pattern: RegExp): readonly string[] =>
  lines.map((line) => pattern.exec(line)).find((match) => match !== null) ?? [];

function reportOf({ kind, row, groups, lines, ended }: FirstLine): KernelReport {
  const first = (pattern: RegExp) => firstMatch([row.text, ...lines], pattern);
  const [, dumped] = first(DUMPED_TASK), [, starved] = first(STARVED_CPU), [, stalled] = first(STALLED_CPU);
  const cpu: string | undefined = groups.cpu ?? starved ?? stalled, isOfCpu = cpu === undefined || cpu === dumped;
  const [, handler] = kind === "unclaimed-interrupt" ? first(HANDLER) : [], at = groups.at ?? handler;
  return {
    kind,
    sequence: row.sequence,
    t: row.t,
    text: row.text,
    // A device interrupts whatever task is running.
    task: taskIn(first, groups, isOfCpu && groups.device === undefined, starved !== undefined),
    at: at !== undefined ? placeOf(at) ?? at : isOfCpu ? placeIn(lines) ?? null : null,
    cpu: cpu === undefined ? null : Number(cpu),
    device: groups.device ?? null,
    seconds: groups.seconds === undefined ? null : Number(groups.seconds),
    ended,
  };
}

/**
 * The task that a report is about.
 * @param isDumped the dump is of it
 * @param isListed it is in a list of the tasks of CPUs
 */
function taskIn(
  first: (pattern: RegExp) => readonly string[],
  groups: FirstLine["groups"],
  isDumped: boolean,
  isListed: boolean,
): NamedTask | null {
  const [, byName, byPid] = first(BY_TASK), [, , dumpedPid, dumpedName] = isDumped ? first(DUMPED_TASK) : [];
  const [, listedName, listedPid] = isListed ? first(RUNNING) : [];
  const name = groups.name ?? byName ?? dumpedName ?? listedName, pid = groups.pid ?? byPid ?? dumpedPid ?? listedPid;
  return name === undefined || pid === undefined ? null : { name, pid: Number(pid) };
}

/** A function with its module, `spin+0x8 [hang]`. */
function placeOf(text: string): string | undefined {
  const [, at, module] = PLACE.exec(text) ?? [];
  return at && (module === undefined ? at : `${at} ${module}`);
}

/** The innermost function of a dump that works for itself. */
function placeIn(lines: readonly string[]): string | undefined {
  const [, pc = ""] = firstMatch(lines, PC);
  const trace = lines.findIndex((line) => TRACE.test(line));
  const frames = trace < 0 ? [] : lines.slice(trace + 1).flatMap((line) => {
    const [, at, module] = FRAME.exec(line) ?? [];
    return at === undefined ? [] : [module === undefined ? at : `${at} ${module}`];
  });
  const places = [placeOf(pc), ...frames].filter((place) => place !== undefined);
  return places.find((place) => !FOR_OTHERS.test(place)) ?? places[0];
}
