// The functions by which the parts of the core's Wasm module meet: definer, parameters and results.
// Each signature is declared here once; `declare` turns it into a function of a `Library`.
//
// Faults: a function that takes an exception or leaves the core sets `CPU.PENDING` (and `CPU.PC`,
// `CPU.EXIT_*`) and returns any value; its caller checks PENDING and does nothing more. Callers
// store `CPU.IP` before; callers of those that read the time also `CPU.END`.

import { CPU, SPLIT_GROUPS, SplitGroup } from "./cpu-state.ts";
import { GROUP_COPIES } from "./layout.ts";
import type { Value } from "../wasm/expression.ts";
import type { Callees, Library } from "../wasm/library.ts";
import type { FunctionBuilder, FunctionType, ValueType } from "../wasm/module.ts";

/** Bits of an access descriptor, above the size in bytes (1, 2, 4, 8, 16, 64) in its low byte. */
export const Access = {
  SizeMask: 0xff,
  /**
   * Faults when the address is not a multiple of the size, whatever SCTLR_EL1.A says (exclusives,
   * atomics, acquire and release); with FEAT_LSE2, when it crosses a boundary of 16 bytes.
   */
  Aligned: 0x100,
  /** Checked as an EL0 access (LDTR, STTR). */
  Unprivileged: 0x200,
  /**
   * Only one half of a pair or one element of several: a stage-2 abort has no syndrome (ISV = 0).
   */
  Part: 0x400,
  /**
   * DC ZVA of the 64 bytes around the address, which Device memory refuses with an alignment fault.
   */
  Zero: 0x800,
  /** `AccessKind.Write`, which regions tell `stackAt` as well. */
  Write: 0x1000,
  /** An acquire or release that is neither exclusive nor atomic. */
  Ordered: 0x2_0000,
  /**
   * log2 of the number of elements, 3 bits from here: alignment is that of an element. Arm ARM
   * C6.2 and C7.2: LD1 to LD4 and ST1 to ST4 access memory element by element.
   */
  ElementsShift: 20,
} as const;

/**
 * Bits of a place of a group below the number of its `SplitGroup`: one less than its bytes. Above
 * it: a copy of the bytes serves where they are in two pages.
 */
const GROUP_SHIFT = 8, GROUP_COPIED = SPLIT_GROUPS << GROUP_SHIFT;

export const groupPlace = (bytes: number, split: number, copied: boolean): number =>
  (copied ? GROUP_COPIED : 0) | split << GROUP_SHIFT | bytes - 1;
/** Where a copy of its bytes is, or 0 if none serves. */
export const groupCopy = (place: Value): Value =>
  place.and(GROUP_COPIED).select(place.and(SPLIT_GROUPS - 1 << GROUP_SHIFT).add(GROUP_COPIES), 0);
export const groupBytes = (place: Value): Value => place.and((1 << GROUP_SHIFT) - 1).add(1);
/** The `SplitGroup` of a place, or of a byte in it. */
export const splitGroup = (place: Value): Value => place.shrU(GROUP_SHIFT).and(SPLIT_GROUPS - 1).mul(SplitGroup.Size).add(CPU.SPLIT_GROUPS);

/** A byte of a group, as `splitPlace` takes it. */
export const splitByte = (offset: number, split: number): number => split << GROUP_SHIFT | offset;
export const splitOffset = (byte: Value): Value => byte.and((1 << GROUP_SHIFT) - 1);

const signature = (parameters: readonly ValueType[], ...results: readonly ValueType[]): FunctionType => ({ parameters, results });

/**
 * The signatures. The first group is of the MMU, exceptions and system registers, the second of the
 * decoded instructions.
 */
