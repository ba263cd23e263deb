// Taking exceptions to EL1, returning from them, and leaving to EL2: functions of the core's Wasm
// module. On CPUs with FEAT_EL2 they are taken to EL2 as well (el2-entry.ts). Arm ARM D1.10
// (entry), D1.11 (return), D1.13.5 (virtual interrupts). Encodings are in
// `architecture/exceptions.ts`.
//
// A function that changes the flow stores `CPU.PC` and sets `CPU.PENDING`; its caller has stored
// `CPU.IP`.

import type { FeatureName } from "../../isa/cpus/features.ts";
import { Hcr } from "../architecture/hypervisor-control.ts";
import {
  ExceptionClass,
  extendedPstate,
  ISS_COND_ALWAYS,
  Mdscr,
  Pstate,
  Sctlr,
  SCTLR_DSSBS_SHIFT,
  SEMIHOSTING_IMMEDIATE,
  syndrome,
  Vector,
} from "../architecture/exceptions.ts";
import { bankAt, bankOf, EL1_OFFSET, EL2_OFFSET, exceptionBank, hasEl2, regimeBank } from "../state/banks.ts";
import { CPU, Entry, Pending, Slot, TlbSet, xAddress } from "../state/cpu-state.ts";
import { callee, define as defineFunction, type FunctionName } from "../state/functions.ts";
import { currentSpace, Regime, type TlbPoolLayout } from "../state/tlb-layout.ts";
import { Code, constant, type Value } from "../wasm/expression.ts";
import type { Library } from "../wasm/library.ts";
import type { FunctionBuilder } from "../wasm/module.ts";
import {
  changeStack,
  debugBank,
  debugsAt,
  defineTrapToEl2,
  injectToLevels,
  isBetweenEl1,
  isHost,
  isLegalAbove,
  isOfEl1,
  raiseFpTrapOfEl2,
  takeInterruptOfLevels,
  targetLevel,
  trapFromEl1,
  trapReturn,
  trapSupervisorCall,
  trapWait,
  updateRegimes,
  virtualInterrupts,
} from "./el2-entry.ts";
import { ENTER, enter, SYNCHRONOUS, synchronous, withBank } from "./entry-calls.ts";
import { ExitReason } from "./exit.ts";
import { defineNotedGuests } from "./noted-guests.ts";
import { countEvent, countsEvents, PerformanceEvent } from "./performance-events.ts";

/**
 * Functions for the MMU and the system registers, in addition to those of `state/functions.ts` that
 * are defined here.
 */
const EXCEPTION_FUNCTIONS = {
  /** () -> i32: N, Z, C and V in bits 31:28. */
  readFlags: [[], ["i32"]],
  /** (i32): sets N, Z, C and V from bits 31:28. */
  writeFlags: [["i32"], []],
  /**
   * (pstate i32): sets PSTATE but NZCV; changes the stack pointer's bank and the translation regime
   * with it.
   */
  setPstate: [["i32"], []],
  /** (esr i32): synchronous exception to EL1; ELR is the instruction in progress. */
  raise: [["i32"], []],
  /** (esr i32, elr i64): the same from another address; FAR_EL1 is the caller's. */
  raiseFrom: [["i32", "i64"], []],
  /** (pc i64): returns from an exception at EL1 to there, with the state of SPSR_EL1. */
  returnTo: [["i64"], []],
  /** (esr i32): exception to EL2, PC at the instruction. */
  trap: [["i32"], []],
  /** (esr i32): exception to EL2, PC after the instruction (HVC). */
  trapAfter: [["i32"], []],
  /** (reason i32): leaves `run` after the completed instruction. */
  exitAfter: [["i32"], []],
  /**
   * (): execution continues after the instruction, with what the interpreter holds in locals read
   * anew.
   */
  resumeAfter: [[], []],
  /** (pc i64) -> i32: takes an unmasked interrupt with ELR = pc, if there is one; 1 when it did. */
  takeInterrupt: [["i64"], ["i32"]],
  /**
   * (mask i32): the MSR DAIFSet, DAIFClr immediates and MSR DAIF end here: sets PSTATE.DAIF, then
   * looks for interrupts.
   */
  setDaif: [["i32"], []],
  /**
   * (esr i32, far i64): `Core.takeException`: a synchronous exception to EL1 from outside of `run`,
   * ELR = CPU.PC.
   */
  injectException: [["i32", "i64"], []],
} as const satisfies Record<string, readonly [readonly ("i32" | "i64")[], readonly ("i32" | "i64")[]]>;

