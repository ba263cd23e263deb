// The state of the hypervisor as plain data, whole: two dumps are equal exactly if nothing has
// changed in between. For tests that hold refused calls to changing nothing, and for people.
// Guests' registers are in it; the contents of RAM are not.

import { REGISTER_NAMES, V_REGISTERS, type VcpuState, X_REGISTERS } from "../../core/interface.ts";

/** Plain data. Objects of the hypervisor stand as their names. */
export type Plain = string | number | bigint | boolean | undefined | readonly Plain[] | { readonly [key: string]: Plain };

/** The state of one object, field by field. */
export type Fields = { readonly [key: string]: Plain };

/** The registers of a vCPU. */
export function dumpRegisters(registers: VcpuState): Fields {
  return {
    x: Array.from({ length: X_REGISTERS }, (_, index) => registers.getX(index)),
    v: Array.from({ length: V_REGISTERS }, (_, index) => registers.getV(index)),
    pc: registers.pc,
    pstate: registers.pstate,
    stage2: registers.stage2,
    debug: [registers.debug.bvr, registers.debug.bcr, registers.debug.wvr, registers.debug.wcr].map((values) => [...values]),
    ...Object.fromEntries(REGISTER_NAMES.map((name) => [name, registers.getRegister(name)])),
  };
}

/** The entries of an array that differ from `usual`, by index. */
export function unusual(values: ArrayLike<number>, usual: number): Fields {
  const found: Record<string, Plain> = {};
  for (let index = 0; index < values.length; index++) if (values[index] !== usual) found[index] = values[index];
  return found;
}
