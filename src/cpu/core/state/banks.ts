// The banks of registers that EL1 and, on CPUs with FEAT_EL2, EL2 have: code that serves both
// accesses those of a bank. On other CPUs there is EL1's alone, at constant addresses.
// docs/design/el2.md §3.

import { type Code, constant, type Value } from "../wasm/expression.ts";
import type { Callees, Library } from "../wasm/library.ts";
import type { FunctionBuilder } from "../wasm/module.ts";
import { CPU, EL2_BANK } from "./cpu-state.ts";

/** Registers of an exception level, by the addresses of EL1's. */
export interface RegisterBank {
  load(name: string, address: number): Value;
  store(name: string, address: number, value: Value): void;
}

/** (esr i32): an exception of the instruction in progress to EL2, PC at it. */
export const raiseToEl2 = (library: Library): FunctionBuilder => library.get("raiseToEl2", ["i32"], []);

/** Declares that the core has EL2: other parts emit what belongs to it from now on. */
export function declareEl2(library: Library): void {
  raiseToEl2(library);
}

/** Whether a core has EL2. */
export const hasEl2 = (library: Callees): boolean => library.has("raiseToEl2");

/** The bank at an offset from EL1's, 0 or `EL2_BANK`, which is known when the code runs. */
export const bankAt = (c: Code, offset: Value): RegisterBank => ({
  load: (name, address) => c.load(name, offset, address),
  store: (name, address, value) => c.store(name, offset, value, address),
});

/** EL1's, or EL2's, as is known when the code is emitted. */
export const bankOf = (c: Code, el: 1 | 2): RegisterBank => {
  const offset = el === 2 ? EL2_BANK : 0;
  return {
    load: (name, address) => c.load(name, address + offset),
    store: (name, address, value) => c.store(name, address + offset, value),
  };
};

/** The bank of the translation regime in use. */
export const regimeBank = (c: Code, library: Callees): RegisterBank =>
  hasEl2(library) ? bankAt(c, c.load("i32.load", CPU.REGIME_BANK)) : bankOf(c, 1);

/** The bank that an exception of the current instruction enters, unless a trap names another. */
export const exceptionBank = (c: Code, library: Callees): RegisterBank =>
  hasEl2(library) ? bankAt(c, c.load("i32.load", CPU.EXCEPTION_BANK)) : bankOf(c, 1);

/** The TLB space of the regime of EL1, or of EL2; on CPUs without EL2 that in use. */
export const spaceOf = (c: Code, library: Callees, el: 1 | 2): Value =>
  c.load("i32.load", hasEl2(library) ? el === 2 ? CPU.TLB_SPACE_EL2 : CPU.TLB_SPACE_EL1 : CPU.TLB_SPACE);

/** The bank as a number in the code that runs. */
export const EL1_OFFSET = constant("i32", 0), EL2_OFFSET = constant("i32", EL2_BANK);
