// What the layers above see of the core: vCPU state, `run`, and exits shaped as exceptions to EL2.
// The core executes EL0 and EL1; whatever EL2 would see (HVC, SMC, WFI, trapped registers, stage-2
// aborts) leaves it with the syndrome that ESR_EL2, FAR_EL2 and HPFAR_EL2 would hold (Arm ARM
// D13.2.37), so that the hypervisor reads like one at EL2.

import type { DebugComparators } from "./self-hosted-debug.ts";
import type { TranslatorCounters } from "./translator/counters.ts";
import type { WatchHit, WatchKind } from "./watchpoints.ts";

/** Why `Core.run` came back. */
export const ExitReason = {
  /** The instruction budget is used up, to the instruction. */
  Budget: 0,
  /**
   * A synchronous exception to EL2: `esr`, `far` and `ipa` say which. PC is at the instruction
   * (HVC: behind it, as the architecture has it).
   */
  Trap: 1,
  /**
   * A data access to a physical address that stage 2 maps but that is no RAM: a device. `esr` as
   * for a data abort, `pa` instead of `ipa`. PC is at the instruction.
   */
  Bus: 2,
  /**
   * A generic timer register was written (the instruction is complete): deadlines must be read
   * again.
   */
  Timer: 3,
  /** YIELD was executed (complete): a turn may end here. */
  Yield: 4,
  /** A breakpoint of `DebugCore` is at PC; the instruction has not been executed. */
  Breakpoint: 5,
  /**
   * A watchpoint of `DebugCore` stops the access of the instruction at PC, which has not been
   * executed.
   */
  Watchpoint: 6,
} as const;

/** One of `ExitReason`. */
export type ExitReason = typeof ExitReason[keyof typeof ExitReason];

/** Result of `Core.run`. One object, reused by every call. */
export interface Exit {
  reason: ExitReason;
  /** Instructions retired in this call; one is 1 ns of virtual time. */
  retired: number;
  /** ESR_EL2: EC 31:26, IL 25, ISS 24:0. Valid for Trap and Bus. */
  esr: number;
  /** Faulting virtual address, 64 bits. Valid for aborts. */
  far: bigint;
  /** Faulting IPA with its offset in the page. Valid for stage-2 aborts. */
  ipa: number;
  /** Physical address. Valid for Bus. */
  pa: number;
}

/** General registers X0..X30, and vector registers V0..V31. */
export const X_REGISTERS = 31, V_REGISTERS = 32;

/** Registers by their Arm names that hypervisor, debugger and tests may read and write by name. */
export const REGISTER_NAMES = [
  "SP_EL0",
  "SP_EL1",
  "ELR_EL1",
  "SPSR_EL1",
  "ESR_EL1",
  "FAR_EL1",
  "VBAR_EL1",
  "SCTLR_EL1",
  "TCR_EL1",
  "TTBR0_EL1",
  "TTBR1_EL1",
  "MAIR_EL1",
  "AMAIR_EL1",
  "CONTEXTIDR_EL1",
  "CPACR_EL1",
  "CNTKCTL_EL1",
  "CNTV_CTL_EL0",
  "CNTV_CVAL_EL0",
  "CNTP_CTL_EL0",
  "CNTP_CVAL_EL0",
  "TPIDR_EL0",
  "TPIDR_EL1",
  "TPIDRRO_EL0",
  "PAR_EL1",
  "AFSR0_EL1",
  "AFSR1_EL1",
  "MDSCR_EL1",
  "CSSELR_EL1",
  "FPCR",
  "FPSR",
  "MIDR_EL1",
  "MPIDR_EL1",
] as const;

/** One of `REGISTER_NAMES`. */
export type RegisterName = typeof REGISTER_NAMES[number];

/**
 * The architectural state of one vCPU. It lives in the machine's Wasm memory; the core loads it to
 * run it.
 */
export interface VcpuState {
  /** X0..X30. Index 31 reads as zero and ignores writes. */
  getX(index: number): bigint;
  setX(index: number, value: bigint): void;
  /** V0..V31 as low and high 64 bits. */
  /** The low and the high half of X0..X30, unsigned: numbers cost less than a bigint. */
  getLow(index: number): number;
  getHigh(index: number): number;
  /** Sets X0..X30 to an unsigned 32-bit number. */
  setLow(index: number, value: number): void;
  /** Whether both halves of X[first] to X[last] are all this 32-bit number, signed. */
  areHalves(first: number, last: number, half: number): boolean;
  /** Sets X0, X1, .. from the low and high halves of each in turn. */
  setHalves(halves: Uint32Array): void;
  /** Zeroes X[first] to X[last]. */
  clearX(first: number, last: number): void;
  getV(index: number): readonly [bigint, bigint];
  setV(index: number, low: bigint, high: bigint): void;
  pc: bigint;
  /** Steps PC over an instruction, which counts as executed for a software step. */
  advance(): void;
  /**
   * Breakpoints and watchpoints of EL1's own; whoever writes one counts `version` up. MDSCR_EL1 is
   * a register like others.
   */
  readonly debug: DebugComparators;
  /** NZCV, DAIF, PAN, UAO, IL, SS, EL and SP selection in SPSR_EL2 layout (AArch64). */
  pstate: number;
  getRegister(name: RegisterName): bigint;
  setRegister(name: RegisterName, value: bigint): void;
  /**
   * Level of the virtual IRQ input (from the VIC). Looked at when `run` starts and whenever
   * PSTATE.I falls.
   */
  irq: boolean;
  /** Level of the virtual FIQ input (group 0). */
  fiq: boolean;
  /** The event register of WFE and SEV. */
  event: boolean;
  /** Stage-2 tables that translate this vCPU's addresses (`Stage2Table.id`). */
  stage2: number;
  /**
   * HCR_EL2.DC: while stage 1 is off, memory is Normal write-back and not Device, so that unaligned
   * accesses are no faults. It stays off: writing SCTLR_EL1 with M set is UNDEFINED (HCR_EL2.TVM,
   * as EL2 answers it).
   */
  defaultCacheable: boolean;
}

