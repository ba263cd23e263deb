// The option of `boot`, `run` and `up` that chooses how the primary's drivers find the hypervisor.

import { Option } from "@commander-js/extra-typings";
import { DEFAULT_BEHAVIOUR, HYPERVISOR_NODES } from "../plans/plan.ts";

export const hypervisorNodeOption = new Option(
  "--hypervisor-node <form>",
  `form of /hypervisor in the primary's devicetree: the platform's, or one of the Linux series (default: "${DEFAULT_BEHAVIOUR.hypervisorNode}")`,
).choices(HYPERVISOR_NODES);
