// The hot CPU state: the layout of the running vCPU's state in the Wasm memory, at constant
// addresses, so that a register operand of the interpreter is a load with a constant offset.
// docs/design/decisions.md §9; docs/design/core.md §I6.
//
// One part, the context, belongs to a vCPU: `Core.run` copies it in and out when another vCPU
// becomes resident. The fields before and after it are derived or belong to one `run`. All values
// are little-endian. To add a field, append a line to its part.

/** First address of the context. */
export const CPU_STATE = 0x100;

/**
 * First address of the fields that regions use most: their offsets take one byte of Wasm, up to
 * 0x7f. Everything below stays zero, so that a null address reads as nothing.
 */
export const NEAREST = 0x40;

let next: number = NEAREST;

function field(size: number, count = 1): number {
  next = Math.ceil(next / size) * size;
  const at = next;
  next += size * count;
  return at;
}

declare const isField: unique symbol;
/** Address of a field with a number: cpu-fields.ts makes it a property. */
export type StateField = number & { readonly [isField]: true };

/** The addresses of f64 fields, and of i32 and i64 ones. */
const doubles = new Set<number>(), integers = new Set<number>();

function kept(addresses: Set<number>, size: number): StateField {
  const at = field(size);
  addresses.add(at);
  return at as StateField;
}

const word = () => kept(integers, 4);
const doubleword = () => kept(integers, 8);
const double = () => kept(doubles, 8);

/** Special slots of `CPU.X`, after 0 to 30. */
export const Slot = {
  /** Reads of XZR: always zero. */
  Zero: 31,
  /** The stack pointer in use (PSTATE.SP and EL choose the bank that it belongs to). */
  SP: 32,
  /** Writes to XZR. */
  Dump: 33,
} as const;

/** Registers that a call reads, or may keep: X0 to X8. */
export const REPEAT_ARGUMENTS = 9;
/** Registers that a call need not preserve: X0 to X17. */
export const REPEAT_RESULTS = 18;

/** Values of `CPU.ENTRY`. */
export const Entry = { None: 0, Return: 1, PowerOn: 2, Resume: 3 } as const;

/** Values of `CPU.DEVICE_ATOMIC`: none, or what made the memory Device. */
export const DeviceAtomic = { None: 0, Stage1Off: 1, Stage1: 2, Stage2: 3 } as const;

/** Guests of EL2 that a vCPU notes: each vCPU of each VM is one. */
export const NOTED_GUESTS = 16;

/** The registers by which such a guest is known. All i64. */
export const NotedGuest = { Vttbr: 0, Vmpidr: 8, Vtcr: 16, Size: 24 } as const;

/** Pages that the accesses of a region keep at most. */
export const KEPT_PAGES = 32;

/** Reasons to report pages that are entered for execution. */
export const Watching = {
  Breakpoints: 1,
  /** Executions are counted: of pages whose counts belong elsewhere. */
  Counts: 2,
} as const;

/** The fields that a region keeps of a page. */
export const KeptPage = {
  /** i64: its virtual address, */
  Page: 0,
  /**
   * i64: range of distances from there at which an access may begin, or 0 while nothing is kept,
   */
  Limit: 8,
  /** i32: Wasm address - virtual address. */
  Distance: 16,
  Size: 24,
} as const;

/** Groups of accesses that can be in two pages at a time. */
export const SPLIT_GROUPS = 16;

/** Where such a group is. All i32. */
export const SplitGroup = {
  /** Wasm address of its first byte; and of that in the second page, less the bytes before it. */
  First: 0,
  Second: 4,
  /** Bytes in the first page. */
  Limit: 8,
  Size: 12,
} as const;

/** Calls whose targets are known: a power of two. */
export const KNOWN_CALLS = 16;

/** The address of no region, as it is misaligned. */
export const NOT_CALLED = 1;

/** No page: differences from it are not multiples of 16. */
export const NO_STACK_PAGE = 1;

