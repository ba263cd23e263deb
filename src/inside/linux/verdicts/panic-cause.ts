// The cause of a panic: from the functions on its stack, which show who called for it, and from the
// state that the caller had found.

import type { ExceptionCause } from "../../../model/queries/facts/exception-cause.ts";
import type { LinuxFinding, NotRun } from "../../../model/queries/facts/linux-finding.ts";
import { initEnd, initNotRun, type TakenException } from "./init.ts";
import type { Reading } from "../kernel/reading.ts";
import { blockedTasks } from "../waits/hung.ts";
import { outOfMemory } from "./memory-cause.ts";
import { type GivenDisk, ramdiskBad, rootNotFound } from "./root.ts";
import { named } from "../structures/tasks.ts";
import { loggedWarning, survivedOops } from "./trouble.ts";
import type { Struct } from "../kernel/types.ts";

export interface Panic {
  readonly reading: Reading;
  /** Functions on the stack, from the caller of `panic` on. */
  readonly callers: readonly string[];
  /** The task that its CPU executes. */
  readonly task: Struct;
  /** The exception in the kernel that led to it, in words, and the function. */
  readonly exception: { readonly text: string; readonly at: string; readonly cause: ExceptionCause | null } | undefined;
  /** The last line that programs have shown; null without one. */
  readonly said: () => string | null;
  /** Why a program's instruction raised an exception. */
  readonly explain: (exception: TakenException) => ExceptionCause | null;
  /** The VM's disks; undefined if they are unknown. */
  readonly disks: readonly GivenDisk[] | undefined;
}

type Judge = (panic: Panic) => LinuxFinding | undefined;

/** The function that an interrupt interrupted, or else the caller of the panic. */
function interrupted({ callers }: Panic): string {
  const entry = callers.findLastIndex((name) => /^el1h?_.*(?:irq|interrupt)/.test(name));
  return callers[entry + 1] ?? callers[0] ?? "?";
}

/** Functions that call `panic`, or that lead to it. The first one that is on the stack counts. */
const JUDGES: readonly (readonly [RegExp, Judge])[] = [
  [/^sysrq_handle_crash$/, ({ task }) => ({ code: "sysrq-crash", task: named(task) })],
  [/^watchdog_timer_fn$|^watchdog_.*lockup/, (panic) => ({ code: "lockup", task: named(panic.task), at: interrupted(panic) })],
  [/^(?:panic_on_rcu_stall|print_(?:other_)?cpu_stall|rcu_sched_clock_irq)$/, (panic) => ({
    code: "rcu-stall",
    task: named(panic.task),
    at: interrupted(panic),
  })],
  [/^(?:out_of_memory|check_panic_on_oom)$/, ({ reading, task }) => outOfMemory(reading, named(task))],
  [/^(?:watchdog|check_hung_task|check_hung_uninterruptible_tasks)$/, ({ reading }) => blockedTasks(reading)],
  [/^(?:__warn|check_panic_on_warn)$/, ({ reading }) => loggedWarning(reading)],
  [/^(?:die|die_kernel_fault|arm64_serror_panic|make_task_dead|oops_end|arm64_notify_die)$/, oops],
  [/^(?:panic_bad_stack|handle_bad_stack)$/, ({ exception, task }) => ({
    code: "stack-overflow",
    at: exception?.at ?? "?",
    task: named(task),
  })],
  [/^do_exit$/, ({ reading, task, said, explain }) => initEnd(reading, task, said, explain)],
  [/^(?:mount_root|mount_root_generic|mount_block_root|prepare_namespace)$/, ({ reading, disks }) => rootNotFound(reading, disks)],
  [/^kernel_init$/, ({ reading, task }) => initNotStarted(reading, task)],
  [/^time_init$/, () => ({ code: "devicetree-lacks", node: "timer" })],
  [/^init_IRQ$/, () => ({ code: "devicetree-lacks", node: "interrupt controller" })],
  [/^(?:paging_init|bootmem_init|arm64_memblock_init)$/, () => ({ code: "devicetree-lacks", node: "memory" })],
];

/** The cause of a panic; undefined if its state cannot be read. */
export function panicCause(panic: Panic): LinuxFinding | undefined {
  const { reading, callers, task } = panic;
  return reading.tried("panic", () => {
    for (const [pattern, judge] of JUDGES) {
      const found = callers.some((name) => pattern.test(name)) && judge(panic);
      if (found) return found;
    }
    return { code: "panic-called", by: callers[0] ?? "?", task: named(task) };
  });
}

/** Defects of a program that no ramdisk without its end has. */
const WHOLE: ReadonlySet<string> = new Set<NotRun["code"]>(["architecture", "folder", "format", "mode"]);

/** A ramdisk that was not unpacked to its end lacks init, or a part of it. */
function initNotStarted(reading: Reading, task: Struct): LinuxFinding | undefined {
  const found = initNotRun(reading, task);
  return found?.code === "init-not-run" && WHOLE.has(found.why.code) ? found : ramdiskBad(reading) ?? found;
}

function oops({ reading, exception, task }: Panic): LinuxFinding | undefined {
  if (exception) return { code: "oops", exception: exception.text, at: exception.at, task: named(task), cause: exception.cause };
  // The vCPU has returned from the exception, and the kernel ends in a task: the log has it.
  const logged = survivedOops(reading);
  return logged && { code: "oops", exception: logged.what, at: logged.at, task: named(task), cause: null };
}
