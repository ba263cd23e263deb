// The aborts of memory accesses: the fault that a translation has left, taken to EL1 or to EL2. Arm
// ARM D5.10 (faults), D13.2.37 (syndromes).
//
// Aborts to EL1 are raised here; aborts to EL2 exit the core without the instruction's part of the
// syndrome (ISV, SAS, SRT and so on), which `architecture/load-store-syndrome.ts` adds from the
// encoding once the core has stopped.

import { AbortSyndrome, ExceptionClass, FaultStatus, Pstate, syndrome } from "../architecture/exceptions.ts";
import { exceptionFunction } from "../exceptions/exception-entry.ts";
import { ExitReason } from "../exceptions/exit.ts";
import { exceptionBank } from "../state/banks.ts";
import { CPU, Pending } from "../state/cpu-state.ts";
import { callee } from "../state/functions.ts";
import { Code, constant, type Value } from "../wasm/expression.ts";
import type { Library } from "../wasm/library.ts";
import { AccessKind, Fault, mmuFunction } from "./mmu.ts";

/** (va i64, access i32): takes the fault that the latest translation left, to EL1 or to EL2. */
export const raiseAbort = (library: Library) => library.get("raiseAbort", ["i64", "i32"], []);

/** (va i64, access i32): takes an alignment fault to EL1. */
export const raiseAlignmentFault = (library: Library) => library.get("raiseAlignmentFault", ["i64", "i32"], []);

/** Defines `raiseAbort` and `raiseAlignmentFault`. */
export function defineAborts(library: Library): void {
  const abort = library.define("raiseAbort", ["i64", "i32"], []);
  {
    const c = new Code(abort);
    const va = c.parameter(0), access = c.parameter(1);
    const fault = c.let(c.load("i32.load", CPU.FAULT));
    const execute = c.let(access.and(AccessKind.Execute));
    // A walk only reads; an atomic reads first, so it is a write to blame only where a read would
    // have been allowed.
    const status = c.let(c.load("i32.load", CPU.FAULT_STATUS));
    const blamesWrite = c.let(access.and(AccessKind.Write).nonZero().and(fault.ne(Fault.Stage2OnWalk)));
    c.if(blamesWrite, () => {
      c.if(isReadModifyWrite(c.let(c.call(callee(library, "currentWord")))), () => {
        const readable = c.call(mmuFunction(library, "translate"), va, access.and(~AccessKind.Write)).nonZero();
        c.set(blamesWrite, status.ne(FaultStatus.Alignment).and(readable));
      });
    });
    const maintenance = access.and(AccessKind.Maintenance).nonZero().mul(AbortSyndrome.Cm | AbortSyndrome.WnR);
    const iss = c.let(status.or(blamesWrite.mul(AbortSyndrome.WnR)).or(maintenance));
    // No instruction comes from a device: an external abort.
    c.if(fault.eq(Fault.Bus).and(execute.nonZero()), () => {
      c.set(fault, Fault.Stage1);
      c.set(iss, FaultStatus.External);
    });
    const pc = c.local("i64");
    c.if(execute, () => c.set(pc, va), () => c.set(pc, c.call(callee(library, "currentPc"))));
    const esr = (data: number, fetch: number) => execute.select(constant("i32", syndrome(fetch, 0)), syndrome(data, 0)).or(iss);
    c.if(fault.eq(Fault.Stage1), () => {
      const el1 = c.load("i32.load", CPU.PSTATE).and(Pstate.ElMask);
      exceptionBank(c, library).store("i64.store", CPU.FAR_EL1, va);
      c.run(
        exceptionFunction(library, "raiseFrom"),
        el1.select(
          esr(ExceptionClass.DataAbort, ExceptionClass.InstructionAbort),
          esr(ExceptionClass.DataAbortLower, ExceptionClass.InstructionAbortLower),
        ),
        pc,
      );
      c.return();
    });
    c.store("i32.store", CPU.EXIT_REASON, fault.eq(Fault.Bus).select(constant("i32", ExitReason.Bus), ExitReason.Trap));
    const onWalk = fault.eq(Fault.Stage2OnWalk).mul(AbortSyndrome.S1ptw);
    c.store("i32.store", CPU.EXIT_ESR, esr(ExceptionClass.DataAbortLower, ExceptionClass.InstructionAbortLower).or(onWalk));
    c.if(execute.not(), () => c.store("i32.store", CPU.EXIT_WORD, c.call(callee(library, "currentWord"))));
    c.store("i64.store", CPU.EXIT_FAR, va);
    c.store("f64.store", CPU.EXIT_IPA, c.load("i64.load", CPU.WALK_IPA).op("f64.convert_i64_u", "f64"));
    c.store("f64.store", CPU.EXIT_PA, c.load("i64.load", CPU.WALK_PA).op("f64.convert_i64_u", "f64"));
    c.store("i64.store", CPU.PC, pc);
    c.store("i32.store", CPU.PENDING, constant("i32", Pending.Exit));
  }
  // (va, access)
  {
    const c = new Code(library.define("raiseAlignmentFault", ["i64", "i32"], []));
    c.store("i32.store", CPU.FAULT, constant("i32", Fault.Stage1));
    c.store("i32.store", CPU.FAULT_STATUS, constant("i32", FaultStatus.Alignment));
    c.run(abort, c.parameter(0), c.parameter(1));
  }
}

/**
 * An LSE atomic or a compare and swap (C4.1.66 "Atomic memory operations", "Compare and swap",
 * "Compare and swap pair"): masks of fixed bits, and the values of these.
 */
export const READ_MODIFY_WRITE = [[0x3b200c00, 0x38200000], [0x3fa07c00, 0x08a07c00], [0xbfa07c00 | 0, 0x08207c00]] as const;

function isReadModifyWrite(word: Value): Value {
  return READ_MODIFY_WRITE.map(([mask, value]) => word.and(mask).eq(value)).reduce((any, one) => any.or(one));
}
