// Events that the performance monitors count (FEAT_PMUv3), and the functions of the module by which
// other parts of the core report them; registers/performance-monitors.ts defines these. Arm ARM
// D13.11, D13.12. A core without the feature has none of them.

import type { Code, Operand } from "../wasm/expression.ts";
import type { Callees, Library } from "../wasm/library.ts";
import type { FunctionBuilder, ValueType } from "../wasm/module.ts";

/** Numbers of events, as in PMEVTYPER<n>_EL0.evtCount. */
export const PerformanceEvent = {
  SW_INCR: 0x00,
  LD_RETIRED: 0x06,
  ST_RETIRED: 0x07,
  INST_RETIRED: 0x08,
  EXC_TAKEN: 0x09,
  EXC_RETURN: 0x0a,
  CID_WRITE_RETIRED: 0x0b,
  PC_WRITE_RETIRED: 0x0c,
  BR_IMMED_RETIRED: 0x0d,
  BR_RETURN_RETIRED: 0x0e,
  CPU_CYCLES: 0x11,
  MEM_ACCESS: 0x13,
  TTBR_WRITE_RETIRED: 0x1c,
  CHAIN: 0x1e,
  BR_RETIRED: 0x21,
  STALL_FRONTEND: 0x23,
  STALL_BACKEND: 0x24,
  STALL: 0x3c,
} as const;

/** Kinds of instructions that have an event each. */
export const Retired = { Load: 1, Store: 2, Branch: 4, Immediate: 8, Return: 16, ExceptionReturn: 32 } as const;

/** `CPU.PMU_MODE`: what the enabled counters need. */
export const PmuMode = {
  /** Something counts. */
  Counts: 1,
  /** An event is counted instruction by instruction. */
  Each: 2,
  /** An overflow matters at the instruction at which it happens. */
  Bounded: 4,
  /** The level of the interrupt line differs from the one that EL2 knows (`CPU.PMU_LINE`). */
  LineChanged: 8,
} as const;

const FUNCTIONS = {
  /** (event): it happens once, at the current exception level. */
  countEvent: [["i32"], []],
  /**
   * (instructions that are left of the slice): counts those since it was last called. Those that
   * follow are counted at the current exception level, by the counters that are enabled then.
   */
  settleCounters: [["i32"], []],
  /** (budget of a slice): it begins. */
  beginCounted: [["i32"], []],
  /** Like `settleCounters`, before execution continues; 1 if the slice must end there. */
  enterCounted: [["i32"], ["i32"]],
  /** (decoded instruction): it is the next that is executed. */
  fetchedCounted: [["i32"], []],
  /** (left of the slice) -> left: executes one instruction after the other. */
  executeEach: [["i32"], ["i32"]],
} as const satisfies Record<string, readonly [readonly ValueType[], readonly ValueType[]]>;

export function performanceFunction(library: Callees, name: keyof typeof FUNCTIONS): FunctionBuilder {
  const [parameters, results] = FUNCTIONS[name];
  return library.get(name, parameters, results);
}

/** Declares that the core has performance monitors: other parts report to them from now on. */
export function declarePerformance(library: Library): void {
  performanceFunction(library, "countEvent");
}

/** Whether a core has performance monitors. */
export const countsEvents = (library: Callees): boolean => library.has("countEvent");

/** Reports an event, where a core counts any. */
export function countEvent(c: Code, library: Callees, event: Operand): void {
  if (countsEvents(library)) c.run(performanceFunction(library, "countEvent"), event);
}
