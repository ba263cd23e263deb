// Exceptions in cores of CPUs with FEAT_EL2: where they go, which registers and TLB space an
// exception level uses, and virtual interrupts. Arm ARM D1.10, D1.11.2 (illegal returns), D1.13
// (interrupts), D1.16 (WFI, WFE), D13.2.46 (HCR_EL2). docs/design/el2.md §4.

import type { FeatureName } from "../../isa/cpus/features.ts";
import { ExceptionClass, FaultStatus, ISS_COND_ALWAYS, Pstate, syndrome, Vector } from "../architecture/exceptions.ts";
import { type FineTrap, fineTrapBits, fineTrapNamed } from "../architecture/fine-grained-traps.ts";
import { Cptr, Hcr, Mdcr } from "../architecture/hypervisor-control.ts";
import { bankAt, EL1_OFFSET, EL2_OFFSET, raiseToEl2 } from "../state/banks.ts";
import { CPU, Slot, TlbSet, xAddress } from "../state/cpu-state.ts";
import { callee } from "../state/functions.ts";
import { Regime, type TlbPoolLayout, TlbSpace } from "../state/tlb-layout.ts";
import { Code, constant, type Operand, type Value } from "../wasm/expression.ts";
import type { Library } from "../wasm/library.ts";
import { enter, synchronous } from "./entry-calls.ts";
import { noteGuest } from "./noted-guests.ts";
import { followControls } from "./tlb-spaces.ts";

const HOST = Hcr.E2H | Hcr.TGE;
/** `CPU.FP_TRAP`: the exception level that the trap is for. */
const FpTrap = { None: 0, El1: 1, El2: 2 } as const;
/** ESR_ELx of a virtual SError: the part that VSESR_EL2 gives. */
const SERROR_ISS = 0x1ff_ffff;

export const hcr = (c: Code): Value => c.load("i64.load", CPU.HCR_EL2);
const has = (control: Value, bits: bigint) => control.and(bits).nonZero();
const levelOf = (pstate: Value) => pstate.and(Pstate.ElMask);
const pc = (library: Library, c: Code) => c.call(callee(library, "currentPc"));

/** HCR_EL2.{E2H, TGE} = {1, 1}: EL0 is of the EL2&0 regime. */
export const isHost = (c: Code): Value => hcr(c).and(HOST).eq(HOST);

/** Whether a field of a fine-grained trap is set; undefined where the CPU does not have it. */
export function isFinelyTrapped(c: Code, field: FineTrap | undefined, features: ReadonlySet<FeatureName>): Value | undefined {
  if (!field || !features.has("FEAT_FGT") || !(fineTrapBits(field.register, features) & field.mask)) return undefined;
  return has(c.load("i64.load", CPU[field.register]), field.mask);
}

/** Whether a state is of EL1. */
export const isOfEl1 = (pstate: Value): Value => levelOf(pstate).eq(Pstate.EL1);

/** Whether EL1 takes its own exception. */
export const isBetweenEl1 = (c: Code, target: Value): Value => isOfEl1(c.load("i32.load", CPU.PSTATE)).and(target.not());

/** PSTATE.EL of the exception level of a bank. */
export const targetLevel = (bank: Value): Value => bank.nonZero().select(constant("i32", Pstate.EL2), Pstate.EL1);

/** Bits of a fault status code that are those of `FaultStatus.External` for each external abort. */
const EXTERNAL_MASK = 0x38;

/** Whether a fault status code, in a syndrome or alone, is that of an external abort. */
export const isExternal = (status: Value): Value => status.and(EXTERNAL_MASK).eq(FaultStatus.External);

/** Whether HCR_EL2.TEA routes an abort with a status from a lower level to EL2. */
export const isRoutedAbort = (c: Code, status: Value): Value =>
  isExternal(status).and(has(hcr(c), Hcr.TEA)).and(c.load("i32.load", CPU.PSTATE).and(Pstate.EL2).not());

/** The exception classes of aborts from a lower level; that of the same level follows each. */
const ABORTS = [ExceptionClass.InstructionAbortLower, ExceptionClass.DataAbortLower];
/** The same of debug exceptions. */
const DEBUG = [ExceptionClass.BreakpointLower, ExceptionClass.SoftwareStepLower, ExceptionClass.WatchpointLower];
const CLASS_SHIFT = 26;

/** Where MDCR_EL2.TDE sends debug exceptions of lower levels, of which BRK has one; else `bank`. */
export const debugBank = (c: Code, bank: Value): Value => c.load("i64.load", CPU.MDCR_EL2).and(Mdcr.TDE).nonZero().select(EL2_OFFSET, bank);

