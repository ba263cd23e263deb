// The registers of the performance monitors (FEAT_PMUv3). Arm ARM D19.5. Instructions are counted
// before an access to one of them, and the state that derives from them is updated after a write
// (performance-monitors.ts).

import type { FeatureName } from "../../isa/cpus/features.ts";
import { systemRegisterNumber } from "../../isa/names/system-register-names.ts";
import { exceptionFunction } from "../exceptions/exception-entry.ts";
import { countEvent, PerformanceEvent, performanceFunction } from "../exceptions/performance-events.ts";
import { CPU } from "../state/cpu-state.ts";
import type { Code, Local, Value } from "../wasm/expression.ts";
import { constant } from "../wasm/expression.ts";
import type { Library } from "../wasm/library.ts";
import { countOne, CYCLES_BIT, EVENT_COUNTERS, Pmcr } from "./performance-monitors.ts";
import { constantRegister, type El0Control, type Encoding, type Privilege, type SystemRegister } from "./system-register.ts";

/** PMUSERENR_EL0: what EL0 may do. */
const Pmuserenr = { EN: 1, SW: 2, CR: 4, ER: 8, Mask: 0xfn } as const;

/** PMCR_EL0: IMP, IDCODE and N. */
const PMCR_FIXED = 0x41n << 24n | 1n << 16n | BigInt(EVENT_COUNTERS) << 11n;
/** One bit for each counter. */
const COUNTERS = 1n << BigInt(CYCLES_BIT) | (1n << BigInt(EVENT_COUNTERS)) - 1n;
/** PMEVTYPER<n>_EL0: P, U, NSK, NSU, NSH, M; and evtCount, whose width grew with FEAT_PMUv3p1. */
const FILTER = 0xfc00_0000n;
const TYPE = FILTER | 0xffffn;
const SELECTOR = 0x1fn;
/** PMSELR_EL0.SEL of PMCCFILTR_EL0. */
const SELECTS_CYCLES = 31;

const allows = (mask: number): El0Control => ({ allowed: (c) => c.load("i32.load", CPU.PMUSERENR_EL0).and(mask) });
const EN = allows(Pmuserenr.EN);

type Read = (c: Code, library: Library) => Value;
type Write = (c: Code, library: Library, value: Local) => void;

/** Counts what was executed before the instruction in progress. Wants IP and END. */
function settle(c: Code, library: Library): void {
  const left = c.load("i32.load", CPU.END).sub(c.load("i32.load", CPU.IP)).shrS(4);
  c.run(performanceFunction(library, "settleCounters"), left);
}

interface Accesses {
  readonly read?: Read;
  readonly write?: Write;
  readonly reading?: Privilege;
  readonly writing?: Privilege;
}

/** A register whose accesses count first, and whose writes change what is counted. */
function register(name: string, encoding: Encoding, { read, write, reading = EN, writing = EN }: Accesses): SystemRegister {
  return {
    name,
    encoding: systemRegisterNumber(...encoding),
    ...read && {
      read: {
        privilege: reading,
        emit: (c: Code, library: Library) => {
          settle(c, library);
          return read(c, library);
        },
      },
    },
    ...write && {
      write: {
        privilege: writing,
        emit: (c: Code, library: Library, value: Local) => {
          settle(c, library);
          write(c, library, value);
          c.run(library.named("updateCounters"));
          // The slice may have to end sooner, or instructions to be counted one by one.
          c.run(exceptionFunction(library, "resumeAfter"));
        },
      },
    },
  };
}

const load = (address: number): Read => (c) => c.load("i64.load", address);
const store = (address: number, mask: bigint): Write => (c, _, value) => c.store("i64.store", address, value.and(mask));
/** Sets, or clears, the bits of a register that are ones in the value. */
const change = (address: number, sets: boolean, mask: bigint): Write => (c, _, value) => {
  const before = c.load("i64.load", address), bits = value.and(mask);
  c.store("i64.store", address, sets ? before.or(bits) : before.and(bits.xor(-1)));
};

