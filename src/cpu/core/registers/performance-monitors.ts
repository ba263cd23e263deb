// The performance monitors (FEAT_PMUv3): what is counted when, and what an overflow does. Arm ARM
// D13 (The Performance Monitors Extension); pseudocode: CountPMUEvents, IncrementEventCounter,
// CheckForPMUOverflow. Their registers are in performance-registers.ts.
//
// Instructions and cycles follow from the budget: an instruction takes one cycle, as it takes one
// nanosecond. They are added up where the exception level changes, where a register of the monitors
// is accessed, and where a slice ends, so that code runs as it does without counters. A slice ends
// at the first overflow that has an effect. Loads, stores and branches are counted instruction by
// instruction (`executeEach`), exceptions and other events where they happen.

import type { FeatureName } from "../../isa/cpus/features.ts";
import { Pstate } from "../architecture/exceptions.ts";
import { ExitReason } from "../exceptions/exit.ts";
import { PerformanceEvent, performanceFunction, PmuMode, Retired } from "../exceptions/performance-events.ts";
import { CPU, Pending } from "../state/cpu-state.ts";
import { callee } from "../state/functions.ts";
import { Code, constant, type Local, type Operand, type Value } from "../wasm/expression.ts";
import type { Library } from "../wasm/library.ts";

/** Event counters; the cycle counter has bit 31 of the masks. */
export const EVENT_COUNTERS = 6;
export const CYCLES_BIT = 31;

/** PMCR_EL0. */
export const Pmcr = { E: 1, P: 1 << 1, C: 1 << 2, DP: 1 << 5, LC: 1 << 6, LP: 1 << 7, FZO: 1 << 9 } as const;

/** Events that each instruction may cause. */
const EACH = [
  PerformanceEvent.LD_RETIRED,
  PerformanceEvent.ST_RETIRED,
  PerformanceEvent.MEM_ACCESS,
  PerformanceEvent.PC_WRITE_RETIRED,
  PerformanceEvent.BR_IMMED_RETIRED,
  PerformanceEvent.BR_RETURN_RETIRED,
  PerformanceEvent.BR_RETIRED,
] as const;

const EVENT_MASK = 0xffff;
const ALL_EVENT_COUNTERS = (1 << EVENT_COUNTERS) - 1;

const counterAddress = (index: number) => CPU.PMEVCNTR0_EL0 + 8 * index;
const typeAddress = (index: number) => CPU.PMEVTYPER0_EL0 + 8 * index;
const range = Array.from({ length: EVENT_COUNTERS }, (_, index) => index);

/** The low halves of registers. */
const word = (c: Code, address: number) => c.load("i32.load", address);
const level = (c: Code) => word(c, CPU.PSTATE).and(Pstate.ElMask).nonZero();

/** Whether a counter with this type counts at an exception level, in Non-secure state. */
function countsAt(type: Value, atEl1: Value): Value {
  // P (31) against NSK (29), U (30) against NSU (28).
  return type.xor(type.shl(2)).shrU(atEl1.add(30)).and(1).not();
}

/** Whether an enabled event counter counts at a level, and which event. */
function counting(c: Code, index: number, atEl1: Value): { readonly counts: Value; readonly event: Value } {
  const type = word(c, typeAddress(index));
  return {
    counts: word(c, CPU.PMU_ENABLED).shrU(index).and(1).and(countsAt(type, atEl1)),
    event: type.and(EVENT_MASK),
  };
}

/** Whether the cycle counter is enabled and counts at a level. */
const countsCycles = (c: Code, atEl1: Value): Value =>
  word(c, CPU.PMU_ENABLED).shrU(CYCLES_BIT).and(countsAt(word(c, CPU.PMCCFILTR_EL0), atEl1));

const isLinear = (event: Value) => event.eq(PerformanceEvent.INST_RETIRED).or(event.eq(PerformanceEvent.CPU_CYCLES));

/** Defines the functions of the monitors, but for those of `defineCountedExecution`. */
export function definePerformanceMonitors(library: Library, features: ReadonlySet<FeatureName>): void {
  const isLong = features.has("FEAT_PMUv3p5");
  defineUpdate(library, features);
  defineAdd(library, isLong);
  defineSettle(library);
  defineDistance(library, isLong);
  defineBegin(library);
  defineEnter(library);
  defineEvents(library);
}

