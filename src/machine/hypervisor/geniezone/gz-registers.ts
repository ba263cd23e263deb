// GET_ONE_REG and SET_ONE_REG: core registers of a vCPU by KVM's ids (docs/spec/geniezone.md §3.1,
// §3.3).

import { CoreRegister, GzvmRegister } from "../../abi/geniezone/calls.ts";
import { Pstate } from "../../../cpu/core/interface.ts";
import type { GzVcpu } from "./gz-vm.ts";

/** Bits of PSTATE that the driver sets; the execution state is AArch64. */
const PSTATE_BITS = (Pstate.Nzcv | Pstate.Daif | Pstate.Mode) >>> 0;
const PSTATE_MODES: readonly number[] = [Pstate.EL0t, Pstate.EL1t, Pstate.EL1h];

/** Whether an id names a register of 8 bytes, which all core registers are. */
export const isWide = (id: bigint): boolean => (id >> 52n & 0xfn) === GzvmRegister.Size64;

/** The value of a core register; undefined if there is none. */
export function readCore({ vcpu: { registers } }: GzVcpu, index: number): bigint | undefined {
  if (index % 2 !== 0) return undefined;
  if (index < CoreRegister.Sp) return registers.getX(index / 2);
  switch (index) {
    case CoreRegister.Sp:
      return registers.getRegister("SP_EL0");
    case CoreRegister.SpEl1:
      return registers.getRegister("SP_EL1");
    case CoreRegister.Pc:
      return registers.pc;
    case CoreRegister.Pstate:
      return BigInt(registers.pstate >>> 0);
    default:
      return undefined;
  }
}

/** Sets a core register; false if there is none, or none of this value. */
export function writeCore(one: GzVcpu, index: number, value: bigint): boolean {
  const { registers } = one.vcpu;
  if (index % 2 !== 0) return false;
  if (index < CoreRegister.Sp) registers.setX(index / 2, value);
  else if (index === CoreRegister.Sp || index === CoreRegister.SpEl1) {
    if (value % 16n !== 0n) return false;
    registers.setRegister(index === CoreRegister.Sp ? "SP_EL0" : "SP_EL1", value);
  } else if (index === CoreRegister.Pc) {
    if (value % 4n !== 0n) return false;
    registers.pc = value;
    one.entered = true;
  } else if (index === CoreRegister.Pstate) {
    const pstate = Number(value & 0xffff_ffffn) >>> 0;
    if (value > 0xffff_ffffn || (pstate & ~PSTATE_BITS) !== 0 || !PSTATE_MODES.includes(pstate & Pstate.Mode)) return false;
    if (one.vcpu.life.isPoweredOff) one.pstate = pstate;
    else registers.pstate = pstate;
  } else return false;
  return true;
}
