// WFET and WFIT (FEAT_WFxT): waits that end at a value of the virtual counter. Arm ARM D1.6.2. A
// wait may end early, so that EL2 is only asked to let others run, until the counter is there.

import { ExceptionClass, ISS_COND_ALWAYS, Pstate, Sctlr, syndrome } from "../architecture/exceptions.ts";
import { exceptionFunction } from "../exceptions/exception-entry.ts";
import { ExitReason } from "../exceptions/exit.ts";
import { CPU } from "../state/cpu-state.ts";
import { Code, constant } from "../wasm/expression.ts";
import type { Library } from "../wasm/library.ts";
import { counter } from "./generic-timer.ts";

/** ISS of EC 0x01: TI, the register's number (RN) and that it is valid (RV). */
const WITH_TIMEOUT = 2, REGISTER_VALID = 4, REGISTER_SHIFT = 5;

/** Defines `waitUntil`: (kind i32: 1 for WFET, timeout i64, number of the register i32). */
export function defineTimedWaits(library: Library): void {
  const c = new Code(library.define("waitUntil", ["i32", "i64", "i32"], []));
  const kind = c.parameter(0), timeout = c.parameter(1), register = c.parameter(2);
  c.if(c.load("i32.load", CPU.EVENT).and(kind), () => {
    c.store("i32.store", CPU.EVENT, constant("i32", 0));
    c.return();
  });
  c.if(counter(c, library).geU(timeout), () => c.return());
  const untrapped = kind.select(constant("i32", Sctlr.NTWE), Sctlr.NTWI).and(c.load("i32.load", CPU.SCTLR_EL1));
  c.if(c.load("i32.load", CPU.PSTATE).and(Pstate.ElMask).or(untrapped), () => {
    c.run(exceptionFunction(library, "exitAfter"), ExitReason.Yield);
  }, () => {
    const iss = kind.or(register.shl(REGISTER_SHIFT)).or(WITH_TIMEOUT | REGISTER_VALID);
    c.run(exceptionFunction(library, "raise"), iss.or(syndrome(ExceptionClass.Wfx, ISS_COND_ALWAYS) | 0));
  });
}
