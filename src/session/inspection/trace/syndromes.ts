// ESR_ELx in words: the class of an exception and what its syndrome says (Arm ARM D24.2.40).

import { AbortSyndrome, ExceptionClass, exceptionClass, faultOf, FaultStatus } from "../../../cpu/core/interface.ts";

/** The classes that the CPU has. */
type Known = (typeof ExceptionClass)[keyof typeof ExceptionClass];
type ClassNames = Readonly<Record<number, string>> & Readonly<Record<Known, string>>;
/** @param lower where exceptions of a lower level come from @param fp what traps FP and SIMD */
const classNames = (lower: string, fp: string): ClassNames => ({
  [ExceptionClass.Unknown]: "undefined instruction",
  [ExceptionClass.Wfx]: "trapped WFI or WFE",
  [ExceptionClass.FpAccess]: `access to FP or SIMD while ${fp} traps it`,
  [ExceptionClass.BranchTarget]: "branch to an instruction that does not permit it (BTI)",
  [ExceptionClass.IllegalState]: "illegal execution state",
  [ExceptionClass.Svc]: "SVC",
  [ExceptionClass.Hvc]: "HVC",
  [ExceptionClass.Smc]: "SMC",
  [ExceptionClass.SystemRegister]: "trapped system register",
  [ExceptionClass.PointerUse]: "trapped use of pointer authentication",
  [ExceptionClass.ExceptionReturn]: "trapped ERET",
  [ExceptionClass.PointerAuthentication]: "failed pointer authentication",
  [ExceptionClass.InstructionAbortLower]: `instruction abort from ${lower}`,
  [ExceptionClass.InstructionAbort]: "instruction abort",
  [ExceptionClass.PcAlignment]: "misaligned PC",
  [ExceptionClass.DataAbortLower]: `data abort from ${lower}`,
  [ExceptionClass.DataAbort]: "data abort",
  [ExceptionClass.SpAlignment]: "misaligned SP",
  [ExceptionClass.MemoryOperation]: "memory copy or set out of its order",
  [ExceptionClass.BreakpointLower]: `breakpoint in ${lower}`,
  [ExceptionClass.Breakpoint]: "breakpoint",
  [ExceptionClass.SoftwareStepLower]: `software step in ${lower}`,
  [ExceptionClass.SoftwareStep]: "software step",
  [ExceptionClass.WatchpointLower]: `watchpoint in ${lower}`,
  [ExceptionClass.Watchpoint]: "watchpoint",
  0x2c: "FP exception",
  0x2f: "SError",
  [ExceptionClass.Brk]: "BRK",
});
/** By the level that takes the exception. */
const CLASSES = { 1: classNames("EL0", "CPACR_EL1"), 2: classNames("a lower level", "CPTR_EL2") } as const;

const ABORTS: ReadonlySet<number> = new Set([
  ExceptionClass.InstructionAbortLower,
  ExceptionClass.InstructionAbort,
  ExceptionClass.DataAbortLower,
  ExceptionClass.DataAbort,
]);
const DATA_ABORTS: ReadonlySet<number> = new Set([ExceptionClass.DataAbortLower, ExceptionClass.DataAbort]);

/** Whether the exception is an abort of memory, which has a fault address. */
export function isAbort(esr: number): boolean {
  return ABORTS.has(exceptionClass(esr));
}

/** `data abort, write: translation fault, level 3`. @param level that took the exception */
export function syndromeText(esr: number, level: 1 | 2 = 1): string {
  const ec = exceptionClass(esr);
  const name = CLASSES[level][ec] ?? `exception class 0x${ec.toString(16)}`;
  if (!ABORTS.has(ec)) return name;
  const fault = esr & AbortSyndrome.FscMask;
  // An external abort that the hypervisor makes may leave WnR clear for a write, too.
  const access = !DATA_ABORTS.has(ec) ? "" : esr & AbortSyndrome.WnR ? ", write" : fault === FaultStatus.External ? "" : ", read";
  return `${name}${access}: ${faultText(fault)}`;
}

/** Faults that have a level. */
const LEVEL_FAULTS: Readonly<Record<number, string>> = {
  [FaultStatus.AddressSize]: "address size fault",
  [FaultStatus.Translation]: "translation fault",
  [FaultStatus.AccessFlag]: "access flag fault",
  [FaultStatus.Permission]: "permission fault",
  [FaultStatus.ExternalOnWalk]: "external abort on a table walk",
};

/** A fault status code (IFSC, DFSC). */
function faultText(code: number): string {
  if (code === FaultStatus.External) return "external abort";
  if (code === FaultStatus.Alignment) return "alignment fault";
  const { kind, level } = faultOf(code), name = LEVEL_FAULTS[kind];
  if (name !== undefined) return `${name}, level ${level}`;
  if (code === 0x35) return "unsupported exclusive or atomic access";
  return `fault status 0x${code.toString(16)}`;
}