/** A function of `EXCEPTION_FUNCTIONS`. */
type ExceptionFunction = keyof typeof EXCEPTION_FUNCTIONS;

/** Declares, or finds, one of `EXCEPTION_FUNCTIONS`. */
export function exceptionFunction(library: Library, name: ExceptionFunction): FunctionBuilder {
  const [parameters, results] = EXCEPTION_FUNCTIONS[name];
  return library.get(name, parameters, results);
}

const EXPORTED: readonly ExceptionFunction[] = ["injectException", "setPstate", "readFlags", "writeFlags"];

/**
 * Gives every function of `EXCEPTION_FUNCTIONS`, and those of the seam that take exceptions, their
 * bodies.
 */
export function defineExceptions(
  library: Library,
  undefinedInstruction: number,
  features: ReadonlySet<FeatureName>,
  pool: TlbPoolLayout,
): void {
  const entry = library.define("enter", withBank(library, ENTER), []), exit = library.define("leave", LEAVE, []);
  defineState(library, features, pool);
  defineEntry(library, new Code(entry), features);
  defineSynchronous(library);
  defineExit(new Code(exit));
  defineRaises(library, undefinedInstruction, features);
  if (hasEl2(library)) {
    defineTrapToEl2(library);
    defineNotedGuests(library);
  }
  defineTraps(library);
  defineInterrupts(library);
  defineReturn(library, features);
  defineWait(library);
}

const LEAVE = ["i32", "i32", "i64"] as const;
/** (reason i32, esr i32, pc i64): leaves for EL2, continuing at `pc` later. */
export const leave = (library: Library) => library.get("leave", LEAVE, []);

function define(library: Library, name: ExceptionFunction, body: (c: Code) => void): void {
  const [parameters, results] = EXCEPTION_FUNCTIONS[name];
  body(new Code(library.define(name, parameters, results, EXPORTED.includes(name))));
}

function defineSeam(library: Library, name: FunctionName, body: (c: Code) => void): void {
  body(new Code(defineFunction(library, name)));
}

/** Exceptions that a vCPU has not returned from are evidence: see `CPU.CHAIN_LENGTH`. */
function defineSynchronous(library: Library): void {
  const c = new Code(library.define("synchronous", withBank(library, SYNCHRONOUS), []));
  const esr = c.parameter(0), elr = c.parameter(1), target = hasEl2(library) ? c.parameter(2) : EL1_OFFSET;
  if (countsEvents(library)) c.store("i32.store", CPU.PMU_RAISED, constant("i32", 1));
  c.if(hasEl2(library) ? isBetweenEl1(c, target) : aboveEl0(c), () => {
    const length = c.let(c.load("i32.load", CPU.CHAIN_LENGTH));
    const same = c.load("i64.load", CPU.ESR_EL1).eq(esr).and(c.load("i64.load", CPU.ELR_EL1).eq(elr));
    c.if(length, () => {
      c.store("i32.store", CPU.CHAIN_SAME, same.select(c.load("i32.load", CPU.CHAIN_SAME).add(1), constant("i32", 0)));
    }, () => {
      c.store("i64.store", CPU.CHAIN_ESR, esr);
      c.store("i64.store", CPU.CHAIN_ELR, elr);
      c.store("i64.store", CPU.CHAIN_FAR, c.load("i64.load", CPU.FAR_EL1));
      c.store("i32.store", CPU.CHAIN_SAME, constant("i32", 0));
      c.store("i32.store", CPU.CHAIN_INTERRUPTS, constant("i32", 0));
    });
    c.store("i32.store", CPU.CHAIN_LENGTH, length.add(1));
  });
  if (hasEl2(library)) bankAt(c, target).store("i64.store", CPU.ESR_EL1, esr);
  else c.store("i64.store", CPU.ESR_EL1, esr);
  enter(library, c, Vector.Synchronous, elr, target);
}