/** Result of an address translation on behalf of a vCPU. */
export type Translation =
  | { ok: true; pa: number; ipa: number }
  | { ok: false; stage: 1 | 2; /** Fault status code as in ESR_ELx.DFSC. */ fsc: number; ipa: number };

/** What a core keeps of a vCPU between two calls of `run`, beside its registers. */
export interface VcpuProgress {
  /**
   * The local exclusive monitor while it is set: address and size in bytes of what is marked, and
   * what that held.
   */
  readonly monitor: { readonly size: number; readonly address: bigint; readonly low: bigint; readonly high: bigint } | undefined;
  /** The instruction that a software step exception is due behind. */
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

/** EL2, as a run of the core calls it. */
export interface ExitHandler {
  /**
   * Handles an exit with `ExitReason.Trap` or `Bus` in the middle of a run, as the caller of
   * `Core.run` would. `exit.retired` counts from the exit before.
   * @returns the budget of instructions that follow at once, from virtual time `now`; 0 ends the
   * run
   */
  handle(exit: Exit): number;
  /** Virtual time (ns) behind the exit that was handled last. */
  readonly now: number;
}

/** The AArch64 core. One instance serves all physical CPUs of a worker, one at a time. */
export interface Core {
  /** A vCPU whose registers are all zero; PSTATE is EL1h with DAIF masked. */
  createVcpu(): VcpuState;
  releaseVcpu(vcpu: VcpuState): void;
  /**
   * Runs `vcpu` for at most `budget` instructions (1 or more) from virtual time `now` (ns).
   * @param floor the highest position in virtual time that any physical CPU has reached: no counter
   * read returns less.
   * @param el2 handles exits, as far as it is called; `Budget` is what a run ends with that it has
   * ended. A core need not call it.
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
   * it.
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
   * Whether anything, a vCPU or another, may have written to the page at `pa`; else it is all zero.
   * A core may not know: it may be so.
   */
  mayBeWritten?(pa: number): boolean;
  /** For a snapshot: what is in progress on a vCPU. */
  progress(vcpu: VcpuState): VcpuProgress;
  /** Puts that back, after the registers and the stage-2 tables. At most one vCPU has a monitor. */
  setProgress(vcpu: VcpuState, progress: VcpuProgress): void;
  /** Drops everything derived (TLBs, records, page caches). */
  flush(): void;
  /**
   * What TLBs hold of data accesses to RAM through tables `stage2`. For checkers of invariants; a
   * core without TLBs has none.
   */
  cachedPages?(stage2: number): Iterable<CachedPage>;
}

/** What a debugger wants of a core beside its registers. */
export interface DebugCore extends Core {
  /** What the translator has done; undefined where there is none. */
  readonly translatorCounters?: Readonly<TranslatorCounters> | undefined;

  /**
   * `run` stops before the instruction at a virtual address, in all vCPUs that these stage-2 tables
   * translate for. Memory stays as it is.
   */
  insertBreakpoint(stage2: number, address: bigint): void;
  /** Takes a breakpoint back; nothing when there is none. */
  removeBreakpoint(stage2: number, address: bigint): void;
  /**
   * `run` stops before an instruction that accesses any of `length` bytes at a virtual address, in
   * the same vCPUs.
   */
  insertWatchpoint(stage2: number, address: bigint, length: number, kind: WatchKind): void;
  /** Takes a watchpoint back; nothing when there is none. */
  removeWatchpoint(stage2: number, address: bigint, length: number, kind: WatchKind): void;
  /** What the latest exit with `ExitReason.Watchpoint` was about. */
  readonly watchHit: WatchHit | undefined;
  /** `run` with a budget of 1 that no breakpoint or watchpoint stops. */
  step(vcpu: VcpuState, now: number, floor: number): Exit;
  /**
   * `translate` to el 1 for reading, which leaves no trace: not even the exclusive monitor changes,
   * whichever vCPU runs next.
   */
  inspect(vcpu: VcpuState, va: bigint): Translation;
}

/** Access rights and kind in a stage-2 entry. */
export const Stage2Flags = {
  Read: 1,
  Write: 2,
  /** Instruction fetch at EL1. */
  ExecuteEl1: 4,
  /** Instruction fetch at EL0. */
  ExecuteEl0: 8,
  /** Device memory: unaligned accesses fault. */
  Device: 16,
} as const;

/**
 * Stage-2 tables of one address space, in a form that the core walks inside Wasm. Pages are 4 KiB;
 * IPAs are below 2^36.
 */
export interface Stage2Table {
  readonly id: number;
  /**
   * Maps whole pages; `ipa`, `pa` and `size` are multiples of 4096. The caller then calls
   * `Core.invalidateStage2`. False, and nothing changed, when there is no memory left for tables.
   */
  map(ipa: number, pa: number, size: number, flags: number): boolean;
  unmap(ipa: number, size: number): boolean;
  /** The entry of the page that holds `ipa`, or undefined. */
  lookup(ipa: number): { pa: number; flags: number } | undefined;
  /** Everything that is mapped, from low to high, as runs of bytes. */
  entries(): Iterable<{ ipa: number; pa: number; size: number; flags: number }>;
  /** Gives the tables' memory back. */
  release(): void;
}
