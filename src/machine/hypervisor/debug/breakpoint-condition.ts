// Conditions of breakpoints, which are evaluated when the instruction is reached: where none holds,
// nothing stops, forward and backward alike.

import type { Vcpu } from "../scheduling/vcpu.ts";
import { agentValue } from "./agent-expression.ts";
import { answerDebugger, debugRegistersOf } from "./debug-access.ts";
import type { DebugControl } from "./debug-control.ts";
import type { BreakpointCondition } from "./vm-stops.ts";

/** Evaluates an expression with variables at a vCPU's place; undefined: it has no value. */
export type ExpressionHolds = (vcpu: Vcpu, text: string) => boolean | undefined;

/**
 * Whether a condition holds at a vCPU's place. One without a value does, so that its author
 * notices.
 */
export function conditionHolds(control: DebugControl, vcpu: Vcpu, condition: BreakpointCondition, expression: ExpressionHolds): boolean {
  if (condition.kind === "expression") return expression(vcpu, condition.text) ?? true;
  const number = control.debuggee.numberOf(vcpu), registers = debugRegistersOf(vcpu);
  const value = agentValue(condition.code, {
    register: (register) => registers[register]?.read(vcpu),
    memory(address, size) {
      const answer = answerDebugger(control, { kind: "read", vcpu: number, address, size });
      return answer.kind === "memory" ? answer.bytes : undefined;
    },
  });
  return value !== 0n;
}