/** An exception return ends the chain, unless it returns from an interrupt that came meanwhile. */
function endChain(c: Code, spsr: Value): void {
  c.if(c.load("i32.load", CPU.CHAIN_LENGTH), () => {
    const interrupts = c.let(c.load("i32.load", CPU.CHAIN_INTERRUPTS));
    const inside = spsr.and(Pstate.ElMask).select(interrupts, constant("i32", 0));
    c.if(inside, () => c.store("i32.store", CPU.CHAIN_INTERRUPTS, interrupts.sub(1)), () => {
      c.store("i32.store", CPU.CHAIN_LENGTH, constant("i32", 0));
    });
  });
}

const pc = (library: Library, c: Code) => c.call(callee(library, "currentPc"));

const aboveEl0 = (c: Code) => c.load("i32.load", CPU.PSTATE).and(Pstate.ElMask);

/**
 * For a software step the instruction is complete, although an exception is its result (Arm ARM
 * D2.12.5).
 */
const stepped = (c: Code) => c.store("i32.store", CPU.PSTATE, c.load("i32.load", CPU.PSTATE).and(~Pstate.SS));

/** The same as `changeStack` where `Slot.SP` stands for SP_EL0 or SP_EL1 alone. */
function swapStack(c: Code, old: Value, pstate: Value): void {
  const sp = xAddress(Slot.SP);
  c.if(old.xor(pstate).and(Pstate.SP), () => {
    c.if(pstate.and(Pstate.SP), () => {
      c.store("i64.store", CPU.SP_EL0, c.load("i64.load", sp));
      c.store("i64.store", sp, c.load("i64.load", CPU.SP_EL1));
    }, () => {
      c.store("i64.store", CPU.SP_EL1, c.load("i64.load", sp));
      c.store("i64.store", sp, c.load("i64.load", CPU.SP_EL0));
    });
  });
}

/** PSTATE, its flags, and what follows from it. */
function defineState(library: Library, features: ReadonlySet<FeatureName>, pool: TlbPoolLayout): void {
  define(library, "readFlags", (c) => {
    const sign = (address: number, bit: number) => c.load("i64.load", address).shrU(63).wrap().shl(bit);
    const z = c.load("i64.load", CPU.Z).not().shl(30);
    c.result(sign(CPU.N, 31).or(z).or(c.load("i32.load", CPU.C).shl(29)).or(sign(CPU.V, 28)));
  });

  define(library, "writeFlags", (c) => {
    const flags = c.parameter(0);
    c.store("i64.store", CPU.N, flags.wide().shl(32));
    c.store("i64.store", CPU.Z, flags.shrU(30).and(1).xor(1).wide());
    c.store("i32.store", CPU.C, flags.shrU(29).and(1));
    c.store("i64.store", CPU.V, flags.wide().shl(35));
  });

  define(library, "setPstate", (c) => {
    const pstate = c.parameter(0);
    const old = c.let(c.load("i32.load", CPU.PSTATE));
    if (hasEl2(library)) changeStack(c, old, pstate);
    else swapStack(c, old, pstate);
    c.store("i32.store", CPU.PSTATE, pstate);
    c.run(callee(library, "updateRegime"));
  });

  defineSeam(library, "updateRegime", (c) => {
    if (hasEl2(library)) return updateRegimes(c, library, features, pool);
    const pstate = c.let(c.load("i32.load", CPU.PSTATE));
    const fpen = c.let(c.load("i32.load", CPU.CPACR_EL1).shrU(20).and(3));
    const el0Set = c.let(currentSpace(c));
    c.if(pstate.and(Pstate.ElMask), () => {
      const set = el0Set.add(pstate.and(Pstate.PAN).select(constant("i32", Regime.El1Pan * TlbSet.Size), Regime.El1 * TlbSet.Size));
      c.store("i32.store", CPU.TLB, set);
      c.store("i32.store", CPU.FP_TRAP, fpen.and(1).not());
    }, () => {
      c.store("i32.store", CPU.TLB, el0Set);
      c.store("i32.store", CPU.FP_TRAP, fpen.ne(3));
    });
    if (features.has("FEAT_UAO")) {
      c.store("i32.store", CPU.TLB_UNPRIVILEGED, pstate.and(Pstate.UAO).select(c.load("i32.load", CPU.TLB), el0Set));
    }
  });
}

