// The translation regime that a vCPU uses, for those who look at it from outside, and its registers
// by the names of EL1's: with FEAT_EL2, most of these have a counterpart of EL2. Arm ARM D5.1.1,
// D13.2.132 (TCR_EL2 without E2H); docs/design/el2.md §3, §5.

import { Pstate } from "../architecture/exceptions.ts";
import { Hcr, STAGE2_ON } from "../architecture/hypervisor-control.ts";
import { tcrOfSingle } from "../architecture/translation-control.ts";
import { EL2_REGISTERS, type RegisterName, type VcpuState } from "./vcpu-state.ts";

/** As the Arm manual names them. */
export type Regime = "EL1&0" | "EL2" | "EL2&0";

/** Registers that are read by name. */
type NamedRegisters = Pick<VcpuState, "getRegister">;
/** State on which the regime depends. */
type Levels = Pick<VcpuState, "getRegister" | "hasEl2" | "pstate">;

/** The registers of EL2 by the names that EL1 would have for them. */
const OF_EL2: ReadonlyMap<string, RegisterName> = new Map(EL2_REGISTERS.map((name) => [name.replace("_EL2", "_EL1"), name]));

const hasBits = (state: Levels, bits: bigint): boolean => (state.getRegister("HCR_EL2") & bits) === bits;

/** The regime that a vCPU's accesses use now. */
export function regimeOf(state: Levels): Regime {
  if (!state.hasEl2) return "EL1&0";
  const level = state.pstate & Pstate.ElMask;
  if (level === Pstate.EL2) return el2Regime(state);
  return level === 0 && hasBits(state, Hcr.E2H | Hcr.TGE) ? "EL2&0" : "EL1&0";
}

/** The regime of EL2's own code. */
export const el2Regime = (state: Levels): Regime => hasBits(state, Hcr.E2H) ? "EL2&0" : "EL2";

/** Addresses of TTBR1. */
const UPPER_HALF = 1n << 55n;

/**
 * The regime of an operating system that the CPU was started with: EL2's where it is a host, whose
 * vectors are in the upper half. A hypervisor may have E2H for itself alone (Linux's hVHE).
 */
export const hostRegime = (state: Levels): Regime =>
  state.hasEl2 && hasBits(state, Hcr.E2H) && (state.getRegister("VBAR_EL2") & UPPER_HALF) !== 0n ? "EL2&0" : "EL1&0";

/** VTTBR_EL2.VMID. */
const VMID_SHIFT = 48n;

/**
 * Whether EL1 and EL0 of a vCPU are a guest of its EL2 now, also while EL2 handles an exit of it. A
 * protecting hypervisor runs its own host with tables, too, as VMID 0 (pKVM).
 */
export const hasEl2Guest = (state: Levels): boolean =>
  state.hasEl2 && (state.getRegister("HCR_EL2") & STAGE2_ON) !== 0n && !hasBits(state, Hcr.E2H | Hcr.TGE) &&
  state.getRegister("VTTBR_EL2") >> VMID_SHIFT !== 0n;

/** Whether a vCPU executes such a guest. */
export const isBelowEl2 = (state: Levels): boolean => hasEl2Guest(state) && regimeOf(state) === "EL1&0";

/** The register of a regime that corresponds to one of EL1. */
export const registerOf = (name: RegisterName, regime: Regime): RegisterName => regime === "EL1&0" ? name : OF_EL2.get(name) ?? name;

/** The registers of a regime by the names of EL1's. TCR_EL2 has the form of TCR_EL1. */
export function registersOf(state: Levels, regime = regimeOf(state)): NamedRegisters {
  return {
    getRegister: (name) => {
      const value = state.getRegister(registerOf(name, regime));
      return name === "TCR_EL1" && regime === "EL2" ? tcrOfSingle(value) : value;
    },
  };
}
