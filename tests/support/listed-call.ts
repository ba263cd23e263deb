// Calls of native guests, for test doubles of a vCPU that return listed values.

import { CallRegisters } from "../../src/machine/abi/call-registers.ts";
import { CALL_SHAPES } from "../../src/machine/abi/hypercall-caller.ts";
import { hypercallName } from "../../src/machine/abi/hypercalls.ts";
import type { NativeVcpu } from "../../src/machine/abi/native-guest.ts";

/** `NativeVcpu.call` by an `hvc`. */
export function callByList(hvc: NativeVcpu["hvc"], number: number, registers: CallRegisters): void {
  registers.load(hvc(number, ...CALL_SHAPES[hypercallName(number)!]().argumentsIn(registers)));
}

/** Registers that hold these values from X0 on. */
export function registersWith(values: readonly bigint[]): CallRegisters {
  const registers = new CallRegisters();
  registers.load(values);
  return registers;
}
