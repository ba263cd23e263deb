// The ID registers of a CPU: what follows from its features (features.ts), and what every CPU of
// el2 has. docs/design/decisions.md §9; Arm ARM D19.2. Guests read them through the hypervisor.

import { FEATURE_NAMES, type FeatureName, FEATURES, ID_REGISTERS, type IdRegister } from "./features.ts";

/** A register made of fields: [lowest bit, value]. */
function fields(...values: [bit: number, value: number][]): bigint {
  return values.reduce((word, [bit, value]) => word | BigInt(value) << BigInt(bit), 0n);
}

const NOT_IMPLEMENTED = 0xf;

/**
 * Breakpoints, the last two of which compare contexts as well, and watchpoints (ID_AA64DFR0_EL1).
 */
export const BREAKPOINTS = 6, CONTEXT_BREAKPOINTS = 2, WATCHPOINTS = 4;

/** Values of the ID registers of group 3 (op0 3, op1 0, CRn 0, CRm 4 to 7). */
export type Identification = Readonly<Record<IdRegister, bigint>>;

/** The parts of the ID registers that no feature of the table stands for. */
const FIXED: Partial<Identification> = {
  /**
   * AArch64 only at all levels (1): EL2 and EL3 exist, although a guest never sees them; FP (19:16)
   * and AdvSIMD (23:20) are there (0); GIC (27:24) by system registers.
   */
  PFR0: fields([0, 1], [4, 1], [8, 1], [12, 1], [24, 1]),
  /**
   * DebugVer 6; breakpoints (15:12), watchpoints (23:20) and breakpoints that compare contexts
   * (31:28), less one; no PMU, no trace.
   */
  DFR0: fields([0, 6], [12, BREAKPOINTS - 1], [20, WATCHPOINTS - 1], [28, CONTEXT_BREAKPOINTS - 1]),
  /**
   * PA range 36 bits (3:0), ASIDs of 16 bits (7:4), no 16 KiB (23:20 is 0) and no 64 KiB granule
   * (27:24), 4 KiB (31:28 is 0).
   */
  MMFR0: fields([0, 1], [4, 2], [24, NOT_IMPLEMENTED]),
};

const FIELD_MASK = 0xfn;

/** The ID registers of a CPU: CSV2 and CSV3 say that there is no speculation to protect from. */
export function identificationOf(features: ReadonlySet<FeatureName>): Identification {
  const registers = Object.fromEntries(ID_REGISTERS.map((name) => [name, FIXED[name] ?? 0n])) as Record<IdRegister, bigint>;
  for (const feature of FEATURE_NAMES) {
    if (!features.has(feature)) continue;
    for (const [register, bit, value] of FEATURES[feature].fields ?? []) {
      registers[register] = registers[register] & ~(FIELD_MASK << BigInt(bit)) | BigInt(value) << BigInt(bit);
    }
  }
  setAuthentication(registers, features);
  return registers;
}

/** The fields of address authentication: ISAR1.APA and API, ISAR2.APA3. */
const ADDRESS_AUTHENTICATION: readonly (readonly [register: IdRegister, bit: number])[] = [["ISAR1", 4], ["ISAR1", 8], ["ISAR2", 12]];

/** Sets the field of the CPU's algorithm to the level that its features add up to. */
function setAuthentication(registers: Record<IdRegister, bigint>, features: ReadonlySet<FeatureName>): void {
  const level = Math.max(0, ...[...features].map((feature) => FEATURES[feature].authentication ?? 0));
  for (const [register, bit] of level ? ADDRESS_AUTHENTICATION : []) {
    const field = FIELD_MASK << BigInt(bit);
    if (registers[register] & field) registers[register] = registers[register] & ~field | BigInt(level) << BigInt(bit);
  }
}