/** Entry to EL1. */
function defineEntry(library: Library, c: Code, features: ReadonlySet<FeatureName>): void {
  const kind = c.parameter(0), elr = c.parameter(1);
  const target = hasEl2(library) ? c.parameter(2) : EL1_OFFSET, bank = hasEl2(library) ? bankAt(c, target) : bankOf(c, 1);
  countEvent(c, library, PerformanceEvent.EXC_TAKEN);
  const pstate = c.let(c.load("i32.load", CPU.PSTATE));
  bank.store("i64.store", CPU.SPSR_EL1, c.call(exceptionFunction(library, "readFlags")).or(pstate).wide());
  bank.store("i64.store", CPU.ELR_EL1, elr);
  const isSame = hasEl2(library) ? pstate.and(Pstate.ElMask).eq(targetLevel(target)) : pstate.and(Pstate.ElMask);
  const source = isSame.select(
    pstate.and(Pstate.SP).select(constant("i32", Vector.CurrentSpx), Vector.CurrentSp0),
    Vector.LowerAarch64,
  );
  c.store("i64.store", CPU.PC, bank.load("i64.load", CPU.VBAR_EL1).add(source.add(kind).wide()));
  const span = bank.load("i32.load", CPU.SCTLR_EL1).and(Sctlr.SPAN);
  const keepsPan = hasEl2(library) ? span.or(target.nonZero().and(isHost(c).not())) : span;
  const pan = keepsPan.select(pstate.and(Pstate.PAN), Pstate.PAN);
  let entered = hasEl2(library) ? pan.or(Pstate.Daif | Pstate.SP).or(targetLevel(target)) : pan.or(Pstate.Daif | Pstate.EL1h);
  if (features.has("FEAT_DIT")) entered = entered.or(pstate.and(Pstate.DIT));
  if (features.has("FEAT_SSBS")) {
    entered = entered.or(bank.load("i64.load", CPU.SCTLR_EL1).shrU(SCTLR_DSSBS_SHIFT).wrap().and(1).shl(Math.log2(Pstate.SSBS)));
  }
  c.run(exceptionFunction(library, "setPstate"), entered);
  c.store("i32.store", CPU.EXCLUSIVE, constant("i32", 0));
  c.store("i32.store", CPU.PENDING, constant("i32", Pending.Redirect));

  define(library, "raise", (c) => synchronous(library, c, c.parameter(0), pc(library, c)));
  define(library, "raiseFrom", (c) => synchronous(library, c, c.parameter(0), c.parameter(1)));

  define(library, "injectException", (c) => {
    if (hasEl2(library)) return injectToLevels(c, library);
    exceptionBank(c, library).store("i64.store", CPU.FAR_EL1, c.parameter(1));
    synchronous(library, c, c.parameter(0), c.load("i64.load", CPU.PC));
  });
}

/** Entry to EL2. */
function defineExit(c: Code): void {
  c.store("i32.store", CPU.EXIT_REASON, c.parameter(0));
  c.store("i32.store", CPU.EXIT_ESR, c.parameter(1));
  c.store("i64.store", CPU.PC, c.parameter(2));
  c.store("i32.store", CPU.PENDING, constant("i32", Pending.Exit));
}

/** Exceptions that instructions take to EL1. */
function defineRaises(library: Library, undefinedInstruction: number, features: ReadonlySet<FeatureName>): void {
  defineSeam(library, "raiseUndefined", (c) => {
    const at = c.let(pc(library, c));
    at.emit(c.f);
    c.f.call(callee(library, "currentWord")).call(undefinedInstruction);
    synchronous(library, c, syndrome(ExceptionClass.Unknown, 0), at);
  });
  defineSeam(library, "raiseSupervisorCall", (c) => {
    const esr = c.parameter(0).or(syndrome(ExceptionClass.Svc, 0));
    if (hasEl2(library)) trapSupervisorCall(c, library, features, esr);
    stepped(c);
    synchronous(library, c, esr, pc(library, c).add(4));
  });
  defineSeam(
    library,
    "raiseBreakpoint",
    (c) => {
      const bank = hasEl2(library) ? debugBank(c, c.load("i32.load", CPU.EXCEPTION_BANK)) : undefined;
      synchronous(library, c, c.parameter(0).or(syndrome(ExceptionClass.Brk, 0)), pc(library, c), bank);
    },
  );
  defineSeam(library, "raiseHalt", (c) => {
    // A program at EL0 must not reach memory of EL1 by it.
    const isCall = c.load("i32.load", CPU.SEMIHOSTING).and(c.parameter(0).eq(SEMIHOSTING_IMMEDIATE)).and(aboveEl0(c).ne(0));
    c.if(isCall, () => c.run(exceptionFunction(library, "trap"), syndrome(ExceptionClass.Unknown, 0)), () => {
      c.run(callee(library, "raiseUndefined"));
    });
  });
  defineSeam(library, "raiseFpTrap", (c) => {
    if (hasEl2(library)) raiseFpTrapOfEl2(c, library);
    synchronous(library, c, syndrome(ExceptionClass.FpAccess, ISS_COND_ALWAYS), pc(library, c));
  });
}

