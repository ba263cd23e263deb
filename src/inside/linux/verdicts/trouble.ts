// Defects of a kernel that has not panicked: an oops that killed only a task, and a boot that waits
// for something that cannot come.

import type { LinuxFinding } from "../../../model/queries/facts/linux-finding.ts";
import { kernelFrames } from "../structures/frames.ts";
import { kernelLog } from "../structures/log.ts";
import { probedDevice } from "../waits/probe.ts";
import type { Reading } from "../kernel/reading.ts";
import { type GivenDisk, rootNotFound } from "./root.ts";
import { DUMPED_TASK, firstMatch } from "../structures/reports.ts";
import { findTask, isRunning } from "../structures/tasks.ts";
import type { Struct } from "../kernel/types.ts";

/** Bits of `tainted_mask`: the kernel has had an oops, or a warning. */
const DIED = 1n << 7n, WARNED = 1n << 9n;
/** Lines of a warning, and of an oops (arch/arm64/kernel/traps.c): their beginnings. */
const WARNING = /^WARNING: .*? at (.*)/;
const FAULT = /^Unable to handle (.*)/, ERROR = /^Internal error: (.*?) \[#(\d+)\]/, PC = /^pc : (\S+)/, LINK = /^lr : (\S+)/;

/** Whether a bit of `tainted_mask` is set. */
function isTainted({ kernel, memory }: Reading, bit: bigint): boolean {
  const taint = kernel.find(memory, "tainted_mask");
  return taint !== undefined && memory.has(taint, 8) && (memory.u64(taint) & bit) !== 0n;
}

/** The last warning, if the kernel has had one. */
export function lastWarning(reading: Reading): LinuxFinding | undefined {
  return isTainted(reading, WARNED) ? loggedWarning(reading) : undefined;
}

/** The last line of the kernel of this form, the lines before it, and it with those after. */
function lastLogged(reading: Reading, form: RegExp): { readonly before: readonly string[]; readonly from: readonly string[] } {
  const log = kernelLog(reading), start = log.findLastIndex(({ text }) => form.test(text));
  if (start < 0) return { before: [], from: [] };
  // Lines of other CPUs may be between them.
  const { caller } = log[start], texts = (rows: typeof log) => rows.filter((one) => one.caller === caller).map(({ text }) => text);
  return { before: texts(log.slice(0, start)), from: texts(log.slice(start)) };
}

/** The last one in the log. */
export function loggedWarning(reading: Reading): LinuxFinding {
  const { from } = lastLogged(reading, WARNING),
    [, at = "?"] = WARNING.exec(from[0] ?? "") ?? [],
    [, , pid, name] = firstMatch(from, DUMPED_TASK);
  return { code: "warned", at, task: pid === undefined ? null : { name, pid: Number(pid) } };
}

/** The last oops, if the kernel has had one. */
export function survivedOops(reading: Reading): Extract<LinuxFinding, { code: "oops-survived" }> | undefined {
  if (!isTainted(reading, DIED)) return undefined;
  const { before, from } = lastLogged(reading, ERROR), [, what = "an oops", count = "1"] = ERROR.exec(from[0] ?? "") ?? [];
  const first = (pattern: RegExp) => firstMatch(from, pattern);
  const [, , pid = "0", name = "?"] = first(DUMPED_TASK), [, pc = "?"] = first(PC), [, link = "?"] = first(LINK);
  // No function is at such an address: the caller has jumped there.
  const at = pc.startsWith("0x") ? `${pc}, called by ${link}` : pc;
  // A line before it has the address.
  const [, fault] = FAULT.exec(before.findLast((text) => FAULT.test(text)) ?? "") ?? [];
  const isFault = fault !== undefined && what.startsWith("Oops:");
  return {
    code: "oops-survived",
    what: isFault ? `unable to handle ${fault}` : what,
    at,
    task: { name, pid: Number(pid) },
    count: Number(count),
  };
}

/** Process 1, if it has no program yet. */
function bootingInit(reading: Reading): Struct | undefined {
  const init = findTask(reading, 1);
  return init?.pointer("mm") === 0n ? init : undefined;
}

/** Functions on the stack of a task, the innermost first; none while it runs. */
function functionsOf(reading: Reading, task: Struct): readonly string[] {
  return isRunning(task) ? [] : [...kernelFrames(reading, task)].map((pc) => reading.placeOf(pc)?.symbol.name ?? "?");
}

/** The stage of a boot that has not reached a program. */
export function bootStage(reading: Reading): LinuxFinding | undefined {
  const init = bootingInit(reading);
  if (!init) return undefined;
  const functions = functionsOf(reading, init), device = probedDevice(reading, init) ?? null;
  const call = functions.indexOf("do_one_initcall");
  const waits = functions.find((name) => !/^(?:__switch_to|_*schedule(?:_.*)?|io_schedule.*)$/.test(name));
  return { code: "booting", initcall: call > 0 ? functions[call - 1] : null, device, waits: waits ?? null };
}

/** Causes of a root that is not there, which time does not change. */
const LASTING: ReadonlySet<LinuxFinding["code"]> = new Set<LinuxFinding["code"]>([
  ...["root-without-disk", "root-without-driver", "root-by-programs"] as const,
]);

/**
 * A root that is waited for (`rootwait`) and that cannot come.
 * @param disks the VM's; undefined if they are unknown
 */
export function awaitedRoot(reading: Reading, disks: readonly GivenDisk[] | undefined): LinuxFinding | undefined {
  const init = bootingInit(reading);
  if (!init || !functionsOf(reading, init).some((name) => name === "prepare_namespace" || name === "wait_for_root")) return undefined;
  const found = rootNotFound(reading, disks);
  return found && LASTING.has(found.code) ? found : undefined;
}
