// The hypervisor for programs that have none: requests of debuggers, their answers, and the reasons
// why a vCPU does not run. It loads no object.

export { conditionHolds, type ExpressionHolds } from "./debug/breakpoint-condition.ts";
export {
  answerDebugger,
  DEBUG_REGISTERS,
  type DebugAccess,
  type DebugAnswer,
  type DebuggedVcpu,
  type DebugRegister,
  type DebugSpace,
} from "./debug/debug-access.ts";
export type { DebugControl, Debuggee, DebugStop, StepRange } from "./debug/debug-control.ts";
export type { BreakpointCondition } from "./debug/vm-stops.ts";
export { Block } from "./scheduling/vcpu-life.ts";
