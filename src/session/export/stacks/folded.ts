// Sampled stacks as folded lines: frames from the outermost, separated by semicolons, and a count.
// Flame graph programs read it.

import type { SampledStack } from "../../inspection/execution/stack-samples.ts";

export function* folded(stacks: readonly SampledStack[]): Generator<string> {
  for (const { frames, samples } of stacks) yield `${frames.map((name) => name.replaceAll(/[;\s]+/g, "_")).join(";")} ${samples}\n`;
}