/** Derived fields, see `NEAREST`. */
const NEAR = {
  /**
   * Flags that translated code has left as a comparison: the operands, i64, or i32 for words, and
   * `FlagsKind` of translator/lazy-flags.ts, i32.
   */
  FLAGS_A: doubleword(),
  FLAGS_B: doubleword(),
  FLAGS_KIND: word(),
  /** Wasm address - virtual address of `STACK_PAGE`. i32. */
  STACK_DISTANCE: word(),
  /**
   * The page of the stack, for all regions that run until the interpreter does: its virtual
   * address, or `NO_STACK_PAGE`. i64.
   */
  STACK_PAGE: doubleword(),
  /** Address of the TLB set (`TlbSet`) of the current translation regime. i32. */
  TLB: word(),
  /** Not zero when FP and AdvSIMD instructions trap (CPACR_EL1.FPEN at this EL). i32. */
  FP_TRAP: word(),
} as const;

next = CPU_STATE;

/** Addresses of the fields. */
export const CPU = {
  ...NEAR,
  // ---- Context of a vCPU ----
  /** 34 doublewords, see `Slot`. */
  X: field(8, 34),
  /** Flags: N is the sign of this i64, */
  N: doubleword(),
  /** Z is set when this i64 is zero, */
  Z: doubleword(),
  /** V is the sign of this i64, */
  V: doubleword(),
  /** C is this i32, 0 or 1. */
  C: word(),
  /**
   * PSTATE but NZCV, in SPSR layout: SS 21, PAN 22, IL 20, D A I F 9:6, M 4:0 (EL 3:2, SP 0). i32.
   */
  PSTATE: word(),
  /** 32 vector registers of 16 bytes. */
  VECTOR: field(16, 32),
  FPCR: word(),
  FPSR: word(),
  /**
   * Canonical only outside the interpreter loop and when `PENDING` is set; inside it is PC_DELTA +
   * (ip >> 2). i64.
   */
  PC: doubleword(),
  /** Levels of the interrupt inputs and the event register, 0 or 1. i32. */
  IRQ: word(),
  FIQ: word(),
  EVENT: word(),
  /** Address in the Wasm memory of the stage-2 tables' root. i32. */
  STAGE2: word(),
  /** `Stage2Table.id`. i32. */
  STAGE2_ID: word(),
  /** HCR_EL2.DC: with stage 1 off, memory is Normal write-back instead of Device. 0 or 1. i32. */
  DEFAULT_CACHEABLE: word(),
  /** HLT #0xF000 is a semihosting call, which leaves the core. 0 or 1. i32. */
  SEMIHOSTING: word(),
  // System registers. The bank that `Slot.SP` stands for is stale while in use.
  SP_EL0: doubleword(),
  SP_EL1: doubleword(),
  ELR_EL1: doubleword(),
  SPSR_EL1: doubleword(),
  ESR_EL1: doubleword(),
  FAR_EL1: doubleword(),
  VBAR_EL1: doubleword(),
  SCTLR_EL1: doubleword(),
  TCR_EL1: doubleword(),
  TTBR0_EL1: doubleword(),
  TTBR1_EL1: doubleword(),
  MAIR_EL1: doubleword(),
  AMAIR_EL1: doubleword(),
  CONTEXTIDR_EL1: doubleword(),
  CPACR_EL1: doubleword(),
  CNTKCTL_EL1: doubleword(),
  CNTV_CTL_EL0: doubleword(),
  CNTV_CVAL_EL0: doubleword(),
  CNTP_CTL_EL0: doubleword(),
  CNTP_CVAL_EL0: doubleword(),
  TPIDR_EL0: doubleword(),
  TPIDR_EL1: doubleword(),
  TPIDRRO_EL0: doubleword(),
  PAR_EL1: doubleword(),
  AFSR0_EL1: doubleword(),
  AFSR1_EL1: doubleword(),
  MDSCR_EL1: doubleword(),
  CSSELR_EL1: doubleword(),
  MIDR_EL1: doubleword(),
  MPIDR_EL1: doubleword(),
  /**
   * Exceptions of instructions at EL1 that it took since the last return: how many, how many of the
   * last of them were the same, and the interrupts that were taken meanwhile. i32.
   */
  CHAIN_LENGTH: word(),
  CHAIN_SAME: word(),
  CHAIN_INTERRUPTS: word(),
  /** The first of them. i64. */
  CHAIN_ESR: doubleword(),
  CHAIN_ELR: doubleword(),
  CHAIN_FAR: doubleword(),
  /** The last exception return, or the power-on since: `Entry`, SPSR_EL1, i32; its target, i64. */
  ENTRY: word(),
  ENTRY_SPSR: word(),
  ENTRY_PC: doubleword(),
  /**
   * The first exclusive or atomic access to Device memory: `DeviceAtomic`, i32; its address and
   * that of its instruction, i64.
   */
  DEVICE_ATOMIC: word(),
  DEVICE_ATOMIC_VA: doubleword(),
  DEVICE_ATOMIC_PC: doubleword(),
  /**
   * The first use of a translation that its tables no longer held: `Miss` of tlb-layout.ts, i32;
   * its address and that of its instruction, `MissPc` to `MissCpu` of the invalidation, and the
   * virtual time in ns, i64.
   */
  STALE: word(),
  STALE_VA: doubleword(),
  STALE_PC: doubleword(),
  STALE_TLBI_PC: doubleword(),
  STALE_TLBI_OPERAND: doubleword(),
  STALE_TLBI_CPU: doubleword(),
  STALE_TIME: doubleword(),
  /** The keys of FEAT_PAuth, low half first. */
  APIAKeyLo_EL1: doubleword(),
  APIAKeyHi_EL1: doubleword(),
  APIBKeyLo_EL1: doubleword(),
  APIBKeyHi_EL1: doubleword(),
  APDAKeyLo_EL1: doubleword(),
  APDAKeyHi_EL1: doubleword(),
  APDBKeyLo_EL1: doubleword(),
  APDBKeyHi_EL1: doubleword(),
  APGAKeyLo_EL1: doubleword(),
  APGAKeyHi_EL1: doubleword(),
  /** FEAT_RAS. */
  DISR_EL1: doubleword(),
  /** FEAT_RNG: the state of the generator. */
  RNDR: doubleword(),
  /** FEAT_CSV2_2. */
  SCXTNUM_EL0: doubleword(),
  SCXTNUM_EL1: doubleword(),
  /** FEAT_PMUv3. The event counters follow each other, and so do their types. */
  PMCR_EL0: doubleword(),
  PMCNTENSET_EL0: doubleword(),
  PMINTENSET_EL1: doubleword(),
  PMOVSSET_EL0: doubleword(),
  PMSELR_EL0: doubleword(),
  PMUSERENR_EL0: doubleword(),
  PMCCNTR_EL0: doubleword(),
  PMCCFILTR_EL0: doubleword(),
  PMEVCNTR0_EL0: doubleword(),
  PMEVCNTR1_EL0: doubleword(),
  PMEVCNTR2_EL0: doubleword(),
  PMEVCNTR3_EL0: doubleword(),
  PMEVCNTR4_EL0: doubleword(),
  PMEVCNTR5_EL0: doubleword(),
  PMEVTYPER0_EL0: doubleword(),
  PMEVTYPER1_EL0: doubleword(),
  PMEVTYPER2_EL0: doubleword(),
  PMEVTYPER3_EL0: doubleword(),
  PMEVTYPER4_EL0: doubleword(),
  PMEVTYPER5_EL0: doubleword(),
  /** The level of their interrupt that EL2 knows. i32. */
  PMU_LINE: word(),
  /**
   * FEAT_EL2. The bank of the registers that correspond to one of EL1, in the order of EL1's: see
   * `EL2_BANK`.
   */
  SP_EL2: doubleword(),
  ELR_EL2: doubleword(),
  SPSR_EL2: doubleword(),
  ESR_EL2: doubleword(),
  FAR_EL2: doubleword(),
  VBAR_EL2: doubleword(),
  SCTLR_EL2: doubleword(),
  TCR_EL2: doubleword(),
  TTBR0_EL2: doubleword(),
  TTBR1_EL2: doubleword(),
  MAIR_EL2: doubleword(),
  AMAIR_EL2: doubleword(),
  CONTEXTIDR_EL2: doubleword(),
  /** The others. */
  HCR_EL2: doubleword(),
  CPTR_EL2: doubleword(),
  MDCR_EL2: doubleword(),
  HSTR_EL2: doubleword(),
  HACR_EL2: doubleword(),
  VTTBR_EL2: doubleword(),
  VTCR_EL2: doubleword(),
  HPFAR_EL2: doubleword(),
  VPIDR_EL2: doubleword(),
  VMPIDR_EL2: doubleword(),
  TPIDR_EL2: doubleword(),
  AFSR0_EL2: doubleword(),
  AFSR1_EL2: doubleword(),
  CNTHCTL_EL2: doubleword(),
  CNTVOFF_EL2: doubleword(),
  CNTHP_CTL_EL2: doubleword(),
  CNTHP_CVAL_EL2: doubleword(),
  CNTHV_CTL_EL2: doubleword(),
  CNTHV_CVAL_EL2: doubleword(),
  VSESR_EL2: doubleword(),
  HFGRTR_EL2: doubleword(),
  HFGWTR_EL2: doubleword(),
  HFGITR_EL2: doubleword(),
  HDFGRTR_EL2: doubleword(),
  HDFGWTR_EL2: doubleword(),
  /**
   * The virtual CPU interface of the GIC. AP1R0 follows AP0R0, and the list registers each other.
   */
  ICH_HCR_EL2: doubleword(),
  ICH_VMCR_EL2: doubleword(),
  ICH_AP0R0_EL2: doubleword(),
  ICH_AP1R0_EL2: doubleword(),
  ICH_LR0_EL2: doubleword(),
  ICH_LR1_EL2: doubleword(),
  ICH_LR2_EL2: doubleword(),
  ICH_LR3_EL2: doubleword(),
  ICH_LR4_EL2: doubleword(),
  ICH_LR5_EL2: doubleword(),
  ICH_LR6_EL2: doubleword(),
  ICH_LR7_EL2: doubleword(),
  ICH_LR8_EL2: doubleword(),
  ICH_LR9_EL2: doubleword(),
  ICH_LR10_EL2: doubleword(),
  ICH_LR11_EL2: doubleword(),
  ICH_LR12_EL2: doubleword(),
  ICH_LR13_EL2: doubleword(),
  ICH_LR14_EL2: doubleword(),
  ICH_LR15_EL2: doubleword(),
  /** The level of its maintenance interrupt that the machine knows. i32. */
  MAINTENANCE_LINE: word(),
  /** Of the guests that its EL2 has entered (`NotedGuest`), the latest: its offset. i32. */
  NOTED_GUEST: word(),
  NOTED_GUESTS: field(8, NotedGuest.Size / 8 * NOTED_GUESTS),
  // ---- End of the context (see CONTEXT_END) ----
  /** First address that no longer belongs to the context. */
  DERIVED: field(16),

  /** The TLB set that LDTR and STTR use: EL0's, or the current one (FEAT_UAO). i32. */
  TLB_UNPRIVILEGED: word(),
  /**
   * The TLB set of exclusive and atomic accesses where that is not `TLB`: the empty one of the pool
   * (`TlbPoolLayout`), so that they miss, while the first one to Device memory is not noted yet and
   * the TLB may hold such memory. Else 0. i32.
   */
  ATOMICS_TLB: word(),
  /** The TLB set of EL0, the first of the resident vCPU's. i32. */
  TLB_SPACE: word(),

  /**
   * Address of the decoded instruction in progress, stored before every call that may fault or
   * that asks for PC. i32.
   */
  IP: word(),
  /**
   * Address of the decoded instruction at which the budget ends if execution continues in a
   * straight line: the remaining budget is (END - ip) >> 4. i32.
   */
  END: word(),
  /** PC = PC_DELTA + (ip >> 2) in the page in execution. i64. */
  PC_DELTA: doubleword(),
  /** Set by callees: `Pending`. i32. */
  PENDING: word(),
  /** `Exit` of interface.ts. i32, i32, i64, f64, f64. */
  EXIT_REASON: word(),
  EXIT_ESR: word(),
  EXIT_FAR: doubleword(),
  EXIT_IPA: double(),
  EXIT_PA: double(),
  /** The load or store of a data abort to EL2. i32. */
  EXIT_WORD: word(),

  /**
   * Results of the latest stage-1 walk or translation (memory/mmu.ts): IPA and PA, i64; `Rights` of
   * the leaf, i32.
   */
  WALK_IPA: doubleword(),
  WALK_PA: doubleword(),
  WALK_RIGHTS: word(),
  /**
   * FEAT_HAFDBS: the leaf's descriptor: its Wasm address, with bit 0 if stage 2 forbids writing it,
   * i32, and its IPA, i64.
   */
  WALK_DESCRIPTOR: word(),
  WALK_DESCRIPTOR_IPA: doubleword(),
  /** `Fault` and fault status code of the latest translation that failed. i32. */
  FAULT: word(),
  FAULT_STATUS: word(),
  /** Level of the stage-1 descriptor of the latest fault of stage 2 on a walk. i32. */
  WALK_LEVEL: word(),
  /** Bytes of an access that crosses a page, in the order of memory. */
  CROSSING: field(16),

  /** The local exclusive monitor: bytes of the marked access, 0 if none is marked. i32. */
  EXCLUSIVE: word(),
  /** Virtual address of the marked location. i64. */
  EXCLUSIVE_ADDRESS: doubleword(),
  /** The value that it held; two doublewords for pairs. */
  EXCLUSIVE_VALUE: field(8, 2),

  /**
   * Virtual time in ns at which the budget of this `run` ends: now = RUN_END - ((END - ip) >> 4).
   * f64.
   */
  RUN_END: double(),
  /** `floor` of this `run`, ns. f64. */
  TIME_FLOOR: double(),

  /** How often the counter was read. i32. */
  COUNTER_READS: word(),

  /** Not zero when `exited` is called for exceptions to EL2. i32. */
  EL2_CALLED: word(),

  /**
   * The decoded instruction that holds the STOP handler of tail mode, or 0; and the handler that it
   * had. i32.
   */
  STOP: word(),
  STOP_HANDLER: word(),
  /**
   * The fused handler of the decoded instruction before it, which is parted meanwhile; or 0. i32.
   */
  STOP_FUSED_HANDLER: word(),
  /** Why pages that are entered for execution are reported: bits of `Watching`. i32. */
  WATCHING: word(),
  /** Not zero when `watched` wants to hear of data accesses that take the slow path. i32. */
  WATCHING_DATA: word(),
  /**
   * The memory that is watched, in the Wasm memory, if nothing else is: where it begins, and where
   * it ends. i32.
   */
  WATCH_START: word(),
  WATCH_END: word(),
  /**
   * Where regions may begin (decoded/landings.ts): how often the interpreter has to land at a
   * place. i32.
   */
  LANDING_LIMIT: word(),
  /** The decoded instruction of such a place, or 0, and its virtual address. i32, i64. */
  LANDING: word(),
  LANDING_PC: doubleword(),
  /**
   * The region whose accesses keep their pages in `KEPT_PAGES`: its handler, or 0 for none. i32.
   */
  KEPT_BY: word(),
  /** `KeptPage`s (kept-pages.ts). */
  KEPT_PAGES: field(8, 3 * KEPT_PAGES),
  /** `SplitGroup`s. */
  SPLIT_GROUPS: field(4, 3 * SPLIT_GROUPS),
  /**
   * Addresses of the regions that calls went to, i64, or `NOT_CALLED`, and their places in the
   * table, i32 in eight bytes: see enter-function.ts.
   */
  CALLED: field(16, KNOWN_CALLS / 2),
  CALLED_SLOTS: field(8, KNOWN_CALLS),
  /** Second results of helper functions that return more than one value. */
  SCRATCH: field(16, 8),
  /**
   * The exit that is answered without calling EL2: `Repeat` of exceptions/repeated-exits.ts. i32.
   */
  REPEAT: word(),
  /** That exit: its address, i64; EXIT_ESR and EXIT_WORD, i32; EXIT_IPA, f64. */
  REPEAT_PC: doubleword(),
  REPEAT_ESR: word(),
  REPEAT_WORD: word(),
  REPEAT_IPA: double(),
  /** The registers before it, from X0, and after it; or the value of a load. i64. */
  REPEAT_ARGUMENTS: field(8, REPEAT_ARGUMENTS),
  REPEAT_RESULTS: field(8, REPEAT_RESULTS),
  /** Address of the register that a load writes, i32, and PC after the exit, i64. */
  REPEAT_REGISTER: word(),
  REPEAT_NEXT: doubleword(),
  /** Times in ns: of an exit, and at which the run ends; most instructions of a slice. f64. */
  REPEAT_COST: double(),
  REPEAT_LIMIT: double(),
  REPEAT_SLICE: double(),
  /**
   * Answers since EL2 was called, i32; the instructions up to the last of them, and the virtual
   * time (ns) after it, f64.
   */
  REPEAT_COUNT: word(),
  REPEAT_RETIRED: double(),
  REPEAT_BEGUN: double(),
  /**
   * FEAT_PAuth, from TCR_EL1: the bits of a code in pointers to instructions of the lower half of
   * the address space, of the upper half, and in pointers to data. i64.
   */
  PAC_MASKS: field(8, 4),
  /** FEAT_BTI: `TlbFlags` of the page in execution. i32. */
  PAGE_FLAGS: word(),
  /** The bit of a pointer to instructions, to data, that says which half it belongs to. i64. */
  PAC_HALF_BITS: field(8, 2),
  /**
   * Not zero when translations have been dropped since the last ISB: the page in execution may be
   * mapped no more. i32.
   */
  FETCHES_DROPPED: word(),
  /** FEAT_PMUv3: what the counters need, `PmuMode`; the enabled ones, as in PMCNTENSET. i32. */
  PMU_MODE: word(),
  PMU_ENABLED: word(),
  /** The overflows that these two follow from, as in PMOVSSET. i32. */
  PMU_OVERFLOWS: word(),
  /**
   * The rest of the slice whose instructions are not counted yet; their exception level (0 or 1).
   * i32.
   */
  PMU_LEFT: word(),
  PMU_LEVEL: word(),
  /**
   * The instruction that was fetched last while each is counted, 0 if none was; the exception level
   * it is executed at, and whether it has taken an exception. i32.
   */
  PMU_WORD: word(),
  PMU_WORD_LEVEL: word(),
  PMU_RAISED: word(),
  /** Its address. i64. */
  PMU_WORD_PC: doubleword(),
  /**
   * FEAT_EL2: the banks (0 or `EL2_BANK`) of the translation regime in use, and of the exceptions
   * of its instructions. i32.
   */
  REGIME_BANK: word(),
  EXCEPTION_BANK: word(),
  /** The latest walk of its stage 2: rights and level of the leaf (memory/stage2-walk.ts). i32. */
  STAGE2_FLAGS: word(),
  /**
   * The virtual interrupts that the interface signals, as HCR_EL2.VI and VF; the INTID of the
   * physical interrupt that an instruction deactivates, plus one, or 0. i32.
   */
  VIRTUAL_LINES: word(),
  DEACTIVATES: word(),
  /** PSTATE.EL, or 0 where EL2 traps DC ZVA of EL1. i32. */
  ZERO_LEVEL: word(),
  /** The TLB spaces of the two regimes, of which `TLB_SPACE` is one. i32. */
  TLB_SPACE_EL1: word(),
  TLB_SPACE_EL2: word(),
  /**
   * Not zero while the first of them is known to be of the controls in force: since EL1 or EL0 was
   * entered. i32.
   */
  STAGE2_FOLLOWED: word(),
  /** The spaces of EL1&0 that the vCPU has. i32. */
  TLB_GUEST: word(),
  TLB_OTHER_GUEST: word(),
  /** `PAC_MASKS` and `PAC_HALF_BITS` of EL2's regime. i64. */
  PAC_MASKS_EL2: field(8, 4),
  PAC_HALF_BITS_EL2: field(8, 2),
} as const;

