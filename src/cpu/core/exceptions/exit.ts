// Exits: the reasons for which a run of the core ends or calls EL2. They are shaped as exceptions
// to EL2, with the syndrome that ESR_EL2, FAR_EL2 and HPFAR_EL2 would hold (Arm ARM D13.2.37).

/** Why `Core.run` came back. */
export const ExitReason = {
  /** The instruction budget is used up, to the instruction. */
  Budget: 0,
  /**
   * A synchronous exception to EL2: `esr`, `far` and `ipa` say which. PC is at the instruction
   * (HVC: after it, as the architecture has it).
   */
  Trap: 1,
  /**
   * A data access to a physical address that stage 2 maps but that is not RAM: a device. `esr` as
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
  /** The interrupt line of the performance monitors has changed (the instruction is complete). */
  Pmu: 7,
  /**
   * The virtual CPU interface (FEAT_EL2) has changed the line of its maintenance interrupt, or
   * deactivates a physical interrupt (the instruction is complete).
   */
  VirtualInterface: 8,
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
  /** INTID of a physical interrupt that is no longer active. Valid for VirtualInterface. */
  deactivated?: number | undefined;
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
  /** Virtual time (ns) after the exit that was handled last. */
  readonly now: number;
  /** Virtual time (ns) that an exit takes. */
  readonly exitCost: number;
  /**
   * Whether the exit that was handled last, an HVC or a load, has changed nothing but registers of
   * its vCPU, and did not depend on the time: the same exit at once again has the same answer,
   * which the core may give by itself.
   */
  readonly repeats: boolean;
  /**
   * The core has done so.
   * @param count answers since the exit that was handled last
   * @param retired instructions from there to the last of them
   */
  repeated(count: number, retired: number): void;
  /**
   * The run has come to an instruction that begins at virtual time `time` (ns) and is about to be
   * reported.
   * @returns how many of the instructions before it EL2 has counted now
   */
  reached(time: number): number;
}
