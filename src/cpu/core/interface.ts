// The core as the layers above see it: vCPU state, `run`, and exits shaped as exceptions to EL2.
// The core executes EL0 and EL1; whatever EL2 would see (HVC, SMC, WFI, trapped registers, stage-2
// aborts) leaves it with the syndrome that ESR_EL2, FAR_EL2 and HPFAR_EL2 would hold (Arm ARM
// D13.2.37), so that the hypervisor reads like one at EL2.

import type { Cpu } from "../isa/cpus/cpus.ts";
import type { Identification } from "../isa/cpus/identification.ts";
import type { MemoryWatch, WatchHit, WatchKind } from "./debug/watchpoints.ts";
import type { Exit, ExitHandler } from "./exceptions/exit.ts";
import type { Prospect } from "./outlook/evaluation.ts";
import type { AccessedMemory } from "./outlook/memory-accesses.ts";
import type { Outlook } from "./outlook/outlook.ts";
import type { CoreCode } from "./core-code.ts";
import type { CountedPage } from "./execution-counts.ts";
import type { Written } from "./memory/written-memory.ts";
import type { Regime } from "./registers/regime.ts";
import type { ExclusiveMonitor, VcpuState } from "./registers/vcpu-state.ts";
import type { TranslatorCounters } from "./translator/counters.ts";

export {
  AbortSyndrome,
  ESR_IL,
  ExceptionClass,
  exceptionClass,
  faultOf,
  FaultStatus,
  faultStatus,
  Pstate,
  Sctlr,
  syndrome,
  Vector,
} from "./architecture/exceptions.ts";
export { trapControls, trappedEncoding } from "./registers/trap-controls.ts";
export { Hcr } from "./architecture/hypervisor-control.ts";
export { listedIrq } from "./architecture/virtual-gic.ts";
export type { CoreCode } from "./core-code.ts";
export { pointerMask } from "./architecture/pointer-masks.ts";
export { loadStoreSyndrome } from "./architecture/load-store-syndrome.ts";
export type { MemoryWatch, WatchHit, WatchKind } from "./debug/watchpoints.ts";
export type { CountedPage } from "./execution-counts.ts";
export { type Exit, type ExitHandler, ExitReason } from "./exceptions/exit.ts";
export type { AskedCall, KnownRegister } from "./outlook/evaluation.ts";
export type { EndlessLoop, Outlook } from "./outlook/outlook.ts";
export type { SeenWord } from "./outlook/copied-state.ts";
export type { AccessedMemory } from "./outlook/memory-accesses.ts";
export { type MappedRun, Stage2Flags, type Stage2Table } from "./memory/stage2-table.ts";
export { type IpaBits, rootTables } from "./memory/stage2.ts";
export type { Written } from "./memory/written-memory.ts";
export { NOTED_GUESTS } from "./state/cpu-state.ts";
export { type RegisterWrites, registerWrites } from "./registers/register-writes.ts";
export { el2Regime, hasEl2Guest, hostRegime, isBelowEl2, type Regime, regimeOf, registerOf, registersOf } from "./registers/regime.ts";
export {
  DEVICE_BECAUSE,
  type DeviceAtomicAccess,
  EL2_REGISTERS,
  ENTERED_BY,
  MISSED,
  type RegisterName,
  V_REGISTERS,
  type VcpuState,
  X_REGISTERS,
} from "./registers/vcpu-state.ts";

/**
 * Result of an address translation on behalf of a vCPU. `ipa` is the address that stage 1 gives, in
 * a guest of the CPU's EL2 one of that guest. `fsc` is the fault status code as in ESR_ELx.DFSC;
 * `walkLevel` is the level of the stage-1 descriptor that stage 2 makes unreadable.
 */
export type Translation =
  | { ok: true; pa: number; ipa: number }
  | { ok: false; stage: 1 | 2; fsc: number; ipa: number; walkLevel?: number };

/** The state, besides registers, that a core keeps of a vCPU between two calls of `run`. */
export interface VcpuProgress {
  /** While it is set. */
  readonly monitor: ExclusiveMonitor | undefined;
  /** The instruction that a software step exception is due after. */
  readonly stepped: "none" | "other" | "exclusive";
}

/** A page that a TLB holds. */
export interface CachedPage {
  /** The page's virtual address as accessed, 64 bits. */
  readonly va: bigint;
  readonly pa: number;
  /** Whether it may be written by this entry, or read. */
  readonly write: boolean;
}

