// Results of jobs that count or sample what VMs execute, as those who print them see them.

export type { CountedEvents, CountedKind } from "../../session/inspection/execution/event-counts.ts";
export { COUNTED_KINDS } from "../../session/inspection/execution/event-counts.ts";
export type { ExecutedLine, ExecutedVm } from "../../session/inspection/execution/executed.ts";
export type { Latency } from "../../session/inspection/execution/latencies.ts";
export type { ProcessInstructions } from "../../session/inspection/execution/process-counts.ts";
export type { ExecutedParts } from "../../session/inspection/execution/read-executed.ts";
export type { SampledStack } from "../../session/inspection/execution/stack-samples.ts";
