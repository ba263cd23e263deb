// The state of a vCPU as the hypervisor, debuggers and tests read and write it.

import { LIST_REGISTERS } from "../../isa/cpus/cpus.ts";
import type { FeatureName } from "../../isa/cpus/features.ts";
import { BASE_CONTEXT_SIZE, CONTEXT_SIZE, EL2_CONTEXT_SIZE } from "../state/cpu-state.ts";
import type { DebugComparators } from "../debug/self-hosted-debug.ts";

/** General registers X0 to X30, and vector registers V0 to V31. */
export const X_REGISTERS = 31, V_REGISTERS = 32;

/** The local exclusive monitor: address and size in bytes of what is marked, and what that held. */
export interface ExclusiveMonitor {
  readonly size: number;
  readonly address: bigint;
  readonly low: bigint;
  readonly high: bigint;
}

/** The registers of every CPU that hypervisor, debugger and tests may read and write by name. */
const REGISTER_NAMES = [
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

/** Registers that the CPUs with a feature have besides. */
const FEATURE_REGISTERS = [
  [
    "FEAT_PAuth",
    [
      ...["APIAKeyLo_EL1", "APIAKeyHi_EL1", "APIBKeyLo_EL1", "APIBKeyHi_EL1", "APDAKeyLo_EL1", "APDAKeyHi_EL1"] as const,
      ...["APDBKeyLo_EL1", "APDBKeyHi_EL1", "APGAKeyLo_EL1", "APGAKeyHi_EL1"] as const,
    ],
  ],
  ["FEAT_RAS", ["DISR_EL1"]],
  ["FEAT_CSV2_2", ["SCXTNUM_EL0", "SCXTNUM_EL1"]],
  // The state of the generator, not a number that MRS reads.
  ["FEAT_RNG", ["RNDR"]],
  [
    "FEAT_PMUv3",
    [
      ...["PMCR_EL0", "PMCNTENSET_EL0", "PMINTENSET_EL1", "PMOVSSET_EL0", "PMSELR_EL0", "PMUSERENR_EL0", "PMCCNTR_EL0"] as const,
      ...["PMCCFILTR_EL0", "PMEVCNTR0_EL0", "PMEVCNTR1_EL0", "PMEVCNTR2_EL0", "PMEVCNTR3_EL0", "PMEVCNTR4_EL0"] as const,
      ...["PMEVCNTR5_EL0", "PMEVTYPER0_EL0", "PMEVTYPER1_EL0", "PMEVTYPER2_EL0", "PMEVTYPER3_EL0"] as const,
      ...["PMEVTYPER4_EL0", "PMEVTYPER5_EL0"] as const,
    ],
  ],
  [
    "FEAT_EL2",
    [
      ...["SP_EL2", "ELR_EL2", "SPSR_EL2", "ESR_EL2", "FAR_EL2", "VBAR_EL2", "SCTLR_EL2", "TCR_EL2", "TTBR0_EL2", "TTBR1_EL2"] as const,
      ...["MAIR_EL2", "AMAIR_EL2", "CONTEXTIDR_EL2", "HCR_EL2", "CPTR_EL2", "MDCR_EL2", "HSTR_EL2", "HACR_EL2", "VTTBR_EL2"] as const,
      ...["VTCR_EL2", "HPFAR_EL2", "VPIDR_EL2", "VMPIDR_EL2", "TPIDR_EL2", "AFSR0_EL2", "AFSR1_EL2", "CNTHCTL_EL2"] as const,
      ...["CNTVOFF_EL2", "CNTHP_CTL_EL2", "CNTHP_CVAL_EL2", "CNTHV_CTL_EL2", "CNTHV_CVAL_EL2", "VSESR_EL2"] as const,
      ...["HFGRTR_EL2", "HFGWTR_EL2", "HFGITR_EL2", "HDFGRTR_EL2", "HDFGWTR_EL2"] as const,
      ...["ICH_HCR_EL2", "ICH_VMCR_EL2", "ICH_AP0R0_EL2", "ICH_AP1R0_EL2", "ICH_LR0_EL2", "ICH_LR1_EL2", "ICH_LR2_EL2"] as const,
      ...["ICH_LR3_EL2", "ICH_LR4_EL2", "ICH_LR5_EL2", "ICH_LR6_EL2", "ICH_LR7_EL2", "ICH_LR8_EL2", "ICH_LR9_EL2"] as const,
      ...["ICH_LR10_EL2", "ICH_LR11_EL2", "ICH_LR12_EL2", "ICH_LR13_EL2", "ICH_LR14_EL2", "ICH_LR15_EL2"] as const,
    ],
  ],
] as const satisfies readonly (readonly [FeatureName, readonly string[]])[];

/** A register by its name. */
export type RegisterName = typeof REGISTER_NAMES[number] | typeof FEATURE_REGISTERS[number][1][number];

/** All registers of EL2 that a CPU may have, the list registers last. */
export const EL2_REGISTERS: readonly RegisterName[] = FEATURE_REGISTERS.flatMap(([feature, names]) => feature === "FEAT_EL2" ? names : []);

/** The number of a list register. */
const listNumber = (name: string) => Number(/^ICH_LR(\d+)_/.exec(name)?.[1] ?? 0);

/** The registers of a CPU. @param listRegisters how many it has, with FEAT_EL2 */
export const registerNames = (features: ReadonlySet<FeatureName>, listRegisters = LIST_REGISTERS): readonly RegisterName[] => [
  ...REGISTER_NAMES,
  ...FEATURE_REGISTERS.flatMap(([feature, names]) => features.has(feature) ? names : []).filter((name) => listNumber(name) < listRegisters),
];

/** Bytes of the context of a CPU's vCPUs: the registers of features are its end, EL2's the last. */
export function contextSize(features: ReadonlySet<FeatureName>): number {
  if (features.has("FEAT_EL2")) return EL2_CONTEXT_SIZE;
  return FEATURE_REGISTERS.some(([feature]) => features.has(feature)) ? CONTEXT_SIZE : BASE_CONTEXT_SIZE;
}

/**
 * The exceptions that instructions at EL1 raised since the last exception return, without those of
 * interrupts in between: evidence, which no instruction reads.
 */
export interface ExceptionChain {
  readonly length: number;
  /** The first of them: ESR_EL1, the address of its instruction, FAR_EL1. */
  readonly esr: bigint;
  readonly elr: bigint;
  readonly far: bigint;
  /** How many of the latest repeated the one before them: same ESR_EL1 and ELR_EL1. */
  readonly same: number;
  /** Interrupts that it took meanwhile and has not returned from. */
  readonly interrupts: number;
}

/** In the order of `Entry`. */
export const ENTERED_BY = ["return", "power-on", "resume"] as const;

/** Where a vCPU was sent other than by a branch, the last time: evidence. */
export interface Entered {
  readonly by: typeof ENTERED_BY[number];
  readonly at: bigint;
  /** SPSR_EL1 of an exception return, else 0. */
  readonly spsr: number;
}

/** In the order of `DeviceAtomic`. */
export const DEVICE_BECAUSE = ["stage-1-off", "stage-1", "stage-2"] as const;

/** An exclusive or atomic access to Device memory. */
export interface DeviceAtomicAccess {
  /** The reason why the memory was Device. */
  readonly because: typeof DEVICE_BECAUSE[number];
  readonly va: bigint;
  readonly pc: bigint;
}

/**
 * Targets that an invalidation may miss, in the order of `Miss`; `store`: none came after a store
 * to a descriptor.
 */
export const MISSED = ["cpu", "asid", "address", "store"] as const;

/** The use of a translation that the tables no longer held. */
export interface StaleUse {
  readonly va: bigint;
  readonly pc: bigint;
  /**
   * The TLBI that was meant for it, or the store: address of the instruction, operand or
   * descriptor, MPIDR_EL1 there.
   */
  readonly tlbi: { readonly missed: typeof MISSED[number]; readonly pc: bigint; readonly operand: bigint; readonly cpu: bigint };
  /** Whole virtual ns, from EL2. */
  readonly time: bigint;
  /** An invalidation that may follow is too late: an interprocessor interrupt may ask for one. */
  readonly forGood: boolean;
}

/** A vCPU of a VM that EL2 has entered: the registers that it had then. */
export interface NotedGuest {
  readonly vttbr: bigint;
  readonly vmpidr: bigint;
  readonly vtcr: bigint;
}

/** Guests that EL2 has entered: the latest by its place. */
export interface NotedGuests {
  readonly latest: number;
  readonly entries: readonly NotedGuest[];
}

/**
 * The architectural state of one vCPU. It lives in the machine's Wasm memory; the core loads it to
 * run it.
 */
export interface VcpuState {
  /** X0 to X30. Index 31 reads as zero and ignores writes. */
  getX(index: number): bigint;
  setX(index: number, value: bigint): void;
  /** V0 to V31 as low and high 64 bits. */
  /** The low and the high half of X0 to X30, unsigned: numbers cost less than a bigint. */
  getLow(index: number): number;
  getHigh(index: number): number;
  /** Sets one of X0 to X30 to an unsigned 32-bit number. */
  setLow(index: number, value: number): void;
  /** Whether both halves of X[first] to X[last] are all this 32-bit number, signed. */
  areHalves(first: number, last: number, half: number): boolean;
  /** Sets X0, X1, … from the low and high halves of each in turn. */
  setHalves(halves: Int32Array): void;
  /** Zeroes X[first] to X[last]. */
  clearX(first: number, last: number): void;
  getV(index: number): readonly [bigint, bigint];
  setV(index: number, low: bigint, high: bigint): void;
  pc: bigint;
  /** Steps PC over an instruction, which counts as executed for a software step. */
  advance(): void;
  /**
   * EL1's own breakpoints and watchpoints; a write to one increments `version`. MDSCR_EL1 is a
   * register like others.
   */
  readonly debug: DebugComparators;
  /**
   * PSTATE and the controls of each exception level as a CPU has them when it is powered on, at EL2
   * where it has that; other registers keep their values.
   */
  reset(): void;
  /** NZCV, DAIF, PAN, UAO, IL, SS, EL and SP selection in SPSR_EL2 layout (AArch64). */
  pstate: number;
  /** Its CPU executes EL2 itself: what leaves the core is for EL3 and hardware to answer. */
  readonly hasEl2: boolean;
  /** The registers that its CPU has. */
  readonly names: readonly RegisterName[];
  getRegister(name: RegisterName): bigint;
  setRegister(name: RegisterName, value: bigint): void;
  /** The low half of ELR_EL1, unsigned: a number costs less than a bigint. */
  readonly elrLow: number;
  /** `addressKey` of the address in PC or another register. */
  keyOf(name: "PC" | RegisterName): number;
  /** Exceptions that it has not returned from. */
  chain: ExceptionChain;
  /** Its last exception return or power-on. */
  entered: Entered | undefined;
  /** Its first exclusive or atomic access to Device memory: evidence. */
  deviceAtomic: DeviceAtomicAccess | undefined;
  /** Its first use of a translation that the tables no longer held: evidence. */
  staleUse: StaleUse | undefined;
  /** The guests that its EL2 has entered, as far as they are noted: evidence. */
  guests: NotedGuests;
  /**
   * Level of the virtual IRQ input (from the VIC). Checked when `run` starts and whenever PSTATE.I
   * falls.
   */
  irq: boolean;
  /** Level of the virtual FIQ input (group 0). */
  fiq: boolean;
  /** The event register of WFE and SEV. */
  event: boolean;
  /** Level of the interrupt of the performance monitors; `ExitReason.Pmu` reports its changes. */
  pmuLine: boolean;
  /**
   * Level of the maintenance interrupt of the virtual CPU interface (FEAT_EL2);
   * `ExitReason.VirtualInterface` reports its changes.
   */
  maintenanceLine: boolean;
  /** Stage-2 tables that translate this vCPU's addresses (`Stage2Table.id`). */
  stage2: number;
  /**
   * HCR_EL2.DC: while stage 1 is off, memory is Normal write-back and not Device, so that unaligned
   * accesses do not fault. It stays off: writing SCTLR_EL1 with M set is UNDEFINED (HCR_EL2.TVM,
   * as EL2 answers it).
   */
  defaultCacheable: boolean;
  /** HLT #0xF000 leaves the core as a trap with EC 0 and PC at it; else it is UNDEFINED. */
  semihosting: boolean;
}
