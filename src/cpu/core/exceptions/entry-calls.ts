// Calls of the functions that enter an exception level. In cores with EL2 they have a bank as one
// more operand; other cores enter EL1.

import { hasEl2 } from "../state/banks.ts";
import { CPU } from "../state/cpu-state.ts";
import { type Code, constant, type Operand, type Value } from "../wasm/expression.ts";
import type { Library } from "../wasm/library.ts";
import type { ValueType } from "../wasm/module.ts";

/** The parameters of a function that also has one for the bank in cores with EL2: i32, the last. */
export const withBank = (library: Library, parameters: readonly ValueType[]) =>
  hasEl2(library) ? [...parameters, "i32"] as const : parameters;

/**
 * (kind i32, elr i64, bank): enters the exception level of the bank at a vector of `kind` with ELR
 * = `elr`; ESR and FAR are the caller's.
 */
export const ENTER = ["i32", "i64"] as const;

/** Enters an exception level. */
export function enter(library: Library, c: Code, kind: Operand, elr: Value, bank: Value): void {
  c.run(library.get("enter", withBank(library, ENTER), []), kind, elr, ...hasEl2(library) ? [bank] : []);
}

/** (esr i64, elr i64, bank): takes a synchronous exception. */
export const SYNCHRONOUS = ["i64", "i64"] as const;

/** Takes a synchronous exception, to where those of the instruction in progress go or to a bank. */
export function synchronous(library: Library, c: Code, esr: Operand, elr: Value, bank?: Value): void {
  const target = hasEl2(library) ? [bank ?? c.load("i32.load", CPU.EXCEPTION_BANK)] : [];
  const operand = (typeof esr === "object" ? esr : constant("i32", esr)).wide();
  c.run(library.get("synchronous", withBank(library, SYNCHRONOUS), []), operand, elr, ...target);
}
