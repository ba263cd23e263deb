// hypervisor_identify: API version, variant and features (docs/spec/hypervisor.md §1.4).

import { API_FLAGS_0, API_INFO } from "../../abi/words.ts";
import { hypercall, type HypercallDefinition } from "../capabilities/hypercall-definition.ts";

export const calls: readonly HypercallDefinition[] = [
  hypercall("hypervisor_identify", {
    constant: { api_info: API_INFO, api_flags_0: API_FLAGS_0, api_flags_1: 0n, api_flags_2: 0n },
  }),
];