/** Exits to EL2, and other ends of an instruction. */
function defineTraps(library: Library): void {
  define(library, "trap", (c) => c.run(leave(library), ExitReason.Trap, c.parameter(0), pc(library, c)));
  define(library, "trapAfter", (c) => {
    stepped(c);
    c.run(leave(library), ExitReason.Trap, c.parameter(0), pc(library, c).add(4));
  });
  define(library, "resumeAfter", (c) => {
    c.store("i64.store", CPU.PC, pc(library, c).add(4));
    c.store("i32.store", CPU.PENDING, constant("i32", Pending.Redirect));
  });
  defineSeam(library, "fetchAnew", (c) => {
    c.store("i32.store", CPU.FETCHES_DROPPED, constant("i32", 0));
    c.run(exceptionFunction(library, "resumeAfter"));
  });
  define(library, "exitAfter", (c) => c.run(leave(library), c.parameter(0), 0, pc(library, c).add(4)));

  defineSeam(library, "hypervisorCall", (c) => {
    const esr = c.parameter(0).or(syndrome(ExceptionClass.Hvc, 0));
    const call = () => {
      if (!hasEl2(library)) return c.run(exceptionFunction(library, "trapAfter"), esr);
      stepped(c);
      synchronous(library, c, esr, pc(library, c).add(4), EL2_OFFSET);
    };
    c.if(aboveEl0(c), call, () => c.run(callee(library, "raiseUndefined")));
  });
  defineSeam(library, "secureMonitorCall", (c) => {
    const esr = c.parameter(0).or(syndrome(ExceptionClass.Smc, 0));
    if (hasEl2(library)) trapFromEl1(c, library, Hcr.TSC, esr);
    c.if(aboveEl0(c), () => c.run(exceptionFunction(library, "trap"), esr), () => c.run(callee(library, "raiseUndefined")));
  });
}

/** Interrupts, and DAIF, which may let one in. */
function defineInterrupts(library: Library): void {
  define(library, "takeInterrupt", (c) => {
    if (hasEl2(library)) return takeInterruptOfLevels(c, library);
    const pstate = c.let(c.load("i32.load", CPU.PSTATE));
    const take = (level: number, mask: number, vector: number) =>
      c.if(c.load("i32.load", level).and(pstate.and(mask).not()), () => {
        enter(library, c, vector, c.parameter(0), EL1_OFFSET);
        c.if(c.load("i32.load", CPU.CHAIN_LENGTH), () => {
          c.store("i32.store", CPU.CHAIN_INTERRUPTS, c.load("i32.load", CPU.CHAIN_INTERRUPTS).add(1));
        });
        c.return(constant("i32", 1));
      });
    take(CPU.FIQ, Pstate.F, Vector.Fiq);
    take(CPU.IRQ, Pstate.I, Vector.Irq);
    c.result(constant("i32", 0));
  });

  defineSeam(library, "checkInterrupts", (c) => c.drop(c.call(exceptionFunction(library, "takeInterrupt"), c.load("i64.load", CPU.PC))));

  define(library, "setDaif", (c) => {
    const pstate = c.load("i32.load", CPU.PSTATE).and(~Pstate.Daif).or(c.parameter(0).and(Pstate.Daif));
    c.store("i32.store", CPU.PSTATE, pstate);
    const lines = c.load("i32.load", CPU.IRQ).or(c.load("i32.load", CPU.FIQ));
    c.if(hasEl2(library) ? lines.or(virtualInterrupts(c)) : lines, () => {
      c.drop(c.call(exceptionFunction(library, "takeInterrupt"), pc(library, c).add(4)));
    });
  });
}