/** The AArch64 core. One instance serves all physical CPUs of a worker, one at a time. */
export interface Core {
  readonly cpu: Cpu;
  /** The ID registers of its CPU. */
  readonly identification: Identification;
  /** A vCPU whose registers are all zero; PSTATE is EL1h with DAIF masked. */
  createVcpu(): VcpuState;
  releaseVcpu(vcpu: VcpuState): void;
  /**
   * Runs `vcpu` for at most `budget` instructions (1 or more) from virtual time `now` (ns).
   * @param floor the highest position in virtual time that any physical CPU has reached: no counter
   * read returns less.
   * @param el2 handles exits, if it is called; a run that it has ended exits
   * with `Budget`. A core need not call it.
   */
  run(vcpu: VcpuState, now: number, budget: number, floor: number, el2?: ExitHandler): Exit;
  /**
   * Completes a trapped or Bus load: writes `value` to the register that the syndrome names, sign-
   * or zero-extended, and steps PC.
   */
  completeRead(vcpu: VcpuState, esr: number, value: bigint): void;
  /** The register that a trapped or Bus store carries, cut to the access size. */
  storeValue(vcpu: VcpuState, esr: number): bigint;
  /** Steps PC over the trapped instruction. */
  skip(vcpu: VcpuState): void;
  /**
   * Makes the vCPU take a synchronous exception to EL1 now, with this ESR_EL1; `far` where the
   * class has one.
   */
  takeException(vcpu: VcpuState, esr: number, far?: bigint): void;
  /**
   * EL1 (or EL0) stage 1 and stage 2 translation of a guest virtual address, as AT S1E1R/W would do
   * it; in a regime of EL2, that of EL2.
   */
  translate(vcpu: VcpuState, va: bigint, access: "read" | "write", el: 0 | 1): Translation;
  /**
   * Stage 2 of `[ipa, ipa + size)` changed in tables `stage2`: cached translations of exactly these
   * pages go.
   */
  invalidateStage2(stage2: number, ipa: number, size: number): void;
  /** Something other than a vCPU wrote RAM: decoded instructions in `[pa, pa + size)` go. */
  memoryWritten(pa: number, size: number): void;
  /**
   * Whether anything, a vCPU or another, may have written to the page at `pa`; otherwise it is all
   * zero. A core may not know: it may be so.
   */
  mayBeWritten?(pa: number): boolean;
  /** The work in progress on a vCPU, for a snapshot. */
  progress(vcpu: VcpuState): VcpuProgress;
  /** Puts that back, after the registers and the stage-2 tables. At most one vCPU has a monitor. */
  setProgress(vcpu: VcpuState, progress: VcpuProgress): void;
  /** Drops everything derived (TLBs, decoded instructions, page caches). */
  flush(): void;
  /** A core without TLBs has none. */
  readonly residency?: CoreResidency;
}

/** The translations of its vCPUs that a core keeps. */
export interface CoreResidency {
  /** The TLB entries for data accesses to RAM through tables `stage2`, for checkers. */
  cachedPages(stage2: number): Iterable<CachedPage>;
  /** Those of a vCPU that lead to one of these pages. @param pages their physical addresses */
  leadingTo(vcpu: VcpuState, pages: ReadonlySet<number>): readonly CachedPage[];
  /** The content of the TLBs of these vCPUs, for a state. */
  tlbImage(vcpus: readonly VcpuState[]): Uint8Array;
  /**
   * Puts that back, when registers and stage-2 tables are there, and before the vCPUs run.
   * @param trusted the image was made by this process and need not be checked
   * @returns the defect of the image
   */
  setTlbImage(vcpus: readonly VcpuState[], image: Uint8Array, trusted: boolean): string | undefined;
  /** Whether no TLBI has come since a store made translations of this vCPU suspect. */
  isUnanswered(vcpu: VcpuState): boolean;
}

/**
 * Looks at a vCPU before an instruction at an observed address, in the middle of a run.
 * @param time virtual time (ns)
 * @param retired instructions of the run since EL2 saw the last exit
 * @param returns whether the instruction is an ERET
 * @returns whether the run ends after this instruction; undefined: nothing is observed there
 */
export type InstructionObserver = (vcpu: VcpuState, time: number, retired: number, returns: boolean) => boolean | undefined;

