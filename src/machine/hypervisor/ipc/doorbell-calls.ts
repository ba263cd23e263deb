// The hypercalls on doorbells (docs/spec/hypervisor.md §4.2).

import { ErrorCode } from "../../abi/errors.ts";
import { DoorbellRight, VicRight } from "../../abi/rights.ts";
import { active } from "../capabilities/capability-rules.ts";
import { creation } from "../capabilities/hypercall-create.ts";
import { hypercall, type HypercallDefinition } from "../capabilities/hypercall-definition.ts";
import { Doorbell } from "./doorbell.ts";

export const calls: readonly HypercallDefinition[] = [
  creation("partition_create_doorbell", Doorbell),

  hypercall("doorbell_bind_virq", {
    caps: { doorbell: active("doorbell", DoorbellRight.Bind), vic: active("vic", VicRight.BindSource) },
    handler: (_call, { doorbell, vic, virq }) => vic.bindShared(doorbell.virq, virq),
  }),
  hypercall("doorbell_unbind_virq", {
    caps: { doorbell: active("doorbell", DoorbellRight.Bind) },
    handler(_call, { doorbell }) {
      doorbell.virq.unbind();
      return ErrorCode.OK;
    },
  }),
  hypercall("doorbell_send", {
    caps: { doorbell: active("doorbell", DoorbellRight.Send) },
    handler: (_call, { doorbell, new_flags }) => ({ old_flags: doorbell.send(new_flags) }),
  }),
  hypercall("doorbell_receive", {
    caps: { doorbell: active("doorbell", DoorbellRight.Receive) },
    handler(call, { doorbell, clear_flags }) {
      if (clear_flags === 0n) return call.refuse(ErrorCode.ARGUMENT_INVALID, "clear_flags names at least one flag");
      return { old_flags: doorbell.receive(clear_flags) };
    },
  }),
  hypercall("doorbell_reset", {
    caps: { doorbell: active("doorbell", DoorbellRight.Receive) },
    handler(_call, { doorbell }) {
      doorbell.reset();
      return ErrorCode.OK;
    },
  }),
  hypercall("doorbell_mask", {
    caps: { doorbell: active("doorbell", DoorbellRight.Receive) },
    handler(_call, { doorbell, enable_mask, ack_mask }) {
      doorbell.setMasks(enable_mask, ack_mask);
      return ErrorCode.OK;
    },
  }),
];
