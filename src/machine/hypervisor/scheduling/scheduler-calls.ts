// scheduler_yield (docs/spec/hypervisor.md §5.3).

import { ErrorCode } from "../../abi/errors.ts";
import { ThreadRight } from "../../abi/rights.ts";
import { YieldHint } from "../../abi/words.ts";
import { active } from "../capabilities/capability-rules.ts";
import { type Call, hypercall, type HypercallDefinition } from "../capabilities/hypercall-definition.ts";

/**
 * scheduler_yield's `control`: the hint, and the implementation-defined bit, which has no meaning
 * here.
 */
const YIELD_HINT_MASK = 0xffff;
const YIELD_IMPLEMENTATION_DEFINED = 0x8000_0000;

function schedulerYield(call: Call, control: number, target: bigint): ErrorCode {
  const { caller } = call;
  const { scheduler } = caller.services;
  const hint = control & YIELD_HINT_MASK;
  if (control & YIELD_IMPLEMENTATION_DEFINED || hint !== YieldHint.Yield && hint !== YieldHint.ToThread) {
    return call.refuse(ErrorCode.ARGUMENT_INVALID, "a yield, or a yield to a thread", { control });
  }
  if (hint === YieldHint.Yield) {
    scheduler.yield(caller);
    return ErrorCode.OK;
  }
  const thread = call.lookup(target, active("thread", ThreadRight.YieldTo));
  if (typeof thread === "number") return thread;
  scheduler.yieldToThread(caller, thread);
  return ErrorCode.OK;
}

export const calls: readonly HypercallDefinition[] = [
  hypercall("scheduler_yield", { handler: (call, { control, arg1 }) => schedulerYield(call, control, arg1) }),
];