/** The address of a register of EL2's bank, less that of EL1's. */
export const EL2_BANK = CPU.SP_EL2 - CPU.SP_EL1;

/** How a field is read as a number: i64 ones by their low half. Undefined for other addresses. */
export function fieldKind(address: number): "i32" | "f64" | undefined {
  return integers.has(address) ? "i32" : doubles.has(address) ? "f64" : undefined;
}

/** One past the last byte of the CPU state. */
export const CPU_STATE_END = next;

/** The context is [CPU_STATE, CONTEXT_END). */
const CONTEXT_END = CPU.DERIVED;

/** Bytes of a vCPU's context with EL2's registers, which are its end. */
export const EL2_CONTEXT_SIZE = CONTEXT_END - CPU_STATE;

/** Bytes of a vCPU's context. */
export const CONTEXT_SIZE = CPU.SP_EL2 - CPU_STATE;

/** Bytes of the part of it that is before the registers of features. */
export const BASE_CONTEXT_SIZE = CPU.APIAKeyLo_EL1 - CPU_STATE;

/** Address of X`index` (0 to 30) or of a special slot. */
export const xAddress = (index: number): number => CPU.X + 8 * index;

/** Address of V`index`. */
export const vAddress = (index: number): number => CPU.VECTOR + 16 * index;

