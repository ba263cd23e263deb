// The registers of FEAT_FGT, and the traps of registers that the core does not hold. Arm ARM
// D13.2.42 to D13.2.45, D13.3.6, D13.3.7. The fields are in architecture/fine-grained-traps.ts.

import { BREAKPOINTS, WATCHPOINTS } from "../../isa/cpus/identification.ts";
import type { FeatureName } from "../../isa/cpus/features.ts";
import { systemRegisterName, systemRegisterNumber } from "../../isa/names/system-register-names.ts";
import {
  FINE_TRAP_REGISTERS,
  fineTrapBits,
  fineTrapOfMove,
  type FineTrapRegister,
  type RegisterMove,
} from "../architecture/fine-grained-traps.ts";
import { isFinelyTrapped } from "../exceptions/el2-entry.ts";
import { CPU } from "../state/cpu-state.ts";
import { type Code, constant, type Value } from "../wasm/expression.ts";
import { type Encoding, masked, type SystemRegister } from "./system-register.ts";

const ENCODINGS: Readonly<Record<FineTrapRegister, Encoding>> = {
  HFGRTR_EL2: [3, 4, 1, 1, 4],
  HFGWTR_EL2: [3, 4, 1, 1, 5],
  HFGITR_EL2: [3, 4, 1, 1, 6],
  HDFGRTR_EL2: [3, 4, 3, 1, 4],
  HDFGWTR_EL2: [3, 4, 3, 1, 5],
};

/** The registers of a CPU. */
export const fineTrapRegisters = (features: ReadonlySet<FeatureName>): readonly SystemRegister[] =>
  features.has("FEAT_FGT")
    ? FINE_TRAP_REGISTERS.map((name) => masked(name, ENCODINGS[name], CPU[name], fineTrapBits(name, features), 2))
    : [];

/** Debug registers of which a CPU has this many. */
const COUNTS: readonly (readonly [names: RegExp, count: number])[] = [
  [/^DBGB[CV]R(\d+)_/, BREAKPOINTS],
  [/^DBGW[CV]R(\d+)_/, WATCHPOINTS],
];
const exists = (name: string) => COUNTS.every(([names, count]) => Number(names.exec(name)?.[1] ?? 0) < count);

/** The encodings of debug registers of EL1, and of those of errors. */
const unknown = (): number[] => [
  ...Array.from({ length: 1 << 10 }, (_, low) => systemRegisterNumber(2, 0, 0, 0, 0) + low),
  ...Array.from({ length: 3 << 3 }, (_, low) => systemRegisterNumber(3, 0, 5, 3, 0) + low),
];

/** Whether a field traps an access to a register that the core does not hold. */
export function isUnknownTrapped(c: Code, encoding: Value, direction: RegisterMove, features: ReadonlySet<FeatureName>): Value {
  const traps = unknown().flatMap((number) => {
    const name = systemRegisterName(number)?.toUpperCase();
    const set = name !== undefined && exists(name) ? isFinelyTrapped(c, fineTrapOfMove(name, direction), features) : undefined;
    return set ? [encoding.eq(number).and(set)] : [];
  });
  return traps.reduce((any, one) => any.or(one), constant("i32", 0));
}