/** Whether debug exceptions are enabled in a state: below the level that they are for, or there. */
export function debugsAt(c: Code, state: Value, kernel: Value): Value {
  const toEl2 = c.let(has(hcr(c), Hcr.TGE).or(has(c.load("i64.load", CPU.MDCR_EL2), Mdcr.TDE)));
  const target = c.let(targetLevel(toEl2)), level = levelOf(state);
  return level.ltU(target).or(level.eq(target).and(kernel).and(state.and(Pstate.D).not()));
}

/** `injectException`: the class of an abort that goes up to EL2 is that of a lower level. */
export function injectToLevels(c: Code, library: Library): void {
  const esr = c.let(c.parameter(0)), pc = c.load("i64.load", CPU.PC), ofBoth = c.let(esr.shrU(CLASS_SHIFT).and(~1));
  const isOneOf = (classes: readonly number[]) => classes.map((lower) => ofBoth.eq(lower)).reduce((any, one) => any.or(one));
  const isAbort = isOneOf(ABORTS);
  const bank = c.let(c.load("i32.load", CPU.EXCEPTION_BANK));
  c.if(isAbort.and(isRoutedAbort(c, esr)), () => {
    c.set(bank, EL2_OFFSET);
    c.set(esr, esr.and(~(1 << CLASS_SHIFT)));
  });
  c.if(isOneOf(DEBUG), () => c.set(bank, debugBank(c, bank)));
  bankAt(c, bank).store("i64.store", CPU.FAR_EL1, c.parameter(1));
  synchronous(library, c, esr, pc, bank);
}

/** Changes the bank that `Slot.SP` stands for. */
export function changeStack(c: Code, old: Value, pstate: Value): void {
  const bankOf = (state: Value) =>
    state.and(Pstate.SP).select(state.and(Pstate.EL2).select(constant("i32", CPU.SP_EL2), CPU.SP_EL1), CPU.SP_EL0);
  const from = c.let(bankOf(old)), to = c.let(bankOf(pstate)), sp = xAddress(Slot.SP);
  c.if(from.ne(to), () => {
    c.store("i64.store", from, c.load("i64.load", sp));
    c.store("i64.store", sp, c.load("i64.load", to));
  });
}

/** `updateRegime`: what follows from PSTATE, HCR_EL2, CPACR_EL1 and CPTR_EL2. */
export function updateRegimes(c: Code, library: Library, features: ReadonlySet<FeatureName>, pool: TlbPoolLayout): void {
  const pstate = c.let(c.load("i32.load", CPU.PSTATE)), level = c.let(levelOf(pstate)), control = c.let(hcr(c));
  const host = c.let(control.and(HOST).eq(HOST)), isEl2 = c.let(level.eq(Pstate.EL2));
  const usesEl2 = c.let(isEl2.or(level.not().and(host)));
  const bank = (isOfEl2: Value) => isOfEl2.select(EL2_OFFSET, EL1_OFFSET);
  c.store("i32.store", CPU.REGIME_BANK, bank(usesEl2));
  c.store("i32.store", CPU.EXCEPTION_BANK, bank(isEl2.or(level.not().and(has(control, Hcr.TGE)))));
  c.if(usesEl2, () => c.store("i32.store", CPU.STAGE2_FOLLOWED, constant("i32", 0)), () => {
    followControls(c, library);
    c.if(control.and(Hcr.VM | Hcr.TGE).eq(Hcr.VM), () => noteGuest(c, library));
  });
  const space = c.let(usesEl2.select(c.load("i32.load", CPU.TLB_SPACE_EL2), c.load("i32.load", CPU.TLB_SPACE_EL1)));
  c.store("i32.store", CPU.TLB_SPACE, space);
  const notes = c.load("i32.load", space, TlbSpace.HasDevice).nonZero().and(c.load("i32.load", CPU.DEVICE_ATOMIC).not());
  c.store("i32.store", CPU.ATOMICS_TLB, notes.select(constant("i32", pool.empty), 0));
  const privileged = pstate.and(Pstate.PAN).select(constant("i32", Regime.El1Pan * TlbSet.Size), Regime.El1 * TlbSet.Size);
  const set = c.let(space.add(level.select(privileged, constant("i32", 0))));
  c.store("i32.store", CPU.TLB, set);
  // Without a host, LDTR and STTR of EL2 are checked as LDR and STR.
  let overrides: Value = isEl2.and(host.not());
  if (features.has("FEAT_UAO")) overrides = overrides.or(pstate.and(Pstate.UAO).nonZero());
  c.store("i32.store", CPU.TLB_UNPRIVILEGED, overrides.select(set, space));
  const finely = isFinelyTrapped(c, fineTrapNamed("DCZVA"), features), ofHcr = has(control, Hcr.TDZ);
  const trapsZero = level.eq(Pstate.EL1).and(finely ? ofHcr.or(finely) : ofHcr);
  c.store("i32.store", CPU.ZERO_LEVEL, trapsZero.select(constant("i32", 0), level));
  updateFpTrap(c, { level, control, usesEl2 });
}

