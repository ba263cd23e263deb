// The hypercalls on partitions but for those that create objects (docs/spec/hypervisor.md §3.5).

import { ErrorCode } from "../../abi/errors.ts";
import { CAP_INVALID } from "../../abi/words.ts";
import { hypercall, type HypercallDefinition } from "../capabilities/hypercall-definition.ts";

export const calls: readonly HypercallDefinition[] = [
  hypercall("partition_create_partition", {
    handler: (call) => ({ error: call.refuse(ErrorCode.UNIMPLEMENTED, "partitions are not created dynamically"), new_cap: CAP_INVALID }),
  }),
];
