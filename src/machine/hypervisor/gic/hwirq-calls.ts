// The hypercalls on hardware interrupts (docs/spec/hypervisor.md §4.5).

import { HwirqRight, VicRight } from "../../abi/rights.ts";
import { active } from "../capabilities/capability-rules.ts";
import { hypercall, type HypercallDefinition } from "../capabilities/hypercall-definition.ts";

export const calls: readonly HypercallDefinition[] = [
  hypercall("hwirq_bind_virq", {
    caps: { hwirq: active("hwirq", HwirqRight.BindVic), vic: active("vic", VicRight.BindSource) },
    handler: (_call, { hwirq, vic, virq }) => hwirq.bind(vic, virq),
  }),
  hypercall("hwirq_unbind_virq", {
    caps: { hwirq: active("hwirq", HwirqRight.BindVic) },
    handler: (_call, { hwirq }) => hwirq.unbind(),
  }),
];