/**
 * `updateCounters`: finds the state that derives from the registers. Instructions before it are
 * counted.
 */
function defineUpdate(library: Library, features: ReadonlySet<FeatureName>): void {
  const c = new Code(library.define("updateCounters", [], [], true));
  const control = c.let(word(c, CPU.PMCR_EL0));
  const enabled = c.let(control.and(Pmcr.E).select(word(c, CPU.PMCNTENSET_EL0), constant("i32", 0)));
  if (features.has("FEAT_PMUv3p7")) {
    const frozen = control.and(Pmcr.FZO).nonZero().and(word(c, CPU.PMOVSSET_EL0).and(ALL_EVENT_COUNTERS).nonZero());
    c.if(frozen, () => {
      c.set(enabled, control.and(Pmcr.DP).select(constant("i32", 0), enabled.and(1 << CYCLES_BIT)));
    });
  }
  c.store("i32.store", CPU.PMU_ENABLED, enabled);
  const bounded = word(c, CPU.PMINTENSET_EL1).or(control.and(Pmcr.FZO)).nonZero();
  const mode = c.let(bounded.select(constant("i32", PmuMode.Counts | PmuMode.Bounded), PmuMode.Counts));
  for (const index of range) {
    const event = c.let(word(c, typeAddress(index)).and(EVENT_MASK));
    const isEach = EACH.map((one) => event.eq(one)).reduce((a, b) => a.or(b));
    c.set(mode, mode.or(enabled.shrU(index).and(isEach).mul(PmuMode.Each)));
  }
  const overflows = c.let(word(c, CPU.PMOVSSET_EL0));
  c.store("i32.store", CPU.PMU_OVERFLOWS, overflows);
  const line = control.and(Pmcr.E).nonZero().and(overflows.and(word(c, CPU.PMINTENSET_EL1)).nonZero());
  const changed = line.ne(word(c, CPU.PMU_LINE)).mul(PmuMode.LineChanged);
  c.store("i32.store", CPU.PMU_MODE, enabled.select(mode, constant("i32", 0)).or(changed));
}

/** Follows new overflows, once all that was executed before them is counted. */
function followOverflows(c: Code, library: Library): void {
  c.if(word(c, CPU.PMOVSSET_EL0).ne(word(c, CPU.PMU_OVERFLOWS)), () => c.run(library.named("updateCounters")));
}

/**
 * `addToCounter<n>`: (amount i64), and `addCycles`: adds to a counter, with what its overflow does.
 */
function defineAdd(library: Library, isLong: boolean): void {
  const overflows = (c: Code, bit: number) => c.store("i32.store", CPU.PMOVSSET_EL0, word(c, CPU.PMOVSSET_EL0).or(1 << bit));
  for (const index of range.toReversed()) {
    const c = new Code(library.define(`addToCounter${index}`, ["i64"], []));
    const before = c.let(c.load("i64.load", counterAddress(index)));
    const after = c.let(before.add(c.parameter(0)));
    c.store("i64.store", counterAddress(index), isLong ? after : after.and(0xffff_ffff));
    const overflowed = c.let(after.shrU(32).ne(before.shrU(32)));
    const is64 = () => word(c, CPU.PMCR_EL0).and(Pmcr.LP);
    if (isLong) c.set(overflowed, is64().select(after.ltU(before), overflowed));
    c.if(overflowed, () => {
      overflows(c, index);
      if (index % 2 === 0) {
        const { counts, event } = counting(c, index + 1, word(c, CPU.PMU_LEVEL));
        const chains = counts.and(event.eq(PerformanceEvent.CHAIN));
        // Counters of 64 bits make no chain.
        c.if(isLong ? chains.and(is64().not()) : chains, () => addTo(c, library, index + 1, constant("i64", 1)));
      }
    });
  }
  const c = new Code(library.define("addCycles", ["i64"], []));
  const before = c.let(c.load("i64.load", CPU.PMCCNTR_EL0)), after = c.let(before.add(c.parameter(0)));
  c.store("i64.store", CPU.PMCCNTR_EL0, after);
  // PMCR_EL0.LC is RES1 without AArch32: the counter has 64 bits.
  c.if(after.ltU(before), () => overflows(c, CYCLES_BIT));
}

const addTo = (c: Code, library: Library, index: number, amount: Operand) =>
  c.run(library.get(`addToCounter${index}`, ["i64"], []), amount);