/** The events of PMCEID0_EL0 (0 to 0x1f) or PMCEID1_EL0 (from 0x20). */
function commonEvents(from: number, features: ReadonlySet<FeatureName>): bigint {
  let bits = 0n;
  for (const event of Object.values(PerformanceEvent)) {
    // The recorded CPU, which has FEAT_PMUv3p5, does not have it.
    if (event === PerformanceEvent.BR_RETIRED && !features.has("FEAT_PMUv3p7")) continue;
    if (event >= from && event < from + 32) bits |= 1n << BigInt(event - from);
  }
  return bits;
}

function control(features: ReadonlySet<FeatureName>): SystemRegister {
  let bits = Pmcr.E | Pmcr.DP | Pmcr.LC;
  if (features.has("FEAT_PMUv3p5")) bits |= Pmcr.LP;
  if (features.has("FEAT_PMUv3p7")) bits |= Pmcr.FZO;
  const read: Read = (c) => c.load("i64.load", CPU.PMCR_EL0).and(BigInt(bits)).or(PMCR_FIXED);
  const write: Write = (c, _, value) => {
    c.store("i64.store", CPU.PMCR_EL0, value.and(BigInt(bits)));
    const zero = (address: number) => c.store("i64.store", address, constant("i64", 0));
    c.if(value.wrap().and(Pmcr.P), () => {
      for (let index = 0; index < EVENT_COUNTERS; index++) zero(CPU.PMEVCNTR0_EL0 + 8 * index);
    });
    c.if(value.wrap().and(Pmcr.C), () => zero(CPU.PMCCNTR_EL0));
  };
  return register("PMCR_EL0", [3, 3, 9, 12, 0], { read, write });
}

/** The registers that set and clear bits of one state. */
function pairs(): SystemRegister[] {
  const pair = (address: number, set: [string, Encoding], clear: [string, Encoding], privilege: Privilege) =>
    [set, clear].map(([name, encoding], clears) =>
      register(name, encoding, { read: load(address), write: change(address, !clears, COUNTERS), reading: privilege, writing: privilege })
    );
  return [
    ...pair(CPU.PMCNTENSET_EL0, ["PMCNTENSET_EL0", [3, 3, 9, 12, 1]], ["PMCNTENCLR_EL0", [3, 3, 9, 12, 2]], EN),
    ...pair(CPU.PMOVSSET_EL0, ["PMOVSSET_EL0", [3, 3, 9, 14, 3]], ["PMOVSCLR_EL0", [3, 3, 9, 12, 3]], EN),
    ...pair(CPU.PMINTENSET_EL1, ["PMINTENSET_EL1", [3, 0, 9, 14, 1]], ["PMINTENCLR_EL1", [3, 0, 9, 14, 2]], 1),
  ];
}

/** The counters and their types, by number and as PMSELR_EL0 selects them. */
function counters(isLong: boolean): SystemRegister[] {
  const counterMask = isLong ? -1n : 0xffff_ffffn, reading = allows(Pmuserenr.EN | Pmuserenr.ER);
  const numbered = Array.from({ length: EVENT_COUNTERS }, (_, n) => {
    const value = CPU.PMEVCNTR0_EL0 + 8 * n, type = CPU.PMEVTYPER0_EL0 + 8 * n;
    return [
      register(`PMEVCNTR${n}_EL0`, [3, 3, 14, 8, n], { read: load(value), write: store(value, counterMask), reading }),
      register(`PMEVTYPER${n}_EL0`, [3, 3, 14, 12, n], { read: load(type), write: store(type, TYPE) }),
    ];
  }).flat();
  /** The address of the selected one, in registers from `base`. */
  const selected = (c: Code, base: number) => c.load("i32.load", CPU.PMSELR_EL0).shl(3).add(base);
  const exists = (c: Code) => c.load("i32.load", CPU.PMSELR_EL0).ltU(EVENT_COUNTERS);
  const isCycles = (c: Code) => c.load("i32.load", CPU.PMSELR_EL0).eq(SELECTS_CYCLES);
  const readAt = (c: Code, base: number, otherwise: Value) => {
    const value = c.let(otherwise);
    c.if(exists(c), () => c.set(value, c.load("i64.load", selected(c, base))));
    return value;
  };
  return [
    ...numbered,
    register("PMXEVCNTR_EL0", [3, 3, 9, 13, 2], {
      read: (c) => readAt(c, CPU.PMEVCNTR0_EL0, constant("i64", 0)),
      write: (c, _, value) => c.if(exists(c), () => c.store("i64.store", selected(c, CPU.PMEVCNTR0_EL0), value.and(counterMask))),
      reading,
    }),
    register("PMXEVTYPER_EL0", [3, 3, 9, 13, 1], {
      read: (c) => readAt(c, CPU.PMEVTYPER0_EL0, isCycles(c).select(c.load("i64.load", CPU.PMCCFILTR_EL0), 0)),
      write: (c, _, value) => {
        c.if(exists(c), () => c.store("i64.store", selected(c, CPU.PMEVTYPER0_EL0), value.and(TYPE)));
        c.if(isCycles(c), () => c.store("i64.store", CPU.PMCCFILTR_EL0, value.and(FILTER)));
      },
    }),
  ];
}

