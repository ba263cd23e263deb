// The aborts of memory accesses: the fault that a translation has left, taken to EL1 or to EL2. Arm
// ARM D5.10 (faults), D13.2.37 (syndromes).
//
// Aborts to EL1 are raised here; aborts to EL2 exit the core without the instruction's part of the
// syndrome (ISV, SAS, SRT and so on), which `architecture/load-store-syndrome.ts` adds from the
// encoding once the core has stopped.

import { AbortSyndrome, ExceptionClass, FaultStatus, Pstate, syndrome } from "../architecture/exceptions.ts";
import { isExternal, isRoutedAbort } from "../exceptions/el2-entry.ts";
import { exceptionFunction } from "../exceptions/exception-entry.ts";
import { synchronous } from "../exceptions/entry-calls.ts";
import { ExitReason } from "../exceptions/exit.ts";
import { EL2_OFFSET, exceptionBank } from "../state/banks.ts";
import { CPU, Pending } from "../state/cpu-state.ts";
import { callee } from "../state/functions.ts";
import { Code, constant, type Value } from "../wasm/expression.ts";
import type { Library } from "../wasm/library.ts";
import { mmuFunction } from "./mmu.ts";
import { AccessKind, Fault } from "./translation.ts";
import { PAGE_SHIFT } from "../../../kit/support/values/sizes.ts";

/** HPFAR_EL2: the page of the IPA. */
const FIPA_SHIFT = 4;

/** (va i64, access i32): takes the fault that the latest translation left, to EL1 or to EL2. */
export const raiseAbort = (library: Library) => library.get("raiseAbort", ["i64", "i32"], []);

/** (va i64, access i32): takes an alignment fault to EL1. */
export const raiseAlignmentFault = (library: Library) => library.get("raiseAlignmentFault", ["i64", "i32"], []);

/**
 * Defines `raiseAbort` and `raiseAlignmentFault`.
 * @param loadStore in a core with EL2: the import that gives the part of a syndrome that the load
 * or store has
 */
export function defineAborts(library: Library, loadStore?: number): void {
  const abort = library.define("raiseAbort", ["i64", "i32"], []);
  {
    const c = new Code(abort);
    const va = c.parameter(0), access = c.parameter(1);
    const fault = c.let(c.load("i32.load", CPU.FAULT));
    const execute = c.let(access.and(AccessKind.Execute));
    // A walk only reads; an atomic reads first, so it is a write to blame only where a read would
    // not have had the same fault.
    const status = c.let(c.load("i32.load", CPU.FAULT_STATUS)), isRead = fault.ne(Fault.Stage2OnWalk);
    const blamesWrite = c.let(
      access.and(AccessKind.Write).nonZero().and(loadStore === undefined ? isRead : isRead.and(fault.ne(Fault.El2OnWalk))),
    );
    c.if(blamesWrite, () => {
      c.if(isReadModifyWrite(c.let(c.call(callee(library, "currentWord")))), () => {
        const readable = c.call(mmuFunction(library, "translate"), va, access.and(~AccessKind.Write)).nonZero();
        // A read that stage 1 allows may have a fault of stage 2.
        const hasAnother = c.load("i32.load", CPU.FAULT).ne(fault);
        c.set(blamesWrite, status.ne(FaultStatus.Alignment).and(readable.or(hasAnother)));
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
      const lower = esr(ExceptionClass.DataAbortLower, ExceptionClass.InstructionAbortLower);
      if (loadStore !== undefined) {
        c.if(isRoutedAbort(c, iss), () => {
          c.store("i64.store", CPU.FAR_EL2, va);
          synchronous(library, c, lower, pc, EL2_OFFSET);
          c.return();
        });
      }
      exceptionBank(c, library).store("i64.store", CPU.FAR_EL1, va);
      c.run(
        exceptionFunction(library, "raiseFrom"),
        el1.select(esr(ExceptionClass.DataAbort, ExceptionClass.InstructionAbort), lower),
        pc,
      );
      c.return();
    });
    if (loadStore !== undefined) {
      abortToEl2(c, library, { fault, va, pc, loadStore }, (onWalk) => {
        const whole = esr(ExceptionClass.DataAbortLower, ExceptionClass.InstructionAbortLower).or(onWalk);
        const isAccess = execute.not().and(access.and(AccessKind.Maintenance).not()).and(fault.eq(Fault.El2));
        return { esr: whole, hasSyndrome: isAccess.and(isExternal(status).not()) };
      });
    }
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

/** An abort of EL2's own stage 2, if it is one; the function ends with it. */
function abortToEl2(
  c: Code,
  library: Library,
  { fault, va, pc, loadStore }: { readonly fault: Value; readonly va: Value; readonly pc: Value; readonly loadStore: number },
  syndromeOf: (onWalk: Value) => { readonly esr: Value; readonly hasSyndrome: Value },
): void {
  c.if(fault.geU(Fault.El2), () => {
    const { esr, hasSyndrome } = syndromeOf(fault.eq(Fault.El2OnWalk).mul(AbortSyndrome.S1ptw));
    const whole = c.let(esr), part = c.local("i32");
    c.if(hasSyndrome, () => {
      c.call(callee(library, "currentWord")).emit(c.f);
      c.f.call(loadStore).set(part.index);
      c.set(whole, whole.or(part));
    });
    c.store("i64.store", CPU.FAR_EL2, va);
    c.store("i64.store", CPU.HPFAR_EL2, c.load("i64.load", CPU.WALK_IPA).shrU(PAGE_SHIFT).shl(FIPA_SHIFT));
    synchronous(library, c, whole, pc, EL2_OFFSET);
    c.return();
  });
}

/**
 * An LSE atomic or a compare and swap (C4.1.66 "Atomic memory operations", "Compare and swap",
 * "Compare and swap pair"): masks of fixed bits, and the values of these.
 */
export const READ_MODIFY_WRITE = [[0x3b200c00, 0x38200000], [0x3fa07c00, 0x08a07c00], [0xbfa07c00 | 0, 0x08207c00]] as const;

function isReadModifyWrite(word: Value): Value {
  return READ_MODIFY_WRITE.map(([mask, value]) => word.and(mask).eq(value)).reduce((any, one) => any.or(one));
}
