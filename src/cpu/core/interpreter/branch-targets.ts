// Branch target identification (FEAT_BTI): an indirect branch leaves PSTATE.BTYPE, and the
// instruction that it leads to, in a page that is guarded, must be one that permits it. Arm ARM
// D8.4.5, J1.1.4 (BranchTargetCheck), C6.2 (BTI).
//
// An indirect branch looks at its target before it goes there. Nearly all targets permit it: then
// nothing sees BTYPE, and it is not stored. Otherwise BTYPE is stored, and the interpreter checks
// it where it next enters code: the target may fault, have a breakpoint, or be reached only after
// an interrupt because the budget is used up.

import { ExceptionClass, Pstate, SCTLR_BT_SHIFTS, syndrome } from "../architecture/exceptions.ts";
import { Handler } from "../decoded/handlers.ts";
import { exceptionFunction } from "../exceptions/exception-entry.ts";
import { regimeBank } from "../state/banks.ts";
import { CPU, FetchEntry, Pending, TlbSet } from "../state/cpu-state.ts";
import { callee } from "../state/functions.ts";
import { DECODED_OWNERS, DECODED_PAGE_SIZE, DECODED_PAGES } from "../state/layout.ts";
import { fetchEntryOffset, TlbFlags } from "../state/tlb-layout.ts";
import { Code, constant, type Value } from "../wasm/expression.ts";
import type { Callees, Library } from "../wasm/library.ts";
import type { Surroundings } from "./surroundings.ts";
import { PAGE_SIZE } from "../../../kit/support/values/sizes.ts";

/** The type of a branch by BR that is 3 in a guarded page, and 1 elsewhere. */
export const BY_PAGE = 3;
/** log2 of the lowest bit of PSTATE.BTYPE. */
export const BTYPE_SHIFT = 10;

/** Instructions that the check knows: a mask of their fixed bits, and the values of these. */
export const TargetWord = {
  /** BTI with any operand. */
  Bti: [0xffff_ff3f | 0, 0xd503_241f | 0],
  /** PACIASP and PACIBSP. */
  Pacixsp: [0xffff_ffbf | 0, 0xd503_233f | 0],
  Brk: [0xffe0_001f | 0, 0xd420_0000 | 0],
  Hlt: [0xffe0_001f | 0, 0xd440_0000 | 0],
} as const;

const TYPED_BRANCH = "typedBranch";

/** Whether a core has FEAT_BTI. */
export const checksBranches = (library: Callees): boolean => library.has(TYPED_BRANCH);

/** Defines the functions of FEAT_BTI. */
export function defineBranchTargets(library: Library): void {
  definePermits(library);
  defineTypedBranch(library);
  defineEntry(library);
}

/** The fetch entry for an address: whether it is of its page, which a misaligned one never is. */
function fetchEntry(c: Code, va: Value) {
  const at = c.let(c.load("i32.load", CPU.TLB).add(fetchEntryOffset(va)));
  const found = c.load("i64.load", at, TlbSet.Fetch + FetchEntry.Tag).eq(va.and(-PAGE_SIZE | 3));
  const guarded = c.load("i32.load", at, TlbSet.Fetch + FetchEntry.Flags).and(TlbFlags.Guarded);
  return { found, guarded, decoded: c.load("i32.load", at, TlbSet.Fetch + FetchEntry.Decoded) };
}

/**
 * `permitsBranch`: (target, type, address of the branch) -> whether the branch can go there at
 * once, without a type in PSTATE.
 */
function definePermits(library: Library): void {
  const c = new Code(library.define("permitsBranch", ["i64", "i32", "i64"], ["i32"]));
  const va = c.parameter(0), type = c.parameter(1), refuse = () => c.return(constant("i32", 0));
  const target = fetchEntry(c, va), source = fetchEntry(c, c.parameter(2));
  c.if(target.found.and(source.found).not(), refuse);
  const page = c.let(target.decoded), offset = c.let(va.wrap().and(0xffc));
  c.if(c.load("i32.load16_u", page.add(offset.shl(2))).eq(Handler.Breakpoint), refuse);
  const owner = c.load("i32.load", page.sub(DECODED_PAGES.base).divU(DECODED_PAGE_SIZE).shl(2), DECODED_OWNERS);
  const word = c.let(c.load("i32.load", owner.add(offset)));
  c.if(matches(word, TargetWord.Brk), refuse);
  c.if(target.guarded, () => {
    c.if(type.eq(BY_PAGE).and(source.guarded.not()), () => c.set(type, 1));
    c.return(permits(c, library, word, type));
  });
  c.result(constant("i32", 1));
}

