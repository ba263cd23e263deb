// Sampled stacks for speedscope.app: its file format of JSON, with a profile per VM.

import type { SampledStack } from "../../inspection/execution/stack-samples.ts";

/** @param every execution time (ns) between two samples */
export function speedscope(stacks: readonly SampledStack[], every: number): string {
  const indices = new Map<string, number>();
  const indexOf = (name: string) => {
    const known = indices.get(name) ?? indices.size;
    indices.set(name, known);
    return known;
  };
  const profiles = Array.from(Map.groupBy(stacks, ({ frames }) => frames[0]), ([vm, ofVm]) => ({
    type: "sampled",
    name: vm,
    unit: "nanoseconds",
    startValue: 0,
    endValue: ofVm.reduce((sum, { samples }) => sum + samples, 0) * every,
    samples: ofVm.map(({ frames }) => frames.slice(1).map(indexOf)),
    weights: ofVm.map(({ samples }) => samples * every),
  }));
  const frames = Array.from(indices.keys(), (name) => ({ name }));
  return `${
    JSON.stringify({ $schema: "https://www.speedscope.app/file-format-schema.json", exporter: "el2", shared: { frames }, profiles })
  }\n`;
}
