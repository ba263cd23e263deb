// The fields of an instruction of a trace, for filters.

import { defineTable } from "./table.ts";

export const INSTRUCTIONS = defineTable({
  name: "trace.instructions",
  version: 1,
  doc: "executed instructions",
  empty: "no such instruction was executed",
  columns: {
    id: { kind: "id", doc: "the vCPU", alias: ["vcpu"] },
    vm: { kind: "id", doc: "its VM" },
    pc: { kind: "address", doc: "its virtual address" },
    el: { kind: "number", doc: "the exception level: 0 or 1" },
  },
});