/**
 * `typedBranch`: (target, type): does nothing if the branch can go there at once; else stores its
 * type, and has the interpreter enter the target.
 */
function defineTypedBranch(library: Library): void {
  const c = new Code(library.define(TYPED_BRANCH, ["i64", "i32"], []));
  const target = c.parameter(0), type = c.parameter(1);
  const isLast = c.load("i32.load", CPU.END).sub(c.load("i32.load", CPU.IP)).leS(16);
  const permitted = c.call(library.named("permitsBranch"), target, type, c.call(callee(library, "currentPc")));
  c.if(isLast.not(), () => c.if(permitted, () => c.return()));
  c.if(type.eq(BY_PAGE).and(c.load("i32.load", CPU.PAGE_FLAGS).and(TlbFlags.Guarded).not()), () => c.set(type, 1));
  c.store("i32.store", CPU.PSTATE, c.load("i32.load", CPU.PSTATE).or(type.shl(BTYPE_SHIFT)));
  c.store("i64.store", CPU.PC, c.call(callee(library, "branchTarget"), target));
  c.store("i32.store", CPU.PENDING, constant("i32", Pending.Redirect));
}

/**
 * `enterByBranch`: (decoded instruction) -> 1 when it refuses the branch that led there. Only while
 * PSTATE.BTYPE is set.
 */
function defineEntry(library: Library): void {
  const c = new Code(library.define("enterByBranch", ["i32"], ["i32"]));
  const ip = c.parameter(0), pstate = c.let(c.load("i32.load", CPU.PSTATE));
  c.store("i32.store", CPU.IP, ip);
  // A breakpoint comes before the check.
  c.if(c.load("i32.load16_u", ip).eq(Handler.Breakpoint), () => c.return(constant("i32", 0)));
  const word = c.let(c.call(callee(library, "currentWord")));
  const type = c.let(pstate.and(Pstate.BTYPE).shrU(BTYPE_SHIFT));
  c.if(c.load("i32.load", CPU.PAGE_FLAGS).and(TlbFlags.Guarded), () => {
    c.if(permits(c, library, word, type).not(), () => {
      c.run(exceptionFunction(library, "raise"), type.or(syndrome(ExceptionClass.BranchTarget, 0)));
      c.return(constant("i32", 1));
    });
  });
  // The exception of BRK has BTYPE in SPSR_EL1; others may have zero there.
  c.if(matches(word, TargetWord.Brk).not(), () => c.store("i32.store", CPU.PSTATE, pstate.and(~Pstate.BTYPE)));
  c.result(constant("i32", 0));
}

const matches = (word: Value, [mask, value]: typeof TargetWord[keyof typeof TargetWord]) => word.and(mask).eq(value);

/** Whether an instruction of a guarded page may be reached by a branch of this type, 1 to 3. */
function permits(c: Code, library: Library, word: Value, type: Value): Value {
  // BTI c refuses type 3, BTI j type 2, BTI jc no type, BTI without an operand each type.
  const operand = c.let(word.shrU(6).and(3));
  const byBti = operand.nonZero().and(operand.eq(3).or(type.add(operand).ne(4))).and(matches(word, TargetWord.Bti));
  const others = byBti.or(matches(word, TargetWord.Brk)).or(matches(word, TargetWord.Hlt));
  // PACIASP and PACIBSP are BTI c, also where FEAT_PAuth is hidden and they do nothing else;
  // BT0 and BT1 of SCTLR_EL1, or BT0 and BT of SCTLR_EL2, say whether they refuse type 3.
  const shift = c.load("i32.load", CPU.PSTATE).and(Pstate.ElMask).select(constant("i64", SCTLR_BT_SHIFTS[1]), SCTLR_BT_SHIFTS[0]);
  const refuses = regimeBank(c, library).load("i64.load", CPU.SCTLR_EL1).shrU(shift).wrap().and(type.eq(3));
  return others.or(matches(word, TargetWord.Pacixsp).and(refuses.and(1).not()));
}

/** Puts the target of an indirect branch on the stack, if the branch can go there at once. */
export function emitBranchTarget(at: Surroundings, address: () => void, type: (() => void) | undefined): void {
  if (!type || !checksBranches(at.library)) return address();
  const { f } = at, target = at.local("i64");
  address();
  f.set(target);
  at.beforeCall(true);
  f.get(target);
  type();
  f.call(at.library.named(TYPED_BRANCH));
  f.i32(0).memory("i32.load", CPU.PENDING).if(() => at.fault());
  f.get(target);
}
