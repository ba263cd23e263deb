// The registers of a native hypercall (docs/spec/hypervisor.md §1.2).

import type { Vcpu } from "../scheduling/vcpu.ts";

/**
 * Registers that carry arguments and results of a native call; behind X8, which stays, those that
 * it leaves zero.
 */
export const REGISTERS = 8;
const CLEARED_FIRST = 9;
const CLEARED_LAST = 17;

/**
 * What a native call leaves in the registers behind its `count` results: zeros, but in X8 what was
 * there.
 */
export function clearBehind({ registers, services }: Vcpu, count: number): void {
  if (count < REGISTERS) registers.clearX(count, REGISTERS - 1);
  registers.clearX(CLEARED_FIRST, CLEARED_LAST);
  if (services.hasQuirks) registers.setX(CLEARED_FIRST, registers.pc);
}
