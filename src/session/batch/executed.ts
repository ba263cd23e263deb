// Job: runs recordings again on cores that count, and says what their VMs have executed.

import type { JobPort } from "./job.ts";
import { repeatedRuns } from "./repeated-runs.ts";
import { type ExecutedVm, together } from "../inspection/execution/executed.ts";
import { CodeNaming } from "../inspection/execution/code-names.ts";
import { ModuleCode } from "../inspection/execution/module-code.ts";
import { type ExecutedParts, readExecuted } from "../inspection/execution/read-executed.ts";
import type { Recording } from "../recordings/file/recording.ts";

interface WantedExecution {
  readonly recordings: readonly Recording[];
  readonly parts: ExecutedParts;
}

export function job({ recordings, parts }: WantedExecution, port: JobPort<number>): ExecutedVm[] {
  return together(repeatedRuns(recordings, port, true, (system) => {
    const modules = new ModuleCode(system.symbols, system.core.counters), naming = new CodeNaming(system, modules);
    system.kernelEvents.hearLoads((vm, loaded) => modules.now(vm, loaded));
    return () => readExecuted(system.core.counters.executedPages(), (vm) => naming.of(vm), parts);
  }));
}