/** PMSWINC_EL0: each of these counters that counts SW_INCR is incremented. */
const softwareIncrement = register("PMSWINC_EL0", [3, 3, 9, 12, 4], {
  write: (c, library, value) => {
    const event = constant("i32", PerformanceEvent.SW_INCR), level = c.let(c.load("i32.load", CPU.PMU_LEVEL));
    countOne(c, library, event, level, c.let(value.wrap()));
  },
  writing: allows(Pmuserenr.EN | Pmuserenr.SW),
});

/** The registers of a CPU with FEAT_PMUv3. */
export function performanceRegisters(features: ReadonlySet<FeatureName>): SystemRegister[] {
  const selecting = allows(Pmuserenr.EN | Pmuserenr.ER);
  return [
    control(features),
    ...pairs(),
    softwareIncrement,
    register("PMSELR_EL0", [3, 3, 9, 12, 5], {
      read: load(CPU.PMSELR_EL0),
      write: store(CPU.PMSELR_EL0, SELECTOR),
      reading: selecting,
      writing: selecting,
    }),
    constantRegister("PMCEID0_EL0", [3, 3, 9, 12, 6], commonEvents(0, features), EN),
    constantRegister("PMCEID1_EL0", [3, 3, 9, 12, 7], commonEvents(32, features), EN),
    register("PMCCNTR_EL0", [3, 3, 9, 13, 0], {
      read: load(CPU.PMCCNTR_EL0),
      write: store(CPU.PMCCNTR_EL0, -1n),
      reading: allows(Pmuserenr.EN | Pmuserenr.CR),
    }),
    register("PMCCFILTR_EL0", [3, 3, 14, 15, 7], { read: load(CPU.PMCCFILTR_EL0), write: store(CPU.PMCCFILTR_EL0, FILTER) }),
    register("PMUSERENR_EL0", [3, 3, 9, 14, 0], {
      read: load(CPU.PMUSERENR_EL0),
      write: store(CPU.PMUSERENR_EL0, Pmuserenr.Mask),
      reading: 0,
      writing: 1,
    }),
    ...features.has("FEAT_PMUv3p4") ? [constantRegister("PMMIR_EL1", [3, 0, 9, 14, 6], 0n)] : [],
    ...counters(features.has("FEAT_PMUv3p5")),
  ];
}

/** Writes of other registers that are events. */
const WRITES: ReadonlyMap<string, number> = new Map([
  ["TTBR0_EL1", PerformanceEvent.TTBR_WRITE_RETIRED],
  ["TTBR1_EL1", PerformanceEvent.TTBR_WRITE_RETIRED],
  ["CONTEXTIDR_EL1", PerformanceEvent.CID_WRITE_RETIRED],
]);

/** The same register, whose writes are counted if they are an event. */
export function withEvent(of: SystemRegister): SystemRegister {
  const event = WRITES.get(of.name), { write } = of;
  if (event === undefined || !write) return of;
  return {
    ...of,
    write: {
      ...write,
      emit: (c, library, value) => {
        write.emit(c, library, value);
        countEvent(c, library, event);
        // The effect of an overflow comes after the instruction.
        c.if(c.load("i32.load", CPU.PMU_MODE), () => c.run(exceptionFunction(library, "resumeAfter")));
      },
    },
  };
}
