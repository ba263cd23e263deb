// Where a core has the states that instructions name (cpu/isa/notation/builder.ts).

import type { StateName } from "../../isa/notation/builder.ts";
import { hasEl2 } from "../state/banks.ts";
import { CPU } from "../state/cpu-state.ts";
import type { Callees } from "../wasm/library.ts";

const STATE_ADDRESSES: Record<StateName, number> = {
  FPCR: CPU.FPCR,
  FPSR: CPU.FPSR,
  PSTATE: CPU.PSTATE,
  ZERO_LEVEL: CPU.PSTATE,
  EVENT: CPU.EVENT,
  SP_EL0: CPU.SP_EL0,
  TPIDR_EL0: CPU.TPIDR_EL0,
  TPIDR_EL1: CPU.TPIDR_EL1,
  TPIDR_EL2: CPU.TPIDR_EL2,
  TPIDRRO_EL0: CPU.TPIDRRO_EL0,
  EXCLUSIVE: CPU.EXCLUSIVE,
  EXCLUSIVE_ADDRESS: CPU.EXCLUSIVE_ADDRESS,
  EXCLUSIVE_VALUE: CPU.EXCLUSIVE_VALUE,
  EXCLUSIVE_VALUE2: CPU.EXCLUSIVE_VALUE + 8,
  SCRATCH0: CPU.SCRATCH,
  SCRATCH1: CPU.SCRATCH + 8,
  FETCHES_DROPPED: CPU.FETCHES_DROPPED,
};

/** Where a core has a state: with EL2, DC ZVA looks at its own level. */
export const stateAddress = (name: StateName, library: Callees): number =>
  name === "ZERO_LEVEL" && hasEl2(library) ? CPU.ZERO_LEVEL : STATE_ADDRESSES[name];

/** The same of flags. */
export const FLAG_ADDRESSES = { N: CPU.N, Z: CPU.Z, C: CPU.C, V: CPU.V } as const;