/** Values of `CPU.PENDING`: the request of a called function to the interpreter loop. */
export const Pending = {
  None: 0,
  /**
   * Execution continues at `CPU.PC` (an exception was taken, ERET); the instruction counts as
   * retired.
   */
  Redirect: 1,
  /**
   * `run` returns with `CPU.EXIT_*`; `CPU.PC` says where execution will continue. The instruction
   * counts as retired.
   */
  Exit: 2,
  /** As `Redirect`; a branch has stored the address. */
  Branch: 3,
} as const;

/**
 * A TLB set: the translations of one regime (address space, EL0 or EL1 or EL1 with PAN),
 * direct-mapped.
 *
 * An entry of Read or Write is one i64: VA[63:24] in bits 63:24, and bits 31:12 of (Wasm address -
 * virtual address) in bits 23:4. An access hits when `(va ^ entry) & (-1 << 24 | size - 1)` is
 * zero: one load and one test. The Wasm address is then `i32(va) + (i32(entry) << 8)`. The last of
 * several neighbors has to be in the same page besides. VA[24] is known from an entry's place: one
 * that has it the other way round matches nothing.
 */
export const TlbSet = {
  /** 8192 entries by VA[24:12]: data reads of plain RAM. */
  Read: 0,
  /** The same: data writes of plain RAM without decoded instructions; they may be read as well. */
  Write: 0x1_0000,
  /**
   * 4096 `FetchEntry` by VA[23:12]: instruction fetches. Pages of hot code that share an entry
   * cost as much as the rest of a program: with 512, some ran at half their speed.
   */
  Fetch: 0x2_0000,
  /** A byte of `TlbFlags` for each entry of Read, of Write. */
  ReadFlags: 0x3_0000,
  WriteFlags: 0x3_2000,
  /** Bytes of a set. */
  Size: 0x3_4000,
  /** Entries in Read and in Write. */
  Entries: 0x2000,
  FetchEntries: 4096,
} as const;

/** Bytes of an entry of Read or Write, and how it is found and compared. */
export const DataEntry = {
  Size: 8,
  /** i32(va) shifted right by this, and masked, is the offset of its entry. */
  IndexShift: 9,
  IndexMask: 0xfff8,
  /** Bits of the address that the entry holds. */
  TagMask: -1 << 24,
  /** i32(entry) shifted left by this is what the Wasm address is away. */
  DistanceShift: 8,
} as const;

export const FetchEntry = {
  /** i64: page of the virtual address as accessed, low 12 bits zero; -1 matches nothing. */
  Tag: 0,
  /** i32: address of the decoded page. */
  Decoded: 8,
  /** i32: `TlbFlags`. */
  Flags: 12,
  Size: 16,
} as const;
