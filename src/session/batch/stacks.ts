// Job: runs recordings again, and samples the call stack of the vCPU that executes instructions.

import { type JobPort, made } from "./job.ts";
import { CodeNaming } from "../inspection/execution/code-names.ts";
import { ModuleCode } from "../inspection/execution/module-code.ts";
import { type SampledStack, StackSamples } from "../inspection/execution/stack-samples.ts";
import { beginAgain } from "../recordings/runs/replay.ts";
import type { Recording } from "../recordings/file/recording.ts";

/** Samples between two reports of the progress. */
const TOLD = 64;

interface WantedStacks {
  readonly recordings: readonly Recording[];
  /** Instructions from one sample to the next: 1 ns of execution time each. */
  readonly every: number;
}

/** Reports the instructions so far, of all recordings together. */
export function job({ recordings, every }: WantedStacks, port: JobPort<number>): SampledStack[] {
  let before = 0;
  return recordings.flatMap((recording) => {
    const past = made(() => beginAgain(recording)), { system } = past;
    const modules = new ModuleCode(system.symbols), naming = new CodeNaming(system, modules), samples = new StackSamples(modules);
    const first = system.instructions();
    for (let count = 1; past.advance(first + count * every, Infinity) && system.instructions() >= first + count * every; count++) {
      samples.sample(system.inspector.system);
      if (count % TOLD === 0) port.say(before + system.instructions());
    }
    before += system.instructions();
    return samples.stacks((vm) => naming.of(vm));
  });
}