export const Functions = {
  /**
   * (va, access) -> value, zero-extended. The miss path of loads up to 8 bytes: unaligned,
   * page-crossing, TLB miss, devices.
   */
  slowLoad: signature(["i64", "i32"], "i64"),
  /** (va, access) -> value. 16 bytes. */
  slowLoad16: signature(["i64", "i32"], "v128"),
  /** (va, access, value). */
  slowStore: signature(["i64", "i32", "i64"]),
  /** (va, access, value). 16 bytes. */
  slowStore16: signature(["i64", "i32", "v128"]),
  /**
   * (va, access) -> Wasm address, for a read and a write of RAM that follows at once (atomics,
   * STXR, DC ZVA). Drops decoded instructions there itself.
   */
  slowAddress: signature(["i64", "i32"], "i32"),
  /**
   * (va, access) -> Wasm address of RAM inside one page, to be read, or 0 where an exception, a
   * device or a page's end is in the way. Takes no exception.
   */
  readableAt: signature(["i64", "i32"], "i32"),
  /** The same for a write, and 0 also where it changes decoded instructions. */
  writableAt: signature(["i64", "i32"], "i32"),
  /**
   * (va, access, seams, place) -> the same for a group of accesses, whose size and `SplitGroup`
   * `place` has (`groupPlace`): the Wasm address of its bytes in one page, or of a copy of them, or
   * 0 where they are in two pages, which the `SplitGroup` then tells; and 1, or 0 where
   * `readableAt` is 0. The access has the greatest alignment of theirs. An access to two neighbors
   * has its seam in the middle: bit N of `seams` where that is 8 * N bytes from `va`, all bits
   * where it is elsewhere.
   */
  readableGroupAt: signature(["i64", "i32", "i32", "i32"], "i32", "i32"),
  writableGroupAt: signature(["i64", "i32", "i32", "i32"], "i32", "i32"),
  /**
   * (byte of a group in two pages, below its `SplitGroup`: `splitByte`) -> the Wasm address of that
   * byte.
   */
  splitPlace: signature(["i32"], "i32"),
  /**
   * (va, access with `Write`) -> `readableAt` or `writableAt`, which keeps the page as that of the
   * stack if its TLB entry serves writes.
   */
  stackAt: signature(["i64", "i32"], "i32"),
  /** (va, access with `Write`, seams, place) -> the same for a group. */
  stackGroupAt: signature(["i64", "i32", "i32", "i32"], "i32", "i32"),
  /**
   * (va) -> the PC that a branch to `va` leads to: VA[55] replaces a top byte that TCR_EL1.TBI
   * ignores.
   */
  branchTarget: signature(["i64"], "i64"),
  /**
   * (va) -> Wasm address of the instruction, translated for fetch in the current regime; alignment
   * of PC is checked. Faults.
   */
  fetchAddress: signature(["i64"], "i32"),
  /**
   * (va, decoded page). Right after `fetchAddress(va)`: enters the page's translation in the Fetch
   * table of the current TLB set.
   */
  fillFetch: signature(["i64", "i32"]),
  /**
   * (va of a page) -> the address of its decoded page, if the current regime may execute it and its
   * instructions are decoded; it is in the Fetch table then. Otherwise 0, also where entering it
   * has to be noticed (`Watching`). Takes no exception.
   */
  fetchableAt: signature(["i64"], "i32"),
  /**
   * SP is not a multiple of 16 and is the base of a load or store: EC 0x26 when SCTLR_EL1.SA or SA0
   * asks for it, else nothing.
   */
  raiseSpAlignment: signature([]),
  /** UNDEFINED: EC 0. */
  raiseUndefined: signature([]),
  /** SVC, EC 0x15; (imm16). The preferred return address is the next instruction. */
  raiseSupervisorCall: signature(["i32"]),
  /** BRK, EC 0x3c; (imm16). */
  raiseBreakpoint: signature(["i32"]),
  /** HLT: a semihosting call leaves the core, PC at it, where they are served; else UNDEFINED. */
  raiseHalt: signature(["i32"]),
  /** HVC leaves the core, EC 0x16, PC after it; UNDEFINED at EL0. (imm16). */
  hypervisorCall: signature(["i32"]),
  /** SMC leaves the core, EC 0x17, PC at it; UNDEFINED at EL0. (imm16). */
  secureMonitorCall: signature(["i32"]),
  /** FP or AdvSIMD while `CPU.FP_TRAP`: EC 7. */
  raiseFpTrap: signature([]),
  /** ERET. */
  exceptionReturn: signature([]),
  /**
   * MRS of a register that is not read inline; (op0:op1:CRn:CRm:op2, 16 bits) -> value. May fault.
   * Wants END.
   */
  readSystemRegister: signature(["i32"], "i64"),
  /**
   * MSR (register); (op0:op1:CRn:CRm:op2, value). May fault, redirect (unmasked interrupts) or
   * exit. Wants END.
   */
  writeSystemRegister: signature(["i32", "i64"]),
  /** MSR (immediate); (op1:op2, 6 bits, CRm). */
  writePstateField: signature(["i32", "i32"]),
  /** SYS: IC, DC (but ZVA), TLBI, AT; (op1:CRn:CRm:op2, 14 bits, Xt). */
  systemInstruction: signature(["i32", "i64"]),
  /** WFI and WFE, with their traps; (0 WFI, 1 WFE). */
  waitFor: signature(["i32"]),
  /** ISB after translations have been dropped: the next instruction is looked up. */
  fetchAnew: signature([]),
  /** DC ZVA at EL0: faults unless SCTLR_EL1.DZE allows it. */
  checkZeroAllowed: signature([]),
  /** At the start of a run: takes a virtual interrupt that is not masked. */
  checkInterrupts: signature([]),
  /** Sets `CPU.TLB` and what else derives from the context. After a vCPU became resident. */
  updateRegime: signature([]),
  /**
   * (Wasm address of a page): its instructions are decoded now; write translations of it go from
   * all TLB sets.
   */
  protectCodePage: signature(["i32"]),

  /** (one of ExitReason): leaves the core after the instruction at `CPU.IP`. */
  leaveAfter: signature(["i32"]),
  /** The virtual address of the instruction at `CPU.IP`. */
  currentPc: signature([], "i64"),
  /** The encoding of the instruction at `CPU.IP`. */
  currentWord: signature([], "i32"),
  /**
   * Virtual time in ns, this instruction not counted; needs `CPU.IP` and `CPU.END`. Never below
   * `CPU.TIME_FLOOR`.
   */
  currentTime: signature([], "f64"),
  /**
   * (Wasm address) -> the address of the decoded page, when the page holds decoded instructions and
   * must not be write-mapped; 0 otherwise.
   */
  isCodePage: signature(["i32"], "i32"),
  /**
   * (Wasm address, size, inside one page): a store there is about to happen; not zero when
   * `dropDecoded` must hear of it. It changes decoded instructions then, or there have been very
   * many.
   */
  holdsDecoded: signature(["i32", "i32"], "i32"),
  /**
   * (virtual address, decoded page) -> whether the executions of a page that is entered by this
   * address in this VM are counted where those before were. In a core that counts them.
   */
  isCountedEntry: signature(["i64", "i32"], "i32"),
  /** (address of a decoded page) -> the Wasm address of its code page. */
  ownerOf: signature(["i32"], "i32"),
  /**
   * (Wasm address, size, inside one page): RAM there is about to change; drops the decoded
   * instructions of these words.
   */
  dropDecoded: signature(["i32", "i32"]),
} as const satisfies Record<string, FunctionType>;

/** Name of a function of the seam. */
export type FunctionName = keyof typeof Functions;

/** The function of the seam with this name, for calls to it. */
export function callee(library: Callees, name: FunctionName): FunctionBuilder {
  return library.get(name, Functions[name].parameters, Functions[name].results);
}

/** The same for its definition: the caller fills the body. */
export function define(library: Library, name: FunctionName, exported = false): FunctionBuilder {
  return library.define(name, Functions[name].parameters, Functions[name].results, exported);
}