/** Counters of a core's own work. */
export interface CoreCounters {
  /** Those of the translator; undefined without a translator. */
  readonly translator: Readonly<TranslatorCounters> | undefined;
  /** Bytes of Wasm in regions. */
  readonly codeBytes: number;
  /** Instructions counted without executing them, because they only waited for the counter. */
  readonly sparedInstructions: number;
  /** How many exits to EL2 there were, by reason. */
  readonly exits: Readonly<Record<string, number>>;
  /** The code that was executed so far, if the core counts executions. No vCPU may be running. */
  executedPages(): readonly CountedPage[];
  /**
   * Those counts of a VM's code from `start` to before `end`, also in the middle of a run: other
   * code is there from now on, which counts from 0. Parts of pages, by their first address.
   */
  takeExecuted(vm: string, start: bigint, end: bigint): readonly CountedPage[];
}

/** Stops of `run`, and looks, before an instruction. Memory stays as it is. */
export interface CoreStops {
  /**
   * `run` stops before the instruction at a virtual address, in all vCPUs that these stage-2 tables
   * translate for.
   */
  insertBreakpoint(stage2: number, address: bigint): void;
  /** Removes a breakpoint; does nothing when it does not exist. */
  removeBreakpoint(stage2: number, address: bigint): void;
  /**
   * Called at the addresses of `observe`, and at each ERET with `observesReturns`. It must not
   * change the machine.
   */
  observer: InstructionObserver | undefined;
  /** Observes the instruction at a virtual address, in the vCPUs that `insertBreakpoint` names. */
  observe(stage2: number, address: bigint): void;
  /** Ends one `observe`. */
  ignore(stage2: number, address: bigint): void;
  /** Whether each ERET is observed, at any level of any vCPU. */
  observesReturns: boolean;
  /**
   * `run` stops before an instruction that accesses any of `length` bytes at a virtual address, in
   * the same vCPUs.
   */
  insertWatchpoint(stage2: number, address: bigint, length: number, kind: WatchKind): void;
  /** Removes a watchpoint; does nothing when it does not exist. */
  removeWatchpoint(stage2: number, address: bigint, length: number, kind: WatchKind): void;
  /**
   * `run` stops before an instruction that accesses this memory, in all vCPUs and by any address.
   * One watch at a time; undefined: none.
   */
  watchMemory(watch: MemoryWatch | undefined): void;
  /** The hit that caused the latest exit with `ExitReason.Watchpoint`. */
  readonly hit: WatchHit | undefined;
  /**
   * `run` stops before each instruction that may write one of these registers, named in lower case,
   * in all vCPUs: MSR (register) to system registers; others also before HVC and SMC, whose results
   * they hold. None by default.
   */
  watchRegisters(names: readonly string[]): void;
}

/**
 * Questions about a vCPU. They leave no trace: not even the exclusive monitor changes, whichever
 * vCPU runs next.
 */
export interface CoreQuestions {
  /**
   * `Core.translate` to el 1, or 2 in a regime of EL2.
   * @param access "read" by default
   * @param regime by default that in use
   */
  inspect(vcpu: VcpuState, va: bigint, access?: "read" | "write", regime?: Regime): Translation;
  /** The vCPU's future if nothing else changes. */
  outlook(vcpu: VcpuState, prospect: Prospect): Outlook;
  /**
   * The accesses of the vCPU's next instruction, if it faults at none.
   * @param pc of another one, with the registers as they are
   */
  accesses(vcpu: VcpuState, pc?: bigint): readonly AccessedMemory[];
}

/** A core with its functions for debuggers. */
export interface DebugCore extends Core {
  readonly stops: CoreStops;
  readonly residency: CoreResidency;
  readonly questions: CoreQuestions;
  readonly counters: CoreCounters;
  /** Everything that may have been written since `forgetWritten`, or since the start. */
  written(): Written;
  /**
   * `written` starts again from nothing.
   * @param byWord from now on words of pages are noted, which costs a little; false by default
   */
  forgetWritten(byWord?: boolean): void;
  /** `run` with a budget of 1 that no breakpoint or watchpoint stops. */
  step(vcpu: VcpuState, now: number, floor: number): Exit;
  /**
   * The code of this core, which is not used any more, for another one over the same memory. RAM
   * stays as it is. Undefined for a core that counts executions.
   */
  leave(): CoreCode | undefined;
}