/** ERET. */
function defineReturn(library: Library, features: ReadonlySet<FeatureName>): void {
  defineSeam(library, "exceptionReturn", (c) => {
    if (hasEl2(library)) trapReturn(c, library, features);
    const elr = regimeBank(c, library).load("i64.load", CPU.ELR_EL1);
    c.if(aboveEl0(c), () => c.run(exceptionFunction(library, "returnTo"), elr), () => c.run(callee(library, "raiseUndefined")));
  });
  define(library, "returnTo", (c) => {
    const target = c.parameter(0);
    countEvent(c, library, PerformanceEvent.EXC_RETURN);
    const pstate = c.let(c.load("i32.load", CPU.PSTATE));
    const spsr = c.let(regimeBank(c, library).load("i32.load", CPU.SPSR_EL1));
    const mode = c.let(spsr.and(Pstate.Mode)), isEl1 = mode.eq(Pstate.EL1t).or(mode.eq(Pstate.EL1h));
    const legal = mode.eq(Pstate.EL0t).or(hasEl2(library) ? isLegalAbove(c, pstate, mode, isEl1) : isEl1);
    const kept = Pstate.Daif | Pstate.PAN | extendedPstate(features);
    // DebugExceptionReturnSS(): a step begins where debug exceptions are enabled, if the return is
    // from where they are not.
    const step = c.let(constant("i32", 0));
    const mdscr = c.load("i32.load", CPU.MDSCR_EL1);
    c.if(mdscr.and(Mdscr.SS), () => {
      const kernel = mdscr.and(Mdscr.KDE).nonZero();
      const enabled = (state: Value) =>
        hasEl2(library) ? debugsAt(c, state, kernel) : state.and(Pstate.ElMask).not().or(kernel.and(state.and(Pstate.D).not()));
      c.set(step, enabled(pstate).not().and(enabled(spsr)).select(spsr.and(Pstate.SS), constant("i32", 0)));
    });
    c.if(legal, () => {
      c.run(exceptionFunction(library, "setPstate"), spsr.and(kept | Pstate.IL | Pstate.Mode).or(step));
    }, () => {
      // An illegal return stays where it is, with PSTATE.IL set.
      c.run(exceptionFunction(library, "setPstate"), spsr.and(kept).or(pstate.and(Pstate.Mode)).or(Pstate.IL));
    });
    c.run(exceptionFunction(library, "writeFlags"), spsr);
    if (hasEl2(library)) c.if(isOfEl1(pstate), () => endChain(c, spsr));
    else endChain(c, spsr);
    c.store("i32.store", CPU.ENTRY, constant("i32", Entry.Return));
    c.store("i32.store", CPU.ENTRY_SPSR, spsr);
    c.store("i64.store", CPU.ENTRY_PC, target);
    c.store("i64.store", CPU.PC, target);
    c.store("i32.store", CPU.EXCLUSIVE, constant("i32", 0));
    c.store("i32.store", CPU.EVENT, constant("i32", 1));
    c.store("i32.store", CPU.PENDING, constant("i32", Pending.Redirect));
    c.if(c.call(exceptionFunction(library, "takeInterrupt"), target), () => c.return());
    c.if(c.load("i32.load", CPU.PSTATE).and(Pstate.IL), () => synchronous(library, c, syndrome(ExceptionClass.IllegalState, 0), target));
  });
}

/** WFI and WFE, where they are trapped. */
function defineWait(library: Library): void {
  defineSeam(library, "waitFor", (c) => {
    const kind = c.parameter(0);
    c.if(c.load("i32.load", CPU.EVENT).and(kind), () => {
      c.store("i32.store", CPU.EVENT, constant("i32", 0));
      c.return();
    });
    const esr = kind.or(syndrome(ExceptionClass.Wfx, ISS_COND_ALWAYS) | 0);
    const untrapped = kind.select(constant("i32", Sctlr.NTWE), Sctlr.NTWI).and(regimeBank(c, library).load("i32.load", CPU.SCTLR_EL1));
    c.if(c.load("i32.load", CPU.PSTATE).and(Pstate.ElMask).or(untrapped), () => {
      if (hasEl2(library)) trapWait(c, library, kind, esr);
      c.run(exceptionFunction(library, "trap"), esr);
    }, () => c.run(exceptionFunction(library, "raise"), esr));
  });
}