/** CPACR_EL1 comes before CPTR_EL2. */
function updateFpTrap(c: Code, { level, control, usesEl2 }: { level: Value; control: Value; usesEl2: Value }): void {
  const fpen = c.let(c.load("i32.load", CPU.CPACR_EL1).shrU(Cptr.FPENShift).and(3));
  const ofEl1 = usesEl2.not().and(level.select(fpen.and(1).not(), fpen.ne(3)));
  const cptr = c.let(c.load("i64.load", CPU.CPTR_EL2));
  const enabled = c.let(cptr.shrU(Cptr.FPENShift).wrap().and(3));
  const isEl0OfHost = level.not().and(has(control, Hcr.TGE));
  const ofHost = enabled.and(1).not().or(enabled.eq(1).and(isEl0OfHost));
  const ofEl2 = has(control, Hcr.E2H).select(ofHost, has(cptr, Cptr.TFP));
  const trap = ofEl1.select(constant("i32", FpTrap.El1), ofEl2.select(constant("i32", FpTrap.El2), FpTrap.None));
  c.store("i32.store", CPU.FP_TRAP, trap);
}

/** The parts of `raiseFpTrap` that go to EL2; the function ends with them. */
export function raiseFpTrapOfEl2(c: Code, library: Library): void {
  c.if(c.load("i32.load", CPU.FP_TRAP).eq(FpTrap.El2), () => {
    synchronous(library, c, syndrome(ExceptionClass.FpAccess, ISS_COND_ALWAYS), pc(library, c), EL2_OFFSET);
    c.return();
  });
  // A trap of CPACR_EL1 at EL0 is UNDEFINED where EL1's exceptions go to EL2.
  c.if(c.load("i32.load", CPU.EXCEPTION_BANK), () => {
    synchronous(library, c, syndrome(ExceptionClass.Unknown, 0), pc(library, c));
    c.return();
  });
}

/** `raiseToEl2`. */
export function defineTrapToEl2(library: Library): void {
  const c = new Code(library.define("raiseToEl2", ["i32"], []));
  synchronous(library, c, c.parameter(0), pc(library, c), EL2_OFFSET);
}

/** An instruction of EL1 goes to EL2 if a bit of HCR_EL2 is set; the function ends then. */
export function trapFromEl1(c: Code, library: Library, bit: bigint, esr: Value): void {
  c.if(isOfEl1(c.load("i32.load", CPU.PSTATE)).and(has(hcr(c), bit)), () => {
    c.run(raiseToEl2(library), esr);
    c.return();
  });
}

/** An exception to EL2 where `traps` holds; the function ends then. */
function trapWhere(c: Code, library: Library, traps: Value | undefined, esr: Operand): void {
  if (!traps) return;
  c.if(traps, () => {
    c.run(raiseToEl2(library), esr);
    c.return();
  });
}

/** ERET of EL1 goes to EL2 by HFGITR_EL2, with an ISS; the function ends then. */
export function trapReturn(c: Code, library: Library, features: ReadonlySet<FeatureName>, iss: Value = constant("i32", 0)): void {
  const traps = isFinelyTrapped(c, fineTrapNamed("ERET"), features), esr = iss.or(syndrome(ExceptionClass.ExceptionReturn, 0));
  trapWhere(c, library, traps && isOfEl1(c.load("i32.load", CPU.PSTATE)).and(traps), esr);
}

/** The same of SVC of EL1, and of an EL0 that is not a host's. ELR_EL2 is its own address. */
export function trapSupervisorCall(c: Code, library: Library, features: ReadonlySet<FeatureName>, esr: Value): void {
  const pstate = c.load("i32.load", CPU.PSTATE);
  const ofEl0 = isFinelyTrapped(c, fineTrapNamed("SVC_EL0"), features), ofEl1 = isFinelyTrapped(c, fineTrapNamed("SVC_EL1"), features);
  trapWhere(c, library, ofEl0 && levelOf(pstate).not().and(isHost(c).not()).and(ofEl0), esr);
  trapWhere(c, library, ofEl1 && isOfEl1(pstate).and(ofEl1), esr);
}

/**
 * WFI and WFE of EL1 and EL0 go to EL2 by TWI and TWE, if they would wait; the function ends then.
 * It ends as well where a virtual interrupt, of which the machine does not know, completes a WFI.
 */
