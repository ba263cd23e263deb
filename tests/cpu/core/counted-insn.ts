// Counts calls of `insn`: the import map of without-table_test.ts replaces
// src/cpu/isa/notation/insn.ts by this.

import { insn as original } from "../../../src/cpu/isa/notation/insn.ts";

export * from "../../../src/cpu/isa/notation/insn.ts";

/** The number of instructions that were declared so far. */
export let declared = 0;

export const insn: typeof original = new Proxy(original, {
  apply(target, self, args: Parameters<typeof original>) {
    declared++;
    return Reflect.apply(target, self, args);
  },
});
