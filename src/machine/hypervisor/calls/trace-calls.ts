// trace_update_class_flags: the classes of events that the hypervisor would log
// (docs/spec/hypervisor.md §4.10).

import { hypercall, type HypercallDefinition } from "../capabilities/hypercall-definition.ts";

export const calls: readonly HypercallDefinition[] = [
  hypercall("trace_update_class_flags", {
    handler: ({ services }, { set_flags, clear_flags }) => ({ flags: services.trace.classes.update(set_flags, clear_flags) }),
  }),
];