export function trapWait(c: Code, library: Library, kind: Value, esr: Value): void {
  const control = c.let(hcr(c)), isVirtual = c.let(virtualInterrupts(c));
  c.if(kind.not().and(c.load("i32.load", CPU.PSTATE).and(Pstate.EL2).not()).and(isVirtual), () => c.return());
  const wakes = c.load("i32.load", CPU.IRQ).or(c.load("i32.load", CPU.FIQ)).or(isVirtual);
  const traps = kind.select(has(control, Hcr.TWE), has(control, Hcr.TWI));
  c.if(c.load("i32.load", CPU.REGIME_BANK).not().and(traps).and(wakes.not()), () => {
    c.run(raiseToEl2(library), esr);
    c.return();
  });
}

/** HCR_EL2 with VI and VF for what the virtual CPU interface signals as well. */
export const withVirtualLines = (c: Code): Value => hcr(c).or(c.load("i64.load32_u", CPU.VIRTUAL_LINES));

/** From the bits of virtual interrupts to those of their routing. */
const ROUTING_SHIFT = 3;

/** Whether a virtual interrupt is pending, masked or not. */
export const virtualInterrupts = (c: Code): Value => has(withVirtualLines(c).shrU(ROUTING_SHIFT).and(hcr(c)), Hcr.IMO | Hcr.FMO | Hcr.AMO);

/** Whether a return from `pstate` to `mode` of EL1 or EL2 is legal. */
export function isLegalAbove(c: Code, pstate: Value, mode: Value, isEl1: Value): Value {
  const fromEl2 = levelOf(pstate).eq(Pstate.EL2);
  const isEl2 = mode.eq(Pstate.EL2t).or(mode.eq(Pstate.EL2h));
  return isEl1.and(fromEl2.and(has(hcr(c), Hcr.TGE)).not()).or(isEl2.and(fromEl2));
}

/** `takeInterrupt`: physical interrupts first, then virtual ones. */
export function takeInterruptOfLevels(c: Code, library: Library): void {
  const at = c.parameter(0);
  const pstate = c.let(c.load("i32.load", CPU.PSTATE)), level = c.let(levelOf(pstate)), control = c.let(hcr(c));
  const isEl2 = c.let(level.eq(Pstate.EL2)), tge = c.let(has(control, Hcr.TGE));
  const host = c.let(control.and(HOST).eq(HOST));
  const take = (vector: number, bank: Value, before = () => {}) => {
    before();
    enter(library, c, vector, at, bank);
    c.if(bank.not().and(c.load("i32.load", CPU.CHAIN_LENGTH).nonZero()), () => {
      c.store("i32.store", CPU.CHAIN_INTERRUPTS, c.load("i32.load", CPU.CHAIN_INTERRUPTS).add(1));
    });
    c.return(constant("i32", 1));
  };
  const physical = (line: number, mask: number, routed: bigint, vector: number) =>
    c.if(c.load("i32.load", line), () => {
      const masked = c.let(pstate.and(mask).nonZero());
      c.if(tge.or(has(control, routed)), () => {
        // A lower level cannot mask it, unless that is a host's EL0.
        c.if(isEl2.or(host).and(masked).not(), () => take(vector, EL2_OFFSET));
      }, () => c.if(isEl2.or(masked).not(), () => take(vector, EL1_OFFSET)));
    });
  physical(CPU.FIQ, Pstate.F, Hcr.FMO, Vector.Fiq);
  physical(CPU.IRQ, Pstate.I, Hcr.IMO, Vector.Irq);
  const lines = c.let(withVirtualLines(c));
  const virtual = (pending: bigint, routed: bigint, mask: number, vector: number, before?: () => void) => {
    const isPending = lines.and(pending | routed).eq(pending | routed).and(isEl2.or(tge).not()).and(pstate.and(mask).not());
    c.if(isPending, () => take(vector, EL1_OFFSET, before));
  };
  virtual(Hcr.VI, Hcr.IMO, Pstate.I, Vector.Irq);
  virtual(Hcr.VF, Hcr.FMO, Pstate.F, Vector.Fiq);
  virtual(Hcr.VSE, Hcr.AMO, Pstate.A, Vector.SError, () => {
    c.store("i64.store", CPU.HCR_EL2, control.and(~Hcr.VSE));
    const esr = c.load("i32.load", CPU.VSESR_EL2).and(SERROR_ISS).or(syndrome(ExceptionClass.SError, 0));
    c.store("i64.store", CPU.ESR_EL1, esr.wide());
  });
  c.result(constant("i32", 0));
}
