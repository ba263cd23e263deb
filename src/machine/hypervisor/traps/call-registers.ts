// The registers of a native hypercall (docs/spec/hypervisor.md §1.2).

import type { Vcpu } from "../scheduling/vcpu.ts";

/**
 * Registers that carry arguments and results of a native call; after X8, which is preserved, those
 * that it zeroes.
 */
export const REGISTERS = 8;
const CLEARED_FIRST = 9;
const CLEARED_LAST = 17;

/**
 * Sets the registers after a native call's `count` results to zero, except X8, which is preserved.
 */
export function clearBehind({ registers, services }: Vcpu, count: number): void {
  if (count < REGISTERS) registers.clearX(count, REGISTERS - 1);
  registers.clearX(CLEARED_FIRST, CLEARED_LAST);
  if (services.hasQuirks) registers.setX(CLEARED_FIRST, registers.pc);
}
