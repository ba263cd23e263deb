// Exclusive and atomic accesses to Device memory: CONSTRAINED UNPREDICTABLE (Arm ARM B2.9.2 and
// B2.9.3), as they may abort, or never succeed. Here they do what they would do to Normal memory;
// the first one of a vCPU is kept as evidence.

import { Sctlr } from "../architecture/exceptions.ts";
import { leave } from "../exceptions/exception-entry.ts";
import { ExitReason } from "../exceptions/exit.ts";
import { regimeBank } from "../state/banks.ts";
import { CPU, DeviceAtomic } from "../state/cpu-state.ts";
import { Access, callee } from "../state/functions.ts";
import { Code, constant, type Value } from "../wasm/expression.ts";
import type { Library } from "../wasm/library.ts";
import { mmuFunction, Rights } from "./mmu.ts";
import { AccessKind } from "./translation.ts";

/** (va i64) -> i32: notes such an access; 1 when the run has ended before it. */
export const noteDeviceAtomic = (library: Library) => library.get("noteDeviceAtomic", ["i64"], ["i32"]);

/** Whether an access is exclusive or atomic. */
export function isAtomic(access: Value): Value {
  return access.and(Access.Aligned | Access.Ordered | Access.Zero).eq(Access.Aligned);
}

/** @param noted the import that takes note of the first one, and answers whether the run ends */
export function defineDeviceAtomics(library: Library, noted: number): void {
  const c = new Code(library.define("noteDeviceAtomic", ["i64"], ["i32"]));
  const va = c.parameter(0), stops = c.local("i32");
  c.if(c.load("i32.load", CPU.DEVICE_ATOMIC), () => c.return(constant("i32", 0)));
  const pc = c.let(c.call(callee(library, "currentPc")));
  c.drop(c.call(mmuFunction(library, "translateStage1"), va, AccessKind.Observe | AccessKind.IgnorePan));
  const isStage1 = c.load("i32.load", CPU.WALK_RIGHTS).and(Rights.Device);
  const mapped = isStage1.select(constant("i32", DeviceAtomic.Stage1), DeviceAtomic.Stage2);
  const isOn = regimeBank(c, library).load("i32.load", CPU.SCTLR_EL1).and(Sctlr.M);
  c.store("i32.store", CPU.DEVICE_ATOMIC, isOn.select(mapped, DeviceAtomic.Stage1Off));
  c.store("i64.store", CPU.DEVICE_ATOMIC_VA, va);
  c.store("i64.store", CPU.DEVICE_ATOMIC_PC, pc);
  c.store("i32.store", CPU.ATOMICS_TLB, constant("i32", 0));
  c.f.call(noted).set(stops.index);
  c.if(stops, () => {
    // It has not been made.
    c.store("i32.store", CPU.DEVICE_ATOMIC, constant("i32", DeviceAtomic.None));
    c.run(leave(library), ExitReason.Watchpoint, 0, pc);
  });
  c.result(stops);
}