/** `settleCounters` of exceptions/performance-events.ts. */
function defineSettle(library: Library): void {
  const settle = performanceFunction(library, "settleCounters");
  const c = new Code(library.define("settleCounters", settle.parameters, settle.results));
  const left = c.parameter(0);
  const passed = c.let(word(c, CPU.PMU_LEFT).sub(left)), atEl1 = c.let(word(c, CPU.PMU_LEVEL));
  c.if(passed, () => {
    const amount = c.let(passed.wideSigned());
    for (const index of range) {
      const { counts, event } = counting(c, index, atEl1);
      c.if(counts.and(isLinear(event)), () => addTo(c, library, index, amount));
    }
    c.if(countsCycles(c, atEl1), () => c.run(library.get("addCycles", ["i64"], []), amount));
    c.store("i32.store", CPU.PMU_LEFT, left);
  });
  c.store("i32.store", CPU.PMU_LEVEL, level(c));
  followOverflows(c, library);
}

const FAR = 0x7fff_ffff;

/** From the value of a counter of 64 bits to its overflow: at zero, that would be 2^64. */
const distanceOf = (value: Value): Value => value.not().select(constant("i64", FAR), constant("i64", 0).sub(value));

/**
 * `overflowDistance`: instructions at the current level until the first overflow that matters, at
 * most `FAR`.
 */
function defineDistance(library: Library, isLong: boolean): void {
  const c = new Code(library.define("overflowDistance", [], ["i32"], true));
  const distance = c.let(constant("i64", FAR)), atEl1 = c.let(level(c));
  const nearer = (candidate: Value) => {
    const rest = c.let(candidate);
    c.if(rest.ltU(distance), () => c.set(distance, rest));
  };
  c.if(word(c, CPU.PMU_MODE).and(PmuMode.Bounded), () => {
    for (const index of range) {
      const { counts, event } = counting(c, index, atEl1);
      c.if(counts.and(isLinear(event)), () => {
        const value = c.let(c.load("i64.load", counterAddress(index)));
        const short = constant("i64", 1n << 32n).sub(value.and(0xffff_ffff));
        nearer(isLong ? word(c, CPU.PMCR_EL0).and(Pmcr.LP).select(distanceOf(value), short) : short);
      });
    }
    c.if(countsCycles(c, atEl1), () => nearer(distanceOf(c.let(c.load("i64.load", CPU.PMCCNTR_EL0)))));
  });
  c.result(distance.wrap());
}

/** `enterCounted` of exceptions/performance-events.ts. */
function defineEnter(library: Library): void {
  const enter = performanceFunction(library, "enterCounted");
  const c = new Code(library.define("enterCounted", enter.parameters, enter.results));
  const left = c.parameter(0), leaves = c.let(word(c, CPU.PENDING).eq(Pending.Exit));
  // An instruction that a watchpoint has stopped is executed again, and counted then.
  c.if(leaves.and(word(c, CPU.EXIT_REASON).eq(ExitReason.Watchpoint)), () => c.set(left, left.add(1)));
  c.run(performanceFunction(library, "settleCounters"), left);
  c.if(leaves, () => c.return(constant("i32", 0)));
  const mode = c.let(word(c, CPU.PMU_MODE));
  c.if(mode.and(PmuMode.LineChanged).or(mode.and(PmuMode.Each).nonZero().and(left.gtS(1))), () => c.return(constant("i32", 1)));
  c.result(c.call(library.named("overflowDistance")).ltS(left));
}

/** `beginCounted` of exceptions/performance-events.ts. */
function defineBegin(library: Library): void {
  const begin = performanceFunction(library, "beginCounted");
  const c = new Code(library.define("beginCounted", begin.parameters, begin.results));
  c.store("i32.store", CPU.PMU_LEFT, c.parameter(0));
  c.store("i32.store", CPU.PMU_LEVEL, level(c));
}

/** `countEvent` of exceptions/performance-events.ts. */
function defineEvents(library: Library): void {
  const count = performanceFunction(library, "countEvent");
  const c = new Code(library.define("countEvent", count.parameters, count.results));
  c.if(word(c, CPU.PMU_MODE), () => countOne(c, library, c.parameter(0), c.let(level(c))));
}

/**
 * An event happens once at a level, in each counter that counts it.
 * @param among a bit for each counter in which it happens; all by default
 */
