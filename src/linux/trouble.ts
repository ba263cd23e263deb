// Defects of a kernel that has not panicked: an oops that killed only a task, and a boot that waits
// for something that cannot come.

import type { LinuxFinding } from "../queries/facts/linux-finding.ts";
import { kernelFrames } from "./frames.ts";
import { readLog } from "./log.ts";
import type { Reading } from "./reading.ts";
import { rootNotFound } from "./root.ts";
import { findTask, isRunning } from "./tasks.ts";

/** Bit of `tainted_mask`: the kernel has had an oops. */
const DIED = 1n << 7n;
/** Lines of an oops (arch/arm64/kernel/traps.c): their beginnings. */
const FAULT = /^Unable to handle (.*)/, ERROR = /^Internal error: (.*?) \[#(\d+)\]/, PC = /^pc : (\S+)/;
const TASK = /^CPU: \d+ (?:UID: \d+ )?PID: (\d+) Comm: (.{1,15}?) (?:Tainted|Not tainted)/;

/** The last oops, if the kernel has had one. */
export function survivedOops(reading: Reading): Extract<LinuxFinding, { code: "oops-survived" }> | undefined {
  const taint = reading.kernel.find(reading.memory, "tainted_mask");
  if (taint === undefined || !reading.memory.has(taint, 8) || (reading.memory.u64(taint) & DIED) === 0n) return undefined;
  const texts = readLog(reading).map(({ text }) => text), start = Math.max(0, texts.findLastIndex((text) => ERROR.test(text)));
  const [, what = "an oops", count = "1"] = ERROR.exec(texts[start] ?? "") ?? [];
  const first = (pattern: RegExp) => texts.slice(start).map((text) => pattern.exec(text)).find((one) => one !== null) ?? [];
  const [, pid = "0", name = "?"] = first(TASK), [, at = "?"] = first(PC);
  // A line before it has the address.
  const [, fault] = FAULT.exec(texts.slice(0, start).findLast((text) => FAULT.test(text)) ?? "") ?? [];
  const isFault = fault !== undefined && what.startsWith("Oops:");
  return {
    code: "oops-survived",
    what: isFault ? `unable to handle ${fault}` : what,
    at,
    task: { name, pid: Number(pid) },
    count: Number(count),
  };
}

/**
 * Functions on the stack of process 1, the innermost first, none while it runs; undefined if it has
 * a program.
 */
function bootFunctions(reading: Reading): readonly string[] | undefined {
  const init = findTask(reading, 1);
  if (!init || init.pointer("mm") !== 0n) return undefined;
  return isRunning(init) ? [] : [...kernelFrames(reading, init)].map((pc) => reading.placeOf(pc)?.symbol.name ?? "?");
}

/** The stage of a boot that has not reached a program. */
export function bootStage(reading: Reading): LinuxFinding | undefined {
  const functions = bootFunctions(reading);
  if (!functions) return undefined;
  const call = functions.indexOf("do_one_initcall");
  const waits = functions.find((name) => !/^(?:__switch_to|_*schedule(?:_.*)?|io_schedule.*)$/.test(name));
  return { code: "booting", initcall: call > 0 ? functions[call - 1] : null, waits: waits ?? null };
}

/** A root that is waited for (`rootwait`) and whose driver this kernel does not have. */
export function awaitedRoot(reading: Reading): LinuxFinding | undefined {
  if (!bootFunctions(reading)?.some((name) => name === "prepare_namespace" || name === "wait_for_root")) return undefined;
  const found = rootNotFound(reading);
  return found?.code === "root-absent" && found.drivers.length > 0 ? found : undefined;
}