export function countOne(c: Code, library: Library, event: Value, atEl1: Local, among?: Local): void {
  for (const index of range) {
    const counter = counting(c, index, atEl1), counts = counter.counts.and(counter.event.eq(event));
    c.if(among ? counts.and(among.shrU(index)) : counts, () => addTo(c, library, index, constant("i64", 1)));
  }
}

/**
 * Instructions that are counted one by one: `fetchedCounted` and `executeEach`.
 * @param retired imported: (word) -> its `Retired`
 */
export function defineCountedExecution(library: Library, retired: number): void {
  const fetched = performanceFunction(library, "fetchedCounted"), each = performanceFunction(library, "executeEach");
  {
    const c = new Code(library.define("fetchedCounted", fetched.parameters, fetched.results));
    c.store("i32.store", CPU.IP, c.parameter(0));
    c.store("i32.store", CPU.PMU_WORD, c.call(callee(library, "currentWord")));
    c.store("i64.store", CPU.PMU_WORD_PC, c.call(callee(library, "currentPc")));
    c.store("i32.store", CPU.PMU_WORD_LEVEL, level(c));
    c.store("i32.store", CPU.PMU_RAISED, constant("i32", 0));
  }
  {
    // (): the instruction of PMU_WORD is complete.
    const c = new Code(library.define("countRetired", [], []));
    word(c, CPU.PMU_WORD).emit(c.f);
    c.f.call(retired);
    const kinds = c.local("i32");
    c.f.set(kinds.index);
    c.if(kinds.not(), () => c.return());
    const atEl1 = c.let(word(c, CPU.PMU_WORD_LEVEL));
    const event = (number: number, condition: Value) => c.if(condition, () => countOne(c, library, constant("i32", number), atEl1));
    const branches = kinds.and(Retired.Branch);
    event(PerformanceEvent.LD_RETIRED, kinds.and(Retired.Load));
    event(PerformanceEvent.ST_RETIRED, kinds.and(Retired.Store));
    // An atomic operation is two accesses.
    for (const kind of [Retired.Load, Retired.Store]) event(PerformanceEvent.MEM_ACCESS, kinds.and(kind));
    event(PerformanceEvent.BR_RETIRED, branches);
    event(PerformanceEvent.BR_IMMED_RETIRED, kinds.and(Retired.Immediate));
    event(PerformanceEvent.BR_RETURN_RETIRED, kinds.and(Retired.Return));
    const wentOn = c.load("i64.load", CPU.PC).eq(c.load("i64.load", CPU.PMU_WORD_PC).add(4));
    event(PerformanceEvent.PC_WRITE_RETIRED, branches.nonZero().and(wentOn.not()).or(kinds.and(Retired.ExceptionReturn)));
    followOverflows(c, library);
  }
  {
    const c = new Code(library.define("executeEach", each.parameters, each.results));
    const left = c.parameter(0), behind = c.local("i32"), rest = c.local("i32");
    const moveEnd = (name: "add" | "sub") =>
      c.store("f64.store", CPU.RUN_END, c.load("f64.load", CPU.RUN_END)[name](behind.op("f64.convert_i32_s", "f64")));
    const continues = c.local("i32");
    c.doWhile(() => {
      c.store("i32.store", CPU.PMU_WORD, constant("i32", 0));
      // Time is that of an instruction with `left` of the slice before it.
      c.set(behind, left.sub(1));
      moveEnd("sub");
      c.set(rest, c.call(library.named("execute"), constant("i32", 1)));
      moveEnd("add");
      c.set(left, behind.add(rest));
      const completed = word(c, CPU.PMU_WORD).nonZero().and(rest.leS(0)).and(word(c, CPU.PMU_RAISED).not());
      const trapped = word(c, CPU.EXIT_REASON).eq(ExitReason.Trap).or(word(c, CPU.EXIT_REASON).eq(ExitReason.Bus));
      c.if(completed.and(trapped.not()), () => c.run(library.named("countRetired")));
      const stays = word(c, CPU.EXIT_REASON).eq(ExitReason.Budget).and(rest.leS(0)).and(left.gtS(0));
      c.set(continues, stays.and(word(c, CPU.PMU_MODE).and(PmuMode.Each | PmuMode.LineChanged).eq(PmuMode.Each)));
    }, () => continues);
    c.result(left);
  }
}
